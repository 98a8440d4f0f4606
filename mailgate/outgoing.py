"""How a mail of ours is begun, filled and finished: the fields that every one has, and its two forms."""

import email.utils
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any

from sqlalchemy import Row

from gateway_core.storage import ids
from mailgate import headers
from mailgate.checks import Intake
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


def begin(state: Intake, notice: Row[Any], thread: Thread) -> EmailMessage:
    mail = EmailMessage(policy=headers.POLICY)
    mail["Date"] = email.utils.format_datetime(email.utils.localtime())
    mail["Message-ID"] = f"<{ids.show('n', notice.id)}@{state.settings.mail.domains[0]}>"
    mail["To"] = [headers.addressee(address) for address in thread.to]
    mail["Subject"] = headers.line(thread.subject)
    if thread.references:
        mail["In-Reply-To"] = f"<{thread.references[-1]}>"
        mail["References"] = " ".join(f"<{reference}>" for reference in thread.references)
    # RFC 3834 §5 has `no` for what a person wrote, as the words of a phone are. But it is a machine that mails
    # them, the phone may be one too, and only auto-generated keeps the reader's absence notices from texting it.
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["X-Mailgate-Loop"] = state.loop_token
    return mail


def begin_ours(state: Intake, notice: Row[Any], thread: Thread) -> EmailMessage:
    mail = begin(state, notice, thread)
    mail["From"] = Address("SMS gateway", addr_spec=state.settings.outbound.from_address)
    return mail


def from_gateway(state: Intake, notice: Row[Any], thread: Thread, body: Body) -> Outgoing:
    return finish(notice, "", thread.to, filled(begin_ours(state, notice, thread), body))


def filled(mail: EmailMessage, body: Body) -> EmailMessage:
    """Plain, and HTML beside it where the account wants it."""
    mail.set_content(body.text)
    if body.html:
        mail.add_alternative(body.html, subtype="html")
    return mail


def finish(notice: Row[Any], mail_from: str, to: tuple[str, ...], mail: EmailMessage) -> Outgoing:
    return Outgoing(ids.show("n", notice.id), mail_from, to, mail.as_bytes())
