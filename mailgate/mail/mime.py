"""The parts of a mail (RFC 2045, 2046), split in one loop with bounded work.

The standard library's parser recurses once a level and has no limits; a mail of 2 000 nested parts or 20 000
tiny ones stops it. Here the limits are checked while splitting, and no level is entered by a call.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message

from mailgate.errors import MailTooLarge
from mailgate.mail import fields as header
from mailgate.mail.charsets import decode

MAX_PARTS = 200
MAX_DEPTH = 20
_MAX_PARAMETERS = 4096

_TYPE = re.compile(r"\s*([\w.+-]+/[\w.+-]+)")
_PARAMETER = re.compile(r"""[;\s]([\w*.-]+)\s*=\s*("(?:[^"\\]|\\.)*"?|[^;\s]*)""")
_DELIMITER = re.compile(
    rb"^(--[^\s-].{0,66}|-{3,}[^\s-].{0,60})$", re.MULTILINE
)  # where no boundary is declared
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Part:
    """One entity: a stretch of the raw mail, never a copy of it; `content()` and `text()` decode."""

    type: str
    parameters: dict[str, str]
    fields: header.Fields
    raw: bytes = field(repr=False)
    start: int
    end: int
    children: list["Part"] = field(default_factory=list)

    def header(self, name: str) -> str:
        values = self.fields.get(name)
        return header.unfold(values[0]) if values else ""

    @property
    def disposition(self) -> str:
        return self.header("content-disposition").split(";")[0].strip().lower()

    @property
    def name(self) -> str:
        disposition = self.header("content-disposition")
        name = _parameters(disposition).get("filename", "") if disposition else ""
        return header.words((name or self.parameters.get("name", "")).encode("utf-8", "replace"))

    def content(self) -> bytes:
        decoder = _DECODERS.get(self.header("content-transfer-encoding").lower())
        body = self.raw[self.start : min(self.end, self.start + _LONGEST_PART)]
        return decoder(body) if decoder else body

    def text(self) -> str:
        return decode(self.content(), self.parameters.get("charset", ""))

    def leaves(self) -> Iterator["Part"]:
        """Every part without parts, in order; what is inside an attached mail is the attachment's own."""
        waiting = [self]
        while waiting:
            part = waiting.pop()
            if part.children and not part.type.startswith("message/"):
                waiting.extend(reversed(part.children))
            else:
                yield part


def _uudecode(data: bytes) -> bytes:
    found = []
    for line in data.split(b"\n"):
        if line.startswith((b"begin ", b"end", b"`")):
            continue
        try:
            found.append(binascii.a2b_uu(line))
        except binascii.Error:
            continue
    return b"".join(found)


# Bytes of one part that are decoded: what is longer is no text for a phone, and the work on it stays bounded.
_LONGEST_PART = 1_048_576
_DECODERS = {
    "base64": header.base64,
    "quoted-printable": binascii.a2b_qp,
    "x-uuencode": _uudecode,
    "uuencode": _uudecode,
    "x-uue": _uudecode,
}


def split(raw: bytes) -> Part:
    """The tree of `raw`, whose lines end in LF. Raises MailTooLarge beyond 200 parts or 20 levels."""
    root = _entity(raw, 0, len(raw), "text/plain", outermost=True)
    waiting = [(root, 0)]
    count = 1
    while waiting:
        part, depth = waiting.pop()
        for start, end in _inside(part):
            count += 1
            if count > MAX_PARTS or depth >= MAX_DEPTH:
                raise MailTooLarge("The mail has more than 200 parts or 20 levels of parts.")
            implied = "message/rfc822" if part.type == "multipart/digest" else "text/plain"
            child = _entity(raw, start, end, implied)
            part.children.append(child)
            waiting.append((child, depth + 1))
    return root


def _entity(raw: bytes, start: int, end: int, implied: str, *, outermost: bool = False) -> Part:
    values, body = header.split(raw, start, end, outermost=outermost)
    body = min(body, end)
    declared = values.get("content-type")
    if not declared:
        return Part(implied, {}, values, raw, body, end)
    text = header.unfold(declared[0])
    found = _TYPE.match(text)
    return Part(found[1].lower() if found else implied, _parameters(text), values, raw, body, end)


def _parameters(value: str) -> dict[str, str]:
    if "*" in value and len(value) <= _MAX_PARAMETERS:
        return _continued(value)
    return {name.lower(): _unquote(given) for name, given in reversed(_PARAMETER.findall(value))}


def _unquote(value: str) -> str:
    return _ESCAPED.sub(r"\1", value[1:].removesuffix('"')) if value.startswith('"') else value


def _continued(value: str) -> dict[str, str]:
    """Parameters in pieces or with a charset (RFC 2231): the standard library knows them all."""
    carrier = Message()
    carrier["content-type"] = value
    try:
        pairs = carrier.get_params() or []
    except (ValueError, LookupError, TypeError, IndexError, AttributeError):
        return {}
    return {name.lower(): _charset_value(given) for name, given in reversed(pairs)}


def _charset_value(given: str | tuple[str | None, str | None, str]) -> str:
    if isinstance(given, str):
        return given
    charset, _language, text = given
    return decode(text.encode("latin-1", "replace"), charset or "")


def _inside(part: Part) -> list[tuple[int, int]]:
    if part.type == "message/rfc822" and "content-transfer-encoding" not in part.fields:
        return [(part.start, part.end)]
    if not part.type.startswith("multipart/"):
        return []
    boundary = part.parameters.get("boundary", "").rstrip()
    if boundary:
        return _between(part.raw, b"--" + boundary.encode("utf-8", "replace"), part.start, part.end)
    lost = _DELIMITER.search(part.raw, part.start, min(part.end, part.start + _MAX_PARAMETERS))
    return _between(part.raw, lost[1], part.start, part.end) if lost else []


def _between(raw: bytes, mark: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """Where the parts lie between delimiter lines (RFC 2046, section 5.1.1); a lost last delimiter is
    forgiven, and one part more than allowed is found at most.
    """
    found: list[tuple[int, int]] = []
    open_at = -1
    at = raw.find(mark, start, end)
    while at >= 0 and len(found) <= MAX_PARTS:
        stop = raw.find(b"\n", at, end)
        stop = end if stop < 0 else stop
        rest = raw[at + len(mark) : stop].rstrip()
        if (at == start or raw[at - 1 : at] == b"\n") and rest in {b"", b"--"}:
            if open_at >= 0:
                found.append((open_at, max(open_at, at - 1)))
            if rest:
                return found
            open_at = min(stop + 1, end)
        at = raw.find(mark, stop, end)
    if open_at >= 0:
        found.append((open_at, end))
    return found
