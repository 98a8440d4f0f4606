"""HTML to the text that a reader sees.

What mail programs mark as quoted is not guessed at: citations become `> ` lines, and where a program begins the old
mail a separator line is written, so that one place (quotes.py) decides what is cut.
"""

import re
from itertools import islice
from typing import NamedTuple

from mailgate.body import quotes, signatures, tags, traits
from mailgate.body.elements import BLOCKS, CELLS, ENDED_BY_START, SKIPPED, VOID, Elements
from mailgate.body.page import BLANK, Mark, Page
from mailgate.body.tags import END, TEXT
from mailgate.body.traits import NONE, Traits, Why

SEPARATOR = "-----Original Message-----"

_SPACED = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl"})
_SET_BY_STYLE = frozenset({"p", "ul", "ol", "dl"})  # a headline stands out by its size, too
_MAX_SOURCE = 1 << 20  # a page beyond this says nothing more that a text could carry
_PIECE = 65_536  # characters of text that are handled in one go
_MOST_TOKENS = 100_000  # tags and texts of a page that are read
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w.:-]{2,40})", re.IGNORECASE)


def declared(content: bytes) -> str:
    """The charset that the page names itself, for parts whose header names none."""
    found = _CHARSET.search(content[:4096])
    return found[1].decode("ascii", "replace") if found else ""


class Converted(NamedTuple):
    text: str
    removed: tuple[tuple[str, Why], ...]


def convert(source: str, *, cut: bool = True, cut_signatures: bool = True) -> Converted:
    """The text, and what was hidden from the reader or is marked by the page as an attribution or a signature.

    `cut` False: only what is hidden is left out. `cut_signatures` False: they are text.
    """
    walk = _Walk(cut=cut, cut_signatures=cut_signatures)
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
        walk.removed.append(("...", Why.UNREAD))
    return Converted("".join(walk.page.out), tuple(walk.removed))


class _Aside(NamedTuple):
    """What is kept out of the text."""

    at: int  # which open element it is
    mark: Mark
    why: Why
    texts: list[str]


class _Walk:
    """The page, and what is open where it has been read to."""

    def __init__(self, *, cut: bool, cut_signatures: bool) -> None:
        self.page = Page()
        self.removed: list[tuple[str, Why]] = []
        self._cut = cut
        self._cut_signatures = cut_signatures
        self._open = Elements()
        self._cites: list[int] = []  # which of them are citations
        self._skipped = -1  # which of them is not shown, with all inside
        self._aside: _Aside | None = None
        self._begun = ""  # the element that began just now
        self._seen = {"": NONE}
        self._below: dict[int, bool] = {}  # which of them say whether an empty line may stand below them
        self._paragraphs = (True, True)  # the margins of those that do not say it themselves

    def text(self, text: str) -> None:
        if self._begun == "pre":  # a line break right behind the tag is not shown (section 13.1.2.5)
            text = text.removeprefix("\n")
        elif self._begun == "style":
            self._paragraphs = traits.of_paragraphs(text)
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

    def _traits_of(self, rest: str) -> Traits:
        """Mails repeat the same few attributes again and again."""
        found = self._seen.get(rest)
        if found is None:
            found = self._seen[rest] = traits.read(rest)
        return found

    def _skip(self, name: str) -> None:
        self._skipped = len(self._open.names)
        self._open.push(name, at_any_depth=True)

    def _shown(self, name: str, said: Traits) -> None:
        """Hidden elements and attribution lines are noted and left out; a separator is written where the old
        mail begins.
        """
        if said.hidden:
            if name not in VOID:
                self._begin_aside(Why.HIDDEN)
                self._skip(name)
            return
        kept_out = False
        if self._cut and said.old_mail:
            self._separate()
        elif self._cut and said.aside and name not in VOID:
            kept_out = self._begin_aside(said.aside)
        self._write(name, spaced=said.margins[0] and (name != "p" or self._paragraphs[0]))
        if kept_out or self._open.is_followed(name):
            self._follow(name, said, at_any_depth=kept_out)

    def _write(self, name: str, *, spaced: bool) -> None:
        if name in BLOCKS:
            self._need(name, spaced=spaced)
        elif name in CELLS:
            self.page.next_cell()
        if name == "li":
            self.page.add("- ")

    def _need(self, name: str, *, spaced: bool) -> None:
        """A line break around a block, or the two of an empty line."""
        self.page.need(2 if name in _SPACED and (spaced or name not in _SET_BY_STYLE) else 1)

    def _follow(self, name: str, said: Traits, *, at_any_depth: bool) -> None:
        if not self._open.push(name, at_any_depth=at_any_depth):
            return
        if not said.margins[1]:
            self._below[len(self._open.names) - 1] = False
        if name == "blockquote" and said.cited and self._cut:
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
            self._below.pop(at, None)
            if self._aside and at == self._aside.at:
                self._end_aside(self._aside)

    def _left(self, name: str, at: int) -> None:
        if name in BLOCKS:
            self._need(name, spaced=self._below.get(at, name != "p" or self._paragraphs[1]))
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
        if self._aside or (why is Why.SIGNATURE and not self._cut_signatures):
            return False
        self._aside = _Aside(len(self._open.names), self.page.mark(), why, [])
        return True

    def _end_aside(self, aside: _Aside) -> None:
        self._aside = None
        line = BLANK.sub(" ", "".join(aside.texts)).strip()
        if aside.why is Why.ATTRIBUTION and line.startswith("----"):
            return  # the head of a mail that Gmail forwards: a separator in words
        if aside.why is Why.ATTRIBUTION and not aside.mark[0] and quotes.is_attribution(line, weak=True):
            return  # above all else: whether what it introduces is answered below is told by the words
        if aside.why is Why.SIGNATURE:
            line = self._end_signature(aside.mark)
        elif aside.why is Why.ATTRIBUTION:
            self.page.back(aside.mark)
        if line:
            self.removed.append((line, aside.why))

    def _end_signature(self, mark: Mark) -> str:
        """Keep the closing and the name that it begins with; the rest."""
        lines = self.page.since(mark).strip("\n").split("\n")
        self.page.back(mark)
        kept = signatures.kept(lines)
        for line in lines[:kept]:
            self.page.need(1)
            self.page.add(line)
            if not line.strip():
                self.page.end_line()
        self.page.need(1)
        return "\n".join(lines[kept:]).strip()
