"""Header fields: splitting (RFC 5322, section 2.2), unfolding and encoded words (RFC 2047)."""

import binascii
import re
from collections.abc import Iterator

from mailgate.errors import MailTooLarge
from mailgate.mail.charsets import decode

MAX_HEADER = 128 * 1024

Fields = dict[str, list[bytes]]

_FIELD = re.compile(rb"([^\x00-\x20:\x7f]+)[ \t]*:(.*(?:\n[ \t].*)*)(?:\n|\Z)")
_PREAMBLE = re.compile(rb"\n+|>?From .*(?:\n|\Z)|[ \t]+.*(?:\n|\Z)")
_FOLD = re.compile(rb"\n[ \t]+")
_WORD = re.compile(r"=\?([^?\s*]+)(?:\*[^?\s]*)?\?([bBqQ])\?([^?]*)\?=")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_BLANKS = re.compile(r"[\t\r\n]+")


def split(raw: bytes, start: int, end: int, *, outermost: bool = False) -> tuple[Fields, int]:
    """The fields between `start` and `end`, and where the body begins.

    A line that is no field ends the header and is the body's first line. Names are lower-cased, values are
    raw. Before the first field of a mail, mbox lines, blank lines and lost continuation lines are skipped.
    """
    limit = min(end, start + MAX_HEADER + 1)
    pos = _skip(raw, start, limit) if outermost else start
    fields: Fields = {}
    while pos < limit and (field := _FIELD.match(raw, pos, limit)):
        fields.setdefault(field[1].decode("latin-1").lower(), []).append(field[2])
        pos = field.end()
    if pos - start > MAX_HEADER:
        raise MailTooLarge("The header of the mail is larger than 128 KiB.")
    return fields, pos + (raw[pos : pos + 1] == b"\n")


def _skip(raw: bytes, pos: int, limit: int) -> int:
    while found := _PREAMBLE.match(raw, pos, limit):
        pos = found.end()
    return pos


def unfold(value: bytes) -> str:
    """One line of text; bytes beyond ASCII are decoded by the fixed order, controls dropped."""
    if b"\n" in value:
        value = _FOLD.sub(b" ", value)
    return clean(decode(value))


def clean(text: str) -> str:
    if text.isprintable():
        return text.strip()
    return _CONTROLS.sub("", _BLANKS.sub(" ", text)).strip()


def words(value: bytes) -> str:
    """A header for people: unfolded, encoded words decoded (RFC 2047, section 6.2: blanks between two words
    vanish, and neighbours of one charset are joined before decoding, for characters cut in two).
    """
    text = unfold(value)
    if "=?" not in text:
        return text
    return clean("".join(_runs(text)))


def _runs(text: str) -> Iterator[str]:
    pos, charset, pending = 0, "", b""
    for word in _WORD.finditer(text):
        between = text[pos : word.start()]
        adjacent = pos and not between.strip()
        if pending and not (adjacent and charset == word[1].lower()):
            yield decode(pending, charset)
            pending = b""
        if not adjacent:
            yield between
        pending += _word_bytes(word[2], word[3])
        pos, charset = word.end(), word[1].lower()
    yield decode(pending, charset) if pending else ""
    yield text[pos:]


def _word_bytes(encoding: str, content: str) -> bytes:
    data = content.encode("utf-8", "replace")
    if encoding in "qQ":
        return binascii.a2b_qp(data, header=True)
    return base64(data)


_PADDING = re.compile(rb"=[=\s]*")
_FOREIGN = re.compile(rb"[^A-Za-z0-9+/]+")


def base64(data: bytes) -> bytes:
    """Base64 as far as it goes: foreign bytes ignored, ends at the padding, a broken last group dropped."""
    data = _FOREIGN.sub(b"", _PADDING.split(data, maxsplit=1)[0])
    if len(data) % 4 == 1:
        data = data[:-1]
    return binascii.a2b_base64(data + b"=" * (-len(data) % 4))
