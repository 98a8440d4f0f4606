"""Hours of the day, as rows write them: `08:00-18:00`, `Mon-Fri 08:00-18:00, Sat 09:00-12:00`, `22:00-06:00`. Pure."""

import re
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(
    r"(?:(?P<day>[a-z]{3})(?:-(?P<to_day>[a-z]{3}))?\s+)?(?P<begin>\d\d:\d\d)-(?P<end>\d\d:\d\d)", re.ASCII
)
_DAY_MINUTES = 24 * 60


class Span(NamedTuple):
    """Weekdays (0: Monday) and minutes of the day; an end that is not after the begin is on the next day."""

    days: frozenset[int]
    begin: int
    end: int


@lru_cache(maxsize=1024)
def parse(text: str) -> tuple[Span, ...]:
    """Nothing for "". Raises ValueError with words for whoever wrote it."""
    return tuple(_spans(text)) if text.strip() else ()


def _spans(text: str) -> Iterator[Span]:
    for piece in text.split(","):
        found = _SPAN.fullmatch(piece.strip().lower())
        if found is None:
            raise ValueError(f"{piece.strip()!r} is not hours; examples: 08:00-18:00, Mon-Fri 08:00-18:00")
        yield Span(_days(found["day"], found["to_day"]), _minutes(found["begin"]), _minutes(found["end"]))


def _days(first: str | None, last: str | None) -> frozenset[int]:
    for name in (first, last):
        if name is not None and name not in _DAYS:
            raise ValueError(f"{name!r} is not a day; days are {', '.join(_DAYS).title()}")
    if first is None:
        return frozenset(range(7))
    begin = _DAYS.index(first)
    end = begin if last is None else _DAYS.index(last)
    return frozenset((begin + day) % 7 for day in range((end - begin) % 7 + 1))


def _minutes(clock: str) -> int:
    hour, minute = map(int, clock.split(":"))
    if hour * 60 + minute > _DAY_MINUTES or minute > 59:
        raise ValueError(f"{clock} is not a time of day")
    return hour * 60 + minute


def hold(text: str, moment: datetime) -> bool:
    """Whether a local moment is within the hours; "" holds every moment."""
    spans = parse(text)
    minute, today = moment.hour * 60 + moment.minute, moment.weekday()
    return not spans or any(_holds(span, today, minute) for span in spans)


def _holds(span: Span, today: int, minute: int) -> bool:
    if span.begin < span.end:
        return today in span.days and span.begin <= minute < span.end
    tonight = today in span.days and minute >= span.begin
    return tonight or ((today - 1) % 7 in span.days and minute < span.end)
