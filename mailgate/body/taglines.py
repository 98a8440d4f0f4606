"""Lines that mail programs of phones put under every mail, in the languages that they speak."""

import re
from collections.abc import Iterable

from mailgate.body.phrases import any_in

LONGEST = 160  # characters; a longer line is no tagline

# What such a line names: the device or the program. All in lower case.
_THINGS = (
    (
        r"i(?:phon|pad|pod|os)\S*|apple watch|android\S*|samsung|galaxy|huawei|honor|htc|nokia"
        r"|black ?berry\S*|xperia"
    ),
    (
        r"sony|motorola|moto g|oneplus|xiaomi|redmi|oppo|realme|pixel|wiko|alcatel|lg|zte"
        r"|windows ?(?:phone|\d*|mail)"
    ),
    (
        r"outlook|(?:e-?)?mail\S* (?:for|für|pour|para|per|voor|til|för|для) windows|courrier|correo"
        r"|posta|e-?mail app"
    ),
    (
        r"yahoo\S*|gmail|inbox|gmx|web\.de|aol|icloud|zoho|fastmail|proton ?(?:mail)?|tuta(?:nota)?"
        r"|hey|mail\.ru"
    ),
    (
        r"mailbox|mailspring|spark|airmail|newton|nine|boxer|k-9 mail|fairemail|typeapp|blue ?mail"
        r"|sparrow|superhuman"
    ),
    (
        r"front|em client|spike|edison|canary|shortwave|mymail|polymail|postbox|cloudmagic|acompli"
        r"|alto|thunderbird"
    ),
    (
        r"zimbra|roundcube|horde|good(?: for enterprise)?|maas360|intune|verizon\S*|at&t|t-mobile"
        r"|vodafone|telia\S*"
    ),
    (
        r"mobile?|mobil\S*|smart ?(?:phone|telefon)\S*|handy|phone|tablet|cell(?: phone|phone)?"
        r"|portable|móvil|celular"
    ),
    r"telefon\S*|cellulare|téléphone|palm|treo|surface|ti-\d+|galaxy\S*",
)
# "sent from", and what stands behind "my": anything short, since nobody else writes so
_MINE = (
    r"(?:sent|written|typed|posted|dictated) (?:from|via|with|on|using|by) my",
    r"(?:gesendet|geschrieben|verschickt) (?:von|mit|aus|über) mein(?:em|er)",
    r"(?:envoyé|écrit|expédié)e? (?:depuis|de|à partir de|avec|via) mon",
    r"(?:enviado|escrito) desde mi|enviat des del meu|(?:enviado|escrito) (?:do|a partir do|pelo|de) meu",
    r"(?:inviato|scritto) (?:dal|con il|col) mio|trimis (?:de pe|din|cu) \S+ meu",
    r"(?:verstuurd|verzonden|gestuurd) (?:vanaf|met|via|vanuit) (?:mijn|m'n)",
    r"(?:skickat|skickades|sänt) från min|sendt (?:fra|med|via) min|odesláno z mého|odoslané z môjho",
    r"wysłan[eo] z (?:mojego|mego)|отправлено с моего|надіслано з мого|изпратено от моя|saadetud minu",
    r"išsiųsta iš mano|sūtīts no mana|poslano s mog",
)
# "sent from", and a device or program must stand behind
_FROM = (
    r"(?:sent|written|posted) (?:from|via|with|using|by)(?: the| an?)?|(?:from|via) my",
    r"(?:gesendet|geschrieben|verschickt) (?:von|mit|aus|über|via)(?: der| dem| einem)?",
    r"von(?: meinem| meiner)?(?=.{1,60} (?:gesendet|geschrieben|verschickt))",
    (
        r"diese (?:nachricht|(?:e-?)?mail) wurde (?:von|mit)(?: meinem"
        r"| meiner)?(?=.{1,100} (?:gesendet|geschrieben))"
    ),
    r"(?:envoyé|écrit|expédié)e? (?:depuis|de|à partir de|à partir d'un|avec|via)(?: l'application)?",
    (
        r"provenance ?:|(?:enviado|escrito) desde|(?:enviado|escrito) (?:do|de|a partir do|pelo"
        r"|através do|via)"
    ),
    r"(?:inviato|scritto) (?:da|dal|con|tramite)|trimis (?:de pe|din|cu)",
    r"(?:verstuurd|verzonden|gestuurd) (?:vanaf|met|via|vanuit|door)|(?:skickat|skickades|sänt) från",
    (
        r"sendt (?:fra|med|via)|odesláno (?:z|ze)|odoslané z|wysłan[eo] (?:z|ze)(?: aplikacji)?"
        r"|отправлено (?:с|из|через)"
    ),
    r"надіслано (?:з|із)|изпратено от|(?:στάλθηκε|εστάλη) από(?: το)?|poslano (?:s|iz)|lähetetty",
    r"đã gửi từ|dikirim dari|наслано з|išsiųsta iš|sūtīts no|saadetud",
)
_GET = (
    (
        r"(?:get|download|try) (?:the )?\[?(?:outlook|yahoo|gmail|bluemail|proton ?mail|typeapp"
        r"|edison|mymail)\b(?=.{0,30}(?:$|http|android|i(?:os|phone|pad)|mobile|mac\b|windows|web))"
    ),
    (
        r"(?:obtenir|télécharger|obtenez|téléchargez|obtener|obtén|descargar|descarga|obter"
        r"|transferir|baixar) \[?o? ?outlook"
    ),
    r"(?:scarica|ottieni) \[?outlook|(?:hent|få|skaff deg|last ned|hämta|skaffa|ladda ned) \[?outlook",
    (
        r"(?:holen sie sich|laden sie) \[?outlook|\[?outlook (?:für|voor) .{2,20} (?:beziehen"
        r"|herunterladen|downloaden)"
    ),
    (
        r"(?:download|krijg) \[?outlook|(?:hanki|lataa) \[?outlook|pobierz \[?outlook|(?:získat"
        r"|získejte) \[?outlook"
    ),
    r"скачать \[?outlook|загрузить \[?outlook|yahoo mail: .{5,50}",
)
_ELSEWHERE = (  # languages that put the device first
    r"(?:发自|發自|寄自)我的 ?\S+|从我的 ?.{2,20} ?(?:发送|寄出)|從我的 ?.{2,20} ?(?:傳送|寄出)",
    r".{0,10}(?:iphone|ipad|android|スマホ)\S{0,6}から送信(?:されました|しました)?",
    r"(?:나의|내) .{2,20}에서 보(?:냄|낸 메일)|(?:iphone|ipad|android|galaxy).{0,10}에서 보냄",
    r"(?:az? )?(?:iphone|ipad|android|samsung)\S{0,12} (?:küldve|gönderildi|telefonumdan gönderildi)",
    (
        r".{2,30} (?:üzerinden|cihazımdan|telefonumdan|'?[dt]an) gönderildi|lähetetty .{2,20}(?:sta"
        r"|stä)(?: .{1,20})?"
    ),
    r"(?:أُ?رسلت|تم الإرسال) من .{2,30}|נשלח מה-?.{2,30}",
    r"\S{1,20} from (?:my )?(?:mobile|phone|i(?:phone|pad)|android)",
)


def _any(patterns: Iterable[str]) -> str:
    return "|".join(patterns)


_LEAD = r"[\W_]{0,12}"
_END = r"[^\n]{0,100}$"
# Patterns meet lower case only: one that ignores case is several times slower. All begin at the line's begin.
_KNOWN = re.compile(
    rf"{_LEAD}(?:(?:{_any(_FROM)}) (?:[\w.'’-]{{1,20}} ){{0,3}}(?:\[|\(|<"
    rf"|\")?(?:{_any(_THINGS)})(?![\w.@-]){_END}"
    rf"|(?:{_any(_GET)}){_END}|(?:{_any(_ELSEWHERE)})[.!]?{_LEAD}$"
    rf"|(?:{_any(_MINE)}) (?:\S{{1,30}} ){{0,2}}(?:{_any(_THINGS)})(?![\w@-]){_END})"
)
_MY = re.compile(rf"{_LEAD}(?:{_any(_MINE)}) \S+(?: \S+){{0,3}}$")
_LINKED = re.compile(rf"{_LEAD}(?:{_any(_FROM)}) .{{2,60}}(?:<|\()https?://[^\s<>]*[>)]\.?$")
_HINTS = (  # without one of these no line is a tagline
    *("yahoo", "sent", "send", "from m", "outlook", "envoy", "expédi", "provenance", "enviad"),
    *("enviat", "inviat", "trimis", "verstuurd", "verzonden", "gestuurd", "skicka", "sänt"),
    *("sendt", "odesl", "odosl", "wysłan", "отправлен", "надісла", "изпрат", "στάλθ"),
    *("εστάλη", "poslano", "lähetetty", "gửi", "dikirim", "išsiųsta", "sūtīts", "saadetud"),
    *("送信", "发", "發", "寄", "傳送", "보", "küldve", "gönderildi"),
    *("رسل", "نשל", "נשלח", "get ", "download", "geschrieben", "gesendet", "verschickt"),
    *("written", "posted", "typed"),
)
_SENTENCE = 12  # words: more is a sentence of somebody


def is_tagline(line: str, *, last: bool) -> bool:
    """`last`: nothing but taglines and signatures follow, so that `Sent from my desk` is one too."""
    line = line.strip()
    if not 7 <= len(line) <= LONGEST:
        return False
    folded = line.lower().replace("\u2019", "'")
    if not any_in(_HINTS, folded):
        return False
    if _KNOWN.match(folded):
        return len(folded.split()) <= _SENTENCE or "http" in folded
    return last and bool(_MY.match(folded) or _LINKED.match(folded))
