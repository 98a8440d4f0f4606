"""The tables of 3GPP TS 23.038 §6.2.1, both ways, beside the independent codec of PyPI gsm0338."""

import gsm0338
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_core.encoding import apply_policy, decode_gsm7, encode_gsm7, fits_gsm7, foreign, whole
from gateway_core.encoding.gsm0338 import BASIC, EXTENSION
from gateway_core.errors import UnsupportedCharacter

ALPHABET = "".join(BASIC.values()) + "".join(EXTENSION.values())
CODEC = gsm0338.Codec()

gsm_text = st.text(alphabet=ALPHABET, max_size=400)
any_text = st.text(alphabet=st.characters(exclude_categories=()), max_size=200)


def test_the_tables_hold_what_the_specification_counts() -> None:
    assert len(BASIC) == 127
    assert len(EXTENSION) == 10
    assert len(set(ALPHABET)) == 137


@pytest.mark.parametrize(("code", "character"), BASIC.items())
def test_basic_table_both_ways(code: int, character: str) -> None:
    assert encode_gsm7(character) == bytes([code]) == CODEC.encode(character)[0]
    assert decode_gsm7(bytes([code])) == character == CODEC.decode(bytes([code]))[0]
    assert fits_gsm7(character)


@pytest.mark.parametrize(("code", "character"), EXTENSION.items())
def test_extension_table_both_ways(code: int, character: str) -> None:
    assert encode_gsm7(character) == bytes([0x1B, code]) == CODEC.encode(character)[0]
    assert decode_gsm7(bytes([0x1B, code])) == character == CODEC.decode(bytes([0x1B, code]))[0]
    assert fits_gsm7(character)


def test_no_other_character_of_the_basic_plane_fits() -> None:
    everything = "".join(map(chr, range(0x10000)))
    assert {c for c in everything if fits_gsm7(c)} == set(ALPHABET)


@pytest.mark.parametrize(
    "text", ["’", "\u00a0", "\t", "`", "ç", "ğ", "\u0391", "\x1b", "e\u0301", "😀", "\0"]
)
def test_characters_that_look_as_if_they_fit_do_not(text: str) -> None:
    assert not fits_gsm7(text)


@pytest.mark.parametrize(
    ("septets", "shown"),
    [
        pytest.param(b"\x1b\x41", "A", id="not in the extension table: the basic table, §6.2.1.1"),
        pytest.param(b"\x1b\x00", "@", id="and so for the first code"),
        pytest.param(b"\x1b\x0d", "\r", id="and for the one kept for control"),
        pytest.param(b"a\x1b\x1bb", "a b", id="two escapes: one space until there is another table"),
        pytest.param(b"a\x1b\x1b\x65", "a e", id="and what follows them is itself"),
        pytest.param(b"a\x1b", "a ", id="nothing behind the escape: a space, §6.2.1 note 1"),
        pytest.param(b"\x1b\x1b\x1b", "  ", id="two and one"),
        pytest.param(b"\x1b\x65\x65", "€e", id="an escape takes one septet only"),
        pytest.param(b"a\x80b\xff", "a\ufffdb\ufffd", id="an octet that is no septet is damage"),
        pytest.param(b"\x1b\xe5", "\ufffd", id="behind an escape too"),
        pytest.param(b"\x1b\x0a", "\f", id="page break"),
        pytest.param(b"", "", id="empty"),
    ],
)
def test_what_is_shown_for_odd_septets(septets: bytes, shown: str) -> None:
    assert decode_gsm7(septets) == shown


def test_a_text_that_does_not_fit_names_the_place() -> None:
    with pytest.raises(UnicodeEncodeError) as caught:
        encode_gsm7("50 ₤")
    assert (caught.value.start, caught.value.end) == (3, 4)
    assert isinstance(caught.value, ValueError)


@given(gsm_text)
def test_encoding_returns(text: str) -> None:
    septets = encode_gsm7(text)
    assert max(septets, default=0) < 0x80
    assert decode_gsm7(septets) == text
    assert septets == CODEC.encode(text)[0]


@given(st.binary(max_size=200))
def test_any_octets_decode(octets: bytes) -> None:
    decode_gsm7(octets).encode()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("plain £5 {x}", ()),
        ("中文 中", ("中", "文")),
        ("a😀b’😀", ("😀", "’")),
        ("\ud83d", ("\ufffd",)),
        ("\ud83d\ude00", ("😀",)),
    ],
)
def test_foreign_in_order_of_appearance(text: str, found: tuple[str, ...]) -> None:
    assert foreign(text) == found


@given(any_text)
def test_foreign_and_fits_agree(text: str) -> None:
    assert fits_gsm7(text) == (foreign(text) == ())


@given(any_text)
def test_whole_text_can_be_stored(text: str) -> None:
    whole(text).encode()


def test_whole_joins_pairs_and_replaces_halves() -> None:
    assert whole("a\ud83d\ude00b\ud83dc\ude00") == "a😀b\ufffdc\ufffd"


def test_policy_unicode_changes_nothing() -> None:
    assert apply_policy("50 ₤ 😀", "unicode") == "50 ₤ 😀"


def test_policy_remove_leaves_what_fits() -> None:
    assert apply_policy("50 ₤ 😀 {€}", "remove") == "50   {€}"


def test_policy_refuse_names_three_at_most() -> None:
    assert apply_policy("50 €", "refuse") == "50 €"
    with pytest.raises(UnsupportedCharacter) as caught:
        apply_policy("a₤", "refuse")
    assert str(caught.value) == "not in the GSM alphabet: U+20A4 LIRA SIGN"
    with pytest.raises(UnsupportedCharacter) as caught:
        apply_policy("₤\t’😀\u00a0", "refuse")
    assert str(caught.value) == (
        "not in the GSM alphabet: U+20A4 LIRA SIGN, U+0009, U+2019 RIGHT SINGLE QUOTATION MARK and 2 more"
    )


@given(any_text.filter(foreign))
def test_refusals_are_one_line_of_ascii(text: str) -> None:
    with pytest.raises(UnsupportedCharacter) as caught:
        apply_policy(text, "refuse")
    words = str(caught.value)
    assert words.isascii()
    assert words.isprintable()


@pytest.mark.parametrize("policy", ["digest", "", "REMOVE"])
def test_what_is_not_offered_is_said(policy: str) -> None:
    with pytest.raises(ValueError, match="not one of unicode, transliterate, remove, refuse"):
        apply_policy("a", policy)
