"""The block of titles, telephones and addresses that stands below a name, where nothing marks it.

The closing and the name stay, since people write them by hand; what an address book knows goes. A block without a
telephone, an address or the like is left alone: it may be what the mail is about.
"""

import re
from collections.abc import Sequence

from mailgate.body import phrases
from mailgate.body.phrases import any_in

_MOST = 16  # lines of a block, with the closing; longer ones are something else
_WIDEST = 110
_CLOSING = re.compile(
    r"(?:(?:with |my )?(?:kind|best|warm|many|kindest|warmest|yours)(?:est)?(?: \w+)? ?(?:regards"
    r"|wishes|thanks)|regards|best|cheers"
    r"|thanks(?: (?:and|&) (?:kind |best )?regards| again| a lot| so much| in advance)?|thank you"
    r"|many thanks|yours (?:sincerely"
    r"|faithfully|truly)|sincerely(?: yours)?|kr|br|rgds|brgds"
    r"|mit (?:freundlich|best|lieb|herzlich|viel)\w*(?: \w+)? (?:gr(?:ü|ue)(?:ß|ss)\w*|empfehlung\w*)"
    r"|(?:freundliche|beste|liebe|viele"
    r"|herzliche|schöne)\w* gr(?:ü|ue)(?:ß|ss)\w*|gr(?:ü|ue)(?:ß|ss)(?:e|le)?|mfg|lg|vg"
    r"|hochachtungsvoll|danke(?: und .{3,30})?"
    r"|(?:bien |très )?cordialement|salutations(?: distinguées)?|bien à vous|sincères salutations"
    r"|meilleures salutations"
    r"|(?:je vous prie|veuillez) .{5,80} salutations.{0,40}|merci(?: d'avance)?|cdlt|amicalement"
    r"|(?:un )?(?:cordial )?saludos?(?: cordiales)?|atentamente|(?:reciba un )?cordial saludo|gracias"
    r"|abrazos?|un abrazo"
    r"|(?:com os )?(?:melhores )?cumprimentos|atenciosamente|att\.?|abraços?|obrigad[oa]"
    r"|(?:cordiali|distinti|migliori) saluti|saluti|cordialmente|grazie"
    r"|(?:met )?(?:vriendelijke|hartelijke) groet(?:en)?|(?:hartelijke )?groet(?:en|jes)?|mvg"
    r"|hoogachtend|bedankt"
    r"|(?:med )?(?:vennlig|venlig|vänlig|beste|bästa|mange|hjertelig)\w* (?:hilsen?|hälsning\w*"
    r"|hilsner)|hilsen|mvh|hälsningar|vh|takk|tack"
    r"|(?:ystävällisin )?terveisin|terv\.?|(?:z )?(?:poważaniem|wyrazami szacunku)|pozdrawiam|pozdrowienia"
    r"|s pozdravem|üdvözlettel|с уважением|з повагою|με εκτίμηση|saygılarımla|cu (?:stimă|respect))"
    r"(?: (?:from|fra|från|aus|de|von|vom|und|and|og|och|y|et|e|en) .{2,40})?"
)
_EVIDENCE = re.compile(
    r"[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]{2,63}|\bwww\.\S{3}|https?://\S{3}|\b(?:linkedin|facebook"
    r"|twitter|instagram)\b"
    r"|(?:^|[\s|,;(])(?:t(?:el|él|lf|elefon|elephone|éléphone|eléfono|elefone|elefoon|elefono)?"
    r"|m(?:ob|obil|obile|obiel|óvil|obiltlf)?|f(?:ax)?"
    r"|p(?:h|hone|uh)?|d(?:irect|urchwahl)?|cell?|gsm|handy|office|kontor|tlf|direkte?|natel"
    r"|тел)[\s.:)]{0,4}(?:\+|\(|0|\d{2})[\d ()/.-]{5}"
    r"|^\W{0,3}\+\d[\d ()/.-]{6,20}"
)
_COMPANY = re.compile(
    r"\b(?:ltd|limited|gmbh|ag|kg|inc|llc|plc|corp|asa?|aps|a/s|ab|oyj?|bv|b\.v|nv|sarl|sas?|srl"
    r"|s\.r\.l|s\.p\.a|spa|s\.l|sp\. z o\.o|pty)\b\.?"
    r"|\b(?:manager|director|consultant|engineer|developer|assistant|officer|analyst|administrator"
    r"|coordinator|head of|vp|ceo|cto|cfo"
    r"|leiter(?:in)?|geschäftsführer(?:in)?|berater(?:in)?|entwickler(?:in)?|sachbearbeiter(?:in)?"
    r"|directeur|directrice|responsable|ingénieur"
    r"|gerente|técnico|responsabile|adviseur|medewerker|leder|sjef|rådgiver|konsulent|sekretær|chef"
    r"|johtaja|kierownik|department|abteilung)\b"
)
_POSTSCRIPT = re.compile(r"p\.? ?s\.?\b")
_STOPS = re.compile(r"[.!?]$")
_RULE = re.compile(r"[-_=*~ ]{3,200}")
_UNDERSCORES = re.compile(r"_{3,200}")
_DASHES = re.compile(r"[-=*~]{3,80}|[\u2012-\u2015]{1,80}")
_LISTED = re.compile(r"[-*\u2022>|]|\d{1,3}[.)] ")
_WORDS = re.compile(r"[^\W\d_]{3,}")
_LABEL = re.compile(r"[^\W\d_][\w ]{1,30}:\s")
_MOST_BELOW_RULE = 8
_SHORTEST_NAME = 4
_LONGEST_CLOSING = 60
# one of them stands in each block: a line that has no sign of an address counts half
_ADDRESSES = (
    *("@", "www.", "http", "+", "tel", "tél", "tlf", "phone", "mob", "fax", "linkedin", "facebook"),
    *("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "ltd", "gmbh", "inc", "llc", " as", " ab"),
)
_RULES = ("---", "===", "***", "~~~", "\u2013", "\u2014", "\u2012", "\u2015")


Stretch = tuple[int, int]  # of lines; empty where there is none


def find(lines: Sequence[str], name: str = "") -> Stretch:
    """Where such a block stands, below closing and name. `name` is that in From."""
    tail = _tail(lines)
    said = "\n".join(lines[at] for at in tail).lower()
    found = len(lines)
    if "___" in said:
        found = _below_rule(lines, tail)
    wanted = name.strip().strip("\"'").lower()
    if found == len(lines) and any_in(_RULES, said):
        found = _below_dashes(lines, tail, wanted)
    if found == len(lines) and any_in(_ADDRESSES, said):
        found = _below_closing(lines, tail)
        if found == len(lines) and len(wanted) >= _SHORTEST_NAME and wanted in said and "@" not in wanted:
            found = _below_name(lines, tail, wanted)
    if found == len(lines):
        return found, found
    end = _postscript(lines, found)
    while end < len(lines) and not lines[end - 1].strip():
        end -= 1  # the empty line above a P.S. stays
    return found, end


def kept(lines: Sequence[str]) -> int:
    """How many lines stay of what a page marks as a signature: closing and name, where it begins with a closing."""
    said = [at for at, line in enumerate(lines) if line.strip()]
    closing = _closing(lines[said[0]]) if said else ""
    if not closing:
        return 0
    return (said[1] if closing == "alone" and len(said) > 1 else said[0]) + 1


def is_contact(line: str) -> bool:
    """Whether a line has a telephone, an address of mail or web."""
    return bool(_EVIDENCE.search(line.strip().lower()))


def _postscript(lines: Sequence[str], begin: int) -> int:
    """Where a P.S. stands below it; else the end."""
    found = (at for at in range(begin, len(lines)) if _POSTSCRIPT.match(lines[at].strip().lower()))
    return next(found, len(lines))


def _tail(lines: Sequence[str]) -> list[int]:
    """The last lines that are not blank, from the last one up."""
    found = []
    for at in range(len(lines) - 1, -1, -1):
        if lines[at].strip():
            found.append(at)
            if len(found) >= _MOST or len(lines[at]) > _WIDEST:
                break
    return found


def _below_closing(lines: Sequence[str], tail: Sequence[int]) -> int:
    for at in tail:
        closing = _closing(lines[at])
        if closing:
            rest = [n for n in range(at + 1, _postscript(lines, at + 1)) if lines[n].strip()]
            if closing == "alone":  # the name is the next line
                rest = rest[1:]
            return rest[0] if rest and _is_block([lines[number] for number in rest]) else len(lines)
    return len(lines)


def _closing(line: str) -> str:
    """`alone`, `named` (the name stands in the same line), or nothing."""
    if len(line) > _LONGEST_CLOSING:
        return ""
    folded = line.strip().lower().replace("\u2019", "'")
    found = _CLOSING.match(folded)
    if found is None:
        return ""
    rest = folded[found.end() :].strip(" ,.!;:*/-–—")
    if not rest or _CLOSING.fullmatch(rest):  # in two languages
        return "alone"
    behind = folded[found.end() : found.end() + 1]
    return "named" if not behind.isalnum() and len(rest.split()) <= 4 and not _STOPS.search(rest) else ""


def _below_name(lines: Sequence[str], tail: Sequence[int], wanted: str) -> int:
    """A paragraph that begins with the name that From shows."""
    for at in tail:
        said = lines[at].strip(" *_,").lower()
        if said == wanted or said.startswith((f"{wanted},", f"{wanted} |", f"{wanted} -")):
            rest = [line for line in lines[at + 1 : _postscript(lines, at + 1)] if line.strip()]
            alone = at > 0 and not lines[at - 1].strip() and not _announced(lines, at)
            return at + 1 if alone and _is_block(rest) else len(lines)
    return len(lines)


def _below_rule(lines: Sequence[str], tail: Sequence[int]) -> int:
    """A line of underscores, and a few short lines that end the mail."""
    if tail and _UNDERSCORES.fullmatch(lines[tail[0]].strip()):  # another one below
        tail = tail[1:]
    for count, at in enumerate(tail[: _MOST_BELOW_RULE + 1]):
        line = lines[at].strip()
        if _UNDERSCORES.fullmatch(line):
            above = any(one.strip() for one in lines[:at]) and not _ruled(lines, at)
            listed = phrases.LIST_FOOTER in "\n".join(lines[at + 1 : at + 3]).lower()
            return at if count and above and not listed else len(lines)
        if len(line) > 70 or (_LABEL.match(line) and not _EVIDENCE.search(line.lower())):
            break
    return len(lines)


def _below_dashes(lines: Sequence[str], tail: Sequence[int], wanted: str) -> int:
    """A line of dashes, and a few short lines that end the mail: the author's name, or what an address book knows."""
    for count, at in enumerate(tail[: _MOST_BELOW_RULE + 1]):
        line = lines[at].strip()
        if _DASHES.fullmatch(line):
            below = [lines[number].strip().lower() for number in reversed(tail[:count])]
            is_one = count and _ends_there(lines, at) and _names_somebody(below, wanted)
            return at if is_one and any(one.strip() for one in lines[:at]) else len(lines)
        if (
            len(line) > 70
            or _LISTED.match(line)
            or (_LABEL.match(line) and not _EVIDENCE.search(line.lower()))
        ):
            break
    return len(lines)


def _ends_there(lines: Sequence[str], at: int) -> bool:
    """Whether a text may end above the rule: it is no headline, and no such rules divide it."""
    above = lines[at - 1].strip() if at else ""
    if (above and not _STOPS.search(above)) or _announced(lines, at):
        return False
    return not _ruled(lines, at, _DASHES)


def _names_somebody(below: Sequence[str], wanted: str) -> bool:
    said = set(_WORDS.findall(below[0]))
    if below[0].endswith(":"):
        return False
    named = not said.isdisjoint(_WORDS.findall(wanted)) and not any(char.isdigit() for char in below[0])
    return named or any(_EVIDENCE.search(line) for line in below)


def _announced(lines: Sequence[str], at: int) -> bool:
    """Whether the text above ends in a colon: what follows is what it is about."""
    above = next((line.strip() for line in reversed(lines[max(0, at - 3) : at]) if line.strip()), "")
    return above.endswith(":")


def _ruled(lines: Sequence[str], at: int, rule: re.Pattern[str] = _UNDERSCORES) -> bool:
    """Whether such rules divide the text above, too."""
    return any(rule.fullmatch(line.strip()) for line in lines[max(0, at - _MOST) : at])


def _is_block(rest: Sequence[str]) -> bool:
    """Short lines with something that an address book knows; one line alone must be a company's too: a number may be
    what the mail is about.
    """
    known = 0 if len(rest) > 1 else -1
    for line in rest:
        folded = line.strip().lower()
        evidence = bool(_EVIDENCE.search(folded))
        if len(folded) > _WIDEST:
            return False
        if _STOPS.search(folded) and len(folded.split()) > 7:
            return False
        known += 2 * evidence + bool(_COMPANY.search(folded))
    return bool(rest) and known >= 2
