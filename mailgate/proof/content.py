"""Whether a signature leaves open how the body is to be read.

Many signers, Gmail among them, do not cover Content-Type. Whoever has such a mail may put another one on top, and so
choose by its boundary, charset or encoding what is texted, as often as there are ways to read the same octets. So an
uncovered field counts only where the signed body itself says how it is to be read (RFC 6376, section 8.2).
MIME-Version is not asked: nothing here reads it.
"""

import re

from mailgate.mail import Part
from mailgate.proof import canonical
from mailgate.proof.letter import Letter

_LONGEST = 1_048_576  # octets; of a longer part no more is read
_LONGEST_BOUNDARY = 1000  # characters; RFC 2046, section 5.1.1 says 70
_MULTIPART = frozenset({"multipart/alternative", "multipart/mixed", "multipart/related"})
# the order in which an alternative is chosen from
_RANK = {"text/plain": 0, "text/html": 1, "text/calendar": 2}
_IDENTITY = frozenset({b"", b"7bit", b"8bit", b"binary"})  # RFC 2045, section 6.2
# What is alike for all of these octets is alike for any: ASCII is in all of them, other octets are UTF-8's alone.
_ASCII = frozenset({"", "us-ascii", "utf-8", "iso-8859-1", "iso-8859-15", "windows-1252"})
_UNICODE = frozenset({"", "utf-8"})
_STRETCHED = re.compile(rb"[ \t]\r\n")


def is_open(letter: Letter, covered: tuple[bytes, ...]) -> bool:
    """Whether a field that is not among the `covered` ones decides which text is read. No DNS; reads no more than
    1 MiB of the body.
    """
    has = {
        name: letter.values(name)
        for name in (b"content-type", b"content-transfer-encoding", b"content-disposition")
    }
    if any(len(values) > 1 for values in has.values()):
        return True
    if has[b"content-disposition"] and b"content-disposition" not in covered:
        return True
    root = letter.mail.root
    typed = b"content-type" in covered
    if root.type.startswith("multipart/"):  # its encoding is never looked at (RFC 2045, section 6.4)
        return not (typed or _is_framed(letter, root))
    encoding = b"".join(has[b"content-transfer-encoding"]).strip().lower()
    if b"content-transfer-encoding" not in covered and encoding not in _IDENTITY:
        return True
    return not (typed or _is_evident(letter, root))


def _is_framed(letter: Letter, root: Part) -> bool:
    """A multipart whose body begins and ends with the boundary, so that no other one fits; and whose texts stand
    in the order in which they are chosen, so that alternative and mixed are the same.
    """
    boundary = root.parameters.get("boundary", "").encode("utf-8", "replace")
    if root.type not in _MULTIPART or not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        return False
    raw, start = letter.raw, letter.start
    end = canonical.filled(raw, start)
    if not raw.startswith(b"--" + boundary + b"\r\n", start):
        return False
    if not raw.endswith(b"\r\n--" + boundary + b"--", start, end):
        return False
    shown = [part for part in root.leaves() if part.disposition != "attachment" and not part.name]
    ranks = [_RANK[part.type] for part in shown if part.type in _RANK]
    return ranks == sorted(ranks)


def _is_evident(letter: Letter, root: Part) -> bool:
    """A single text: HTML if it begins like it, else plain; of characters that are the same in any charset; without
    parameters that join lines (RFC 3676), unless there is none to join. A multipart whose type was taken off is none.
    """
    body = letter.raw[letter.start : letter.start + _LONGEST + 1]
    begin = body[:_LONGEST_BOUNDARY].lstrip()
    if len(body) > _LONGEST or begin.startswith(b"--"):
        return False
    given = dict(root.parameters)
    charset, flowed = given.pop("charset", "").lower(), given.pop("format", "").lower()
    if given or flowed not in {"", "fixed", "flowed"} or (flowed == "flowed" and _STRETCHED.search(body)):
        return False
    if charset not in (_ASCII if body.isascii() else _UNICODE) or b"\x1b" in body or not _is_unicode(body):
        return False
    return root.type == ("text/html" if begin.startswith(b"<") else "text/plain")


def _is_unicode(body: bytes) -> bool:
    try:
        body.decode()
    except ValueError:
        return False
    return True
