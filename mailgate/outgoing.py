"""How a mail of ours is begun, filled and finished: the fields that every one has, and its two forms."""

import email.utils
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from gateway_core.storage import ids
from mailgate import headers, parts
from mailgate.checks import Intake
from mailgate.parts import Part
from mailgate.threads import Thread
from mailgate.wording import Body


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One mail, ready to go. `mail_from` "" is the null return path."""

    id: str  # stable: the same notice is the same mail, whoever sends it and how often
    mail_from: str
    to: tuple[str, ...]
    content: bytes
    local: bool = False  # for this gateway's outbox, also where a smarthost is set


def begin(state: Intake, notice: Row[Any], thread: Thread) -> list[str]:
    """The fields of every mail of ours but its author."""
    fields = [
        parts.field("Date", email.utils.format_datetime(email.utils.localtime())),
        parts.field("Message-ID", f"<{ids.show('n', notice.id)}@{state.settings.mail.domains[0]}>"),
        parts.people("To", thread.to),
        parts.field("Subject", headers.line(thread.subject)),
    ]
    if thread.references:
        fields += [
            parts.field("In-Reply-To", f"<{thread.references[-1]}>"),
            parts.field("References", " ".join(f"<{reference}>" for reference in thread.references)),
        ]
    # RFC 3834 §5 has `no` for what a person wrote, as the words of a phone are. But it is a machine that mails
    # them, the phone may be one too, and only auto-generated keeps the reader's absence notices from texting it.
    fields += [
        parts.field("Auto-Submitted", "auto-generated"),
        parts.field("X-Auto-Response-Suppress", "All"),
        parts.field("X-Mailgate-Loop", state.loop_token),
    ]
    return fields


def begin_ours(state: Intake, notice: Row[Any], thread: Thread) -> list[str]:
    author = parts.person("From", "SMS gateway", state.settings.outbound.from_address)
    return [*begin(state, notice, thread), author]


def from_gateway(state: Intake, notice: Row[Any], thread: Thread, body: Body) -> Outgoing:
    return finish(notice, "", thread.to, begin_ours(state, notice, thread), filled(notice, body))


def filled(notice: Row[Any], body: Body) -> Part:
    """Plain, and HTML beside it where the account wants it."""
    plain = parts.text(body.text)
    if not body.html:
        return plain
    return parts.multipart("alternative", f"{notice.id:x}a", [plain, parts.text(body.html, "html")])


def finish(notice: Row[Any], mail_from: str, to: tuple[str, ...], fields: list[str], part: Part) -> Outgoing:
    return Outgoing(ids.show("n", notice.id), mail_from, to, parts.whole(fields, part))
