"""Signatures of domains (RFC 6376): what each claims, and whether it is true.

The claims are judged first, without the DNS: most of what is wrong with a signature shows there, and a key is
fetched only for one that could prove something.
"""

import base64
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dkim  # type: ignore[import-untyped]
from dkim.crypto import parse_public_key  # type: ignore[import-untyped]
from dkim.util import parse_tag_value  # type: ignore[import-untyped]

from mailgate.proof.claims import Claims, Faulty
from mailgate.proof.letter import Letter
from mailgate.proof.names import Names

MOST = 10  # signatures of a mail that are looked at
_MOST_SIGNED = 1000  # fields
_LEAST_BITS, _MOST_BITS = 1024, 8192  # RFC 8301, section 3.2; above it is only slow
_LARGEST_EXPONENT = 2**32
_LONGEST_RECORD = 8192  # octets
_BLANKS = re.compile(rb"\s+")
_FIELD = b"dkim-signature"
# The library's own logger tells every bad key as an error.
_SILENT = logging.Logger("dkim", logging.CRITICAL + 1)  # noqa: LOG001 - unknown to the rest of the program


@dataclass(frozen=True, slots=True)
class Signature:
    """`index` counts from the top; the domain is "" when it cannot be told. `fault` is why it cannot count, for the
    operator; "" when it may, as far as can be told without the body. `held` are the keys of the recipients in the To
    and Cc fields that it covers.
    """

    index: int
    claims: Claims
    held: frozenset[str] = frozenset()
    fault: str = ""

    @property
    def domain(self) -> str:
        return self.claims.domain

    def __str__(self) -> str:
        if not self.domain:
            return f"DKIM signature {self.index + 1}"
        return f"DKIM signature of {self.domain} (selector {self.claims.selector or '?'})"


_NOTHING = Claims({}, "", "")


def signatures(letter: Letter, now: float) -> tuple[list[Signature], bool]:
    """The first ten, and whether these are all. `now`: seconds since 1970. No DNS, and nothing of the body."""
    values = letter.values(_FIELD)
    found = [_judged(letter, index, value, now) for index, value in enumerate(values[:MOST])]
    return found, len(values) <= MOST


def _judged(letter: Letter, index: int, value: bytes, now: float) -> Signature:
    claims = _NOTHING
    try:
        claims = Claims.read(value)
        claims.check(letter, now)
    except Faulty as fault:
        return Signature(index, claims, fault=str(fault))
    return Signature(index, claims, claims.held(letter))


def fault_of_body(letter: Letter, signature: Signature) -> str:
    """Why the body is not the signed one; "" when it is. The price grows with the mail: the last question but DNS."""
    try:
        signature.claims.check_body(letter)
    except Faulty as fault:
        return str(fault)
    return ""


class _HeaderOnly(dkim.DKIM):  # type: ignore[misc]
    """The library's proof of the header alone. It would canonicalise the whole body once more, in calls that hold
    every other thread up; a body whose bh= it does not see it leaves alone, and `fault_of_body` has judged that.
    """

    def verify_headerprep(self, idx: int = 0) -> Any:
        prepared = super().verify_headerprep(idx)
        if not prepared:
            return prepared
        tags, *rest = prepared
        return {tag: value for tag, value in tags.items() if tag != b"bh"}, *rest


def verify(names: Names, letter: Letter, signature: Signature, deadline: float) -> str:
    """Why its header or body is not the signed one; "" when they are. Ask only for one without a fault.

    `deadline` is a moment of time.monotonic(). Raises DnsTrouble.
    """
    if fault := fault_of_body(letter, signature):
        return fault
    claims = signature.claims
    records = names.lookup(f"{claims.selector}._domainkey.{claims.domain}", "TXT", deadline)
    if len(records) != 1:  # several: undefined (section 3.6.2.2)
        return "there are several keys" if records else "there is no key"
    try:
        if fault := _key_fault(records[0], claims):
            return fault
        message = b"".join(_signed(letter, signature))
        verified = _HeaderOnly(message, logger=_SILENT).verify(dnsfunc=lambda *_, **__: records[0])
    except Exception:  # noqa: BLE001 - the library on a key or signature made to break it
        return "the key or the signature cannot be read"
    return "" if verified is True else "it does not fit the mail"


def _signed(letter: Letter, signature: Signature) -> Iterator[bytes]:
    """The fields that are signed, and this signature only: the library's time grows with the number of fields times
    that of covered names.
    """
    wanted = frozenset(signature.claims.covered)
    seen = -1
    count = 0
    for name, whole in letter.fields:
        if name == _FIELD:
            seen += 1
        if name in wanted or (name == _FIELD and seen == signature.index):
            count += 1
            if count > _MOST_SIGNED:
                raise ValueError("too many fields")
            yield whole
    yield b"\r\n"


def _key_fault(record: bytes, claims: Claims) -> str:
    """Why the key must not be used; most of it the library passes. Raises nearly anything on a broken key."""
    if len(record) > _LONGEST_RECORD:
        return "the key is too long"
    tags = parse_tag_value(record)
    if fault := _restriction(tags, claims):
        return fault
    key = parse_public_key(base64.b64decode(_BLANKS.sub(b"", tags[b"p"])))
    bits = key["modulus"].bit_length()
    if not _LEAST_BITS <= bits <= _MOST_BITS or not 2 < key["publicExponent"] < _LARGEST_EXPONENT:
        return f"the key of {bits} bits is not accepted"
    return ""


def _restriction(tags: dict[bytes, bytes], claims: Claims) -> str:
    """What the owner does not want the key to be used for (section 3.6.1)."""
    hashes, purposes, flags = (_listed(tags.get(tag, b"")) for tag in (b"h", b"s", b"t"))
    if tags.get(b"v", b"DKIM1") != b"DKIM1" or tags.get(b"k", b"rsa") != b"rsa":
        return "the key is of an unknown kind"
    if tags.get(b"p") == b"":
        return "the key is revoked"
    if (hashes and b"sha256" not in hashes) or (purposes and not purposes & {b"*", b"email"}):
        return "the key is not for mail with sha256"
    if b"y" in flags:
        return "the key is for tests only"
    if b"s" in flags and claims.i_domain != claims.domain:
        return "the key is not for subdomains"
    return ""


def _listed(value: bytes) -> set[bytes]:
    return {one.strip().lower() for one in value.split(b":") if one.strip()}
