"""What the listener asks at each stage, and what it answers."""

import asyncio
import secrets
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session
from prometheus_client import Counter, Histogram

from gateway_core.errors import GatewayError
from gateway_core.storage import ids
from gateway_core.submit import Outcome
from mailgate import addresses, checks, intake, smtp_replies
from mailgate.checks import Intake, Recipient
from mailgate.errors import TooManyRecipients
from mailgate.mail import parse
from mailgate.waiting import Waiting

MOST_RECIPIENTS = 1000  # RFC 5321 §4.5.3.1.8 asks for at least 100
_READ_HERE = 32_768  # bytes; a larger mail is read in a thread, so that no other session waits for it

MAILS = Counter("mailgate_mails", "Mails by reply code", ["code"])
SECONDS = Histogram("mailgate_mail_seconds", "From the final dot to the reply")
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Transaction:
    """What was decided since MAIL."""

    envelope: checks.Envelope
    recipients: list[Recipient] = field(default_factory=list)


class Handler:
    """Hooks of aiosmtpd; one for all connections."""

    def __init__(self, state: Intake, draining: asyncio.Event) -> None:
        self._intake = state
        self._draining = draining
        self._waiting = Waiting(asyncio.get_running_loop())

    async def handle_EHLO(  # noqa: N802 - aiosmtpd finds it by name
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", "250-ENHANCEDSTATUSCODES", responses[-1]]

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._draining.is_set():
            return smtp_replies.DRAINING
        envelope.mail_from = address  # "<>" for the null sender: aiosmtpd takes "" for no MAIL at all
        envelope.mail_options.extend(options)
        sender = "" if address == "<>" else address
        envelope.transaction = _Transaction(checks.Envelope(sender, _peer(session)))  # type: ignore[attr-defined]
        return "250 2.1.0 sender noted"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        transaction: _Transaction = envelope.transaction  # type: ignore[attr-defined]
        try:
            if len(transaction.recipients) >= MOST_RECIPIENTS:
                raise TooManyRecipients(
                    f"at most {MOST_RECIPIENTS} recipients a mail; send the rest in another one"
                )
            transaction.recipients.append(await self._check(transaction.envelope, address))
        except GatewayError as error:
            account = checks.account_name(self._intake, transaction.envelope)
            intake.note_refusal(self._intake, transaction.envelope, address, error, account)
            return smtp_replies.reply(error)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 recipient noted"

    async def _check(self, envelope: checks.Envelope, address: str) -> Recipient:
        if (
            addresses.split(address)[0].lower().startswith("r.")
        ):  # a reply address: its check reads the database
            return await asyncio.to_thread(checks.check, self._intake, envelope, address)
        return checks.check(self._intake, envelope, address)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        began = time.perf_counter()
        transaction: _Transaction = envelope.transaction  # type: ignore[attr-defined]
        try:
            status = await self._accept(transaction, bytes(envelope.original_content or b""))
        except GatewayError as error:
            status = self.refuse(transaction, error)
        except Exception:
            trace_id = secrets.token_hex(8)
            log.exception("mail not accepted", trace=trace_id, mail_from=transaction.envelope.mail_from)
            status = smtp_replies.unexpected(trace_id)
        MAILS.labels(status[:3]).inc()
        SECONDS.observe(time.perf_counter() - began)
        return status

    async def _accept(self, transaction: _Transaction, raw: bytes) -> str:
        small = len(raw) <= _READ_HERE
        future = (
            self._read(transaction, raw) if small else await asyncio.to_thread(self._read, transaction, raw)
        )
        # A client that hangs up after the dot cancels this task; the commit goes on and counts.
        outcome: Outcome = await self._waiting.result(future)
        if outcome.refused:
            raise outcome.refused[0]
        log.info(
            "mail accepted",
            submission=ids.show("s", outcome.submission_id),
            mail_from=transaction.envelope.mail_from,
            peer=transaction.envelope.peer,
            recipients=len(transaction.recipients),
        )
        return smtp_replies.accepted(ids.show("s", outcome.submission_id) if outcome.submission_id else "")

    def _read(self, transaction: _Transaction, raw: bytes) -> "Future[Outcome]":
        return intake.accept(self._intake, transaction.envelope, transaction.recipients, parse(raw), raw)

    def refuse(self, transaction: _Transaction, error: GatewayError) -> str:
        """Leave a record for each recipient of a mail that is not accepted; the reply to its last line."""
        account = next((known.account.name for known in transaction.recipients if known.account), "")
        for known in transaction.recipients:
            intake.note_refusal(self._intake, transaction.envelope, known.address, error, account)
        log.info("mail refused", mail_from=transaction.envelope.mail_from, why=str(error))
        return smtp_replies.reply(error)


def _peer(session: Session) -> str:
    peer: Any = session.peer
    return str(peer[0]) if isinstance(peer, tuple) else ""
