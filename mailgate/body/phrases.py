"""Words with which mail programs introduce a quoted mail, in the languages that they speak: tables."""

import re
from collections.abc import Sequence


def fold(text: str) -> str:
    """Lower case; capital I is that of both Turkish letters."""
    return text.lower().replace("ı", "i")


def any_in(words: Sequence[str], text: str) -> bool:
    """Whether one of the words stands in the text: much cheaper than a pattern that has to try them at each letter."""
    for word in words:  # noqa: SIM110 - any() with a generator takes three times as long
        if word in text:
            return True
    return False


LONGEST = 4000  # characters of a paragraph that are looked at


def folded(text: str) -> str:
    """In one line and lower case, without marks around it: what patterns for words of people meet."""
    return " ".join(text[:LONGEST].lower().replace("\u2019", "'").split()).strip("*_> ")


# "wrote" as programs say it, with a blank written as _
_WROTE = (
    "wrote writes wrote_the_following schrieb schreibt geschrieben skrev skreiv a_écrit écrit écrivait "
    "escribió escribio ha_escrit va_escriure schreef het_volgende_geschreven ha_scritto scrisse scrive "
    "escreveu escribiu napisał napisała napisał(a) pisze napisal napsal napsal(a) napísal napísal(a) "
    "napsala napísala kirjoitti написал написала написал(а) пишет писал писала писали пише написав "
    "написав(-ла) написала(-в) написа написао написала је_написао је_написао/ла напісаў írta yazdı a_scris "
    "scris έγραψε rašė parašė kirjutas rakstīja skrifaði napisao napisao_je je_napisao napisala "
    "napisala_je je_napisala je_napisal je_napisao/la đã_viết viết menulis เขียนว่า เขียน כתב כתבה כתב/ה "
    "מאת كتب كتبت 写道 寫道 のメール さんは書きました さんが書きました 님이_작성 작성 쓴_글 님이_씀"
)
_WROTE_WORDS = "|".join(
    re.escape(fold(one).replace("_", " ")) for one in sorted(_WROTE.split(), key=len, reverse=True)
)

# the verb before a colon at the end of the line, or before the name ("schrieb Anna Berg <a@b.example>:")
# in folded text: without regard to case the pattern would try every verb at every letter
WROTE = re.compile(rf"(?:{_WROTE_WORDS})\s*[:：]?\s*(?:-+)?\*?\s*$|\b(?:{_WROTE_WORDS})\b[^\n]{{0,200}}:\s*$")
CLOSES = (":", "：", ":*", "--", "...")  # how an attribution ends
DATE = re.compile(r"\b(?:19|20)\d\d\b|\d[./-]\d\d?[./-]\d|\d年")
TIME = re.compile(r"\d\d?(?:[:.]\d\d|[時时点點시])")
ADDRESS = re.compile(r"""[<(\["'][^\s<>@]{1,64}@[^\s<>@]{1,190}[>)\]"']""")
NEWS = "news:"  # `Anna wrote in message news:…`
# programs that use no words
GROUPWISE = re.compile(r">>> ?[^<>]{2,80}(?:<[^<>\s]{3,190}>)?[^<>]{0,40}\d[./-]\d[^<>]{3,30}>>>")
NOTES = re.compile(r"[^\n]{2,80}?-{3}\d{1,4}[./-]\d{1,2}[./-]\d{2,4}[ ,]{1,2}\d\d?[:.]\d\d[^\n]{0,12}---")
# no verb at all: a date first, an address and a colon last (some Gmail and mail.ru languages)
DATED = re.compile(r"[^<>@]{0,60}\d\d?:\d\d[^<>]{0,100}<[^<>@]{1,80}@[^<>]{1,120}>\s*:$")
_OPENERS = (
    *("on", "at", "am", "den", "de", "le", "el", "op", "il", "em", "dnia", "w", "pe", "på", "kl", "no", "in"),
    *(
        "dne",
        "to",
        "ma",
        "ti",
        "ke",
        "la",
        "su",
        "man",
        "tir",
        "tirs",
        "ons",
        "tor",
        "tors",
        "fre",
        "lør",
        "søn",
    ),
    *(
        "lör",
        "sön",
        "mån",
        "tis",
        "mon",
        "tue",
        "wed",
        "thu",
        "fri",
        "sat",
        "sun",
        "lun",
        "mar",
        "mer",
        "jeu",
    ),
    *(
        "ven",
        "sam",
        "dim",
        "mo",
        "di",
        "mi",
        "do",
        "fr",
        "sa",
        "so",
        "пн",
        "вт",
        "ср",
        "чт",
        "пт",
        "сб",
        "вс",
    ),
)
# an attribution over several lines begins with one of these or a figure; one on a single line, with anything
OPENS = re.compile(rf"\s*(?:[-*]+\s*)?(?:(?:{'|'.join(_OPENERS)})\b|\d)", re.IGNORECASE)

# what stands between two rules above an older mail, with a blank written as _
_ORIGINAL = (
    "original_message original-nachricht originalnachricht ursprüngliche_nachricht ursprünglicher_termin "
    "original_appointment original_e-mail original_mail reply_message forwarded_message "
    "weitergeleitete_nachricht opprinnelig_melding oprindelig_meddelelse oprindelig_besked "
    "ursprungligt_meddelande originalmeddelande videresendt_melding videresendt_meddelelse "
    "videresendt_besked vidarebefordrat_meddelande message_original message_d'origine message_transféré "
    "courriel_original message_réexpédié mensaje_original mensaje_reenviado oorspronkelijk_bericht "
    "doorgestuurd_bericht messaggio_originale messaggio_inoltrato mensagem_original mensagem_encaminhada "
    "mensagem_reencaminhada missatge_original missatge_reenviat oryginalna_wiadomość wiadomość_oryginalna "
    "wiadomość_przekazana przekazana_wiadomość alkuperäinen_viesti välitetty_viesti исходное_сообщение "
    "пересланное_сообщение пересылаемое_сообщение исходное_письмо оригинальное_сообщение "
    "оригінальне_повідомлення пересилане_повідомлення переслане_повідомлення вихідне_повідомлення "
    "původní_zpráva původní_e-mail originele_e-mail e-mail_original přeposlaná_zpráva pôvodná_správa "
    "preposlaná_správa eredeti_üzenet továbbított_üzenet orijinal_mesaj özgün_ileti iletilen_mesaj "
    "yönlendirilmiş_mesaj mesaj_original mesaj_inițial mesaj_redirecționat αρχικό_μήνυμα προωθημένο_μήνυμα "
    "originalna_poruka izvorna_poruka izvirno_sporočilo proslijeđena_poruka оригинално_съобщение "
    "препратено_съобщение originalus_laiškas sākotnējais_ziņojums algne_sõnum הודעה_מקורית הודעה_שהועברה "
    "الرسالة_الأصلية رسالة_محولة الرسالة_المحولة thư_gốc pesan_asli 原始邮件 原始郵件 转发邮件 轉寄郵件 "
    "转发的邮件 元のメッセージ 転送メッセージ 원본_메시지 원본_메일 원본_이메일 전달된_메시지"
)
_ORIGINAL_WORDS = "|".join(re.escape(one.replace("_", " ")) for one in _ORIGINAL.split())
_BEGIN = (
    "begin_forwarded_message anfang_der_weitergeleiteten_nachricht début_du_message_transféré "
    "début_du_message_réexpédié inizio_messaggio_inoltrato vidarebefordrat_brev videresendt_besked "
    "start_på_videresendt_besked videresendt_melding videresendt_e-post begin_doorgestuurd_bericht "
    "inicio_del_mensaje_reenviado início_da_mensagem_reencaminhada início_da_mensagem_encaminhada "
    "välitetty_viesti_alkaa początek_przekazanej_wiadomości začátek_přeposílané_zprávy "
    "začiatok_preposlanej_správy továbbított_levél_kezdete iletilen_ileti_başlangıcı "
    "început_mesaj_redirecționat αρχή_προωθημένου_μηνύματος начало_переадресованного_сообщения "
    "початок_листа,_що_пересилається 下面是被转发的邮件 以下是轉寄的郵件 開始轉寄郵件 転送されたメッセージ "
    "전달된_메시지_시작 전달된_메시지"
)
_BEGIN_WORDS = "|".join(re.escape(one.replace("_", " ")) for one in _BEGIN.split())
ORIGINAL = re.compile(
    rf"\s*\*?\s*[-_=\u2010]{{2,40}}\s*(?:{_ORIGINAL_WORDS})\s*[-_=\u2010]{{2,40}}\s*\*?\s*$|\s*(?:{_BEGIN_WORDS})\s*:\s*$"
    r"|[-_=#*]{2,40} ?[^\n]{0,40}\b(?:reply|respond|antwort\w*|répon\w+|respuesta|rispost\w+|antwoord)\b[^\n]{0,40}"
    r"\b(?:above|oberhalb|über|au-dessus|encima|sopra|boven)\b[^\n]{0,30}[-_=#*]{2,40}$",
    re.IGNORECASE,
)
_OPENED = "on|am|le|el|il|em|op|den|w dniu|dnia"
# an attribution or a separator with the old mail behind it in the same line, as some telephones write them
RUN = re.compile(
    rf"(?:{_OPENED}) [^<>@\n]{{8,120}}<[^<>@\s]{{1,64}}@[^<>\s]{{1,190}}> ?(?:{_WROTE_WORDS}) ?: +\S"
    rf"|-{{2,40}} ?(?:{_ORIGINAL_WORDS}) ?-{{2,40}} ?(?:[^\W\d_]{{2,12}}) ?: ?[^\n]{{3}}",
    re.IGNORECASE,
)
# above a block of labels any words do
BETWEEN_RULES = re.compile(r"[-_=]{2,40} ?[^-_=:<>@\n]{2,40} ?[-_=]{2,40}$")
RULE = re.compile(r"\s*(?:[-=]{4,200}|_{2,200})\s*$")
# what list servers put under every mail
LIST_FOOTER = "mailing list"
