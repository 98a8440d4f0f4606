"""What the listener decides at RCPT and at the end of a mail, and what it answers: one line, once."""

import asyncio
import secrets
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

import structlog
from prometheus_client import Counter, Histogram

from gateway_core.errors import GatewayError
from gateway_core.storage import ids
from gateway_core.submit import Outcome
from mailgate import checks, dsn, intake, proving, refused, smtp_replies
from mailgate.checks import Intake, Recipient
from mailgate.errors import NotProvable, TooManyRecipients
from mailgate.intake import MOST_NUMBERS
from mailgate.mail import Mail, parse
from mailgate.settings import LegacySettings
from mailgate.smtp import framing, legacy
from mailgate.smtp.syntax import Target
from mailgate.trust import Shown
from mailgate.waiting import Waiting

MOST_RECIPIENTS = 1000  # of one mail; RFC 5321 §4.5.3.1.8 asks for at least 100
_MOST_UNPROVED = 100  # of one whose sender only the mail itself can prove: what RFC 5321 asks for
_TOO_MANY = "at most {} a mail; send the rest in another one"
_READ_HERE = 32_768  # bytes; a larger mail is read in a thread, so that no other session waits for it
_PROOFS_AT_ONCE = 16  # threads that wait for DNS, up to five seconds each
_PROOFS_WAITING = 200  # more mails are told to come back

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
    numbers: int = 0  # that the recipients stand for, as far as that is known
    from_: str = ""  # the address in From
    shown: Shown | None = None  # what the mail showed of its sender

    def is_proved(self) -> bool:
        """Whether a sender was proved before its mail."""
        return any(known.account and not known.pending for known in self.recipients)


class Handler:
    """One for all connections of a loop. A method returns its reply, or None and calls `answer` with it later."""

    def __init__(self, state: Intake, *, alike_seconds: float = 1.0) -> None:
        """`alike_seconds`: a mail that had to prove its sender and did not is refused so long after its final dot,
        whatever was wrong: how long a look-up took tells nothing.
        """
        self._intake = state
        self._alike_seconds = alike_seconds
        self._provers = ThreadPoolExecutor(_PROOFS_AT_ONCE, thread_name_prefix="proof")
        self._proofs = 0  # mails whose sender is being proved
        self._loop = asyncio.get_running_loop()
        self._waiting = Waiting(self._loop)
        self._mails = {code: MAILS.labels(code) for code in ("250", "550", "552", "554")}

    # --- RCPT -------------------------------------------------------------------------------------------

    def recipient(self, transaction: Transaction, target: Target, answer: Answer) -> str | None:
        transaction.tried += 1
        most = MOST_RECIPIENTS if transaction.is_proved() or not transaction.recipients else _MOST_UNPROVED
        if transaction.tried > most:
            words = _TOO_MANY.format(f"{most} recipients")
            return self._reply(TooManyRecipients(words), transaction)  # no record: the sender tries again
        if checks.reads(self._intake, transaction.envelope, target.address):
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
        numbers = len(known.to) + len(known.left_out)
        if transaction.numbers and transaction.numbers + numbers > MOST_NUMBERS:
            return self._reply(TooManyRecipients(_TOO_MANY.format(f"{MOST_NUMBERS} numbers")), transaction)
        transaction.numbers += numbers
        if target.asked is not dsn.NO_RECIPIENT_OPTIONS:
            known = known._replace(dsn=target.asked)
        transaction.recipients.append(known)
        return "250 2.1.5 recipient noted"

    def _refused_recipient(self, transaction: Transaction, target: Target, error: GatewayError) -> str:
        case = refused.Case(transaction.envelope)
        refused.note(self._intake, case, target.address, error)
        refused.note_spoof(self._intake, case, error)
        return self._reply(error, transaction)

    # --- the mail ---------------------------------------------------------------------------------------

    def mail(self, transaction: Transaction, raw: bytes, answer: Answer) -> str | None:
        """Decide a whole mail, as it came over the wire."""
        began = time.perf_counter()
        if any(known.pending for known in transaction.recipients):
            return self._prove(transaction, raw, began, answer)
        listed = any(
            known.is_listed() for known in transaction.recipients
        )  # whom it lists may have opted out
        if len(raw) <= _READ_HERE and not listed:
            written = self._read(transaction, raw)
            if written is None:
                return self._prove(transaction, raw, began, answer)
            return self._submitted(transaction, written, began, answer)

        def read(done: "asyncio.Future[Future[Outcome] | None]") -> None:
            written = done.result()
            if written is None:
                reply = self._prove(transaction, raw, began, answer)
            else:
                reply = self._submitted(transaction, written, began, answer)
            if reply is not None:
                answer(reply)

        self._loop.run_in_executor(None, self._read, transaction, raw).add_done_callback(read)
        return None

    def _prove(self, transaction: Transaction, raw: bytes, began: float, answer: Answer) -> str | None:
        """The same where only the mail can prove its sender, which may take DNS: in a thread."""
        if self._proofs >= _PROOFS_WAITING:
            return self.refuse(transaction, NotProvable("too many senders to be checked; try again later"))
        self._proofs += 1

        def proved(done: "asyncio.Future[Future[Outcome] | None]") -> None:
            self._proofs -= 1
            if done.cancelled():  # the drain is over, and its connection gone: the peer keeps the mail
                return
            written = done.result()
            reply = self._submitted(transaction, written, began, answer) if written else None
            if reply is not None:
                late = began + self._alike_seconds - time.perf_counter() if reply[0] != "2" else 0.0
                self._loop.call_later(max(0.0, late), answer, reply)

        work = self._loop.run_in_executor(self._provers, partial(self._read, transaction, raw, prove=True))
        work.add_done_callback(proved)
        return None

    def close(self) -> None:
        self._provers.shutdown(wait=False, cancel_futures=True)

    def refuse(self, transaction: Transaction, error: GatewayError) -> str:
        """Leave a record for each recipient of a mail that is not accepted; the reply to its last line."""
        case = refused.Case(transaction.envelope, transaction.from_, transaction.shown)
        refused.note_each(self._intake, case, [known.address for known in transaction.recipients], error)
        refused.note_spoof(self._intake, case, error)
        log.info("mail refused", mail_from=transaction.envelope.mail_from, why=str(error))
        return self._count(self._reply(error, transaction))

    def _read(self, transaction: Transaction, raw: bytes, *, prove: bool = False) -> "Future[Outcome] | None":
        """Never raises: what is wrong is in the future. None: its sender must be proved first."""
        try:
            return self._submit(transaction, raw, prove=prove)
        except Exception as error:  # noqa: BLE001 - told apart where the reply is made
            failed: Future[Outcome] = Future()
            failed.set_exception(error)
            return failed

    def _submit(self, transaction: Transaction, raw: bytes, *, prove: bool) -> "Future[Outcome] | None":
        profile, envelope = transaction.profile, transaction.envelope
        if profile and profile.repair_line_ends:
            raw = framing.repaired(raw)
        framing.check_lines(raw)
        raw = framing.unstuffed(raw)
        mail = parse(raw, profile.charset if profile else "")
        if profile and profile.recipients_from_to and any(one.account for one in transaction.recipients):
            ours = [known for known in transaction.recipients if known.is_ours()]
            transaction.recipients = ours + legacy.recipients(self._intake, transaction.envelope, mail)
        transaction.from_ = mail.from_[0] if mail.from_ else ""
        if prove:
            mail, raw = self._look(transaction, mail, raw)
        elif proving.needed(self._intake, envelope, mail):
            return None
        to, shown = transaction.recipients, transaction.shown
        return intake.accept(self._intake, envelope, to, mail, raw, transaction.asked, shown)

    def _look(self, transaction: Transaction, mail: Mail, raw: bytes) -> tuple[Mail, bytes]:
        looked = proving.look(self._intake, transaction.envelope, transaction.recipients, mail, raw)
        transaction.recipients, transaction.shown = looked.recipients, looked.shown
        if looked.holds_secret(transaction.asked.envid):
            transaction.asked = replace(transaction.asked, envid="")
        return looked.mail, looked.raw

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
        previewed = bool(outcome.results) and not shown
        log.info(
            "preview accepted" if previewed else "mail accepted",
            submission=shown,
            mail_from=envelope.mail_from,
            peer=envelope.peer,
            recipients=recipients,
        )
        return smtp_replies.PREVIEWED if previewed else smtp_replies.accepted(shown)

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
        why = repr(error.__cause__ or error)
        log.warning("try again later", trace=trace_id, why=why, peer=transaction.envelope.peer)
        return smtp_replies.traced(reply, trace_id)

    @staticmethod
    def failed(what: str, error: BaseException, transaction: Transaction | None = None) -> str:
        """Nothing of ours is shown to a peer, and nothing that went wrong here is final (RFC 5321 §4.2.1)."""
        trace_id = secrets.token_hex(8)
        peer = transaction.envelope.peer if transaction else ""
        log.error(what, trace=trace_id, peer=peer, exc_info=error)
        return smtp_replies.unexpected(trace_id)
