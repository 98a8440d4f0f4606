"""The parts of a mail (RFC 2045, 2046), split in one loop with bounded work.

The standard library's parser recurses once a level and has no limits; a mail of 2 000 nested parts or 20 000
tiny ones stops it. Here the limits are checked while splitting, and no level is entered by a call.
"""

import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field

from mailgate.errors import MailTooLarge
from mailgate.mail import boundaries, cms, lines, parameters
from mailgate.mail import fields as header
from mailgate.mail.charsets import decode

MAX_PARTS = 200
MAX_DEPTH = 20
MAX_HEADERS = 1_048_576  # bytes of the headers of all parts


@dataclass(frozen=True, slots=True)
class Part:
    """One entity: a stretch of the raw mail, never a copy of it, or of what was signed inside an opaque S/MIME part,
    which has that entity as its one child; `content()` and `text()` decode.

    `charset` is what bytes beyond ASCII are taken for where nothing is declared.
    """

    type: str
    parameters: dict[str, str]
    disposition: str
    name: str
    fields: header.Fields
    raw: bytes = field(repr=False)
    start: int
    end: int
    charset: str = ""
    children: list["Part"] = field(default_factory=list)

    def header(self, name: str) -> str:
        values = self.fields.get(name)
        return header.unfold(values[0]) if values else ""

    def content(self) -> bytes:
        body = self.raw[self.start : min(self.end, self.start + _LONGEST_PART)]
        if "content-transfer-encoding" not in self.fields:
            return body
        decoder = _DECODERS.get(self.header("content-transfer-encoding").lower())
        return decoder(body) if decoder else body

    def text(self) -> str:
        return self.decoded(self.content())

    def decoded(self, content: bytes, declared: str = "") -> str:
        """`content` as text; `declared` is a charset that counts if the header names none."""
        return decode(content, self.parameters.get("charset") or declared, self.charset)

    def leaves(self) -> Iterator["Part"]:
        """Every part without parts, in order; what is inside an attached mail is the attachment's own."""
        if not self.children:
            yield self
            return
        waiting = [self]
        while waiting:
            part = waiting.pop()
            if part.children and not part.type.startswith("message/"):
                waiting.extend(reversed(part.children))
            else:
                yield part


def _uudecode(data: bytes) -> bytes:
    found = []
    faults = length = 0
    for line in data.split(b"\n"):
        if not line or line.startswith((b"begin ", b"end", b"`")):
            continue
        try:
            found.append(binascii.a2b_uu(line))
            length += len(found[-1])
        except binascii.Error:
            faults += 1
        if faults > _MOST_FAULTS or length > _LONGEST_PART:
            break
    return b"".join(found)


IDENTITY = frozenset({"", "7bit", "8bit", "binary"})  # RFC 2045, section 6.2
# Bytes of one part that are decoded: what is longer is no text for a phone, and the work on it stays bounded.
_LONGEST_PART = 1_048_576
_MOST_FAULTS = 1000  # lines that cannot be decoded; what has more is something else
_DECODERS = {
    "base64": header.base64,
    "quoted-printable": binascii.a2b_qp,
    "x-uuencode": _uudecode,
    "uuencode": _uudecode,
    "x-uue": _uudecode,
}


def split(raw: bytes, charset: str = "") -> Part:
    """The tree of `raw`, whose lines end in LF. Raises MailTooLarge beyond 200 parts, 20 levels or 1 MiB of headers."""
    root = _entity(raw, 0, len(raw), "text/plain", charset, outermost=True)
    _Splitter(root).run()
    return root


class _Splitter:
    """Parts in order, and what all of them together may be."""

    def __init__(self, root: Part) -> None:
        self._root = root
        self._count = 1
        self._headers = root.start
        self._leaves = 0
        self._opened = False

    def run(self) -> None:
        waiting = [(self._root, 0, False)]
        while waiting:
            part, depth, attached = waiting.pop()
            spans = _inside(part)
            implied = "message/rfc822" if part.type == "multipart/digest" else "text/plain"
            for start, end in spans:
                part.children.append(self._child(part.raw, start, end, implied, part.charset, depth))
            if not spans and not attached:
                self._open(part, depth)
            self._leaves += not part.children
            attached = attached or part.type.startswith("message/")
            waiting.extend((child, depth + 1, attached) for child in reversed(part.children))

    def _child(self, raw: bytes, start: int, end: int, implied: str, charset: str, depth: int) -> Part:
        self._count += 1
        if self._count > MAX_PARTS or depth >= MAX_DEPTH:
            raise MailTooLarge("The mail has more than 200 parts or 20 levels of parts.")
        child = _entity(raw, start, end, implied, charset)
        self._headers += child.start - start
        if self._headers > MAX_HEADERS:
            raise MailTooLarge("The headers of all parts of the mail are larger than 1 MiB.")
        return child

    def _open(self, part: Part, depth: int) -> None:
        """What is inside a signed S/MIME part is read as the entity that it is: of one such part only, and not of one
        that is attached behind others. A signed file without fields, such as an invoice, stays an attachment.
        """
        if self._opened or not is_smime(part) or (part.disposition == "attachment" and self._leaves):
            return
        content = _unwrapped(part)
        if content is None:
            return
        self._opened = True
        child = self._child(content, 0, len(content), "text/plain", part.charset, depth)
        if "content-type" in child.fields or (part is self._root and _is_text(content)):
            part.children.append(child)


def is_smime(part: Part) -> bool:
    """By type, or by the name that is left where a program did not know the type (RFC 8551, section 3.2.1)."""
    return part.type in _SMIME or (
        part.name.lower().endswith(".p7m") and part.type.startswith("application/") and not part.children
    )


_SMIME = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})


def _unwrapped(part: Part) -> bytes | None:
    data = part.content()
    if cms.kind(data) not in cms.OPENED:
        return None
    if part.end - part.start > _LONGEST_PART and part.header("content-transfer-encoding").lower() == "base64":
        data = header.long_base64(part.raw, part.start, part.end)
    content = cms.content(data)
    return None if content is None else lines.unix(content)


def _is_text(content: bytes) -> bool:
    if len(content) > _LONGEST_PART or b"\0" in content:
        return False
    try:
        content.decode()
    except ValueError:
        return False
    return True


def _entity(raw: bytes, start: int, end: int, implied: str, charset: str, *, outermost: bool = False) -> Part:
    values, body = header.split(raw, start, end, charset=charset, outermost=outermost)
    body = min(body, end)
    kind = implied
    named: dict[str, str] = {}
    if "content-type" in values:
        given = header.unfold(values["content-type"][0])
        kind = parameters.kind(given) or implied
        named = parameters.read(given)
    disposition, name = "", named.get("name", "")
    if "content-disposition" in values:
        given = header.unfold(values["content-disposition"][0])
        disposition = given.partition(";")[0].strip().lower()
        name = parameters.read(given).get("filename") or name
    if name:
        name = header.words(header.clean(name[:_LONGEST_NAME]))
    return Part(kind, named, disposition, name, values, raw, body, end, charset)


_LONGEST_NAME = 2000  # characters


def _inside(part: Part) -> list[tuple[int, int]]:
    if part.type == "message/rfc822" and "content-transfer-encoding" not in part.fields:
        return [(part.start, part.end)]
    if not part.type.startswith("multipart/"):
        return []
    boundary = part.parameters.get("boundary", "").rstrip().encode("utf-8", "replace")
    found = boundaries.between(part.raw, boundary, part.start, part.end, MAX_PARTS + 1) if boundary else []
    if not found:  # none is declared, or one that stands nowhere
        boundary = boundaries.lost(part.raw, part.start, part.end)
        found = (
            boundaries.between(part.raw, boundary, part.start, part.end, MAX_PARTS + 1) if boundary else []
        )
    return found
