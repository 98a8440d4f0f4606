"""HTML to the text that a reader sees.

What mail programs mark as quoted is not guessed at: citations become `> ` lines, and where a program begins the old
mail a separator line is written, so that one place (quotes.py) decides what is cut.
"""

import enum
import re
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from mailgate.body import tags
from mailgate.body.elements import BLOCKS, CELLS, ENDED_BY_START, SKIPPED, VOID, Elements
from mailgate.body.page import BLANK, Mark, Page
from mailgate.body.tags import END, TEXT

SEPARATOR = "-----Original Message-----"

_SPACED = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl"})
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all|max-height\s*:\s*0(?![.\d])"
)
_MAX_SOURCE = 1 << 20  # a page beyond this says nothing more that a text could carry
_MAX_STYLE = 10_000
_PIECE = 65_536  # characters of text that are handled in one go
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
_MOST_TOKENS = 100_000  # tags and texts of a page that are read
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w.:-]{2,40})", re.IGNORECASE)


def declared(content: bytes) -> str:
    """The charset that the page names itself, for parts whose header names none."""
    found = _CHARSET.search(content[:4096])
    return found[1].decode("ascii", "replace") if found else ""


class Why(enum.StrEnum):
    """Why a piece of a page is no part of its text."""

    HIDDEN = "hidden"
    ATTRIBUTION = "quote"
    SIGNATURE = "signature"
    TOO_LONG = "too long to be read"


class Converted(NamedTuple):
    text: str
    removed: tuple[tuple[str, Why], ...]


def convert(source: str, *, cut: bool = True, signatures: bool = True) -> Converted:
    """The text, and what was hidden from the reader or is marked by the page as an attribution or a signature.

    `cut` False: only what is hidden is left out. `signatures` False: they are text.
    """
    walk = _Walk(cut=cut, signatures=signatures)
    read = iter(tags.read(source[:_MAX_SOURCE]))
    for kind, value, rest in islice(read, _MOST_TOKENS):
        if kind == TEXT:
            walk.text(value)
        elif kind == END:
            walk.end(value)
        else:
            walk.start(value, rest)
    walk.leave(0)
    if len(source) > _MAX_SOURCE or next(read, None):
        walk.removed.append(("...", Why.TOO_LONG))
    return Converted("".join(walk.page.out), tuple(walk.removed))


class _Traits(NamedTuple):
    """What the attributes of an element say of it."""

    hidden: bool = False
    cited: bool = False  # if it is a blockquote
    old_mail: bool = False
    aside: Why | None = None


_NONE = _Traits()
# without one of these no attribute says anything of interest
_TELLING = (
    *("hidden", "display", "mso-hide", "max-height", "cite", "gmail_", "border-left", "moz-", "yahoo_", "&"),
    *("ms-outlook-", "signature", *_OLD_MAIL_IDS),
)


def _traits(rest: str) -> _Traits:
    folded = rest.lower()
    if not any(word in folded for word in _TELLING):
        return _NONE
    found = tags.attributes(rest)
    style = found.get("style", "")[:_MAX_STYLE]
    classes = found.get("class", "")
    folded = classes.lower()
    named = found.get("id", "").lower().removeprefix("x_")  # Outlook's mark on what it forwards
    return _Traits(
        "hidden" in found or bool(style and _HIDDEN.search(style.lower())),
        "cite" in found
        or found.get("type", "").lower() == "cite"
        or "gmail_quote" in classes
        or "border-left" in style,
        named in _OLD_MAIL_IDS or any(one in folded for one in _OLD_MAIL_CLASSES),
        _aside(named, folded.split()),
    )


def _aside(named: str, classes: Sequence[str]) -> Why | None:
    if named in _SIGNATURE_IDS or any(one in _SIGNATURE_CLASSES for one in classes):
        return Why.SIGNATURE
    return Why.ATTRIBUTION if any(one in _ATTRIBUTIONS for one in classes) else None


class _Aside(NamedTuple):
    """What is kept out of the text."""

    at: int  # which open element it is
    mark: Mark
    why: Why
    texts: list[str]


class _Walk:
    """The page, and what is open where it has been read to."""

    def __init__(self, *, cut: bool, signatures: bool) -> None:
        self.page = Page()
        self.removed: list[tuple[str, Why]] = []
        self._cut = cut
        self._signatures = signatures
        self._open = Elements()
        self._cites: list[int] = []  # which of them are citations
        self._skipped = -1  # which of them is not shown, with all inside
        self._aside: _Aside | None = None
        self._begun = ""  # the element that began just now
        self._seen = {"": _NONE}

    def text(self, text: str) -> None:
        if self._begun == "pre":  # a line break right behind the tag is not shown (section 13.1.2.5)
            text = text.removeprefix("\n")
        self._begun = ""
        if self._aside:
            self._aside.texts.append(text)
        if self._skipped < 0:
            for begin in range(0, len(text), _PIECE):
                self.page.words(text[begin : begin + _PIECE])

    def start(self, name: str, rest: str) -> None:
        self._begun = name
        opened = self._open
        if name in ENDED_BY_START:
            self.leave(opened.left(*ENDED_BY_START[name]))
        if self._skipped >= 0:
            if opened.is_followed(name) or name in SKIPPED:
                opened.push(name)
        elif name in SKIPPED:
            self._skip(name)
        elif name == "br":
            self.page.end_line()
        elif rest or name in BLOCKS or name in CELLS or opened.is_followed(name):
            self._shown(name, self._traits_of(rest))

    def end(self, name: str) -> None:
        left = self._open.left_by_end(name)
        if left >= 0:
            self.leave(left)
        elif name == "p" and self._skipped < 0:
            self.page.need(2)  # an end tag alone is an empty paragraph

    def _traits_of(self, rest: str) -> _Traits:
        """Mails repeat the same few attributes again and again."""
        found = self._seen.get(rest)
        if found is None:
            found = self._seen[rest] = _traits(rest)
        return found

    def _skip(self, name: str) -> None:
        self._skipped = len(self._open.names)
        self._open.push(name, at_any_depth=True)

    def _shown(self, name: str, traits: _Traits) -> None:
        """Hidden elements and attribution lines are noted and left out; a separator is written where the old
        mail begins.
        """
        if traits.hidden:
            if name not in VOID:
                self._begin_aside(Why.HIDDEN)
                self._skip(name)
            return
        kept_out = False
        if self._cut and traits.old_mail:
            self._separate()
        elif self._cut and traits.aside and name not in VOID:
            kept_out = self._begin_aside(traits.aside)
        self._write(name)
        if kept_out or self._open.is_followed(name):
            self._follow(name, traits, at_any_depth=kept_out)

    def _write(self, name: str) -> None:
        if name in BLOCKS:
            self.page.need(2 if name in _SPACED else 1)
        elif name in CELLS:
            self.page.next_cell()
        if name == "li":
            self.page.add("- ")

    def _follow(self, name: str, traits: _Traits, *, at_any_depth: bool) -> None:
        if not self._open.push(name, at_any_depth=at_any_depth):
            return
        if name == "blockquote" and traits.cited and self._cut:
            self._cites.append(len(self._open.names) - 1)
            self.page.depth += 1
        elif name == "pre":
            self.page.preformatted += 1

    def leave(self, left: int) -> None:
        """End all open elements but the first `left`."""
        for at in range(len(self._open.names) - 1, left - 1, -1):
            name = self._open.pop()
            if at == self._skipped:
                self._skipped = -1
            elif self._skipped < 0:
                self._left(name, at)
            if self._aside and at == self._aside.at:
                self._end_aside(self._aside)

    def _left(self, name: str, at: int) -> None:
        if name in BLOCKS:
            self.page.need(2 if name in _SPACED else 1)
        if self._cites and self._cites[-1] == at:
            self._cites.pop()
            self.page.depth -= 1
        elif name == "pre":
            self.page.preformatted -= 1

    def _separate(self) -> None:
        self.page.need(1)
        self.page.add(SEPARATOR)
        self.page.need(1)

    def _begin_aside(self, why: Why) -> bool:
        """False: what is inside another one is part of it."""
        if self._aside or (why is Why.SIGNATURE and not self._signatures):
            return False
        self._aside = _Aside(len(self._open.names), self.page.mark(), why, [])
        return True

    def _end_aside(self, aside: _Aside) -> None:
        self._aside = None
        line = BLANK.sub(" ", "".join(aside.texts)).strip()
        if aside.why is not Why.HIDDEN:
            if aside.why is Why.ATTRIBUTION and line.startswith("----"):
                return  # the head of a mail that Gmail forwards: a separator in words
            self.page.back(aside.mark)
        if line:
            self.removed.append((line, aside.why))
