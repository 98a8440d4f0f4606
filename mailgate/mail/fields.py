"""Header fields: splitting (RFC 5322, section 2.2), unfolding and encoded words (RFC 2047)."""

import binascii
import re
from collections.abc import Iterator

from mailgate.errors import MailTooLarge
from mailgate.mail.charsets import decode

MAX_HEADER = 128 * 1024  # bytes of one part's header

Fields = dict[str, list[str]]

_FIELD = re.compile(r"^([^\x00-\x20:\x7f]++)[ \t]*+:(.*+(?:\n[ \t].*+)*+)(?:\n|\Z)", re.MULTILINE)
_PREAMBLE = re.compile(rb"\n+|>?From .*(?:\n|\Z)|(?:[ \t]+.*(?:\n|\Z))+")
_FOLD = re.compile(r"\n[ \t]+")
_WORD = re.compile(r"=\?([^?\s*]+)(?:\*[^?\s]*)?\?([bBqQ])\?([^?]*)\?=")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_BLANKS = re.compile(r"[\t\r\n]+")


def split(
    raw: bytes, start: int, end: int, *, charset: str = "", outermost: bool = False
) -> tuple[Fields, int]:
    """The fields between `start` and `end`, and where the body begins. Raises MailTooLarge over 128 KiB.

    A line that is no field ends the header and is the body's first line. Names are lower-cased, values are
    text, still folded. Before the first field of a mail, mbox lines, blank lines and lost continuation lines are
    skipped. `charset` is the guess for bytes beyond ASCII.
    """
    limit = min(end, start + MAX_HEADER + 1)
    begin = _skip(raw, start, limit) if outermost else start
    last = raw.find(b"\n\n", begin, limit)
    block = raw[begin : limit if last < 0 else last + 1]
    fields: Fields = {}
    length = _read(block, charset, fields) if block[:1] != b"\n" else 0
    pos = begin + length
    if pos - start > MAX_HEADER:
        raise MailTooLarge("The header of the mail is larger than 128 KiB.")
    return fields, pos + (raw[pos : pos + 1] == b"\n")


def _read(block: bytes, charset: str, fields: Fields) -> int:
    """Put the fields at the begin of `block` into `fields`; their length."""
    plain = block.isascii() and b"\x1b" not in block
    pos = 0
    for field in _FIELD.finditer(block.decode("latin-1")):
        if field.start() != pos:
            break
        pos = field.end()
        name, value = field.groups()
        name = name.lower()
        if not plain:
            value = decode(value.encode("latin-1"), hint=charset)
        if name in fields:
            fields[name].append(value)
        else:
            fields[name] = [value]
    return pos


def _skip(raw: bytes, pos: int, limit: int) -> int:
    while found := _PREAMBLE.match(raw, pos, limit):
        pos = found.end()
    return pos


def unfold(value: str) -> str:
    """One line of text without controls."""
    return clean(_FOLD.sub(" ", value) if "\n" in value else value)


def clean(text: str) -> str:
    if text.isprintable():
        return text.strip()
    return _CONTROLS.sub("", _BLANKS.sub(" ", text)).strip()


def words(text: str) -> str:
    """Unfolded text for people: encoded words decoded (RFC 2047, section 6.2: blanks between two words
    vanish, and neighbours of one charset are joined before decoding, for characters cut in two).
    """
    if "=?" not in text:
        return text
    return clean("".join(_runs(text)))


def _runs(text: str) -> Iterator[str]:
    pos, charset = 0, ""
    pending: list[bytes] = []
    for word in _WORD.finditer(text):
        between = text[pos : word.start()]
        adjacent = pos and not between.strip()
        if pending and not (adjacent and charset == word[1].lower()):
            yield decode(b"".join(pending), charset)
            pending = []
        if not adjacent:
            yield between
        pending.append(_word_bytes(word[2], word[3]))
        pos, charset = word.end(), word[1].lower()
    yield decode(b"".join(pending), charset) if pending else ""
    yield text[pos:]


def _word_bytes(encoding: str, content: str) -> bytes:
    data = content.encode("utf-8", "replace")
    if encoding in "qQ":
        return binascii.a2b_qp(data, header=True)
    return base64(data)


_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_FOREIGN = bytes(set(range(256)).difference(_ALPHABET))


def base64(data: bytes) -> bytes:
    """Base64 as far as it goes: foreign bytes ignored, ends at the padding, a broken last group dropped."""
    data = data.partition(b"=")[0].translate(None, _FOREIGN)
    if len(data) % 4 == 1:
        data = data[:-1]
    return binascii.a2b_base64(data + b"=" * (-len(data) % 4))


_PIECE = 1_048_576  # bytes decoded in one call: a call into C holds everything else in the process


def long_base64(data: bytes, start: int, end: int) -> bytes:
    """The same of a stretch that may be long."""
    decoded = []
    left = b""
    for begin in range(start, end, _PIECE):
        kept, padding, _ = data[begin : min(begin + _PIECE, end)].partition(b"=")
        left += kept.translate(None, _FOREIGN)
        if padding:
            break
        whole = len(left) // 4 * 4
        decoded.append(binascii.a2b_base64(left[:whole]))
        left = left[whole:]
    return b"".join([*decoded, base64(left)])
