"""Invitations, as Exchange, Google and Apple send them, in words."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate import body
from mailgate.body import invitation
from mailgate.mail import parse

START = "DTSTART:20260506T063000Z"
OSLO, LONDON = "TZID=Europe/Oslo", "TZID=Europe/London"
WEST = "TZID=W. Europe Standard Time"
WHOLE_DAY = "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE"


def calendar(*lines: str, method: str = "REQUEST", component: str = "VEVENT") -> str:
    inside = (f"BEGIN:{component}", *lines, f"END:{component}")
    return "\r\n".join(["BEGIN:VCALENDAR", f"METHOD:{method}", *inside, "END:VCALENDAR", ""])


def told(*lines: str, method: str = "REQUEST", component: str = "VEVENT") -> str:
    return invitation.told(calendar("SUMMARY:Lunch", *lines, method=method, component=component))


@pytest.mark.parametrize(
    ("lines", "when"),
    [
        (["DTSTART:20260506T063000Z", "DTEND:20260506T070000Z"], "2026-05-06 06:30-07:00 UTC"),
        (["DTSTART:20260506T063000Z", "DURATION:PT45M"], "2026-05-06 06:30-07:15 UTC"),
        (["DTSTART:20260506T063000Z"], "2026-05-06 06:30 UTC"),
        (["DTSTART:20260506T0630Z"], "2026-05-06 06:30 UTC"),
        (["DTSTART:20260506T063000", "DTEND:20260506T070000"], "2026-05-06 06:30-07:00"),
        ([f"DTSTART;{OSLO}:20260506T063000", f"DTEND;{OSLO}:20260506T070000"], "2026-05-06 06:30-07:00"),
        (
            ['DTSTART;TZID="(UTC+01:00) Oslo, Rome":20260506T063000', "DURATION:PT1H"],
            "2026-05-06 06:30-07:30",
        ),
        # a flight: the figures would not tell how long it takes
        ([f"DTSTART;{OSLO}:20260506T063000", f"DTEND;{LONDON}:20260506T070000"], "2026-05-06 06:30"),
        ([f"DTSTART;{OSLO}:20260506T063000", "DTEND:20260506T070000Z"], "2026-05-06 06:30"),
        (["DTSTART:20260506T220000Z", "DTEND:20260507T060000Z"], "2026-05-06 22:00 UTC"),
        (["DTSTART:20260506T063000Z", "DTEND:20260506T063000Z"], "2026-05-06 06:30 UTC"),
        (["DTSTART:20260506T063000Z", "DTEND:20260506T053000Z"], "2026-05-06 06:30 UTC"),
        (["DTSTART;VALUE=DATE:20260506", "DTEND;VALUE=DATE:20260507"], "2026-05-06"),
        (["DTSTART;VALUE=DATE:20260506"], "2026-05-06"),
        (["DTSTART;VALUE=DATE:20260506", "DTEND;VALUE=DATE:20260509"], "2026-05-06 to 2026-05-08"),
        (["DTSTART;VALUE=DATE:20260506", "DURATION:P1W"], "2026-05-06 to 2026-05-12"),
        (["DTSTART;VALUE=DATE:20260506", "DTEND;VALUE=DATE:20260401"], "2026-05-06"),
        (
            [f"DTSTART;{WEST}:20260506T000000", f"DTEND;{WEST}:20260508T000000", WHOLE_DAY],
            "2026-05-06 to 2026-05-07",
        ),
        (["DTSTART:00010101T000000", "DTEND:00010101T000100", WHOLE_DAY], "0001-01-01"),
        (["DTSTART:99991231T000000", "DURATION:P99999D"], "9999-12-31 00:00"),
        (["DTSTART:20260230T063000Z"], ""),
        (["DTSTART:tomorrow"], ""),
    ],
)
def test_when(lines: list[str], when: str) -> None:
    assert told(*lines) == f"Lunch\n{when}".strip()


@pytest.mark.parametrize(
    ("line", "summary"),
    [
        ("SUMMARY:Shift\\, ward 4\\; a\\\\b\\nsecond", "Shift, ward 4; a\\b\nsecond"),
        ("SUMMARY:Quarterly re\r\n view of pumps\r\n\t and lifts", "Quarterly review of pumps and lifts"),
        ("SUMMARY;LANGUAGE=de:Schichtübergabe", "Schichtübergabe"),
        ('SUMMARY;ALTREP="https://acme.example/a:b;c";LANGUAGE=en:Lunch: 12:30', "Lunch: 12:30"),
        ("summary:Lunch", "Lunch"),
        ("SUMMARY:Lunch\r\nSUMMARY:Dinner", "Lunch"),
        ("SUMMARYX:no\r\nSUMMARY: Lunch ", "Lunch"),
        ("SUMMARY no: colon\r\nSUMMARY:Lunch", "Lunch"),
    ],
)
def test_summary(line: str, summary: str) -> None:
    assert invitation.told(calendar(line, START)) == f"{summary}\n2026-05-06 06:30 UTC"


@pytest.mark.parametrize(
    ("method", "lines", "headline"),
    [
        ("REQUEST", [], "Lunch"),
        ("PUBLISH", ["STATUS:CONFIRMED"], "Lunch"),
        ("CANCEL", [], "Cancelled: Lunch"),
        ("REQUEST", ["STATUS:CANCELLED"], "Cancelled: Lunch"),
        ("REPLY", ["ATTENDEE;CN=Bob;PARTSTAT=ACCEPTED:mailto:bob@acme.example"], "Accepted: Lunch"),
        ("REPLY", ["ATTENDEE;PARTSTAT=DECLINED:mailto:bob@acme.example"], "Declined: Lunch"),
        ("REPLY", ["ATTENDEE;PARTSTAT=tentative:mailto:b@acme.example"], "Tentatively accepted: Lunch"),
        ("REPLY", ['ATTENDEE;CN="x;PARTSTAT=DECLINED";PARTSTAT=ACCEPTED:mailto:b@x'], "Accepted: Lunch"),
        ("REPLY", ['ATTENDEE;MEMBER="a","b;PARTSTAT=DECLINED";PARTSTAT=ACCEPTED:b@x'], "Accepted: Lunch"),
        ("REPLY", ["ATTENDEE:mailto:bob@acme.example"], "Answered: Lunch"),
        ("REPLY", [], "Answered: Lunch"),
        ("COUNTER", [], "Another time proposed: Lunch"),
    ],
)
def test_what_has_become_of_it(method: str, lines: list[str], headline: str) -> None:
    assert told(*lines, START, method=method).split("\n")[0] == headline


@pytest.mark.parametrize(
    ("method", "summary", "headline"),
    [
        ("CANCEL", "Canceled: Lunch", "Canceled: Lunch"),
        ("CANCEL", "Cancelled: Lunch", "Cancelled: Lunch"),
        ("CANCEL", "Cancel the lift", "Cancelled: Cancel the lift"),
        ("CANCEL", "Cancel the old lift: vote", "Cancelled: Cancel the old lift: vote"),
        ("CANCEL", "", "Cancelled"),
    ],
)
def test_it_is_said_once(method: str, summary: str, headline: str) -> None:
    assert invitation.told(calendar(f"SUMMARY:{summary}", START, method=method)).split("\n")[0] == headline


ALARM = ["BEGIN:VALARM", "SUMMARY:Reminder", "DTSTART:19990101T000000Z", "LOCATION:nowhere", "END:VALARM"]
ZONE = [
    "BEGIN:VTIMEZONE",
    "TZID:x",
    "BEGIN:STANDARD",
    "DTSTART:16010101T030000",
    "SUMMARY:zone",
    "END:STANDARD",
]
EXPECTED = "Lunch\n2026-05-06 06:30 UTC\nRoom 2"


def test_what_is_inside_or_beside_an_event_is_not_its_own() -> None:
    event = ["SUMMARY:Lunch", START, "LOCATION:Room 2"]
    assert invitation.told(calendar(*ALARM, *event)) == EXPECTED
    assert invitation.told(calendar(*event, *ALARM)) == EXPECTED
    assert invitation.told(calendar(*event, *ALARM[:-1])) == EXPECTED  # an alarm that never ends
    assert invitation.told("\n".join([*ZONE, "END:VTIMEZONE", calendar(*event)])) == EXPECTED
    assert invitation.told("\n".join([*ZONE, calendar(*event)])) == EXPECTED
    assert invitation.told(calendar("BEGIN:X", *ALARM, "END:X", *event)) == EXPECTED


def test_several_events() -> None:
    one, two = calendar("SUMMARY:Lunch", "UID:1", START), calendar("SUMMARY:Dinner", "UID:2")
    moved = calendar("SUMMARY:Lunch moved", "UID:1", "RECURRENCE-ID:20260513T063000Z")
    assert invitation.told(one + two + two) == "Lunch\n2026-05-06 06:30 UTC\n(and 2 more)"
    assert invitation.told(one + moved + moved) == "Lunch\n2026-05-06 06:30 UTC"
    assert invitation.told(moved) == "Lunch moved"  # one of a series alone
    assert invitation.told(one.replace("END:VEVENT", "") + two).endswith("(and 1 more)")


def test_a_task() -> None:
    assert told("DUE:20260506T170000Z", component="VTODO") == "Lunch\n2026-05-06 17:00 UTC"
    assert invitation.told(calendar("SUMMARY:Notes", component="VJOURNAL")) == ""


@pytest.mark.parametrize(
    "content", ["", "BEGIN:VEVENT", "SUMMARY:x", calendar(), calendar("UID:1"), "\r\n \r\n"]
)
def test_no_event_is_nothing(content: str) -> None:
    assert invitation.told(content) == ""


# --- in a mail --------------------------------------------------------------------------------------------

ICS = calendar("SUMMARY:Lunch", START).replace("\r\n", "\n")
LUNCH = "Lunch\n2026-05-06 06:30 UTC"
FILE = "Content-Disposition: attachment; filename=invite.ics\n"


def part(kind: str, content: str = ICS, more: str = "") -> str:
    return f"Content-Type: {kind}\n{more}\n{content}"


def mixed(*parts: str, kind: str = "mixed") -> str:
    inner = "".join(f"--{kind}\n{one}\n" for one in parts)
    return f"Content-Type: multipart/{kind}; boundary={kind}\n\n{inner}--{kind}--\n"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (part("text/calendar; method=REQUEST"), LUNCH),
        (part("text/calendar; name=invite.ics", more=FILE), LUNCH),
        (part("application/ics; name=invite.ics", more=FILE), LUNCH),
        (mixed(part("text/calendar; name=invite.ics")), LUNCH),
        (mixed(part("application/ics", more=FILE)), LUNCH),
        (mixed(part("text/plain", " \n"), part("text/calendar; name=invite.ics", more=FILE)), LUNCH),
        (mixed(part("text/html", "<p> </p>"), part("text/calendar"), kind="alternative"), LUNCH),
        (mixed(part("text/calendar; name=invite.ics"), part("text/plain", "come!")), "come!"),
        (mixed(part("application/ics", more=FILE), part("text/html", "<p>come!")), "come!"),
        (mixed(part("text/calendar"), part("text/plain", "come!"), kind="alternative"), "come!"),
        (mixed(part("text/calendar; name=a.ics", "nothing"), part("application/ics")), LUNCH),
        (mixed(part("message/rfc822", part("text/calendar"))), ""),
    ],
)
def test_an_invitation_is_texted_where_there_is_no_other_text(raw: str, text: str) -> None:
    assert body.text(parse(raw.encode()), text_from="body").text == text


HOSTILE = {
    "folds": "\n ",
    "open quotes": 'SUMMARY;A="',
    "quotes": 'SUMMARY;A=":',
    "lines with quotes": 'SUMMARY;A="b":"\n',
    "events": "BEGIN:VEVENT\n",
    "whole events": "BEGIN:VEVENT\nSUMMARY:x\nUID:1\nRECURRENCE-ID:1\nEND:VEVENT\n",
    "components": "BEGIN:X\n",
    "ends": "END:X\n",
    "backslashes": "\\",
    "names": "A",
    "parameters": ";A=b",
    "open parameters": ';A=b"',
    "attendees": "ATTENDEE;PARTSTAT=x:y\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_work_grows_with_the_length_only(name: str) -> None:
    """As much as is read of a part: quadratic work would be minutes."""
    piece = HOSTILE[name]
    content = "METHOD:REPLY\nBEGIN:VEVENT\nATTENDEE" + piece * (262_144 // len(piece)) + ":x\nSUMMARY:x\n"
    start = time.perf_counter()
    invitation.told(content)
    assert time.perf_counter() - start < 1


LINES = [
    "BEGIN:VEVENT",
    "END:VEVENT",
    "BEGIN:VALARM",
    "END:VALARM",
    "SUMMARY:a",
    "METHOD:REPLY",
    "ATTENDEE;PARTSTAT=",
]
LINES += [
    "DTSTART:20260506T250000",
    "DTSTART;VALUE=DATE:99991231",
    "DURATION:P9999W",
    "DTEND:00010101",
    "\n ",
    '"',
    ":",
]


@given(st.lists(st.sampled_from(LINES)), st.text())
def test_any_calendar_is_told(lines: list[str], rest: str) -> None:
    assert isinstance(invitation.told("\n".join([*lines, rest])), str)
    assert isinstance(
        invitation.told(f"BEGIN:VEVENT\nDTSTART:{rest}\nDURATION:{rest}\nSUMMARY;{rest}:x"), str
    )
