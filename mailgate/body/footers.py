"""What servers put under every mail in a line or two: scanners' reports, the environment, particulars of the company.

All patterns meet lower case only, and a bounded number of lines.
"""

import re
from collections.abc import Sequence

from mailgate.body.phrases import folded

# Paragraphs of one line or two that say all in one phrase. Only the last ones of a mail are looked at.
_FOOTERS = (
    # scanners
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
    # the environment
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
    # companies
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
    (
        r"(?:important|confidentiality|legal|privacy) (?:notice|notification|disclaimer"
        r"|statement)\b|^disclaimer\b|aviso (?:legal|de confidencialidad)"
    ),
    (
        r"this (?:e-?mail|message) and any (?:files|attachments)|view our privacy (?:policy"
        r"|notice)|read our privacy"
    ),
)
_FOOTER = re.compile("|".join(_FOOTERS))
_HINTS = (  # lines with none of these are no footer: looked for first, since it costs little
    *("virus", "viren", "vírus", "scan", "checked", "swept", "certified", "geprüft", "untersucht"),
    *("vérif", "analy", "comprobado", "revisado", "verific", "controll", "gecontrol", "kontroll"),
    *("eset", "antivirus", "protected by", "clean", "spam", "environment", "planet", "trees", "print"),
    *("umwelt", "druck", "imprim", "stampa", "ambiente", "milieu", "miljø", "utskrift", "skriver ut"),
    *("registered", "company reg", "company n", "geschäftsführ", "gesellschaft", "gericht"),
    *("handelsregister", "hrb", "ust-", "ustid", "siret", "rcs ", "capital de", "iva", "kvk", "org"),
    *("notice", "notification", "disclaimer", "statement", "aviso", "any files", "any attach"),
    *("privacy"),
)
_RULE = re.compile(r"[-_=*#~ ]{2,200}")


def is_rule(line: str) -> bool:
    return bool(_RULE.fullmatch(line.strip()))


def begins(line: str, below: Sequence[str]) -> bool:
    """Whether the last lines of a mail are a server's and begin with this one."""
    text = folded("\n".join([line, *below]))
    if not any(hint in text for hint in _HINTS):
        return False
    found = _FOOTER.search(text)
    return bool(found and found.start() < max(len(folded(line)), 1))
