"""The octets of a mail as a signature sees them, beside the mail as we read it.

Two parsers read a signed mail: the signature's library and ours, which takes the text. Where they could differ, a
signed mail could be made to say something else. So a mail whose header is not plain has no signature here.
"""

import hashlib
import re
from dataclasses import dataclass, field

from mailgate.mail import Mail
from mailgate.mail.address import mailboxes
from mailgate.mail.fields import MAX_HEADER, unfold
from mailgate.proof import canonical
from mailgate.proof.evidence import domain_of

_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n|\x00")
_NAME = re.compile(rb"([\x21-\x39\x3b-\x7e]+):")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+("?)')
_ODD = re.compile(r"[\\():;\x00]")
_ATOM = r"[^\s<>@,\x01]+"
_LISTED = re.compile(rf"(?:[^<>@]*<({_ATOM}@{_ATOM})>|({_ATOM}@{_ATOM}))\Z")

Fields = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """`fields`: (name in lower case, the whole field as it stands with its line ends), from the top. `mail` is what
    we read of the same octets; the body begins at `start` of `raw`, and is never copied as a whole.
    """

    mail: Mail = field(repr=False)
    fields: Fields = field(repr=False)
    raw: bytes = field(repr=False)
    start: int
    _digests: dict[bytes, tuple[int, bytes]] = field(default_factory=dict, repr=False)

    def values(self, name: bytes) -> list[bytes]:
        return [whole[len(name) + 1 :] for one, whole in self.fields if one == name]

    def digest(self, algorithm: bytes) -> tuple[int, bytes]:
        """Length in octets and SHA-256 of the canonical body (RFC 6376, section 3.4); calculated once, for it is
        nearly all of the work on a large mail. `algorithm` is b"simple" or b"relaxed".
        """
        if algorithm not in self._digests:
            length, summed = 0, hashlib.sha256()
            for piece in canonical.pieces(self.raw, self.start, algorithm):
                length += len(piece)
                summed.update(piece)
            self._digests[algorithm] = length, summed.digest()
        return self._digests[algorithm]


def read(mail: Mail, raw: bytes) -> Letter | None:
    """None when the header is not plain, or when it has no one From that both parsers read alike."""
    end = raw.find(b"\r\n\r\n", 0, MAX_HEADER)
    fields = _fields(raw, end) if end > 0 else ()
    letter = Letter(mail, fields, raw, end + 4)
    senders = [unfold(one.decode("utf-8", "replace").replace("\r\n", "\n")) for one in letter.values(b"from")]
    if len(senders) != 1 or mail.from_count != 1 or mailboxes(*senders)[0] != mail.from_:
        return None
    return letter if mail.from_ and domain_of(mail.from_[0]) else None


def _fields(raw: bytes, end: int) -> Fields:
    """None of them when there is a bare CR or LF, a NUL, or a line that is no field."""
    if _BARE.search(raw, 0, end + 4):
        return ()
    fields: list[tuple[bytes, list[bytes]]] = []
    for line in raw[:end].split(b"\r\n"):
        name = _NAME.match(line)
        if name:
            fields.append((name[1].lower(), [line + b"\r\n"]))
        elif fields and line[:1] in {b" ", b"\t"}:
            fields[-1][1].append(line + b"\r\n")
        else:
            return ()
    return tuple((name, b"".join(lines)) for name, lines in fields)


def listed(value: bytes) -> list[str]:
    """The addresses of a To or Cc field, as far as they are beyond doubt.

    Strict on purpose: a name may hold anything, even another address, and comments and groups (RFC 5322, section
    3.4) are read differently by different programs, so a field that has them lists nobody.
    """
    text = value.decode("utf-8", "replace").replace("\x01", "\x00").replace("\r\n", "")
    text = _QUOTED.sub(lambda quoted: "\x01" if quoted[1] else "\x00", text)
    if _ODD.search(text):
        return []
    found = [_LISTED.match(one.strip()) for one in text.split(",")]
    return [one[1] or one[2] for one in found if one]
