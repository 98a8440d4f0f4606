"""The forms of a number that people type, row by row, and what rows of ours may hold."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway_core import numbers
from gateway_core.errors import BadNumber

E164 = re.compile(r"\+[1-9][0-9]{6,14}")
REGIONS = ("GB", "NO", "US", "DE", "IT", "FR", "SE", "AR", "BR", "BS", "RU", "MX", "", "ZZ")

READ = [
    # The forms of the contract; +44 7700 900123 is possible and not valid, and admitted.
    ("447700900123", "GB", "+447700900123"),
    ("+447700900123", "GB", "+447700900123"),
    ("00447700900123", "GB", "+447700900123"),
    ("p447700900123", "GB", "+447700900123"),
    ("P447700900123", "NO", "+447700900123"),
    ("07700900123", "GB", "+447700900123"),
    ("7700900123", "GB", "+447700900123"),
    # Punctuation and blanks.
    ("+44 7700 900-123", "GB", "+447700900123"),
    ("(07700) 900.123", "GB", "+447700900123"),
    ("07700/900_123", "GB", "+447700900123"),
    ("+44 (0)7700 900123", "GB", "+447700900123"),
    ("(+44)\u00a07700\u2013900123", "US", "+447700900123"),
    ("\u202a+447700900123\u202c", "GB", "+447700900123"),
    (" 0044 7700\t900123 ", "DE", "+447700900123"),
    # Digits of other scripts.
    ("٠٧٧٠٠٩٠٠١٢٣", "GB", "+447700900123"),
    ("＋４４７７００９００１２３", "GB", "+447700900123"),
    # National where possible, though the same digits are somebody's number abroad.
    ("4792345678", "GB", "+444792345678"),
    ("91234567", "NO", "+4791234567"),
    ("4791234567", "NO", "+4791234567"),
    ("447911123456", "NO", "+447911123456"),
    ("(212) 555-2368", "US", "+12125552368"),
    ("1-212-555-2368", "US", "+12125552368"),
    ("00447911123456", "US", "+447911123456"),
    ("015112345678", "DE", "+4915112345678"),
    ("+4915112345678", "DE", "+4915112345678"),
    ("447700900123", "DE", "+49447700900123"),
    # Italy keeps the 0 of its landlines and has none on mobiles; others drop it.
    ("06 1234 5678", "IT", "+390612345678"),
    ("+390612345678", "IT", "+390612345678"),
    ("3471234567", "IT", "+393471234567"),
    # Possible as an Italian number of 12 digits, but it plainly begins with Italy's code.
    ("393471234567", "IT", "+393471234567"),
    ("06 12 34 56 78", "FR", "+33612345678"),
    ("33612345678", "FR", "+33612345678"),
    ("070-123 45 67", "SE", "+46701234567"),
    ("46701234567", "SE", "+46701234567"),
    ("8 (912) 345-67-89", "RU", "+79123456789"),
    ("323-1234", "BS", "+12423231234"),
    # Without a region there is only the international reading.
    ("447911123456", "", "+447911123456"),
    ("447911123456", "ZZ", "+447911123456"),
]


@pytest.mark.parametrize(("typed", "region", "number"), READ)
def test_read(typed: str, region: str, number: str) -> None:
    assert numbers.parse(typed, region) == number


REFUSED = [
    # Valid as both: a new US number with Norway's code in front, and so on.
    ("4792345678", "US", "beginning with +"),
    ("2389911234", "GB", "beginning with +"),
    ("4915112345678", "DE", "beginning with +"),
    ("447911123456", "DE", "beginning with +"),
    ("385921234567", "IT", "beginning with +"),
    ("376312345", "FR", "beginning with +"),
    ("255621234567", "SE", "beginning with +"),
    ("24740123", "NO", "beginning with +"),
    # Short codes.
    ("84433", "GB", "short code"),
    ("999", "GB", "short code"),
    ("844 330", "GB", "short code"),
    # Possible within a town only.
    ("5550100", "US", "not a possible"),
    ("+15550100", "US", "not a possible"),
    ("+4484433", "GB", "not a possible"),
    # Too long, too short, of no country.
    ("12345678901234567", "GB", "at most 15 digits"),
    ("+1234567890123456", "GB", "not a possible"),
    ("+4477009001234", "GB", "not a possible"),
    ("00", "GB", "not a possible"),
    ("12", "GB", "not a possible"),
    ("+2101234567", "GB", "not a possible"),
    ("07700900123", "", "not a possible"),
    # + is followed by a country code, however + is written.
    ("+07700900123", "GB", "not a possible"),
    ("+00447700900123", "GB", "not a possible"),
    ("p00447700900123", "GB", "not a possible"),
    ("0000447700900123", "GB", "not a possible"),
    # Not numbers: nothing is guessed from letters, and two things are never joined into one number.
    ("", "GB", "not a telephone number"),
    ("+", "GB", "not a telephone number"),
    ("p", "GB", "not a telephone number"),
    ("alice", "GB", "not a telephone number"),
    ("0800-FLOWERS", "GB", "not a telephone number"),
    ("07700900123 ext 5", "GB", "not a telephone number"),
    ("07700900123x5", "GB", "not a telephone number"),
    ("07700900123,5", "GB", "not a telephone number"),
    ("07700900123；5", "GB", "not a telephone number"),
    ("*21*07700900123#", "GB", "not a telephone number"),
    ("07700900123@1.2", "GB", "not a telephone number"),
    ("tel:+447700900123", "GB", "not a telephone number"),
    ("++447700900123", "GB", "not a telephone number"),
    ("44+7700900123", "GB", "not a telephone number"),
    ("pp447700900123", "GB", "not a telephone number"),
    ("07700²900123", "GB", "not a telephone number"),
    ("\ud83d07700900123", "GB", "not a telephone number"),
    ("0" * 100_000, "GB", "not a telephone number"),
]


@pytest.mark.parametrize(("typed", "region", "words"), REFUSED, ids=lambda value: str(value)[:20])
def test_refused(typed: str, region: str, words: str) -> None:
    with pytest.raises(BadNumber, match=re.escape(words)) as caught:
        numbers.parse(typed, region)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


def test_the_refusal_shows_both_readings() -> None:
    with pytest.raises(BadNumber) as caught:
        numbers.parse("4792345678", "US")
    assert "+14792345678 or +4792345678?" in str(caught.value)


def test_both_readings_can_be_had_with_a_prefix() -> None:
    assert numbers.parse("+4792345678", "US") == "+4792345678"
    assert numbers.parse("004792345678", "US") == "+4792345678"
    assert numbers.parse("+14792345678", "US") == "+14792345678"


like_numbers = st.text(alphabet="0123456789+p -()./٣", max_size=24)
digits = st.text(alphabet="0123456789", min_size=5, max_size=17)
anything = st.text(alphabet=st.characters(exclude_categories=()), max_size=40)


@given(st.one_of(digits, like_numbers, anything), st.sampled_from(REGIONS))
@example("+440007700900123", "GB")
@example("+54 9 011 15 2345 6789", "AR")
@example("011 15 2345-6789", "AR")
@example("+52 1 55 1234 5678", "MX")
@example("0 15 11 91234-5678", "BR")
def test_any_text_is_a_number_for_good_or_refused(typed: str, region: str) -> None:
    try:
        number = numbers.parse(typed, region)
    except BadNumber:
        return
    assert E164.fullmatch(number)
    assert all(numbers.parse(number, other) == number for other in REGIONS)
    assert numbers.parse_e164(number) == number
    assert numbers.parse_own(number) == number
    assert numbers.parse_e164(numbers.display(number)) == number
    assert re.fullmatch("[A-Z]{2}|", numbers.region_of(number))


@given(anything)
def test_other_readers_refuse_in_the_same_way(text: str) -> None:
    for read in (numbers.parse_e164, numbers.parse_own):
        try:
            assert read(text).startswith("+")
        except BadNumber:
            continue
    numbers.is_short_code(text)
    numbers.display(text)
    numbers.region_of(text)


@pytest.mark.parametrize("text", ["+447700900123", "00447700900123", "+44 7700 900123"])
def test_rows_are_international(text: str) -> None:
    assert numbers.parse_e164(text) == "+447700900123"


@pytest.mark.parametrize("text", ["07700900123", "447700900123", "p447700900123", "84433", "", "+4484433"])
def test_rows_guess_nothing(text: str) -> None:
    with pytest.raises(BadNumber):
        numbers.parse_e164(text)


@pytest.mark.parametrize("text", ["844", "84433", "844330"])
def test_short_codes(text: str) -> None:
    assert numbers.is_short_code(text)


@pytest.mark.parametrize("text", ["84", "8443300", "+84433", "8443x", "", "٨٤٤٣٣", "84433\n"])
def test_no_short_codes(text: str) -> None:
    assert not numbers.is_short_code(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+447700900001", "+447700900001"),
        ("+4484433", "+4484433"),
        ("+44 84433", "+4484433"),
        ("004484433", "+4484433"),
        ("+112345", "+112345"),
        ("+4702800", "+4702800"),
    ],
)
def test_numbers_of_ours(text: str, number: str) -> None:
    assert numbers.parse_own(text) == number


@pytest.mark.parametrize(
    "text", ["84433", "4484433", "+4484", "+21084433", "+44", "+", "", "PIZZA", "x" * 1000]
)
def test_not_numbers_of_ours(text: str) -> None:
    with pytest.raises(BadNumber):
        numbers.parse_own(text)


@pytest.mark.parametrize(
    ("number", "region"),
    [
        ("+447700900123", "GB"),
        ("+447911123456", "GG"),
        ("+4484433", "GB"),
        ("+4791234567", "NO"),
        ("+12125552368", "US"),
        ("+12423231234", "BS"),
        ("+77012345678", "KZ"),
        ("+870773111632", ""),
        ("+2101234567", ""),
        ("", ""),
    ],
)
def test_region_of(number: str, region: str) -> None:
    assert numbers.region_of(number) == region


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+447700900123", "+44 7700 900123"),
        ("+4791234567", "+47 91 23 45 67"),
        ("+4484433", "+44 84433"),
        ("ACME", "ACME"),
    ],
)
def test_display(number: str, shown: str) -> None:
    assert numbers.display(number) == shown


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["*"], True),
        (["+44"], True),
        (["+47", "+4477"], True),
        (["GB"], True),
        (["gb"], True),
        (["NO", "GB"], True),
        (["+47"], False),
        (["NO"], False),
        (["44"], False),
        ([""], False),
        ([], False),
    ],
)
def test_matches(patterns: list[str], expected: bool) -> None:
    assert numbers.matches("+447700900123", patterns) is expected


@pytest.mark.parametrize(
    ("prefixes", "best"),
    [
        (["*"], "*"),
        (["*", "+44", "+4477", "+47"], "+4477"),
        (["+4477", "*", "+44"], "+4477"),
        (["+4", "*"], "+4"),
        (["+47"], None),
        ([], None),
    ],
)
def test_longest_prefix(prefixes: list[str], best: str | None) -> None:
    assert numbers.longest_prefix("+447700900123", prefixes) == best
