"""Content-Type and Content-Disposition: a value with parameters (RFC 2045, section 5.1; RFC 2231)."""

import re
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from mailgate.mail.charsets import decode

_TYPE = re.compile(r"\s*([\w.+-]+/[\w.+-]+)")
_PARAMETER = re.compile(r"""[;\s]([\w*.-]+)\s*=\s*("(?:[^"\\]|\\.)*"?|[^;\s]*)""")
_ESCAPED = re.compile(r"\\(.)")
_PIECE = re.compile(r"([^*]+)\*(?:(\d{1,4})(\*)?)?\Z")  # name*, name*0, name*0*


def kind(field: str) -> str:
    """The media type in lower case; "" if there is none."""
    found = _TYPE.match(field)
    return found[1].lower() if found else ""


def read(field: str) -> dict[str, str]:
    """The parameters; of two with one name the first counts."""
    if "=" not in field:
        return {}
    pairs = [(name.lower(), _unquote(given)) for name, given in _PARAMETER.findall(field)]
    return _joined(pairs) if "*" in field else dict(reversed(pairs))


def _unquote(value: str) -> str:
    if not value.startswith('"'):
        return value
    value = value[1:].removesuffix('"')
    return _ESCAPED.sub(r"\1", value) if "\\" in value else value


def _joined(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """With the parameters that come in pieces or with a charset (RFC 2231, sections 3 and 4)."""
    named: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    for name, value in pairs:
        piece = _PIECE.match(name)
        if piece:
            encoded = piece[2] is None or piece[3] is not None
            pieces.setdefault(piece[1], {}).setdefault(int(piece[2] or 0), (value, encoded))
        else:
            named.setdefault(name, value)
    for name, found in pieces.items():
        named.setdefault(name, _value([found[number] for number in sorted(found)]))
    return named


def _value(pieces: Sequence[tuple[str, bool]]) -> str:
    """Charset and language stand in the first piece, if it is encoded."""
    first, encoded = pieces[0]
    charset, separator, rest = first.partition("'")
    _language, separator, rest = rest.partition("'")
    if not encoded or not separator:
        charset, rest = "", first
    texts = [(rest, encoded), *pieces[1:]]
    return decode(
        b"".join(
            unquote_to_bytes(text) if percent else text.encode("utf-8", "replace") for text, percent in texts
        ),
        charset,
    )
