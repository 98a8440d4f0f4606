"""HTML to the text that a reader sees.

The tree is walked without recursion: mails nested 5 000 deep exist. What mail programs mark as quoted is not
guessed at: citations become `> ` lines, and where a program begins the old mail a separator line is written,
so that one place (quotes.py) decides what is cut.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

SEPARATOR = "-----Original Message-----"

_SKIPPED = frozenset(
    {
        *("script", "style", "head", "title", "template", "noscript", "object", "iframe", "svg", "math"),
        *("select", "textarea", "button"),
    }
)
_BLOCKS = frozenset(
    {
        *("address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "div", "dl", "dt"),
        *("fieldset", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html"),
        *("li", "main", "nav", "ol", "p", "pre", "section", "table", "tbody", "tfoot", "thead", "tr", "ul"),
    }
)
_SPACED = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl"})
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all|max-height\s*:\s*0(?![.\d])"
)
_CITED = re.compile(r"border-left")
_MAX_SOURCE = 1 << 20  # a page beyond this says nothing more that a text could carry
_MAX_OPEN = 6000  # the parser's work grows with the square of the nesting
_MAX_CITED = 8
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]*)")
_VOID = frozenset({"br", "img", "hr", "meta", "link", "input", "wbr", "col", "area", "base", "source"})
_BLANK = re.compile(r"[ \t\r\n\f]+")
_OLD_MAIL_IDS = frozenset(
    {"divrplyfwdmsg", "x_divrplyfwdmsg", "appendonsend", "olk_src_body_section", "zwchr", "stopspelling"}
)
_OLD_MAIL_CLASSES = ("yahoo_quoted", "moz-forward-container", "ms-outlook-mobile-reference-message")
_ATTRIBUTIONS = ("gmail_attr", "moz-cite-prefix")


_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w.:-]{2,40})", re.IGNORECASE)


def declared(content: bytes) -> str:
    """The charset that the page names itself, for parts whose header names none."""
    found = _CHARSET.search(content[:4096])
    return found[1].decode("ascii", "replace") if found else ""


@dataclass(slots=True)
class _Page:
    """The page so far. Line breaks are owed, not written, so that nested blocks give one break."""

    cut: bool
    out: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    attributions: list[str] = field(default_factory=list)
    owed: int = 0
    blank: bool = False
    depth: int = 0
    preformatted: int = 0

    def need(self, breaks: int) -> None:
        self.owed = max(self.owed, breaks)
        self.blank = False

    def add(self, text: str) -> None:
        if not text:
            return
        if self.owed:
            prefix = "> " * min(self.depth, _MAX_CITED)
            self.out.append(("\n" + prefix) * self.owed if self.out else prefix)
            self.owed, self.blank = 0, False
        elif self.blank and text[0] != " ":
            self.out.append(" ")
        self.blank = False
        self.out.append(text)

    def words(self, text: str) -> None:
        """Running text: white space is one blank, none at the start of a line."""
        if self.preformatted:
            self.preserved(text)
            return
        text = _BLANK.sub(" ", text)
        if self.owed or not self.out:
            text = text.removeprefix(" ")
        self.add(text.removesuffix(" ") if text != " " else "")
        self.blank = self.blank or (text.endswith(" ") and not self.owed)

    def preserved(self, text: str) -> None:
        for number, line in enumerate(text.split("\n")):
            if number:
                self.owed += 1
            self.add(line)


def convert(source: str, *, cut: bool = True) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """The text, what was hidden from the reader, and attribution lines that the page marks as such."""
    root = LexborHTMLParser(_shallow(source[:_MAX_SOURCE])).root
    page = _Page(cut, owed=1)
    node = root
    while node is not None:
        inside = _enter(page, node)
        if inside and node.child is not None:
            node = node.child
            continue
        node = _onward(page, node, root, left=inside)
    return "".join(page.out), tuple(page.hidden), tuple(page.attributions)


def _shallow(source: str) -> str:
    """Tags opened deeper than anyone nests become empty ones."""
    if source.count("<") <= _MAX_OPEN:
        return source
    opened: Counter[str] = Counter()

    def replace(tag: re.Match[str]) -> str:
        name = tag[2].lower()
        if tag[1]:
            closes = opened[name] > 0
            opened[name] -= closes
            opened[""] -= closes
        elif name not in _VOID:
            if opened[""] >= _MAX_OPEN:
                return "<wbr"
            opened[name] += 1
            opened[""] += 1
        return tag[0]

    return _TAG.sub(replace, source)


def _onward(page: _Page, node: LexborNode, root: LexborNode | None, *, left: bool) -> LexborNode | None:
    """The next node in order, leaving each element that ends on the way."""
    current: LexborNode | None = node
    while current is not None:
        if left:
            _leave(page, current)
        if root is None or current.mem_id == root.mem_id:
            return None
        if current.next is not None:
            return current.next
        current, left = current.parent, True
    return None


def _enter(page: _Page, node: LexborNode) -> bool:
    """Writes what a node begins with. False: nothing of it is shown."""
    tag = node.tag or ""
    if tag == "-text":
        page.words(node.text_content or "")
        return True
    if tag in _SKIPPED or tag.startswith(("-", "!", "_")):
        return False
    if tag == "br":
        page.owed += 1
        page.blank = False
        return True
    return _element(page, node, tag, node.attributes)


def _element(page: _Page, node: LexborNode, tag: str, attributes: dict[str, str | None]) -> bool:
    if attributes and _kept_out(page, node, attributes):
        return False
    if tag in _BLOCKS:
        page.need(2 if tag in _SPACED else 1)
    elif tag in {"td", "th"}:
        page.blank = not page.owed and bool(page.out)
    if tag == "li":
        page.add("- ")
    page.depth += _is_citation(page, tag, attributes)
    page.preformatted += tag == "pre"
    return True


def _leave(page: _Page, node: LexborNode) -> None:
    tag = node.tag or ""
    if tag in _BLOCKS:
        page.need(2 if tag in _SPACED else 1)
    page.depth -= _is_citation(page, tag, node.attributes) if tag == "blockquote" else 0
    page.preformatted -= tag == "pre"


def _kept_out(page: _Page, node: LexborNode, attributes: dict[str, str | None]) -> bool:
    """Hidden elements and attribution lines are noted and left out; a separator is written where the old
    mail begins.
    """
    if "hidden" in attributes or _HIDDEN.search((attributes.get("style") or "").lower()):
        page.hidden.append(_flat(node))
        return True
    if not page.cut:
        return False
    classes = (attributes.get("class") or "").lower()
    name = (attributes.get("id") or "").lower()
    if name in _OLD_MAIL_IDS or any(one in classes for one in _OLD_MAIL_CLASSES):
        _separate(page)
    elif any(one in classes for one in _ATTRIBUTIONS):
        return _attribution(page, node)
    return False


def _attribution(page: _Page, node: LexborNode) -> bool:
    line = _flat(node)
    if line.startswith("----"):
        return False  # Gmail marks the head of a forwarded mail so too; it is a separator in words already
    page.attributions.append(line)
    return True


def _separate(page: _Page) -> None:
    page.need(1)
    page.add(SEPARATOR)
    page.need(1)


def _is_citation(page: _Page, tag: str, attributes: dict[str, str | None]) -> bool:
    if tag != "blockquote" or not page.cut:
        return False
    return (
        "cite" in attributes
        or (attributes.get("type") or "").lower() == "cite"
        or "gmail_quote" in (attributes.get("class") or "")
        or bool(_CITED.search(attributes.get("style") or ""))
    )


def _flat(node: LexborNode) -> str:
    return _BLANK.sub(" ", node.text(deep=True)).strip()
