"""Warnings that mail servers put above what somebody wrote: that it came from outside, and to be careful.

One word is never enough: a warning says where the mail is from, that it is a mail, and what to beware of. All patterns
meet lower case only.
"""

import re
from collections.abc import Sequence

from mailgate.body.phrases import any_in, folded

MOST_LINES = 14
_BEGIN = 400  # characters in which a warning says where the mail is from
_FULL = 55  # characters of a line that may have been wrapped
_WIDEST = 1000  # characters of a line

_TAG = re.compile(
    r"[\[(<{*_ ]{0,4}(?:external|extern|externe?[rs]?|ext|eksternt?|esterno|externo|外部)"
    r"(?: (?:e-?mail|sender|message|mail|absender|nachricht|expéditeur|courriel|afsender|avsender"
    r"|avsändare))?"
    r"[\])>}*_ ]{0,4}:?"
)
_BRACKETED = re.compile(
    r"\s*\[(?:external|extern|externe?[rs]?|ext|ekstern|esterno|externo|外部)(?: [a-zéä-]{3,12})?\]:? *"
)
_ORIGIN = re.compile(
    r"\bexternal (?:e-?mail|sender|source|address|message|recipient|party)"
    r"|(?:originat\w+|came|comes|coming|sent|received|is|was)(?: \w+)? (?:from"
    r"|by) (?:an? )?(?:external|outside|someone outside)"
    r"|outside(?: of)? (?:the |your |our |of )*(?:organi[sz]ation|company|network|university"
    r"|institution|corporation|\w+ domain)"
    r"|extern(?:er|en|em|es|e) (?:absender|e-?mail|quelle|nachricht|organisation)|außerhalb (?:der"
    r"|unserer|ihrer|des|von)"
    r"|(?:extérieur|externe) (?:à|de) (?:l'|la |votre |notre )|expéditeur externe"
    r"|provient (?:de l'extérieur|d'une source externe)"
    r"|(?:remitente|correo|origen) externo|fuera de (?:la|su|nuestra) organización|origin\w* (?:fora|externa)"
    r"|mittente esterno|esterno all'organizzazione|dall'esterno|fora da organização"
    r"|externe (?:afzender|e-?mail)"
    r"|buiten (?:de|uw|onze) organisatie|utenfor (?:\w+ )?(?:organisasjon|virksomhet|bedrift)"
    r"|ekstern (?:avsender|afsender|kilde)"
    r"|uden ?for (?:\w+ )?(?:organisation|virksomhed)|extern (?:avsändare|part)|utanför (?:\w+ )?organisation"
    r"|organisaation ulkopuol|spoza (?:\w+ )?organizacji|nadawca zewnętrzny"
)
_CARE = re.compile(
    r"\bcaution\b|\bwarning\b|\battention\b|be (?:careful|cautious|wary|vigilant)|exercise care|think before"
    r"|(?:click|open|follow|respond)\w*(?: \w+){0,4} (?:links?|attachments?)|(?:links?"
    r"|attachments?)(?: \w+){0,4} unless"
    r"|recogni[sz]e the (?:sender|source)|content is safe|know the (?:content|sender)"
    r"|verify the sender|\bphishing\b"
    r"|\b(?:vorsicht|achtung|warnung)\b|anh[aä]nge?|\bmefiez|méfi|prudence|pièces jointes|ne cliquez"
    r"|\bprecaución|\bcuidado"
    r"|haga clic|adjuntos|\battenzione\b|allegati|cliccare|\batenção|anexos|clique em|\blet op\b"
    r"|\bpas op\b|bijlagen|klik niet"
    r"|\badvarsel|\bforsiktig|\bforsigtig|\bvarning|\bförsiktig|vedlegg|vedhæft|bifog|lenker|länkar"
    r"|\bvaroitus|liitte|załącznik"
)
_MAIL = re.compile(
    r"e-?mail|\bmail\b|message|sender|nachricht|absender|courriel|expéditeur|correo|remitente|mensa"
    r"|mittente|messaggio|bericht"
    r"|afzender|e-?post|meddel|avsender|afsender|avsändare|viesti|sähköposti|wiadomość|nadawca"
)
_RARELY = re.compile(
    r"(?:you don't|some people who received this message don't) often get e-?mail from"
    r"|sie erhalten nicht (?:häufig|oft) e-?mails? von"
    r"|einige personen, die diese nachricht erhalten haben, erhalten"
    r"|vous n'(?:obtenez|recevez) pas souvent d'e-?mail|no suele recibir correos? electrónicos? de"
    r"|não (?:costuma|é frequente) receber|non si ricevono spesso messaggi|u ontvangt niet vaak e-?mail"
    r"|du (?:får|modtager) ikke ofte (?:e-?post|e-?mail|mail)|du får inte ofta e-?post"
    r"|learn why this is important"
)
_WORDED = re.compile(r"[^\W\d_]")
_ABOVE = (  # without one of these there is no warning: looked for first, since it costs little
    *(
        "extern",
        "ekstern",
        "estern",
        "[ext]",
        "outside",
        "außerhalb",
        "extérieur",
        "fuera de",
        "fora",
        "buiten",
    ),
    *(
        "utenfor",
        "uden",
        "utanför",
        "ulkopuol",
        "spoza",
        "zewnętrzn",
        "外部",
        "often get",
        "nicht häufig",
        "nicht oft",
    ),
    *("pas souvent", "no suele", "não costuma", "non si ricevono", "niet vaak", "ikke ofte", "inte ofta"),
)


def may_begin(text: str) -> bool:
    """Whether one of the first lines can be such a warning's."""
    return any_in(_ABOVE, text[:_BEGIN].lower())


def height(lines: Sequence[str]) -> int:
    """How many lines of a warning stand above the text, with tags such as [EXTERNAL]; 0 if none."""
    end, said = 0, ""
    for number, raw in enumerate(lines[:MOST_LINES]):
        line = folded(raw[:_WIDEST])
        if not _WORDED.search(line):
            continue
        if _TAG.fullmatch(line) or _RARELY.search(line):
            end, said = number + 1, ""
            continue
        wrapped = end == number and raw[:1].islower() and len(lines[number - 1]) >= _FULL
        if wrapped and _warns(said):
            end = number + 1
            continue
        if not (_ORIGIN.search(line) or _CARE.search(line)):
            break
        said = f"{said} {line}"
        if _warns(said):
            end = number + 1
    return end


def _warns(said: str) -> bool:
    return bool(_ORIGIN.search(said) and _CARE.search(said) and _MAIL.search(said))


def without_tag(text: str) -> str:
    """A subject or first line without the `[EXTERNAL]` before it."""
    found = _BRACKETED.match(text[:60].lower())
    return text[found.end() :] if found and text[found.end() :].strip() else text
