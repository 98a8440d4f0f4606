"""What a DKIM-Signature field claims, and the rules that need no key (RFC 6376, section 3.5).

They are narrower than the RFC: a message costs its sender's account money, so a signature must name whom the mail is
for, must be fresh, must leave nothing open that the text is taken from, and must cover what the mail is known again by.
"""

import base64
import re
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from dkim.util import InvalidTagValueList, parse_tag_value  # type: ignore[import-untyped]

from mailgate.proof import content
from mailgate.proof.evidence import recipient_key
from mailgate.proof.letter import Letter, listed

DAY = 86400
_OLDEST, _EARLIEST = 7 * DAY, 3600  # seconds before and after now
_LONGEST = 8192  # octets of a field
_MOST_NAMES = 200  # in h=
# The library takes a time that grows with the square of a run of blanks.
_LONG_BLANKS = re.compile(rb"\s{100}")
_SPACE = re.compile(rb"\s+")
_DOMAIN = re.compile(rb"(?:[a-z0-9_](?:[a-z0-9_-]{0,62})\.)+[a-z0-9](?:[a-z0-9-]{0,62})\Z")
_SELECTOR = re.compile(rb"[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}))*\Z")
_NAME = re.compile(rb"[\x21-\x39\x3c-\x7e]+\Z")
_NUMBER = re.compile(rb"[0-9]{1,12}\Z")
_ONCE = {b"from": "From", b"date": "Date", b"message-id": "Message-ID"}
_FORMS = frozenset({b"simple", b"relaxed"})


class Faulty(Exception):
    """Why a signature does not count, in words for the operator."""


@dataclass(frozen=True, slots=True)
class Claims:
    """The tags, as the library reads them. Names in lower case."""

    tags: dict[bytes, bytes]
    domain: str
    selector: str

    @classmethod
    def read(cls, value: bytes) -> "Claims":
        """Raises Faulty when it cannot be told whose signature it is."""
        if len(value) > _LONGEST or _LONG_BLANKS.search(value):
            raise Faulty("cannot be read")
        try:
            tags = parse_tag_value(value)
        except InvalidTagValueList:
            raise Faulty("cannot be read") from None
        domain, selector = (tags.get(tag, b"").lower() for tag in (b"d", b"s"))
        if not _DOMAIN.match(domain) or len(domain) > 253:
            raise Faulty("cannot be read")
        if not _SELECTOR.match(selector) or len(selector) > 253:
            selector = b""
        return cls(tags, domain.decode(), selector.decode())

    @property
    def b(self) -> str:
        """The signature, without blanks."""
        return _SPACE.sub(b"", self.tags.get(b"b", b"")).decode("ascii", "replace")

    @property
    def i_domain(self) -> str:
        return (
            self.tags.get(b"i", f"@{self.domain}".encode())
            .rpartition(b"@")[2]
            .decode("ascii", "replace")
            .lower()
        )

    @property
    def covered(self) -> tuple[bytes, ...]:
        return tuple(name.strip().lower() for name in self.tags.get(b"h", b"").split(b":"))

    @property
    def body_algorithm(self) -> bytes:
        return self.tags.get(b"c", b"simple/simple").partition(b"/")[2] or b"simple"

    def check(self, letter: Letter, now: float) -> None:
        """All but the body, which costs most. Raises Faulty. `now`: seconds since 1970."""
        self._check_form()
        self._check_coverage(letter)
        self._check_age(letter, now)

    def _check_form(self) -> None:
        tags = self.tags
        if tags.get(b"v") != b"1" or not self.selector or not tags.get(b"b"):
            raise Faulty("cannot be read")
        if tags.get(b"a") != b"rsa-sha256":  # RFC 8301, section 3.1; for Ed25519 the library lacks a library
            raise Faulty("is not of an accepted algorithm")
        if tags.get(b"q", b"dns/txt") != b"dns/txt":
            raise Faulty("has its key elsewhere")
        header = tags.get(b"c", b"simple").partition(b"/")[0]
        if header not in _FORMS or self.body_algorithm not in _FORMS:
            raise Faulty("cannot be read")
        if self.i_domain != self.domain and not self.i_domain.endswith(f".{self.domain}"):
            raise Faulty("is for a user of another domain")

    def _check_coverage(self, letter: Letter) -> None:
        covered = self.covered
        if len(covered) > _MOST_NAMES or not all(map(_NAME.match, covered)) or b"dkim-signature" in covered:
            raise Faulty("cannot be read")
        # Who wrote it, and by what it is known again when it is sent once more: a second field, or one that is not
        # signed, would make it a mail of its own.
        for name, shown in _ONCE.items():
            if name not in covered or len(letter.values(name)) != 1:
                raise Faulty(f"does not cover the one {shown}")
        # a second Subject above the signed one would be the one that is read
        if covered.count(b"subject") < len(letter.values(b"subject")):
            raise Faulty("does not cover Subject")
        if content.is_open(letter, covered):
            raise Faulty("leaves open what the body is")
        if not {b"to", b"cc"} & set(covered):
            raise Faulty("does not cover To or Cc")

    def _check_age(self, letter: Letter, now: float) -> None:
        """A signature stays true for ever; without an end to it, so does a copy of the mail."""
        signed = self._number(b"t") if b"t" in self.tags else self._date(letter)
        if signed < now - _OLDEST:
            raise Faulty(f"is {int((now - signed) // DAY)} days old")
        if signed > now + _EARLIEST:
            raise Faulty("is from the future")
        if b"x" in self.tags and self._number(b"x") <= max(now, signed):
            raise Faulty("has expired")

    def _number(self, tag: bytes) -> int:
        if not _NUMBER.match(self.tags[tag]):
            raise Faulty("cannot be read")
        return int(self.tags[tag])

    def _date(self, letter: Letter) -> float:
        """Seconds since 1970, of the signed Date."""
        value = letter.values(b"date")[0]
        if len(value) > 200:
            raise Faulty("does not tell its age")
        try:
            date = parsedate_to_datetime(value.decode("ascii").strip())
            return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
        except (ValueError, TypeError, IndexError, OverflowError):
            raise Faulty("does not tell its age") from None

    def check_body(self, letter: Letter) -> None:
        """Raises Faulty. `l=` leaves the end of the body open to anybody (RFC 6376, section 8.2)."""
        try:
            claimed = base64.b64decode(_SPACE.sub(b"", self.tags.get(b"bh", b"")), validate=True)
        except ValueError:
            raise Faulty("cannot be read") from None
        length, digest = letter.digest(self.body_algorithm)
        if b"l" in self.tags and self._number(b"l") != length:
            raise Faulty("does not cover the whole body")
        if claimed != digest:
            raise Faulty("body was changed")

    def held(self, letter: Letter) -> frozenset[str]:
        """Keys of the addresses in To and Cc. A field that is there twice does not count: only one is signed, and
        nobody knows which one is read.
        """
        found: set[str] = set()
        for name in {b"to", b"cc"} & set(self.covered):
            values = letter.values(name)
            if len(values) == 1:
                found.update(recipient_key(address) for address in listed(values[0]))
        return frozenset(found)
