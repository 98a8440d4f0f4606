"""The PROXY protocol: headers of HAProxy's specification, and what strangers might send instead."""

import ipaddress
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate.smtp.proxy import BadHeader, Header, read

SIGNATURE = b"\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a"  # §2.2, as it is printed there
SMTP = b"EHLO client.example\r\n"
IPV4 = bytes([192, 0, 2, 1, 198, 51, 100, 1]) + (56324).to_bytes(2, "big") + (25).to_bytes(2, "big")
IPV6 = ipaddress.ip_address("2001:db8::1").packed + ipaddress.ip_address("2001:db8::2").packed + IPV4[8:]
UNIX = b"/run/client.sock".ljust(108, b"\0") + b"/run/server.sock".ljust(108, b"\0")
TLV = b"\x02" + (7).to_bytes(2, "big") + b"a.local"  # PP2_TYPE_AUTHORITY
LONGEST_V1 = b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535".ljust(105, b"f") + b"\r\n"


def v2(command: int, family: int, addresses: bytes, size: int | None = None) -> bytes:
    return (
        SIGNATURE
        + bytes([command, family])
        + (len(addresses) if size is None else size).to_bytes(2, "big")
        + addresses
    )


# a whole header, the source that it names
GOOD = [
    # §2.1
    (b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", "192.168.0.1"),
    (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255"),
    (b"PROXY TCP4 192.0.2.1 198.51.100.1 0 25\r\n", "192.0.2.1"),
    (b"PROXY TCP6 2001:db8::1 2001:db8::2 56324 25\r\n", "2001:db8::1"),
    (b"PROXY TCP6 2001:0DB8:0:0:0:0:0:1 2001:db8::2 56324 25\r\n", "2001:db8::1"),
    (
        b"PROXY TCP6 " + b"ffff:" * 7 + b"ffff " + b"ffff:" * 7 + b"ffff 65535 65535\r\n",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    ),
    (b"PROXY UNKNOWN\r\n", ""),
    (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", ""),
    (b"PROXY UNKNOWN what\xff ever\r\n", ""),
    (LONGEST_V1, ""),
    # §2.2
    (v2(0x21, 0x11, IPV4), "192.0.2.1"),
    (v2(0x21, 0x11, IPV4 + TLV), "192.0.2.1"),
    (v2(0x21, 0x21, IPV6), "2001:db8::1"),
    (v2(0x21, 0x21, IPV6 + TLV * 20), "2001:db8::1"),
    (v2(0x21, 0x31, UNIX), ""),
    (v2(0x21, 0x00, b""), ""),
    (v2(0x21, 0x00, b"whatever"), ""),
    (v2(0x21, 0x12, IPV4), ""),  # UDP
    (v2(0x20, 0x00, b""), ""),  # LOCAL: a health check
    (v2(0x20, 0x11, IPV4), ""),  # the receiver must ignore the addresses of LOCAL
    (v2(0x20, 0xFF, b"?"), ""),  # and its family
    (v2(0x21, 0x11, IPV4.ljust(4096, b"\0")), "192.0.2.1"),
]


@pytest.mark.parametrize(("header", "source"), GOOD)
@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_a_whole_header_and_nothing_of_what_follows(header: bytes, source: str, kind: type) -> None:
    wanted = Header(len(header), source)
    assert read(kind(header)) == wanted
    assert read(kind(header + SMTP)) == wanted
    assert read(kind(header + b"\0" * 70_000)) == wanted


@pytest.mark.parametrize("header", [header for header, _ in GOOD])
def test_a_header_that_comes_byte_by_byte(header: bytes) -> None:
    for length in [*range(min(len(header), 300)), len(header) - 1]:
        assert read(header[:length]) is None, header[:length]
    assert read(header) is not None


BAD = {
    "no header": SMTP,
    "no header, by one byte": b"E",
    "an empty line": b"\r\n" + SMTP,
    "lower case": b"proxy TCP4 192.0.2.1 198.51.100.1 56324 25\r\n",
    "another word": b"PROXIED",
    "a blank more": b"PROXY  TCP4 192.0.2.1 198.51.100.1 56324 25\r\n",
    "a blank at the end": b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 25 \r\n",
    "tabs": b"PROXY TCP4\t192.0.2.1\t198.51.100.1\t56324\t25\r\n",
    "nothing behind PROXY": b"PROXY \r\n",
    "UNKNOWN and more": b"PROXY UNKNOWNS\r\n",
    "another protocol": b"PROXY UDP4 192.0.2.1 198.51.100.1 56324 25\r\n",
    "a port missing": b"PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n",
    "a word too many": b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 25 25\r\n",
    "a name": b"PROXY TCP4 localhost 198.51.100.1 56324 25\r\n",
    "a leading zero in an address": b"PROXY TCP4 192.0.02.1 198.51.100.1 56324 25\r\n",
    "a number for an address": b"PROXY TCP4 3221225985 198.51.100.1 56324 25\r\n",
    "IPv6 called IPv4": b"PROXY TCP4 2001:db8::1 2001:db8::2 56324 25\r\n",
    "IPv4 called IPv6": b"PROXY TCP6 192.0.2.1 198.51.100.1 56324 25\r\n",
    "a zone": b"PROXY TCP6 fe80::1%eth0 fe80::2 56324 25\r\n",
    "a destination that is none": b"PROXY TCP4 192.0.2.1 x 56324 25\r\n",
    "a port too high": b"PROXY TCP4 192.0.2.1 198.51.100.1 65536 25\r\n",
    "a port of many digits": b"PROXY TCP4 192.0.2.1 198.51.100.1 " + b"9" * 50 + b" 25\r\n",
    "a port with a sign": b"PROXY TCP4 192.0.2.1 198.51.100.1 +5632 25\r\n",
    "a port with a leading zero": b"PROXY TCP4 192.0.2.1 198.51.100.1 056324 25\r\n",
    "no port": b"PROXY TCP4 192.0.2.1 198.51.100.1  25\r\n",
    "a bare LF": b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\n" + b"x" * 70,
    "a NUL": b"PROXY TCP4 192.0.2.1\0 198.51.100.1 56324 25\r\n",
    "8-bit": b"PROXY TCP4 192.0.2.\xb9 198.51.100.1 56324 25\r\n",
    "no end within 107 bytes": b"PROXY UNKNOWN ".ljust(107, b"x"),
    "an end behind 107 bytes": b"PROXY UNKNOWN ".ljust(106, b"x") + b"\r\n",
    "a spoilt signature": SIGNATURE[:-1] + b"\r",
    "version 1 in version 2": v2(0x11, 0x11, IPV4),
    "version 3": v2(0x31, 0x11, IPV4),
    "a command that is none": v2(0x22, 0x11, IPV4),
    "a family that is none": v2(0x21, 0x41, IPV4),
    "a transport that is none": v2(0x21, 0x13, IPV4),
    "too few bytes for IPv4": v2(0x21, 0x11, IPV4[:-1]),
    "too few bytes for IPv6": v2(0x21, 0x21, IPV4),
    "no addresses": v2(0x21, 0x11, b""),
    "too many bytes": v2(0x21, 0x11, IPV4, size=4097),
    "too many bytes of LOCAL": v2(0x20, 0x00, b"", size=65535),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_header(case: str) -> None:
    with pytest.raises(BadHeader):
        read(BAD[case])


def test_a_bad_header_is_known_before_all_of_it_came() -> None:
    """Nobody may make us wait for 64 KiB that we refuse anyway."""
    with pytest.raises(BadHeader):
        read(v2(0x21, 0x11, b"", size=65535))


def safely(buffer: bytes) -> Header | None:
    """BadHeader is an answer; anything else that is raised fails the test."""
    try:
        return read(buffer)
    except BadHeader:
        return None


mangled = st.builds(
    lambda header, at, byte: header[: at % len(header)] + byte + header[at % len(header) + 1 :],
    st.sampled_from([header for header, _ in GOOD]),
    st.integers(0, 300),
    st.binary(max_size=3),
)


@given(
    st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=300).map(lambda rest: b"PROXY " + rest),
        st.binary(max_size=300).map(lambda rest: SIGNATURE + b"\x21" + rest),
        mangled,
    )
)
def test_anything_is_a_header_or_bad_or_unfinished(buffer: bytes) -> None:
    found = safely(buffer)
    if found:
        assert 0 < found.length <= len(buffer)
        assert found.source == "" or str(ipaddress.ip_address(found.source)) == found.source
        assert read(buffer[: found.length]) == found


@given(st.ip_addresses(), st.ip_addresses(), st.integers(0, 65535), st.binary(max_size=100))
def test_every_address_comes_through_in_both_versions(
    source: ipaddress.IPv4Address, destination: ipaddress.IPv4Address, port: int, rest: bytes
) -> None:
    if source.version != destination.version:
        destination = source
    line = f"PROXY TCP{source.version} {source} {destination} {port} 25\r\n".encode()
    assert read(line + rest) == Header(len(line), str(source))
    ports = port.to_bytes(2, "big") + (25).to_bytes(2, "big")
    family = 0x11 if source.version == 4 else 0x21
    binary = v2(0x21, family, source.packed + destination.packed + ports)
    assert read(binary + rest) == Header(len(binary), str(source))


def test_a_large_buffer_costs_no_more_than_a_small_one() -> None:
    """A caller may ask again after each packet, with all that came so far."""
    for header in (b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\r\n", v2(0x21, 0x11, IPV4)):
        buffer = bytearray(header + b"x" * 10_000_000)
        began = time.perf_counter()
        for _ in range(1000):
            assert read(buffer)
        assert time.perf_counter() - began < 1
