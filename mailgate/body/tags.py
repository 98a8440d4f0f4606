"""HTML source to a run of tags and texts (HTML Living Standard, section 13.2.5), each byte looked at once.

No tree is built. The standard's tree algorithm repeats open elements and repairs crossed ones, so that a page of
32 KiB can become millions of nodes; a browser bears that, a server that reads everybody's mail must not.
"""

import re
from collections.abc import Iterator
from html import unescape
from itertools import islice

_TAG = re.compile(
    r"""<(?:
        (/?)([a-zA-Z][^\s/>]*+)
          ((?:[^>"'=]++|=\s*+(?:"[^"]*+"|'[^']*+')?+|["'])*+)(?:>|\Z)
      | !--(?:-?>|.*?(?:--!?>|\Z))
      | [!?/][^>]*+(?:>|\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ATTRIBUTE = re.compile(r"""([^\s/>=][^\s/>=]*+)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s>]*+))?""")
_MOST_ATTRIBUTES = 100
_RAW = frozenset({"script", "style", "iframe", "xmp", "noembed", "noframes", "title", "textarea"})
_DECODED = frozenset({"title", "textarea"})
_RAW_END = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in _RAW}


TEXT, START, END = range(3)
Token = tuple[int, str, str]  # kind; text or name; of a tag what stands behind its name, for `attributes`


def read(source: str) -> Iterator[Token]:
    """Tags, and the texts between them with references decoded; comments and declarations are left out."""
    pos = 0
    while found := _TAG.search(source, pos):
        if found.start() > pos:
            yield TEXT, _text(source[pos : found.start()]), ""
        pos = found.end()
        close, name, rest = found.groups()
        if not name:
            continue
        name = name.lower()
        yield END if close else START, name, rest
        if name in _RAW and not close:
            end = _RAW_END[name].search(source, pos)
            stop = end.start() if end else len(source)
            inside = source[pos:stop]
            yield TEXT, _text(inside) if name in _DECODED else inside, ""
            pos = stop
    if pos < len(source):
        yield TEXT, _text(source[pos:]), ""


def _text(source: str) -> str:
    return unescape(source) if "&" in source else source


def attributes(rest: str) -> dict[str, str]:
    """Of two attributes with one name the first counts. No more are read than anybody writes."""
    found: dict[str, str] = {}
    for one in islice(_ATTRIBUTE.finditer(rest), _MOST_ATTRIBUTES):
        name, value = one.groups("")
        if value[:1] in {'"', "'"}:
            value = value[1:-1] if value[-1:] == value[0] and len(value) > 1 else value[1:]
        found.setdefault(name.lower(), _text(value))
    return found
