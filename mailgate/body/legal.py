"""Legal notices below what somebody wrote, in the languages that they are written in.

One word is never enough: such a notice says several things that only such notices say together, one of them that it is
confidential or whom it is for. All patterns meet lower case only, and paragraphs of a bounded length.
"""

import re

from mailgate.body.phrases import any_in, folded

_WIDEST = 1000  # characters of a line
_SHORTEST = 60  # characters of a notice
_CORE = 2  # the first ones of a language: that it is confidential, and whom it is for
_HITS = 3  # different stems of one language

# What a legal notice says, by language: each entry of a tuple is one thing said.
_LEGAL: tuple[tuple[str, ...], ...] = (
    (
        r"confidential|legally privileged|\bprivileged\b|proprietary",
        (
            r"intended (?:only |solely |exclusively )?(?:for|to|recipient|addressee)|named (?:addressee"
            r"|recipient)|addressee"
        ),
        r"in error|by mistake|not the (?:intended|named)|mistakenly|erroneously",
        r"delet\w+|destroy",
        r"notif\w+|inform(?:ing)? (?:the|us)|contact the sender|advise the sender|return e-?mail",
        r"unauthori[sz]ed|prohibited|unlawful|disclos|disseminat|distribution|copying|not permitted",
        (
            r"views?(?: or |, )opinions?|(?:views|opinions) expressed"
            r"|do(?:es)? not (?:necessarily )?(?:represent|reflect)"
        ),
        (
            r"free of viruses|virus[- ]free|any virus|software viruses|liab(?:le|ility)"
            r"|guarantee[sd]? (?:to be|the)"
        ),
        r"registered (?:in|office|address)|company (?:registration|number|no)|registration n|vat (?:reg|n)",
    ),
    (
        r"vertraulich|rechtlich geschützt",
        (
            r"(?:richtige|beabsichtigte|vorgesehene|eigentliche)\w* (?:adressat|empfänger)|ausschlie(?:ß"
            r"|ss)lich für|adressat"
        ),
        r"irrtümlich|versehentlich|fälschlich",
        r"vernichten|löschen",
        r"informieren sie|benachrichtigen sie|absender",
        r"unerlaubt|unbefugt|nicht (?:gestattet|erlaubt)|untersagt|weitergabe|kopieren",
    ),
    (
        r"confidentiel|secret professionnel|privilégi",
        r"destinataire|intention exclusive|exclusivement (?:destiné|réserv)|usage exclusif",
        r"par erreur",
        r"(?:dé|de)truire|supprimer|effacer|détruisez",
        r"expéditeur|avertir|aviser|prévenir|signaler",
        (
            r"interdit|non autorisé|strictement|divulgation|diffusion|toute (?:utilisation|publication"
            r"|reproduction)"
        ),
        r"dégage|décline|responsabilité|altéré|intégrité",
    ),
    (
        r"confidencial|privilegiad|secreto profesional",
        r"destinatari|exclusiv|dirigid[oa]",
        r"por error|equivocad",
        r"elimin|borr(?:ar|e)|destru",
        r"notifi|comuni[cq]|avis(?:ar|e)|remitente",
        r"prohib|no autoriza|divulgación|reproducción|distribución",
        r"protección de datos|lopd|rgpd|2016/679|15/1999|3/2018|derechos de acceso|rectificación",
    ),
    (
        r"riservat|confidenzial",
        r"destinatari",
        r"per errore",
        r"cancell|elimin|distrugg",
        r"avvis|informar|notific|mittente|comunicazione",
        r"vietat|proibit|non autorizza|divulgazione|diffusione",
        r"2016/679|196/2003|privacy|gdpr|dati personali",
    ),
    (
        r"confidencia|sigilos|privilegiad",
        r"destinatári|destinad[oa]",
        r"por engano|por erro|indevidamente|por lapso",
        r"apag|elimin|destru",
        r"remetente|notifi|avis|inform[ae]",
        r"proibid|não autoriza|divulgação|reprodução|interdit",
    ),
    (
        r"vertrouwelijk",
        r"geadresseerde|uitsluitend|bestemd|ontvanger",
        r"ten onrechte|abusievelijk|per abuis|per vergissing|niet (?:de|voor u)",
        r"verwijder|vernietig|wissen",
        r"afzender|te informeren|op de hoogte|waarschuw",
        r"niet toegestaan|verboden|openbaarmaking|verspreiding|vermenigvuldiging",
        r"aansprakelijk",
    ),
    (
        r"konfidensiel|konfidentiel|fortrolig|taushetsplikt|tavshedspligt|sekretess",
        (
            r"adressat|mottaker|modtager|mottagare|bare (?:ment|bestemt|tiltenkt)|kun (?:ment|beregnet"
            r"|tiltenkt)|avsedd för"
        ),
        (
            r"(?:ved|af|av) (?:en )?(?:feil|fejl|misförståelse|misforståelse|misstag)|feilaktig|fejlagtig"
            r"|felaktig|utilsiktet"
        ),
        r"\bslett|\bslet\b|radera|makuler|tilintetgjør",
        r"avsender|afsender|avsändare|gi beskjed|underrett|meddel|kontakt",
        r"uautorisert|uberettiget|obehörig|forbudt|ikke tillatt|ikke tilladt|otillåt|kopier|distribu",
    ),
    (
        r"luottamuksell|salassapid",
        r"vastaanottaj",
        r"erehdyksessä|vahingossa|virheellisesti",
        r"poista|hävitt|tuho",
        r"lähettäj|ilmoit",
        r"kielletty|luvaton|käyttö|jakelu",
    ),
    (
        r"poufn",
        r"adresat|odbiorc",
        r"omyłkowo|pomyłk|przypadkowo",
        r"usun|zniszcz|skasow",
        r"nadawc|powiadom|poinformow",
        r"zabronion|niedozwolon|nieuprawnion|rozpowszechnian",
    ),
)
_STEMS = tuple(tuple(re.compile(stem) for stem in language) for language in _LEGAL)
_HINTS = (  # a line with none of these begins no notice: looked for first, since it costs little
    *("confid", "konfid", "vertrau", "vertrouw", "riserv", "sigilos", "fortrolig", "sekret"),
    *("taushet", "tavshed", "luottam", "salassa", "poufn", "privileg", "rechtlich", "intended"),
    *("addres", "adres", "empfänger", "destin", "mottak", "modtag", "mottag", "vastaanot"),
    *("odbior", "opinions", "2016/679"),
)


def hints(text: str) -> bool:
    """Whether lower-case text has a word without which it begins no notice."""
    return any_in(_HINTS, text)


def is_legal(paragraph: str) -> bool:
    """Whether a paragraph says at least three things that together only a legal notice says."""
    return bool(_languages(paragraph))


def begins_legal(line: str, paragraph: str) -> bool:
    """Whether it is a legal notice of which its first line says a part, so that what stood above is not."""
    text = folded(line)
    return any(stem.search(text) for language in _languages(paragraph) for stem in language)


def _languages(paragraph: str) -> list[tuple[re.Pattern[str], ...]]:
    text = folded(paragraph)
    if len(text) < _SHORTEST:
        return []
    return [language for language in _STEMS if _says_enough(language, text)]


def _says_enough(language: tuple[re.Pattern[str], ...], text: str) -> bool:
    said = [bool(stem.search(text)) for stem in language]
    return any(said[:_CORE]) and sum(said) >= _HITS
