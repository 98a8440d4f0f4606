"""Delivery reports as mail servers write them: RFC 6522 (multipart/report), RFC 3464 (delivery-status). Pure.

Mail clients show the first part, programs read the second one, and the third names the mail that it is about.
"""

import email.utils
from collections.abc import Mapping, Sequence
from email.message import EmailMessage, Message
from email.policy import EmailPolicy, compat32
from typing import Any, NamedTuple

from gateway_core.messages import State
from gateway_core.storage import clock
from mailgate import dsn, headers

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
_LONGEST_WORDS = 200  # of a network, in a field


class Outcome(NamedTuple):
    """What became of the text to one number (E.164). Times in milliseconds since 1970."""

    to: str
    state: str
    reason: str = ""
    words: str = ""  # of the network
    until: int | None = None  # how long it is tried, where it has not ended


def attach(
    mail: EmailMessage,
    body: EmailMessage,
    domain: str,
    origin: Mapping[str, Any],
    at: int,
    outcomes: Sequence[Outcome],
) -> None:
    """Make the mail a report: body, machine part, original headers. `at`: when the text was accepted."""
    mail["MIME-Version"] = "1.0"
    mail["Content-Type"] = "multipart/report; report-type=delivery-status"
    original = _original(mail.policy, domain, origin, at, outcomes)
    parts: list[Any] = [body, _machine_part(domain, origin, at, outcomes), original]
    mail.set_payload(parts)


def _machine_part(
    domain: str, origin: Mapping[str, Any], at: int, outcomes: Sequence[Outcome]
) -> "Message[str, str]":
    asked = origin.get("dsn", {})
    blocks: list[Any] = [
        _fields(
            ("Reporting-MTA", f"dns; {domain}"),
            ("Original-Envelope-Id", dsn.to_xtext(asked.get("envid", ""))),
            ("Arrival-Date", _date(at)),
        )
    ]
    blocks += [_recipient(domain, asked, one) for one in outcomes]
    part: Message[str, str] = Message(policy=compat32)
    part["Content-Type"] = "message/delivery-status"
    part.set_payload(blocks)
    return part


def _recipient(domain: str, asked: Mapping[str, Any], one: Outcome) -> "Message[str, str]":
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


def _fields(*fields: tuple[str, str]) -> "Message[str, str]":
    """Those that are not empty. Nobody else's words begin a field: each is one line of printable ASCII."""
    block: Message[str, str] = Message(policy=compat32)
    for name, value in fields:
        if value:
            block[name] = value
    return block


def _plain(words: str) -> str:
    ascii_only = headers.line(words).encode("ascii", "replace").decode()
    return "".join(letter for letter in ascii_only if letter.isprintable())[:_LONGEST_WORDS]


def _date(at: int) -> str:
    return email.utils.formatdate(at / clock.SECOND, localtime=True)


def _original(
    policy: Any, domain: str, origin: Mapping[str, Any], at: int, outcomes: Sequence[Outcome]
) -> "Message[str, str]":
    """The whole mail where its sender asked for it (RET=FULL) and we have it; else what we know of its head."""
    part: Message[str, str] = Message(policy=compat32)
    if origin.get("full"):
        part["Content-Type"] = "message/rfc822"
        part.set_payload(origin["full"])  # as it came
        return part
    head = EmailMessage(policy=policy if isinstance(policy, EmailPolicy) else EmailPolicy())
    head["From"] = headers.addressee(origin.get("from", ""))
    numbers = [headers.addressee(f"{one.to.removeprefix('+')}@{domain}") for one in outcomes]
    head["To"] = numbers
    head["Subject"] = headers.line(origin.get("subject", ""))
    head["Date"] = headers.line(origin.get("date", "")) or _date(at)
    message_id = origin.get("message_id", "")
    if headers.is_usable_id(message_id):
        head["Message-ID"] = f"<{message_id}>"
    part["Content-Type"] = "text/rfc822-headers; charset=us-ascii"
    part.set_payload(head.as_bytes().decode("ascii").rstrip() + "\r\n")
    return part
