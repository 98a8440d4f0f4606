"""Which domains belong together (RFC 7489, section 3.1), and how closely their owner wants it.

What the owner wants done with mail that fails (p=) is not asked: it never pays here.
"""

import functools
import re
from typing import NamedTuple

import dmarc  # type: ignore[import-untyped]
from publicsuffixlist import PublicSuffixList

from mailgate.proof.names import Names

_LONGEST_RECORD = 4096  # octets; the library's expressions are slow on long blanks
_VERSION = re.compile(rb"v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")
_ODD_MODE = re.compile(rb";[ \t]*(?:adkim|aspf)[ \t]*=(?![ \t]*[rs][ \t]*(?:;|\Z))", re.IGNORECASE)


class Alignment(NamedTuple):
    """Whether a proof must be of the very same domain, not only of the same organisation."""

    strict_dkim: bool = False
    strict_spf: bool = False


_RELAXED, _STRICT = Alignment(), Alignment(True, True)


@functools.cache
def _suffixes() -> PublicSuffixList:
    """Read once, at the first use: some 10,000 rules. A top level that is in no list counts as a suffix, so that
    below `example` or a company's own top level two labels make an organisation.
    """
    return PublicSuffixList(accept_unknown=True)


@functools.lru_cache(maxsize=4096)
def organisation(domain: str) -> str:
    """The organisational domain; "" when `domain` is itself a public suffix (co.uk, localhost) or no domain."""
    return _suffixes().privatesuffix(domain) or ""


def aligned(one: str, other: str, strict: bool = False) -> bool:
    """Whether two domains, lower case and as A-labels, belong together. The owners of names below a public
    suffix are strangers.
    """
    if one == other:
        return bool(one)
    return not strict and organisation(one) != "" and organisation(one) == organisation(other)


def alignment(names: Names, domain: str, deadline: float) -> Alignment:
    """What the record of `domain`, or else that of its organisation, asks for (RFC 7489, section 6.6.3).

    No record: relaxed. Several, or one that cannot be read: strict, for an owner who has one may have wanted it.
    Raises DnsTrouble.
    """
    asked = [domain]
    if organisation(domain) not in {"", domain}:
        asked.append(organisation(domain))
    for one in asked:
        found = [text for text in names.lookup(f"_dmarc.{one}", "TXT", deadline) if _VERSION.match(text)]
        if found:
            return _read(found[0]) if len(found) == 1 else _STRICT
    return _RELAXED


def _read(record: bytes) -> Alignment:
    if len(record) > _LONGEST_RECORD or _ODD_MODE.search(record):
        return _STRICT
    policy = dmarc.Policy("DMARC1", "")
    try:
        # not strict: a wrong value elsewhere in the record must not loosen the alignment
        policy.parse_record(record.decode("ascii", "replace"), strict=False)
    except (dmarc.Error, ValueError):
        return _STRICT
    strict = dmarc.DMARCAlignment.STRICT
    return Alignment(policy.adkim is strict, policy.aspf is strict)
