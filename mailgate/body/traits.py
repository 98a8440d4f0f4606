"""What the attributes of an element say of it: hidden, cited, the begin of an older mail, a signature, its margins."""

import enum
import re
from collections.abc import Sequence
from typing import NamedTuple

from mailgate.body import tags

_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all|max-height\s*:\s*0(?![.\d])"
)
# Outlook's paragraphs, and others whose margin is taken away: a reader sees no empty line between them.
_FLAT_CLASS = re.compile(r"\bmso(?:normal|listparagraph|plaintext|nospacing)")
_MARGIN = re.compile(r"(?<![\w-])margin(-top|-bottom)?\s*:\s*([^;}\"]{1,60})")
_ZERO = re.compile(r"0(?:\.0*)?[a-z%]{0,3}")
_SHEET_P = re.compile(r"(?:^|[\s},])p\s*\{([^{}]{0,400})")
_MAX_STYLE = 10_000
_MAX_SHEET = 4000
_OLD_MAIL_IDS = frozenset({"divrplyfwdmsg", "appendonsend", "olk_src_body_section", "zwchr", "stopspelling"})
_OLD_MAIL_CLASSES = ("yahoo_quoted", "moz-forward-container", "ms-outlook-mobile-reference-message")
_ATTRIBUTIONS = ("gmail_attr", "moz-cite-prefix")
_SIGNATURE_IDS = frozenset(
    {
        *("signature", "applemailsignature", "ms-outlook-mobile-signature", "mobile_signature"),
        *("protonmail_mobile_signature_block", "composer_signature"),
    }
)
_SIGNATURE_CLASSES = (
    *("gmail_signature", "moz-signature", "protonmail_signature_block", "tutanota_signature"),
    *("front-signature", "mail-signature", "email-signature"),
)


class Why(enum.StrEnum):
    """Why a piece of a page is no part of its text."""

    HIDDEN = "hidden"
    ATTRIBUTION = "quote"
    SIGNATURE = "signature"
    UNREAD = "too long to be read"


class Traits(NamedTuple):
    """What the attributes of an element say of it."""

    hidden: bool = False
    cited: bool = False  # if it is a blockquote
    old_mail: bool = False
    aside: Why | None = None
    margins: tuple[bool, bool] = (True, True)  # whether an empty line may stand above it, and below


NONE = Traits()
# without one of these no attribute says anything of interest
_TELLING = (
    *("hidden", "display", "mso-hide", "max-height", "cite", "gmail_", "border-left", "moz-", "yahoo_", "&"),
    *("ms-outlook-", "signature", "mso", "margin", *_OLD_MAIL_IDS),
)


def read(rest: str) -> Traits:
    folded = rest.lower()
    if not any(word in folded for word in _TELLING):
        return NONE
    found = tags.attributes(rest)
    style = found.get("style", "")[:_MAX_STYLE]
    classes = found.get("class", "")
    folded = classes.lower()
    named = found.get("id", "").lower().removeprefix("x_")  # Outlook's mark on what it forwards
    return Traits(
        "hidden" in found or bool(style and _HIDDEN.search(style.lower())),
        "cite" in found
        or found.get("type", "").lower() == "cite"
        or "gmail_quote" in classes
        or "border-left" in style,
        named in _OLD_MAIL_IDS or any(one in folded for one in _OLD_MAIL_CLASSES),
        _aside(named, folded.split()),
        _NO_MARGINS if _FLAT_CLASS.search(folded) else _margins(style.lower()),
    )


_NO_MARGINS = (False, False)


def _margins(style: str) -> tuple[bool, bool]:
    """Which of them a style leaves (CSS Box Model, 6.2: one to four values; the first is above, the third below)."""
    above = below = True
    for side, values in _MARGIN.findall(style) if "margin" in style else ():
        said = [not _ZERO.fullmatch(value) for value in values.split()[:4]]
        if side != "-bottom" and said:
            above = said[0]
        if side != "-top" and said:
            below = said[2] if len(said) > 2 and not side else said[0]
    return above, below


def _aside(named: str, classes: Sequence[str]) -> Why | None:
    if named in _SIGNATURE_IDS or any(one in _SIGNATURE_CLASSES for one in classes):
        return Why.SIGNATURE
    return Why.ATTRIBUTION if any(one in _ATTRIBUTIONS for one in classes) else None


def of_paragraphs(sheet: str) -> tuple[bool, bool]:
    """The margins that a style sheet leaves to every paragraph."""
    rules = _SHEET_P.findall(sheet[:_MAX_SHEET].lower())
    return _margins(rules[-1]) if rules else (True, True)
