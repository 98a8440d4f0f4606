"""Which elements of a page are open, and what ends them (HTML Living Standard, section 13.2.6), with bounded work.

Only those are followed whose end matters to the text: blocks, and elements that are kept out of it. End tags that were
left out are implied, as far as authors rely on it.
"""

from collections import Counter

BLOCKS = frozenset(
    {
        *("address", "article", "aside", "blockquote", "caption", "center", "dd", "div", "dl", "dt"),
        *("fieldset", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr"),
        *("li", "main", "nav", "ol", "p", "pre", "section", "table", "tbody", "tfoot", "thead", "tr", "ul"),
    }
)
CELLS = frozenset({"td", "th"})
SKIPPED = frozenset(
    {
        *("script", "style", "title", "template", "noscript", "object", "iframe", "svg", "math"),
        *("select", "textarea", "button"),
    }
)
VOID = frozenset(
    {"br", "img", "hr", "meta", "link", "input", "wbr", "col", "area", "base", "source", "embed"}
)
_FOLLOWED = (BLOCKS | CELLS) - VOID
_SPECIAL = _FOLLOWED | SKIPPED  # their end tags end what was left open inside; others end only the innermost
_MOST = 128  # what is nested deeper is not followed

_SCOPE = frozenset({"table", "caption", *CELLS, "template", "object"})
_TABLE = frozenset({"table"})
_LIST = _SCOPE | {"ul", "ol", "dl"}
_NONE: frozenset[str] = frozenset()
_IN_TABLE = frozenset({"tr", "tbody", "thead", "tfoot", "caption", *CELLS})
# what a start tag ends: one of these names, unless one of those is in between
ENDED_BY_START = {
    **dict.fromkeys(BLOCKS - _IN_TABLE - {"table"}, (frozenset({"p"}), _SCOPE)),
    **dict.fromkeys(("tbody", "thead", "tfoot"), (frozenset({"tbody", "thead", "tfoot"}), _TABLE)),
    **dict.fromkeys(CELLS, (CELLS, _TABLE)),
    **dict.fromkeys(("dd", "dt"), (frozenset({"dd", "dt"}), _LIST)),
    "tr": (frozenset({"tr"}), _TABLE),
    "li": (frozenset({"li"}), _LIST),
}
_ENDED_BY_END = {
    name: (frozenset({name}), _NONE if name == "table" else _TABLE if name in _IN_TABLE else _SCOPE - {name})
    for name in _SPECIAL
}


class Elements:
    """A stack of names. Who asks what a tag ends, pops the rest."""

    __slots__ = ("_beyond", "_count", "names")

    def __init__(self) -> None:
        self.names: list[str] = []
        self._count: Counter[str] = Counter()
        self._beyond: Counter[str] = Counter()  # open inside the last one, but not followed

    def is_followed(self, name: str) -> bool:
        """Whether an element of this name must be pushed: its end matters, or could be taken for that of another."""
        return name in _FOLLOWED or (self._count[name] > 0 and name not in VOID)

    def push(self, name: str, *, at_any_depth: bool = False) -> bool:
        """False: too deep."""
        if len(self.names) >= _MOST and not at_any_depth:
            self._beyond[name] += 1
            return False
        self.names.append(name)
        self._count[name] += 1
        return True

    def pop(self) -> str:
        name = self.names.pop()
        self._count[name] -= 1
        if self._beyond:
            self._beyond.clear()
        return name

    def left(self, names: frozenset[str], barriers: frozenset[str]) -> int:
        """How many stay open when the innermost of `names` ends, if none of `barriers` is inside it."""
        count = self._count
        for name in names:
            if count[name]:
                break
        else:
            return len(self.names)
        for at in range(len(self.names) - 1, -1, -1):
            if self.names[at] in names:
                return at
            if self.names[at] in barriers:
                break
        return len(self.names)

    def left_by_end(self, name: str) -> int:
        """How many stay open behind an end tag; -1: it ends nothing."""
        if self._beyond and self._beyond[name] > 0:
            self._beyond[name] -= 1
            return len(self.names)
        if name in _SPECIAL:
            left = self.left(*_ENDED_BY_END[name])
            return left if left < len(self.names) else -1
        return len(self.names) - 1 if self.names[-1:] == [name] else -1
