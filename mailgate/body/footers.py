"""What servers put under every mail in a line or two: scanners' reports, the environment, particulars of the company.

All patterns meet lower case only, and a bounded number of lines.
"""

import re
from collections.abc import Sequence
from itertools import accumulate

from mailgate.body.phrases import any_in, folded

MOST_LINES = 12
# Lines that say all in one phrase. Only the last ones of a mail are looked at.
_SCANNERS = (
    (
        r"(?:virus-free|virenfrei|libre de virus|sans virus|garanti sans virus|privo di virus"
        r"|virusvrij|virusfri|livre de vírus)"
        r"\b.{0,40}(?:$|avast|avg|www)"
    ),
    (
        r"(?:this|the) (?:e-?mail|message|mail)(?: \w+){0,6} (?:has been|have been|was"
        r"|is) (?:\w+ )?(?:checked|scanned|swept|certified)"
    ),
    (
        r"(?:diese|die) (?:e-?mail|nachricht|mail)(?: \w+){0,4} wurde (?:von|mit"
        r"|durch) .{2,60}(?:geprüft|untersucht|gescannt)"
    ),
    (
        r"(?:cet e-?mail|ce (?:message|courriel|courrier électronique)) (?:a été"
        r"|ne contient aucun) .{0,30}(?:virus|vérifié|analysé)"
    ),
    (
        r"(?:este|el) (?:e-?mail|mensaje|correo)\S*(?: \w+)? (?:ha sido|fue|se ha) (?:comprobado"
        r"|analizado|revisado|verificado)"
    ),
    (
        r"(?:questa|la presente) (?:e-?mail|mail) (?:è stata|è stato) (?:controllat|scansionat"
        r"|verificat)"
    ),
    r"(?:deze|dit) (?:e-?mail|bericht|mail) (?:is|werd) (?:\w+ )?(?:gecontroleerd|gescand)",
    (
        r"(?:denne|detta|det här) (?:e-?post\w*|e-?mail\w*|mail\w*|meddelande\w*)(?: \w+)? (?:er"
        r"|har|är) .{0,30}(?:virus|skannet|scannet|kontroll)"
    ),
    (
        r"no virus found in this|checked by avg|scanned by mailscanner|information from eset"
        r"|__ information from"
    ),
    (
        r"believed to be clean|mailscanner has detected|protected by .{2,30}(?:antivirus|mimecast"
        r"|barracuda|proofpoint)"
    ),
    (
        r"(?:click|klicken).{0,30} to report this (?:e-?mail|message) as spam"
        r"|report this (?:e-?mail|message) as spam"
    ),
)
_ENVIRONMENT = (
    (
        r"(?:please )?(?:consider|think (?:of|about)|save) the (?:environment|planet|trees?)"
        r"|before printing this|do you really need to print"
    ),
    (
        r"(?:denken sie|schonen sie|bitte prüfen sie).{0,60}(?:umwelt|ausdruck|drucken)"
        r"|umwelt.{0,60}(?:ausdruck|drucken)"
    ),
    (
        r"(?:pensez|n'imprimez|préservons|adoptez).{0,80}(?:environnement|imprime|planète|éco)"
        r"|avant d'imprimer"
    ),
    r"(?:antes de|piense antes de|si no es necesario.{0,20}no) imprim|medio ?ambiente|meio ambiente",
    (
        r"(?:prima di stampare|non stampare|rispetta).{0,60}(?:ambiente|stampa)"
        r"|denk aan het milieu|voordat u deze e-?mail print"
    ),
    (
        r"(?:tenk på|tænk på|tänk på) miljø|miljöet innan|(?:skriver ut|udskriver|utskrift"
        r"|printer) denne"
    ),
)
_COMPANY = (
    (
        r"registered (?:in|office).{0,80}(?:no|number|office|england|wales|scotland|ireland)"
        r"|company (?:reg\w*|number|no)\b"
    ),
    (
        r"geschäftsführ\w+:|(?:sitz der gesellschaft|registergericht|amtsgericht|handelsregister"
        r"|hrb \d|ust-?id)"
    ),
    (
        r"\b(?:siret|rcs [a-z]+|capital de)\b.{0,60}\d|\bp\.? ?iva\b|\bkvk\b.{0,20}\d"
        r"|\borg\.? ?(?:nr|nummer)\b.{0,20}\d"
    ),
)
_HEADINGS = (
    (
        r"(?:important|confidentiality|legal|privacy) (?:notice|notification|disclaimer"
        r"|statement)\b|^disclaimer\b|aviso (?:legal|de confidencialidad)"
    ),
    (
        r"this (?:e-?mail|message) and any (?:files|attachments)|view our privacy (?:policy"
        r"|notice)|read our privacy"
    ),
)
# Words without one of which a pattern cannot match, looked for first since that costs little; and the pattern.
_FOOTERS: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...] = tuple(
    (hints, re.compile("|".join(patterns)))
    for hints, patterns in (
        (
            (
                *("virus", "viren", "vírus", "scan", "checked", "swept", "certified", "believed to be"),
                *("geprüft", "untersucht", "vérifi", "analys", "analiz", "comprobado", "revisado"),
                *("verific", "controll", "gecontrol", "kontroll", "eset", "protected by", "as spam"),
            ),
            _SCANNERS,
        ),
        (
            (
                *("environment", "planet", "trees", "print", "umwelt", "drucken", "ausdruck", "imprim"),
                *("stampa", "ambiente", "milieu", "miljø", "utskrift", "skriver"),
            ),
            _ENVIRONMENT,
        ),
        (
            (
                *("registered", "company reg", "company n", "geschäftsführ", "gesellschaft", "gericht"),
                *("handelsregister", "hrb ", "ust-id", "ustid", "siret", "rcs ", "capital de", "p.iva"),
                *("p. iva", "p iva", "kvk", "org.", "org nr", "orgnr", "org nummer"),
            ),
            _COMPANY,
        ),
        (
            (
                "notice",
                "notification",
                "disclaimer",
                "statement",
                "aviso",
                "any files",
                "any attach",
                "privacy ",
            ),
            _HEADINGS,
        ),
    )
)
_HINTS = tuple(hint for hints, _pattern in _FOOTERS for hint in hints)
_LINK = re.compile(r"<(?:https?://|#)[^<>\s]{1,1000}>|https?://\S{1,1000}")
_RULE = re.compile(r"[-_=*#~ ]{2,200}")


def is_rule(line: str) -> bool:
    return bool(_RULE.fullmatch(line.strip()))


def is_link(line: str) -> bool:
    """Nothing but links, as a page's footer leaves in plain text."""
    return bool(_LINK.fullmatch(line.strip()))


def begin(lines: Sequence[str]) -> int:
    """At which of the last lines of a mail something begins that is a server's; how many they are if at none."""
    if not any_in(_HINTS, "\n".join(lines).lower()):
        return len(lines)
    said = [folded(line) for line in lines]
    text = " ".join(said)
    for hints, pattern in _FOOTERS:
        found = pattern.search(text) if any_in(hints, text) else None
        if found:
            ends = accumulate(len(line) + 1 for line in said)
            return next(at for at, end in enumerate(ends) if found.start() < end)
    return len(lines)
