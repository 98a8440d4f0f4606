"""What makes a text dear: by hand, and against the segments that it really needs."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_core.encoding import Encoding, Why, costs, foreign, split, transliterate, whole
from gateway_core.encoding.gsm0338 import BASIC, EXTENSION

any_text = st.text(alphabet=st.characters(exclude_categories=()), max_size=200)
BY_HAND = [
    pytest.param("plain £5 é Δ\n", [], 1, id="nothing"),
    pytest.param("", [], 1, id="no text"),
    pytest.param("{€}€", [("{", 1, "{"), ("€", 2, "€"), ("}", 1, "}")], 1, id="the extension table"),
    pytest.param("a’b’" * 30, [("’", 60, "'")], 1, id="one quote makes it two segments"),
    pytest.param(
        "[“x” 😀]",
        [("“", 1, '"'), ("”", 1, '"'), ("😀", 1, ":-D"), ("[", 1, "["), ("]", 1, "]")],
        1,
        id="both",
    ),
    pytest.param("𒀀" * 36, [("𒀀", 36, "𒀀")], 2, id="what has no reading stays"),
    pytest.param("e\u0301", [("\u0301", 1, "")], 1, id="an accent goes with its letter"),
    pytest.param("a\ud83d", [("\ufffd", 1, "?")], 1, id="half a character"),
]


@pytest.mark.parametrize(("text", "characters", "transliterated"), BY_HAND)
def test_by_hand(text: str, characters: list[tuple[str, int, str]], transliterated: int) -> None:
    found = costs(text)
    assert [(one.character, one.count, one.instead) for one in found.characters] == characters
    assert found.segments_transliterated == transliterated


@pytest.mark.parametrize(
    ("character", "code", "name"),
    [
        ("’", "U+2019", "right single quotation mark"),
        ("€", "U+20AC", "euro sign"),
        ("中", "U+4E2D", "CJK unified ideograph-4e2d"),
        ("\t", "U+0009", "tab"),
        ("\x01", "U+0001", "U+0001"),
        ("\ue000", "U+E000", "U+E000"),
        ("😀", "U+1F600", "grinning face"),
    ],
)
def test_names_as_people_read_them(character: str, code: str, name: str) -> None:
    (found,) = costs(character).characters
    assert (found.code, found.name) == (code, name)


@given(any_text)
def test_they_are_what_decides_the_encoding(text: str) -> None:
    found = costs(text)
    outside = tuple(one.character for one in found.characters if one.why == Why.UCS2)
    assert outside == foreign(text)
    assert bool(outside) == (split(text).encoding == Encoding.UCS2)
    assert found.segments_transliterated == len(split(transliterate(text)))
    assert all(one.count == whole(text).count(one.character) for one in found.characters)


@given(st.text(alphabet="".join(BASIC.values()) + "".join(EXTENSION.values())))
def test_what_fits_costs_only_by_extension(text: str) -> None:
    found = costs(text)
    assert {one.character for one in found.characters} == set(text) & set(EXTENSION.values())
    assert found.segments_transliterated == len(split(text))


def test_many_characters_take_linear_time() -> None:
    text = "".join(map(chr, range(0x4E00, 0x9FFF))) * 5
    began = time.perf_counter()
    assert len(costs(text).characters) == 0x9FFF - 0x4E00
    assert time.perf_counter() - began < 5
