"""MIME as we write it (RFC 2045, RFC 2046, RFC 5322): 7-bit lines of at most 998 octets, which any relay takes. Pure.

A field goes through Python's email, which encodes and folds it and refuses line breaks, unless it plainly needs none of
that; what it makes is kept, since most fields of most mails are the same. To build a whole report from its objects
takes five times as long, and a gateway writes as many mails as it sends texts.
"""

import binascii
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from mailgate import headers

_SHORT = 76  # octets of a line that nobody folds (RFC 5322 §2.1.1)
_LONG = 998
_CACHED = 8192
_FEW = 5  # addresses in a field that is kept
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_STRUCTURED = frozenset({"To", "From", "Reply-To"})


class Part(NamedTuple):
    """ASCII with CRLF: its fields, each with its line end, and its content."""

    fields: str
    content: str


def field(name: str, value: str) -> str:
    """One field that holds no address. Raises ValueError where a line break stands in it."""
    plain = value.isascii() and value.isprintable() and "=?" not in value
    if plain and value and len(name) + len(value) + 2 <= _SHORT and value == value.strip():
        return f"{name}: {value}\r\n"
    return _folded(name, value)


def people(name: str, addresses: tuple[str, ...]) -> str:
    """A field of addresses; what is none becomes the name of an empty group."""
    return (_people if len(addresses) <= _FEW else _people.__wrapped__)(name, addresses)


@lru_cache(maxsize=_CACHED)
def _people(name: str, addresses: tuple[str, ...]) -> str:
    return _written(name, [headers.addressee(address) for address in addresses])


@lru_cache(maxsize=_CACHED)
def person(name: str, display: str, address: str) -> str:
    """A field of one address with a name."""
    return _written(name, headers.named(display, address))


@lru_cache(maxsize=_CACHED)
def _folded(name: str, value: str) -> str:
    return _written(name, value)


def _written(name: str, value: Any) -> str:
    _, stored = headers.POLICY.header_store_parse(name, value)
    return headers.POLICY.fold_binary(name, stored).decode("ascii")


def text(words: str, subtype: str = "plain") -> Part:
    """Text in whatever of 7bit, quoted-printable and base64 (RFC 2045 §6) suits it."""
    flowing = _LINE_ENDS.sub("\r\n", words)
    if flowing.isascii() and "\0" not in flowing and max(map(len, flowing.split("\r\n"))) <= _LONG:
        return _text(subtype, "us-ascii", "7bit", flowing)
    raw = flowing.encode("utf-8", "replace")
    if len(raw) > 2 * len(flowing):  # hardly any of it is ASCII
        lines = [raw[at : at + 57] for at in range(0, len(raw), 57)]
        return _text(subtype, "utf-8", "base64", "".join(_base64(one) for one in lines))
    quoted = binascii.b2a_qp(raw.replace(b"\r\n", b"\n")).decode(
        "ascii"
    )  # it makes its own line ends, of one kind
    return _text(subtype, "utf-8", "quoted-printable", quoted.replace("\n", "\r\n"))


def _base64(octets: bytes) -> str:
    return binascii.b2a_base64(octets, newline=False).decode("ascii") + "\r\n"


def _text(subtype: str, charset: str, encoding: str, content: str) -> Part:
    kind = f"Content-Type: text/{subtype}; charset={charset}\r\n"
    return Part(f"{kind}Content-Transfer-Encoding: {encoding}\r\n", content)


def named(part: Part, filename: str) -> Part:
    """As an attachment; the name is ours, of letters, digits and `.-_`."""
    return part._replace(fields=f'{part.fields}Content-Disposition: attachment; filename="{filename}"\r\n')


def multipart(subtype: str, own: str, inner: Sequence[Part], more: str = "") -> Part:
    """`own`: a word of its own, from which the boundary is made; it stands in no part. `more`: parameters."""
    boundary = f"=_{own}"
    while any(boundary in part.content for part in inner):
        boundary += "_"
    pieces = [f"--{boundary}\r\n{part.fields}\r\n{part.content}" for part in inner]
    kind = f'Content-Type: multipart/{subtype};{more}\r\n boundary="{boundary}"\r\n'
    return Part(kind, "\r\n".join([*pieces, f"--{boundary}--\r\n"]))


def whole(fields: Sequence[str], part: Part) -> bytes:
    """A mail."""
    return f"{''.join(fields)}MIME-Version: 1.0\r\n{part.fields}\r\n{part.content}".encode("ascii")
