"""Hours of the day: what may be written, and which minutes it holds."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_core import hours

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WEEK_MINUTES = 7 * 24 * 60
OFFICE = "Mon-Fri 08:00-18:00"


def moment(text: str) -> datetime:
    """`Mon 08:00`, in a week that begins with Monday, 5 January 2026."""
    day, _, clock = text.partition(" ")
    return datetime.fromisoformat(f"2026-01-{5 + DAYS.index(day):02} {clock}").replace(tzinfo=UTC)


def held(text: str, begin: datetime) -> int:
    """How many minutes of the week from here on are held."""
    return sum(hours.hold(text, begin + timedelta(minutes=minute)) for minute in range(WEEK_MINUTES))


def test_the_week_of_these_tests_begins_with_a_monday() -> None:
    assert [moment(f"{day} 00:00").strftime("%a") for day in DAYS] == list(DAYS)


# --- writing ----------------------------------------------------------------------------------------------

EVERY_DAY = frozenset(range(7))
# what is written: days, begin and end of each span
GOOD = {
    "": [],
    "   ": [],
    "08:00-18:00": [(EVERY_DAY, 480, 1080)],
    "00:00-24:00": [(EVERY_DAY, 0, 1440)],
    "22:00-06:00": [(EVERY_DAY, 1320, 360)],
    "Sat 09:00-12:00": [({5}, 540, 720)],
    "Mon-Fri 08:00-18:00": [({0, 1, 2, 3, 4}, 480, 1080)],
    "MON-fri 08:00-18:00": [({0, 1, 2, 3, 4}, 480, 1080)],
    "Fri-Mon 08:00-18:00": [({4, 5, 6, 0}, 480, 1080)],
    "Sun-Sun 08:00-18:00": [({6}, 480, 1080)],
    "Mon-Sun 08:00-18:00": [(EVERY_DAY, 480, 1080)],
    "Tue-Mon 08:00-18:00": [(EVERY_DAY, 480, 1080)],
    "  Mon   08:00-18:00 ,Sat 09:00-12:30  ": [({0}, 480, 1080), ({5}, 540, 750)],
}


@pytest.mark.parametrize(("text", "spans"), GOOD.items())
def test_what_may_be_written(text: str, spans: list[tuple[set[int], int, int]]) -> None:
    assert [tuple(span) for span in hours.parse(text)] == spans


NOT_HOURS = "{!r} is not hours; examples: 08:00-18:00, Mon-Fri 08:00-18:00"
NOT_A_DAY = "{!r} is not a day; days are Mon, Tue, Wed, Thu, Fri, Sat, Sun"
NO_TIME = "{} is not a time of day"
BAD = {
    "always": NOT_HOURS.format("always"),
    "8:00-18:00": NOT_HOURS.format("8:00-18:00"),
    "08-18": NOT_HOURS.format("08-18"),
    "08:00": NOT_HOURS.format("08:00"),
    "08:00 - 18:00": NOT_HOURS.format("08:00 - 18:00"),
    "08:00-18:00:00": NOT_HOURS.format("08:00-18:00:00"),
    "Mon": NOT_HOURS.format("Mon"),
    "Mon-Fri": NOT_HOURS.format("Mon-Fri"),
    "Mon08:00-18:00": NOT_HOURS.format("Mon08:00-18:00"),
    "Monday 08:00-18:00": NOT_HOURS.format("Monday 08:00-18:00"),
    "Mon - Fri 08:00-18:00": NOT_HOURS.format("Mon - Fri 08:00-18:00"),
    "Mon,Wed 08:00-18:00": NOT_HOURS.format("Mon"),
    "Mon 08:00-18:00 Tue 08:00-18:00": NOT_HOURS.format("Mon 08:00-18:00 Tue 08:00-18:00"),
    "08:00-18:00,": NOT_HOURS.format(""),
    "08:00-18:00; 20:00-21:00": NOT_HOURS.format("08:00-18:00; 20:00-21:00"),
    "٠٨:00-18:00": NOT_HOURS.format("٠٨:00-18:00"),
    "Mo1 08:00-18:00": NOT_HOURS.format("Mo1 08:00-18:00"),
    "Mit 08:00-18:00": NOT_A_DAY.format("mit"),
    "Mon-Fry 08:00-18:00": NOT_A_DAY.format("fry"),
    "24:01-06:00": NO_TIME.format("24:01"),
    "08:00-24:01": NO_TIME.format("24:01"),
    "25:00-26:00": NO_TIME.format("25:00"),
    "08:60-18:00": NO_TIME.format("08:60"),
    "08:00-23:60": NO_TIME.format("23:60"),
    "08:00-18:00, Sat 09:00-99:00": NO_TIME.format("99:00"),
}


@pytest.mark.parametrize(("text", "words"), BAD.items())
def test_what_may_not_be_written_is_named(text: str, words: str) -> None:
    for _ in range(2):  # what is remembered of the first time changes nothing
        with pytest.raises(ValueError, match=r"is not (hours|a day|a time of day)") as raised:
            hours.parse(text)
        assert str(raised.value) == words


@given(st.text(alphabet="0123456789:-, MonFriSat\t\nİK٣") | st.text())
def test_whatever_is_written_is_hours_or_a_plain_error(text: str) -> None:
    try:
        spans = hours.parse(text)
    except ValueError as error:
        assert "is not" in str(error)  # noqa: PT017 - most texts are refused, some are not
    else:
        assert bool(spans) is bool(text.strip())


# --- holding ----------------------------------------------------------------------------------------------

# hours: moments within, moments outside
HELD = {
    "": (["Mon 00:00", "Wed 12:00", "Sun 23:59:59.999999"], []),
    "  ": (["Sun 03:00"], []),
    "08:00-18:00": (
        ["Mon 08:00", "Sun 08:00", "Mon 17:59", "Mon 17:59:59.999999"],
        ["Mon 07:59:59.999999", "Mon 18:00", "Mon 18:00:00.000001", "Sun 00:00"],
    ),
    "08:00-08:01": (["Mon 08:00:59"], ["Mon 07:59", "Mon 08:01"]),
    "Mon-Fri 08:00-18:00": (["Mon 08:00", "Fri 17:59"], ["Sat 08:00", "Sun 12:00", "Fri 18:00"]),
    "mon-fri 08:00-18:00": (["Mon 08:00"], ["Sun 08:00"]),
    "MON-FRI 08:00-18:00": (["Mon 08:00"], ["Sun 08:00"]),
    "Sat 20:00-24:00": (["Sat 20:00", "Sat 23:59:59"], ["Sat 19:59", "Sun 00:00", "Fri 20:00"]),
    "Sat 20:00-00:00": (["Sat 20:00", "Sat 23:59:59"], ["Sat 19:59", "Sat 00:00", "Sun 00:00", "Fri 20:00"]),
    "Sat 00:00-24:00": (["Sat 00:00", "Sat 23:59"], ["Fri 23:59", "Sun 00:00"]),
    "Sat 00:00-00:00": (["Sat 00:00", "Sat 23:59"], ["Fri 23:59", "Sun 00:00"]),
    "22:00-06:00": (["Mon 22:00", "Mon 00:00", "Mon 05:59:59"], ["Mon 06:00", "Mon 21:59:59"]),
    "Fri 22:00-06:00": (
        ["Fri 22:00", "Fri 23:59", "Sat 00:00", "Sat 05:59"],
        ["Fri 00:00", "Fri 05:59", "Fri 21:59", "Sat 06:00", "Sat 22:00"],
    ),
    "Sun 22:00-06:00": (["Sun 22:00", "Mon 05:59"], ["Sun 05:59", "Mon 06:00", "Mon 22:00"]),
    "Mon 08:00-08:00": (["Mon 08:00", "Tue 07:59"], ["Mon 07:59", "Tue 08:00"]),
    "Fri-Mon 08:00-18:00": (
        ["Fri 08:00", "Sat 08:00", "Sun 08:00", "Mon 17:59"],
        ["Tue 08:00", "Wed 08:00", "Thu 17:59", "Mon 18:00"],
    ),
    "Sat-Sun 22:00-06:00": (["Sat 22:00", "Sun 05:00", "Sun 22:00", "Mon 05:59"], ["Sat 05:59", "Mon 22:00"]),
    "Mon-Fri 08:00-12:00, Mon-Fri 13:00-17:00, Sat 22:00-02:00": (
        ["Mon 11:59", "Mon 13:00", "Fri 16:59", "Sat 22:00", "Sun 01:59"],
        ["Mon 12:00", "Mon 12:59", "Fri 17:00", "Sat 13:00", "Sun 02:00", "Sat 01:59"],
    ),
}
WITHIN = [(text, at, True) for text, (within, _) in HELD.items() for at in within]
OUTSIDE = [(text, at, False) for text, (_, outside) in HELD.items() for at in outside]


@pytest.mark.parametrize(("text", "at", "wanted"), WITHIN + OUTSIDE)
def test_which_moments_are_held(text: str, at: str, wanted: bool) -> None:
    assert hours.hold(text, moment(at)) is wanted


def test_what_is_no_hours_holds_nothing() -> None:
    with pytest.raises(ValueError, match="is not hours"):
        hours.hold("always", moment("Mon 08:00"))


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - bounds have none
@settings(max_examples=20, deadline=None)
def test_any_week_has_fifty_office_hours(begin: datetime) -> None:
    assert held(OFFICE, begin) == 5 * 600


@given(st.integers(0, 6), st.integers(1, 7), st.integers(0, 1439), st.integers(0, 1440))
@settings(max_examples=20, deadline=None)
def test_a_span_holds_as_long_on_each_of_its_days(first: int, days: int, begin: int, end: int) -> None:
    last = (first + days - 1) % 7
    text = f"{DAYS[first]}-{DAYS[last]} {begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"
    assert held(text, moment("Mon 00:00")) == days * ((end - begin) % 1440 or 1440)
