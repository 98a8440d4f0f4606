"""Delivery reports as mail servers write them: RFC 6522 (multipart/report), RFC 3464 (delivery-status). Pure.

Mail clients show the first part, programs read the second one, and the third names the mail that it is about.
"""

import email.utils
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gateway_core.messages import State
from gateway_core.storage import clock
from mailgate import dsn, headers, parts
from mailgate.parts import Part

# Action and Status (RFC 3464 §2.3.3, RFC 3463) of each end. UNKNOWN is no failure: to send it again could text the
# phone twice. So it was "relayed", and its status says that the time ran out.
ENDS: dict[str, tuple[str, str]] = {
    State.DELIVERED: ("delivered", "2.0.0"),
    State.SENT: ("relayed", "2.0.0"),
    State.UNDELIVERED: ("failed", "5.0.0"),
    State.EXPIRED: ("failed", "5.4.7"),
    State.FAILED: ("failed", "5.0.0"),
    State.UNKNOWN: ("relayed", "4.4.7"),
    State.CANCELLED: ("failed", "5.7.1"),
}
UNDERWAY = ("delayed", "4.4.7")
_REASONS = {"opted_out": "5.7.1", "no_route": "5.4.4"}


class Outcome(NamedTuple):
    """What became of the text to one number (E.164). Times in milliseconds since 1970."""

    to: str
    state: str
    reason: str = ""
    words: str = ""  # of the network
    until: int | None = None  # how long it is tried, where it has not ended


def parts_of(
    domain: str, origin: Mapping[str, Any], at: int, outcomes: Sequence[Outcome]
) -> tuple[Part, Part]:
    """The machine's part, and the original. `at`: when the text was accepted."""
    return _machine_part(domain, origin, at, outcomes), _original(domain, origin, at, outcomes)


def _machine_part(domain: str, origin: Mapping[str, Any], at: int, outcomes: Sequence[Outcome]) -> Part:
    asked = origin.get("dsn", {})
    of_mail = _fields(
        ("Reporting-MTA", f"dns; {domain}"),
        ("Original-Envelope-Id", dsn.to_xtext(asked.get("envid", ""))),
        ("Arrival-Date", _date(at)),
    )
    groups = [of_mail, *(_recipient(domain, asked, one) for one in outcomes)]
    return Part("Content-Type: message/delivery-status\r\n", "\r\n".join(groups))


def _recipient(domain: str, asked: Mapping[str, Any], one: Outcome) -> str:
    action, status = ENDS.get(one.state, UNDERWAY)
    original = dsn.of_recipient(asked, one.to).get("orcpt", "")
    kind, _, address = original.partition(";")
    return _fields(
        ("Original-Recipient", f"{kind}; {dsn.to_xtext(address)}" if original else ""),
        ("Final-Recipient", f"rfc822; {one.to.removeprefix('+')}@{domain}"),
        ("Action", action),
        ("Status", _REASONS.get(one.reason, status) if action == "failed" else status),
        ("Diagnostic-Code", f"X-SMS; {_plain(one.words)}" if one.words else ""),
        ("Will-Retry-Until", _date(one.until) if action == "delayed" and one.until else ""),
    )


def _fields(*fields: tuple[str, str]) -> str:
    """Those that are not empty. Nobody else's words begin a field: each is one line of printable ASCII."""
    return "".join(f"{name}: {_plain(value)}\r\n" for name, value in fields if value)


def _plain(words: str) -> str:
    ascii_only = headers.line(words).encode("ascii", "replace").decode()
    return "".join(letter for letter in ascii_only if letter.isprintable())


def _date(at: int) -> str:
    return email.utils.formatdate(at / clock.SECOND, localtime=True)


def _written(date: str) -> str:
    """The author's own date, in the form of RFC 5322 §3.3; "" where it is none."""
    try:
        return email.utils.format_datetime(email.utils.parsedate_to_datetime(date))
    except (ValueError, TypeError, IndexError, OverflowError):
        return ""


def _original(domain: str, origin: Mapping[str, Any], at: int, outcomes: Sequence[Outcome]) -> Part:
    """The whole mail where its sender asked for it (RET=FULL), something failed (RFC 3461 §4.3), and we have it; else
    what we know of its head.
    """
    if origin.get("full") and any(ENDS.get(one.state, UNDERWAY)[0] == "failed" for one in outcomes):
        return Part("Content-Type: message/rfc822\r\n", origin["full"])  # as it came
    numbers = tuple(f"{one.to.removeprefix('+')}@{domain}" for one in outcomes)
    head = [
        parts.people("From", (origin.get("from", ""),)),
        parts.people("To", numbers),
        parts.field("Subject", headers.line(origin.get("subject", ""))),
        parts.field("Date", _written(origin.get("date", "")) or _date(at)),
    ]
    if headers.is_usable_id(message_id := origin.get("message_id", "")):
        head.append(parts.field("Message-ID", f"<{message_id}>"))
    return Part("Content-Type: text/rfc822-headers; charset=us-ascii\r\n", "".join(head))
