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


_WROTE = (
    *("wrote", "schrieb", "geschrieben", "skrev", "skreiv", "a écrit", "écrit", "escribió"),
    *(
        "escribio",
        "schreef",
        "het volgende geschreven",
        "ha scritto",
        "scrisse",
        "escreveu",
        "napisał",
        "napisała",
    ),
    *(
        "napisał(a)",
        "napisal",
        "kirjoitti",
        "написал",
        "написала",
        "написал(а)",
        "пишет",
        "napsal(a)",
    ),
    *("napsal", "írta", "yazdı", "a scris", "написав", "έγραψε", "rašė", "kirjutas", "rakstīja", "skrifaði"),
    *("写道", "のメール", "님이 작성", "さんは書きました", "wrote the following"),
)
_WROTE_WORDS = "|".join(re.escape(fold(one)) for one in sorted(_WROTE, key=len, reverse=True))

# the verb before a colon at the end of the line, or before the name ("schrieb Anna Berg <a@b.example>:")
# in folded text: without regard to case the pattern would try every verb at every letter
WROTE = re.compile(rf"(?:{_WROTE_WORDS})\s*[:：]?\s*(?:-+)?\*?\s*$|\b(?:{_WROTE_WORDS})\b[^\n]{{0,200}}:\s*$")
CLOSES = (":", "：", ":*", "--")  # how an attribution ends
# a date or an address: enough by itself; a mere time: enough if quoted lines follow
EVIDENCE = re.compile(r"@|\b(?:19|20)\d\d\b|\d[./-]\d\d?[./-]\d|\d年")
TIME = re.compile(r"\d\d?[:.]\d\d")
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

_ORIGINAL = (
    *("original message", "original-nachricht", "ursprüngliche nachricht", "originalnachricht"),
    *("forwarded message", "weitergeleitete nachricht", "opprinnelig melding", "oprindelig meddelelse"),
    *("ursprungligt meddelande", "originalmeddelande", "videresendt melding", "videresendt meddelelse"),
    *("vidarebefordrat meddelande", "message original", "message d'origine", "message transféré"),
    *("mensaje original", "mensaje reenviado", "oorspronkelijk bericht", "doorgestuurd bericht"),
    *("messaggio originale", "messaggio inoltrato", "mensagem original", "mensagem encaminhada"),
    *("oryginalna wiadomość", "wiadomość oryginalna", "wiadomość przekazana", "alkuperäinen viesti"),
    *("välitetty viesti", "исходное сообщение", "пересланное сообщение", "reply message", "původní zpráva"),
    *("original appointment", "ursprünglicher termin", "eredeti üzenet", "orijinal mesaj", "mesaj original"),
)
_ORIGINAL_WORDS = "|".join(re.escape(one) for one in _ORIGINAL)
_BEGIN = (
    *("begin forwarded message", "anfang der weitergeleiteten nachricht", "début du message transféré"),
    *(
        "début du message réexpédié",
        "inizio messaggio inoltrato",
        "vidarebefordrat brev",
        "videresendt besked",
    ),
    *("begin doorgestuurd bericht", "inicio del mensaje reenviado", "início da mensagem reencaminhada"),
)
_BEGIN_WORDS = "|".join(re.escape(one) for one in _BEGIN)
ORIGINAL = re.compile(
    rf"\s*\*?\s*[-_=]{{2,40}}\s*(?:{_ORIGINAL_WORDS})\s*[-_=]{{2,40}}\s*\*?\s*$|\s*(?:{_BEGIN_WORDS})\s*:\s*$",
    re.IGNORECASE,
)
_OPENED = "on|am|le|el|il|em|op|den|w dniu|dnia"
# an attribution or a separator with the old mail behind it in the same line, as some telephones write them
RUN = re.compile(
    rf"(?:{_OPENED}) [^<>@\n]{{8,120}}<[^<>@\s]{{1,64}}@[^<>\s]{{1,190}}> ?(?:{_WROTE_WORDS}) ?: +\S"
    rf"|-{{2,40}} ?(?:{_ORIGINAL_WORDS}) ?-{{2,40}} ?(?:[^\W\d_]{{2,12}}) ?: ?[^\n]{{3}}",
    re.IGNORECASE,
)
RULE = re.compile(r"\s*(?:[-=]{4,200}|_{2,200})\s*$")
# what list servers put under every mail
LIST_FOOTER = "mailing list"

_NAMES = {
    "from": "from von fra från da de van od lähettäjä от от кого feladó kimden expéditeur mittente remitente "
    "afzender nadawca avsender avsändare afsender absender",
    "date": "date sent datum gesendet sendt skickat envoyé|envoyé le fecha enviado|enviado el data inviato "
    "verzonden enviada|enviada em wysłano lähetetty päivämäärä дата отправлено dato odesláno message du "
    "date|enviado em tidspunkt",
    "to": "to an til till à a para aan do vastaanottaja kopio кому komu címzett kime cc kopi kopia copie "
    "copie à|cc|copia|dw|kopie|bcc|reply-to|antwort an|répondre à",
    "subject": "subject betreff emne ämne objet asunto onderwerp oggetto assunto temat aihe тема předmět "
    "tárgy konu sujet",
}


def _names(words: str) -> list[str]:
    return [name for group in words.split("|") for name in {group.strip(), *group.split()}]


LABELS = {name.strip(): kind for kind, words in _NAMES.items() for name in _names(words)}
