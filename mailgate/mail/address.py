"""Mailboxes of From and Reply-To (RFC 5322, section 3.4), and whether they can be trusted to mean one thing.

`From: a@good.example <b@evil.example>` is read differently by different parsers. The allow list must never
depend on which one read it, so anything but the plain shapes is clean only if two parsers agree.
"""

import re
from collections.abc import Callable
from email.errors import HeaderParseError
from email.headerregistry import HeaderRegistry
from email.utils import getaddresses
from typing import Any

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a1-\ud7ff-]+"  # with letters of the world: RFC 6532, section 3.2
_LABEL = r"[A-Za-z0-9_\u00a1-\ud7ff-]+"
_ADDRESS = rf"({_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*)"
_PHRASE = r"""(?:"(?:[^"\\\x00-\x1f]|\\[^\x00-\x1f])*"\s?|[^\x00-\x1f"<>(),:;@\[\]\\]*)"""
_PLAIN = re.compile(rf"(?:{_ADDRESS}|{_PHRASE}<{_ADDRESS}>)\Z")
_MAX_STRICT = 1000  # a longer From is not clean; both slow parsers are bounded by it
_MAX_READ = 4000
_REGISTRY: Callable[[str, str], Any] = HeaderRegistry()  # its classes are made at run time
# what the two parsers are known to raise on odd input
_FAULTS = (
    HeaderParseError,
    RecursionError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
)


def mailboxes(value: str) -> tuple[tuple[str, ...], bool]:
    """The addr-specs of one field in order, domain lower-cased; and True if they are beyond doubt."""
    plain = _PLAIN.match(value.strip())
    if plain:
        address = plain[1] or plain[2]
        return (_lower(address),), "=?" not in address
    loose = _loose(value[:_MAX_READ])
    if not loose or len(value) > _MAX_STRICT or any("=?" in address for address in loose):
        return loose, False
    return loose, _strict(value) == loose


def _lower(address: str) -> str:
    local, at, domain = address.rpartition("@")
    return f"{local}{at}{domain.lower()}" if at else address


def _loose(value: str) -> tuple[str, ...]:
    try:
        return tuple(_lower(address) for _name, address in getaddresses([value]) if address)
    except _FAULTS:
        return ()


def _strict(value: str) -> tuple[str, ...]:
    """The standard library's grammar, which raises several kinds of errors on odd input; any is a no."""
    try:
        header = _REGISTRY("from", value)
        if header.defects or any(group.display_name is not None for group in header.groups):
            return ()
        return tuple(_lower(address.addr_spec) for address in header.addresses)
    except _FAULTS:
        return ()
