"""What the listener decides at RCPT and at the end of a mail, and what it answers: one line, once."""

import asyncio
import secrets
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import structlog
from prometheus_client import Counter, Histogram

from gateway_core.errors import GatewayError
from gateway_core.storage import ids
from gateway_core.submit import Outcome
from mailgate import addresses, checks, dsn, intake, smtp_replies
from mailgate.checks import Intake, Recipient
from mailgate.errors import TooManyRecipients
from mailgate.mail import parse
from mailgate.settings import LegacySettings
from mailgate.smtp import framing, legacy
from mailgate.smtp.syntax import Target
from mailgate.waiting import Waiting

MOST_RECIPIENTS = 1000  # of one mail; RFC 5321 §4.5.3.1.8 asks for at least 100
_READ_HERE = 32_768  # bytes; a larger mail is read in a thread, so that no other session waits for it

MAILS = Counter("mailgate_mails", "Mails by reply code", ["code"])
SECONDS = Histogram("mailgate_mail_seconds", "From the final dot to the reply")
log = structlog.get_logger(__name__)

Answer = Callable[[str], None]


@dataclass(slots=True)
class Transaction:
    """What was decided since MAIL."""

    envelope: checks.Envelope
    profile: LegacySettings | None = None
    utf8: bool = False
    asked: dsn.MailOptions = dsn.NO_MAIL_OPTIONS
    recipients: list[Recipient] = field(default_factory=list)
    tried: int = 0  # RCPT commands, the refused ones too


class Handler:
    """One for all connections of a loop. A method returns its reply, or None and calls `answer` with it later."""

    def __init__(self, state: Intake) -> None:
        self._intake = state
        self._loop = asyncio.get_running_loop()
        self._waiting = Waiting(self._loop)
        self._mails = {code: MAILS.labels(code) for code in ("250", "550", "552", "554")}

    # --- RCPT -------------------------------------------------------------------------------------------

    def recipient(self, transaction: Transaction, target: Target, answer: Answer) -> str | None:
        transaction.tried += 1
        if transaction.tried > MOST_RECIPIENTS:
            words = f"at most {MOST_RECIPIENTS} recipients a mail; send the rest in another one"
            return self._reply(TooManyRecipients(words), transaction)  # no record: the sender tries again
        if addresses.is_signed(target.address):  # its check reads the database
            reading = self._loop.run_in_executor(None, self._check, transaction, target)
            reading.add_done_callback(lambda done: answer(done.result()))
            return None
        return self._check(transaction, target)

    def _check(self, transaction: Transaction, target: Target) -> str:
        try:
            if transaction.profile and transaction.profile.recipients_from_to:
                known = legacy.placeholder(self._intake, transaction.envelope, target.address)
            else:
                known = checks.check(self._intake, transaction.envelope, target.address)
        except GatewayError as error:
            return self._refused_recipient(transaction, target, error)
        except Exception as error:  # noqa: BLE001 - the edge: the peer keeps the mail
            return self.failed("recipient not checked", error, transaction)
        if target.asked is not dsn.NO_RECIPIENT_OPTIONS:
            known = known._replace(dsn=target.asked)
        transaction.recipients.append(known)
        return "250 2.1.5 recipient noted"

    def _refused_recipient(self, transaction: Transaction, target: Target, error: GatewayError) -> str:
        account = checks.account_name(self._intake, transaction.envelope)
        intake.note_refusal(self._intake, transaction.envelope, target.address, error, account)
        return self._reply(error, transaction)

    # --- the mail ---------------------------------------------------------------------------------------

    def mail(self, transaction: Transaction, raw: bytes, answer: Answer) -> str | None:
        """Decide a whole mail, as it came over the wire."""
        began = time.perf_counter()
        if len(raw) <= _READ_HERE:
            return self._submitted(transaction, self._read(transaction, raw), began, answer)

        def read(done: "asyncio.Future[Future[Outcome]]") -> None:
            reply = self._submitted(transaction, done.result(), began, answer)
            if reply is not None:
                answer(reply)

        self._loop.run_in_executor(None, self._read, transaction, raw).add_done_callback(read)
        return None

    def refuse(self, transaction: Transaction, error: GatewayError) -> str:
        """Leave a record for each recipient of a mail that is not accepted; the reply to its last line."""
        account = next((known.account.name for known in transaction.recipients if known.account), "")
        for known in transaction.recipients:
            intake.note_refusal(self._intake, transaction.envelope, known.address, error, account)
        log.info("mail refused", mail_from=transaction.envelope.mail_from, why=str(error))
        return self._count(self._reply(error, transaction))

    def _read(self, transaction: Transaction, raw: bytes) -> "Future[Outcome]":
        """Never raises: what is wrong is in the future."""
        try:
            return self._submit(transaction, raw)
        except Exception as error:  # noqa: BLE001 - told apart where the reply is made
            failed: Future[Outcome] = Future()
            failed.set_exception(error)
            return failed

    def _submit(self, transaction: Transaction, raw: bytes) -> "Future[Outcome]":
        profile = transaction.profile
        if profile and profile.repair_line_ends:
            raw = framing.repaired(raw)
        framing.check_lines(raw)
        raw = framing.unstuffed(raw)
        mail = parse(raw, profile.charset if profile else "")
        if profile and profile.recipients_from_to and any(one.account for one in transaction.recipients):
            transaction.recipients = legacy.recipients(self._intake, transaction.envelope, mail)
        envelope = transaction.envelope
        return intake.accept(self._intake, envelope, transaction.recipients, mail, raw, transaction.asked)

    def _submitted(
        self, transaction: Transaction, written: "Future[Outcome]", began: float, answer: Answer
    ) -> str | None:
        def outcome(done: "Future[Outcome]") -> str:
            SECONDS.observe(time.perf_counter() - began)
            return self._outcome(transaction, done)

        if written.done():
            return outcome(written)
        # A client that hangs up meanwhile gives up the answer only: the commit goes on.
        self._waiting.tell(written, lambda done: answer(outcome(done)))
        return None

    def _outcome(self, transaction: Transaction, done: "Future[Outcome]") -> str:
        error = done.exception()
        if error is None:
            outcome = done.result()
            if not outcome.refused:
                return self._count(self._accepted(transaction, outcome))
            error = outcome.refused[0]
        if isinstance(error, GatewayError):
            return self.refuse(transaction, error)
        return self._count(self.failed("mail not accepted", error, transaction))

    def _accepted(self, transaction: Transaction, outcome: Outcome) -> str:
        shown = ids.show("s", outcome.submission_id) if outcome.submission_id else ""
        envelope, recipients = transaction.envelope, len(transaction.recipients)
        log.info(
            "mail accepted",
            submission=shown,
            mail_from=envelope.mail_from,
            peer=envelope.peer,
            recipients=recipients,
        )
        return smtp_replies.accepted(shown)

    def _count(self, reply: str) -> str:
        code = reply[:3]
        (self._mails.get(code) or MAILS.labels(code)).inc()
        return reply

    # --- words ------------------------------------------------------------------------------------------

    def _reply(self, error: GatewayError, transaction: Transaction) -> str:
        reply = smtp_replies.reply(error)
        if not reply.startswith("451"):
            return reply
        trace_id = secrets.token_hex(8)
        log.warning("try again later", trace=trace_id, why=repr(error), peer=transaction.envelope.peer)
        return smtp_replies.traced(reply, trace_id)

    @staticmethod
    def failed(what: str, error: BaseException, transaction: Transaction | None = None) -> str:
        """Nothing of ours is shown to a peer, and nothing that went wrong here is final (RFC 5321 §4.2.1)."""
        trace_id = secrets.token_hex(8)
        peer = transaction.envelope.peer if transaction else ""
        log.error(what, trace=trace_id, peer=peer, exc_info=error)
        return smtp_replies.unexpected(trace_id)
