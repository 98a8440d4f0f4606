"""The PROXY protocol, versions 1 and 2: a load balancer says which peer it speaks for. Pure.

Source: HAProxy's "The PROXY protocol, versions 1 & 2", of which the sections are named below. Only listen to
peers that are trusted to send it: whoever may write this header may claim any address.
"""

import ipaddress
from dataclasses import dataclass

_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"  # §2.2; no SMTP client can send it, nor any of its prefixes, first
_V1 = b"PROXY "
_LONGEST_V1 = 107  # §2.1, the CRLF included
_V2_FIXED = 16  # signature, version and command, family, length
_LONGEST_V2 = 4096  # of addresses and TLVs; 536 bytes are the most that §2.2 lets a sender hope for
_LOCAL, _PROXY = 0, 1
_UNSPEC, _INET, _INET6, _UNIX = 0, 1, 2, 3
_STREAM = 1


class BadHeader(ValueError):
    """What was sent is no PROXY header: close the connection without a word (§2)."""


@dataclass(frozen=True, slots=True)
class Header:
    """A whole header. `length` bytes of the buffer are to be dropped; `source` is the IP address of the peer.

    `source` is "" when the balancer speaks for itself (LOCAL, a health check) or does not know (UNKNOWN, UNSPEC,
    a Unix socket): then the TCP peer stands.
    """

    length: int
    source: str


def read(buffer: bytes | bytearray) -> Header | None:
    """The header at the beginning of a connection; None while more bytes are needed. Raises BadHeader.

    Looks at no more than 107 bytes (version 1) or 4,112 (version 2), so it may be called after every read.
    """
    start = bytes(buffer[: len(_SIGNATURE)])
    if _SIGNATURE.startswith(start):
        return _read_v2(buffer) if len(start) == len(_SIGNATURE) else None
    if _V1.startswith(start[: len(_V1)]):
        return _read_v1(bytes(buffer[:_LONGEST_V1]))
    raise BadHeader("neither PROXY nor the signature of version 2")


def _read_v1(line: bytes) -> Header | None:
    """§2.1: `PROXY TCP4 192.0.2.1 198.51.100.1 56324 25` and CRLF."""
    end = line.find(b"\r\n")
    if end < 0:
        if len(line) == _LONGEST_V1:
            raise BadHeader(f"no end of line within {_LONGEST_V1} bytes")
        return None
    if line[:end].split(b" ")[1] == b"UNKNOWN":  # whatever follows is to be ignored
        return Header(end + 2, "")
    try:
        words = line[:end].decode("ascii").split(" ")
    except UnicodeDecodeError:
        raise BadHeader("not ASCII") from None
    if len(words) != 6 or words[1] not in {"TCP4", "TCP6"}:
        raise BadHeader("not PROXY TCP4|TCP6 source destination port port")
    version = 4 if words[1] == "TCP4" else 6
    source = _address(words[2], version)
    _address(words[3], version)
    for port in words[4:]:
        if not _is_port(port):
            raise BadHeader(f"{port!r} is not a port")
    return Header(end + 2, source)


def _address(text: str, version: int) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise BadHeader(f"{text!r} is not an address") from None
    if address.version != version or "%" in text:  # a zone names an interface of another machine
        raise BadHeader(f"{text!r} is not an IPv{version} address")
    return str(address)


def _is_port(text: str) -> bool:
    """Decimal, no leading zeros (§2.1)."""
    return text.isdecimal() and len(text) <= 5 and str(int(text)) == text and int(text) <= 65535


def _read_v2(buffer: bytes | bytearray) -> Header | None:
    """§2.2: 16 fixed bytes, then addresses by family, then TLVs, which nothing here needs."""
    fixed = bytes(buffer[:_V2_FIXED])
    if len(fixed) < _V2_FIXED:
        return None
    version, command = fixed[12] >> 4, fixed[12] & 0x0F
    family, transport = fixed[13] >> 4, fixed[13] & 0x0F
    size = int.from_bytes(fixed[14:16], "big")
    if version != 2 or command > _PROXY:
        raise BadHeader(f"version {version}, command {command}")
    if size > _LONGEST_V2:
        raise BadHeader(f"{size} bytes of addresses")
    whole = _V2_FIXED + size
    if len(buffer) < whole:
        return None
    if command == _LOCAL:  # the family is to be ignored
        return Header(whole, "")
    if family > _UNIX or transport > 2:
        raise BadHeader(f"family {family}, transport {transport}")
    if family in {_UNSPEC, _UNIX} or transport != _STREAM:
        return Header(whole, "")
    return Header(whole, _v2_source(bytes(buffer[_V2_FIXED:whole]), family))


def _v2_source(addresses: bytes, family: int) -> str:
    width = 4 if family == _INET else 16
    if len(addresses) < 2 * width + 4:  # source, destination, two ports
        raise BadHeader(f"{len(addresses)} bytes are too few for two addresses")
    return str(ipaddress.ip_address(addresses[:width]))
