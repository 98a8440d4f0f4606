"""CMS: the content of signed mail, in every form that it is written in; and nothing of what only looks like it."""

import base64
import time
import zlib
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailgate.mail import cms

DATA, SIGNED = "2a864886f70d010701", "2a864886f70d010702"
CONTENT = b"Content-Type: text/plain\r\n\r\nPump 3\r\n"


def definite(tag: int, content: bytes) -> bytes:
    """X.690, section 8.1.3: as short as it goes."""
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 128 + len(octets)]) + octets + content


def long(tag: int, content: bytes) -> bytes:
    return bytes([tag, 0x84]) + len(content).to_bytes(4) + content


def indefinite(tag: int, content: bytes) -> bytes:
    return bytes([tag, 0x80]) + content + b"\0\0" if tag & 0x20 else definite(tag, content)


Form = Callable[[int, bytes], bytes]
FORMS: dict[str, Form] = {"definite": definite, "long": long, "indefinite": indefinite}


def octets(content: bytes) -> bytes:
    return definite(0x04, content)


def pieces(content: bytes, form: Form = definite, size: int = 5) -> bytes:
    return form(0x24, b"".join(octets(content[at : at + size]) for at in range(0, len(content), size)))


def signed(string: bytes, form: Form = definite, kind: str = SIGNED, inner: str = DATA) -> bytes:
    """RFC 5652, section 5.1, with a signer that is none."""
    algorithm = form(0x30, definite(0x06, bytes.fromhex("608648016503040201")) + b"\x05\0")
    holder = form(0x30, definite(0x06, bytes.fromhex(inner)) + form(0xA0, string))
    parts = definite(0x02, b"\1") + form(0x31, algorithm) + holder + form(0x31, b"")
    return form(0x30, definite(0x06, bytes.fromhex(kind)) + form(0xA0, form(0x30, parts)))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(
    "string",
    [
        octets(CONTENT),
        long(0x04, CONTENT),
        pieces(CONTENT),
        pieces(CONTENT, long),
        pieces(CONTENT, indefinite),
        indefinite(0x24, pieces(CONTENT[:9]) + definite(0x24, b"") + pieces(CONTENT[9:], indefinite)),
        definite(0x24, indefinite(0x24, octets(CONTENT))),
    ],
    ids=[
        "whole",
        "long",
        "pieces",
        "long pieces",
        "unending pieces",
        "pieces of pieces",
        "one in one in one",
    ],
)
def test_the_content_is_found(form: Form, string: bytes) -> None:
    made = signed(string, form)
    assert cms.content(made) == CONTENT
    assert cms.content(made + b"\n") == CONTENT  # what follows is not looked at
    assert cms.kind(made) == cms.kind(made[:100]) == "signed-data"


def test_without_the_armour() -> None:
    text = base64.encodebytes(signed(octets(CONTENT)))
    for name in (b"CMS", b"PKCS7"):
        assert cms.content(b"-----BEGIN %b-----\r\n%b-----END %b-----\r\n" % (name, text, name)) == CONTENT


@pytest.mark.parametrize(
    ("oid", "kind"),
    [
        ("2a864886f70d010703", "enveloped-data"),
        ("2a864886f70d010704", "signed-and-enveloped-data"),
        ("2a864886f70d010706", "encrypted-data"),
        ("2a864886f70d0109100117", "authenveloped-data"),
        (DATA, ""),
    ],
)
def test_encrypted_kinds_are_told_and_not_opened(oid: str, kind: str) -> None:
    made = signed(octets(CONTENT), kind=oid)
    assert (cms.kind(made), cms.content(made)) == (kind, None)


COMPRESSED = "2a864886f70d0109100109"


def compressed(string: bytes) -> bytes:
    """RFC 3274, section 2: as signed-data, but for one algorithm where that has a set."""
    inner = definite(0x30, definite(0x06, bytes.fromhex(DATA)) + definite(0xA0, string))
    algorithm = definite(0x30, definite(0x06, bytes.fromhex("2a864886f70d0109100308")))
    made = definite(0x30, definite(0x02, b"\0") + algorithm + inner)
    return definite(0x30, definite(0x06, bytes.fromhex(COMPRESSED)) + definite(0xA0, made))


def test_what_was_compressed_is_expanded() -> None:
    made = compressed(octets(zlib.compress(CONTENT)))
    assert (cms.kind(made), cms.content(made)) == ("compressed-data", CONTENT)
    assert cms.content(compressed(octets(b"garbage"))) is None


def test_a_megabyte_of_a_bomb_is_enough() -> None:
    bomb = cms.content(compressed(octets(zlib.compress(bytes(50_000_000)))))
    assert bomb == bytes(1_048_576)


def deep(tag: int, count: int = 10_000) -> bytes:
    return bytes([tag, 0x80]) * count


GOOD = signed(octets(CONTENT))
HEAD = GOOD[: GOOD.index(octets(CONTENT))]
OPEN = signed(octets(CONTENT), indefinite)
OPEN_HEAD = OPEN[: OPEN.index(octets(CONTENT))]
ODD: dict[str, bytes] = {
    "nothing": b"",
    "text": b"Content-Type: text/plain\n\nhello",
    "no content": signed(b""),
    "content of another type": signed(octets(CONTENT), inner="2a864886f70d0109100101"),
    "another string": signed(definite(0x0C, CONTENT)),
    "a string of others": signed(definite(0x24, definite(0x0C, CONTENT))),
    "a piece longer than its string": signed(bytes([0x24, 2, 0x04, 9]) + CONTENT),
    "a length of nine octets": OPEN_HEAD + b"\x04\x89" + b"\xff" * 200,
    "a length of 2 ** 64": OPEN_HEAD + b"\x04\x88" + b"\xff" * 200,
    "a reserved length": OPEN_HEAD + b"\x04\xff" + b"\xff" * 200,
    "a primitive without end": OPEN_HEAD + b"\x04\x80" + CONTENT + b"\0\0",
    "strings without end": OPEN_HEAD + deep(0x24),
    "sequences without end": deep(0x30),
    "sets without end": OPEN_HEAD[: OPEN_HEAD.index(b"\x31")] + deep(0x31),
    "tags of several octets": OPEN_HEAD + b"\x3f" * 10_000,
    "2 MB of empty pieces": OPEN_HEAD + b"\x24\x80" + b"\x04\0" * 1_000_000 + b"\0\0",
    "2 MB of open strings": OPEN_HEAD + deep(0x24, 1_000_000),
    "2 MB of open sets": OPEN_HEAD[: OPEN_HEAD.index(b"\x31")] + deep(0x31, 1_000_000),
    "2 MB of ends": OPEN_HEAD + b"\0" * 2_000_000,
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_off_the_path_is_not_opened(name: str) -> None:
    start = time.perf_counter()
    assert cms.content(ODD[name]) is None
    assert time.perf_counter() - start < 0.5


def test_as_deep_as_anybody_likes() -> None:
    count = 10_000
    assert cms.content(OPEN_HEAD + deep(0x24, count) + octets(CONTENT) + b"\0\0" * count) == CONTENT


def test_2_mb_of_content() -> None:
    content = b"x" * 2_000_000
    assert cms.content(signed(octets(content))) == content
    assert cms.content(signed(pieces(content, indefinite, 1000), indefinite)) == content


def test_what_is_cut_off_has_no_content() -> None:
    assert [at for at in range(len(GOOD)) if cms.content(GOOD[:at]) is not None] == []
    begin = OPEN.index(octets(CONTENT))
    assert [at for at in range(begin) if cms.content(OPEN[:at]) is not None] == []


@pytest.mark.parametrize("at", range(len(HEAD)))
def test_a_length_that_lies_gives_no_more_than_the_content(at: int) -> None:
    for octet in (0, 1, 0x7F, 0x80, 0x81, 0x84, 0x88, 0xFF):
        spoilt = GOOD[:at] + bytes([octet]) + GOOD[at + 1 :]
        assert CONTENT.startswith(cms.content(spoilt) or b"")


ELEMENT = st.tuples(st.sampled_from([0x30, 0x31, 0xA0, 0x24, 0x04, 0x06, 0x02, 0]), st.integers(0, 255))


@given(
    st.one_of(
        st.binary(max_size=200), st.lists(ELEMENT).map(lambda all_: bytes(b for one in all_ for b in one))
    )
)
@example(b"\x30\x80\0\0")
def test_any_octets_are_walked(data: bytes) -> None:
    for made in (data, HEAD + data, OPEN_HEAD + data, b"-----BEGIN CMS-----" + data):
        assert isinstance(cms.content(made), bytes | None)
        assert isinstance(cms.kind(made), str)


@given(st.binary(max_size=300), st.sampled_from(list(FORMS.values())), st.integers(1, 50))
def test_what_was_signed_comes_out(content: bytes, form: Form, size: int) -> None:
    assert cms.content(signed(octets(content), form)) == content
    assert cms.content(signed(pieces(content, form, size), form)) == content
