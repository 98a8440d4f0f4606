"""Mail becomes a submission. Each ingress obtains mail and asks here; it decides nothing itself."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from gateway_core import keys, notices
from gateway_core.accounts import Account
from gateway_core.caps import Cap
from gateway_core.drafts import Submission
from gateway_core.errors import UnknownSender
from gateway_core.jobs.queue import NOTICES
from gateway_core.keys import Key
from gateway_core.notices import Notice
from gateway_core.storage import clock
from gateway_core.submit import Outcome, submit
from mailgate import automatic, dsn, guard
from mailgate.checks import NOT_ALLOWED, Envelope, Intake, Recipient, settle
from mailgate.dsn import MailOptions
from mailgate.errors import Loop, MailTooLarge
from mailgate.mail import Mail
from mailgate.reading import Reading, read
from mailgate.trust import Rule, Shown

_NO_ID_LIVES_MS = 5 * clock.MINUTE
_MOST_REMOVED, _LONGEST_REMOVED = 20, 2000  # pieces, and characters of one
_LONGEST_FORWARD = 1_000_000  # bytes of a mail to postmaster


def accept(
    intake: Intake,
    envelope: Envelope,
    recipients: Sequence[Recipient],
    mail: Mail,
    raw: bytes,
    asked: MailOptions = dsn.NO_MAIL_OPTIONS,
    shown: Shown | None = None,
) -> "Future[Outcome]":
    """Hand a mail with decided recipients to the core. Raises Refused; the future raises NotKept.

    The mail has one answer: it is refused whole, or accepted whole. `shown` is what `proving.look` found.
    """
    texted = [recipient for recipient in recipients if not recipient.is_ours()]
    if not texted:
        return _forward(intake, envelope, recipients, mail, raw)
    reading = read(intake, envelope, texted[0], mail, shown)
    texted = [settle(intake, envelope, recipient) for recipient in texted]
    submission = _submission(envelope, texted, reading, asked)
    if len(texted) == len(recipients):
        return submit(intake.gateway, submission)
    notice = _notice(intake, envelope, recipients, mail, raw)
    return _after(submit(intake.gateway, submission), intake, notice)


def _submission(
    envelope: Envelope, texted: Sequence[Recipient], reading: Reading, asked: MailOptions
) -> Submission:
    account = texted[0].account
    if account is None:
        raise UnknownSender(NOT_ALLOWED)
    return Submission(
        account,
        tuple(dict.fromkeys(to for recipient in texted for to in recipient.to)),
        reading.text.text,
        origin=_origin(envelope, reading.mail) | _asked(texted, asked) | _left_out(reading),
        notify=True,
        whole=True,
        key=_key(envelope, reading),
        segments=reading.segments,
        sender_ids={
            to: recipient.sender_id for recipient in texted for to in recipient.to if recipient.sender_id
        },
        cap=_cap(account, texted[0].rule),
    )


def _cap(account: Account, rule: Rule | None) -> Cap | None:
    """What the sender may spend today, where the account is."""
    if rule is None or rule.daily_spend is None:
        return None
    today = datetime.now(ZoneInfo(account.terms.timezone)).date()
    return Cap(f"sender:{account.id}:{rule.address}", today.isoformat(), rule.daily_spend)


def _origin(envelope: Envelope, mail: Mail) -> dict[str, Any]:
    """What a receipt or reply needs in order to find the author's thread (RFC 5322 §3.6.4)."""
    return {
        "door": envelope.door,
        "envelope_from": envelope.mail_from,
        "from": mail.from_[0],
        "reply_to": list(mail.reply_to),
        "subject": mail.subject,
        "message_id": mail.message_id or "",
        "references": list(mail.references or ((mail.in_reply_to,) if mail.in_reply_to else ())),
        "attachments": list(mail.attachments),
        **({"unanswered": True} if automatic.wants_no_answer(mail) else {}),
    }


def _left_out(reading: Reading) -> dict[str, Any]:
    """What of the mail was not texted, as `message show` says it; bounded, since quoted history can be long."""
    removed = reading.text.removed[:_MOST_REMOVED]
    kept = [{"text": piece.text[:_LONGEST_REMOVED], "why": piece.why} for piece in removed]
    return {"removed": kept} if kept else {}


def _asked(texted: Sequence[Recipient], asked: MailOptions) -> dict[str, Any]:
    """What the sender asked of delivery reports; nothing where nothing was asked."""
    kept = dsn.kept(asked, {to: recipient.dsn for recipient in texted for to in recipient.to})
    return {"dsn": kept} if kept else {}


def _key(envelope: Envelope, reading: Reading) -> Key | None:
    """The Message-ID; without one, a digest that counts for five minutes, and only where there is a Date."""
    mail, text = reading.mail, reading.text.text
    if not mail.message_id and not mail.date:
        return None
    parts: tuple[str, ...] = (mail.from_[0], mail.date, mail.subject, text)
    evidence = reading.shown.evidence if reading.shown else None
    if mail.message_id and evidence is not None and evidence.signed:
        # A signed mail stays true when blanks are stretched, and when a field that it does not cover changes what is
        # cut from its text: sent again like that it is still the same mail.
        parts = (mail.from_[0], " ".join(mail.date.split()))
    mail_digest = keys.digest(*parts)
    if mail.message_id:
        return Key(keys.normal(mail.message_id), keys.digest(text), mail_digest)
    value = "no-id:" + keys.digest(envelope.mail_from, mail_digest)
    return Key(value, keys.digest(text), mail_digest, lives_ms=_NO_ID_LIVES_MS)


def _forward(
    intake: Intake, envelope: Envelope, recipients: Sequence[Recipient], mail: Mail, raw: bytes
) -> "Future[Outcome]":
    """Mail to the operator, and bounces of ours, are kept as notices for the operator."""
    nothing: Future[Outcome] = Future()
    nothing.set_result(Outcome(0, ()))
    return _after(nothing, intake, _notice(intake, envelope, recipients, mail, raw))


def _notice(
    intake: Intake, envelope: Envelope, recipients: Sequence[Recipient], mail: Mail, raw: bytes
) -> Notice:
    """Raises Loop, MailTooLarge."""
    if guard.is_loop(mail, intake.settings.mail.domains, intake.loop_token):
        raise Loop("this mail has been here before")
    if len(raw) > _LONGEST_FORWARD:
        raise MailTooLarge(f"mail to the operator may have {_LONGEST_FORWARD} bytes")
    names = sorted({recipient.address for recipient in recipients if recipient.is_ours()})
    facts = {"raw": raw.decode("latin-1"), "for": names, "mail_from": envelope.mail_from}
    return Notice(None, "forward:" + hashlib.sha256(raw).hexdigest(), "forward", facts)


def _after(submitted: "Future[Outcome]", intake: Intake, notice: Notice) -> "Future[Outcome]":
    """The outcome of a submission, once the operator's copy is committed too; no copy of what was refused."""
    both: Future[Outcome] = Future()

    def keep(done: "Future[Outcome]") -> None:
        error = done.exception()
        if error or done.result().refused:
            _settle(both, done.result() if not error else None, error)
            return
        kept = intake.gateway.writer.put(notices.owe_each, (intake.gateway.ids, notice))
        kept.add_done_callback(lambda written: _settle(both, done.result(), written.exception()))
        intake.gateway.queue.hint(NOTICES)

    submitted.add_done_callback(keep)
    return both


def _settle(future: "Future[Outcome]", outcome: Outcome | None, error: BaseException | None) -> None:
    if error or outcome is None:
        future.set_exception(error or RuntimeError("no outcome"))
    else:
        future.set_result(outcome)
