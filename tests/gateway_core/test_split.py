"""Segments, by vectors a live carrier billed or three splitters agreed on, and by what must always hold."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_core.encoding import Encoding, Segments, encode_gsm7, fits_gsm7, split, whole

GSM7, UCS2 = Encoding.GSM7, Encoding.UCS2

VECTORS = [
    ("a" * 160, GSM7, 1),
    ("a" * 161, GSM7, 2),
    ("a" * 306, GSM7, 2),
    ("a" * 307, GSM7, 3),
    ("a" * 459, GSM7, 3),
    ("a" * 460, GSM7, 4),
    ("€" * 80, GSM7, 1),
    ("€" * 81, GSM7, 2),
    ("a" * 152 + "€" + "a" * 152, GSM7, 3),
    ("a" * 151 + "€" + "a" * 153, GSM7, 2),
    ("a" * 158 + "€", GSM7, 1),
    ("a" * 159 + "€", GSM7, 2),
    ("я" * 70, UCS2, 1),
    ("я" * 71, UCS2, 2),
    ("я" * 134, UCS2, 2),
    ("я" * 135, UCS2, 3),
    ("中" * 70, UCS2, 1),
    ("中" * 71, UCS2, 2),
    ("я" * 66 + "😀" + "я" * 66, UCS2, 3),
    ("я" * 65 + "😀" + "я" * 67, UCS2, 2),
    ("😀" * 35, UCS2, 1),
    ("😀" * 36, UCS2, 2),
    ("é" * 70, GSM7, 1),
    ("e\u0301" * 70, UCS2, 3),
    ("a" * 80 + "\r\n" + "a" * 79, GSM7, 2),
    ("a" * 80 + "\n" + "a" * 79, GSM7, 1),
    ("a" * 200 + "\r\n" + "a" * 105, GSM7, 3),
    ("a" * 159 + "`", UCS2, 3),
    ("", GSM7, 1),
    ("😀", UCS2, 1),
    ("~", GSM7, 1),
]


@pytest.mark.parametrize(("text", "encoding", "count"), VECTORS)
def test_vectors(text: str, encoding: Encoding, count: int) -> None:
    segments = split(text)
    assert segments.encoding is encoding
    assert len(segments) == len(segments.parts) == count
    assert "".join(segments.parts) == text


def test_an_escape_pair_goes_whole_into_the_next_part() -> None:
    assert [len(part) for part in split("a" * 152 + "€" + "a" * 152).parts] == [152, 152, 1]


def test_a_surrogate_pair_goes_whole_into_the_next_part() -> None:
    assert [len(part) for part in split("я" * 66 + "😀" + "я" * 66).parts] == [66, 66, 1]


def test_an_empty_text_is_one_empty_part() -> None:
    assert split("") == Segments(GSM7, ("",))


def test_half_a_character_is_replaced_and_counted() -> None:
    assert split("a\ud83d") == Segments(UCS2, ("a\ufffd",))
    assert split("\ud83d\ude00") == Segments(UCS2, ("😀",))


texts = st.one_of(
    st.text(alphabet="a€é\n", max_size=700),
    st.text(alphabet="aя中😀", max_size=400),
    st.text(alphabet=st.characters(exclude_categories=()), max_size=300),
)


@given(texts)
def test_what_always_holds(text: str) -> None:
    segments = split(text)
    assert "".join(segments.parts) == whole(text)
    assert (segments.encoding is GSM7) == fits_gsm7(whole(text))
    sizes = [_units(segments.encoding, part) for part in segments.parts]
    single, each = (160, 153) if segments.encoding is GSM7 else (70, 67)
    assert max(sizes) <= (single if len(segments) == 1 else each)
    assert len(segments) == 1 or sum(sizes) > single
    assert all(sizes) or text == ""


@given(texts)
def test_no_part_takes_less_than_it_could(text: str) -> None:
    segments = split(text)
    each = 153 if segments.encoding is GSM7 else 67
    for part, following in pairwise(segments.parts):
        assert _units(segments.encoding, part) + _units(segments.encoding, following[0]) > each


@given(texts)
def test_no_pair_is_cut(text: str) -> None:
    segments = split(text)
    for part in segments.parts:
        if segments.encoding is GSM7:
            # 0x1B is in no table, so one at the end could only be half of a pair.
            assert not encode_gsm7(part).endswith(b"\x1b")
        else:
            units = part.encode("utf-16-be")
            assert not 0xDC <= units[0] <= 0xDF
            assert not 0xD8 <= units[-2] <= 0xDB


def _units(encoding: Encoding, text: str) -> int:
    return len(encode_gsm7(text)) if encoding is GSM7 else len(text.encode("utf-16-le")) // 2
