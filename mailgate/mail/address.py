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
# Both parsers take a time that grows with the square of the length, or worse: some 10 ms for these characters.
_MAX_STRICT = 500  # a longer From of an odd shape is not clean
MAX_READ = 2000  # characters of all fields of a name together
_MAX_FIELDS = 20
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


def mailboxes(*values: str) -> tuple[tuple[str, ...], bool]:
    """The addr-specs of all fields of a name in order, domain lower-cased, as far as they are read; and True if
    there is one field with one mailbox, and it is beyond doubt.
    """
    if len(values) == 1:
        plain = _PLAIN.match(values[0])
        if plain:
            address = _lower(plain[1] or plain[2])
            return (address,), "=?" not in address
    found: tuple[str, ...] = ()
    left = MAX_READ
    for value in values[:_MAX_FIELDS]:
        found += _loose(value[:left])
        left = max(0, left - len(value))
    if len(values) != 1 or len(found) != 1 or len(values[0]) > _MAX_STRICT or "=?" in found[0]:
        return found, False
    return found, _strict(values[0]) == found


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
