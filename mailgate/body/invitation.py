"""An invitation in words: what, when and where (iCalendar, RFC 5545; what is asked by it, iTIP, RFC 5546).

Times stand as they are written: with UTC where they are UTC, else in the local time of the event.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

_UNFOLD = re.compile(r"\n[ \t]")
# name, parameters with colons inside quotes, value (RFC 5545, section 3.1)
_PROPERTY = re.compile(r'([A-Za-z0-9-]+)((?:;(?:[^":]++|"[^"]*+")*+)?):(.*)')
_PARAMETER = re.compile(r';([A-Za-z0-9-]+)=((?:"[^"]*+"|[^;"])*+)')
_ESCAPED = re.compile(r"\\([\\;,nN])")
_WHEN = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)?(Z?))?\Z")
_DURATION = re.compile(
    r"\+?P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?\Z"
)
_COMPONENTS = frozenset({"VEVENT", "VTODO"})
_READ = frozenset(
    {
        *("SUMMARY", "LOCATION", "STATUS", "DTSTART", "DTEND", "DUE", "DURATION", "ATTENDEE", "UID"),
        *("RECURRENCE-ID", "X-MICROSOFT-CDO-ALLDAYEVENT"),
    }
)
# What an answer says (RFC 5545, section 3.2.12), and what the organizer or a guest does (RFC 5546, section 1.4).
_ANSWERS = {
    "ACCEPTED": "Accepted",
    "DECLINED": "Declined",
    "TENTATIVE": "Tentatively accepted",
    "DELEGATED": "Delegated",
    "NEEDS-ACTION": "Not answered yet",
}
_METHODS = {"CANCEL": "Cancelled", "COUNTER": "Another time proposed", "DECLINECOUNTER": "Proposal declined"}


class _Property(NamedTuple):
    value: str
    parameters: str

    def parameter(self, wanted: str) -> str:
        return next(
            (
                value.strip('"')
                for name, value in _PARAMETER.findall(self.parameters)
                if name.upper() == wanted
            ),
            "",
        )


_NOTHING = _Property("", "")
_Event = dict[str, _Property]


def told(content: str) -> str:
    """The first event or task in a few lines, and how many more there are; "" if there is none."""
    method, events = _read(content)
    if not events:
        return ""
    event = events[0]
    more = len(events) - 1
    lines = (
        _headline(event, method),
        _time(event),
        _text(event, "LOCATION"),
        f"(and {more} more)" if more else "",
    )
    return "\n".join(line for line in lines if line) if any(lines[:3]) else ""


# --- reading ----------------------------------------------------------------------------------------------


def _read(content: str) -> tuple[str, list[_Event]]:
    """The method, and the properties of each event itself: not those of an alarm in it, or of a time zone beside it.
    The exceptions of a series are the same event (RFC 5545, section 3.8.4.4).
    """
    method = ""
    events: list[_Event] = []
    series: set[str] = set()
    event: _Event | None = None
    inside = 0  # components that are open in the event
    for name, found in _properties(content):
        component = found.value.strip().upper()
        if event is None or (component in _COMPONENTS and name in {"BEGIN", "END"}):
            if event:
                _keep(event, events, series)
            event = {} if name == "BEGIN" and component in _COMPONENTS else None
            inside = 0
            method = method or (component if name == "METHOD" else "")
        elif name in {"BEGIN", "END"}:
            inside = max(0, inside + (1 if name == "BEGIN" else -1))
        elif not inside and name in _READ:
            event.setdefault(name, found)
    if event:
        _keep(event, events, series)
    return method, events


def _keep(event: _Event, events: list[_Event], series: set[str]) -> None:
    uid = event.get("UID", _NOTHING).value
    if "RECURRENCE-ID" not in event or uid not in series:
        events.append(event)
        series.add(uid)


def _properties(content: str) -> Iterator[tuple[str, _Property]]:
    for line in _UNFOLD.sub("", content.replace("\r\n", "\n")).split("\n"):
        found = _PROPERTY.match(line)
        if found:
            yield found[1].upper(), _Property(found[3], found[2])


# --- telling ----------------------------------------------------------------------------------------------


def _headline(event: _Event, method: str) -> str:
    summary, said = _text(event, "SUMMARY"), _said(event, method)
    head, colon, _ = summary.partition(":")
    # Outlook writes it into the summary: "Canceled: lunch"
    is_said = bool(colon) and len(head) <= len(said) and head.lower().startswith(said.lower()[:6])
    return ": ".join(filter(None, (said, summary))) if said and not is_said else summary


def _said(event: _Event, method: str) -> str:
    """What has become of it, where it is not simply asked for."""
    if method == "REPLY":
        answer = event.get("ATTENDEE", _NOTHING).parameter("PARTSTAT").upper()
        return _ANSWERS.get(answer, "Answered")
    if event.get("STATUS", _NOTHING).value.strip().upper() == "CANCELLED":
        return _METHODS["CANCEL"]
    return _METHODS.get(method, "")


def _text(event: _Event, name: str) -> str:
    return _ESCAPED.sub(_unescape, event.get(name, _NOTHING).value.strip())


def _unescape(found: re.Match[str]) -> str:
    return "\n" if found[1] in "nN" else found[1]


class _Moment(NamedTuple):
    at: datetime
    is_day: bool
    zone: str  # of which both ends must be, for the later one to be told


def _moment(event: _Event, name: str) -> _Moment | None:
    """None: not given, or no date."""
    given = event.get(name, _NOTHING)
    when = _WHEN.match(given.value.strip())
    if not when:
        return None
    year, month, day, hour, minute, _second, zulu = when.groups()
    try:
        at = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0))  # noqa: DTZ001 - shown as written
    except ValueError:
        return None
    return _Moment(at, hour is None, "UTC" if zulu else given.parameter("TZID"))


def _time(event: _Event) -> str:
    start = _moment(event, "DTSTART") or _moment(event, "DUE")
    if start is None:
        return ""
    end = _end(event, start)
    whole_days = event.get("X-MICROSOFT-CDO-ALLDAYEVENT", _NOTHING).value.strip().upper() == "TRUE"
    if start.is_day or whole_days:
        return _days(start.at, end or start.at)
    shown = f"{start.at.date()} {start.at:%H:%M}"
    if end and end > start.at and end.date() == start.at.date():
        shown += f"-{end:%H:%M}"
    return f"{shown} UTC" if start.zone == "UTC" else shown


def _days(start: datetime, end: datetime) -> str:
    """The end is the day after the last one (RFC 5545, section 3.6.1)."""
    more = end - start - timedelta(days=1)
    return f"{start.date()} to {(start + more).date()}" if more > timedelta() else str(start.date())


def _end(event: _Event, start: _Moment) -> datetime | None:
    end = _moment(event, "DTEND")
    if end:
        return end.at if (end.zone, end.is_day) == (start.zone, start.is_day) else None
    length = _DURATION.match(event.get("DURATION", _NOTHING).value.strip().upper())
    if not length:
        return None
    weeks, days, hours, minutes, seconds = (int(figure or 0) for figure in length.groups())
    try:
        return start.at + timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        return None
