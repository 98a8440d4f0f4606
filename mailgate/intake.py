"""Mail becomes a submission. Each ingress obtains mail and asks here; it decides nothing itself."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import Future

from gateway_core import drafts, notices
from gateway_core.drafts import Submission
from gateway_core.jobs.queue import NOTICES
from gateway_core.messages import State
from gateway_core.notices import Notice
from gateway_core.submit import Accepted, Outcome, submit
from mailgate import bounces, dsn, guard, refused, remarks, submission, trust
from mailgate.addresses import ReturnPath
from mailgate.checks import Envelope, Intake, Recipient
from mailgate.dsn import MailOptions
from mailgate.errors import GroupTooLarge, Loop, MailTooLarge
from mailgate.mail import Mail
from mailgate.reading import Reading, read
from mailgate.remarks import LeftOut
from mailgate.settling import expand, settle
from mailgate.trust import Shown

_NEVER = ("NEVER",)  # no report is wanted of this recipient (RFC 3461, section 4.1)
MOST_NUMBERS = 1000  # that one mail may reach, of all its groups: one transaction writes a message for each
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

    The mail has one answer: it is refused whole, or accepted whole. `shown` is what `proving.look` found. Of a preview
    the outcome has results, and no submission.
    """
    texted = [recipient for recipient in recipients if not recipient.is_ours()]
    owed = [_forwarded(intake, envelope, recipients, mail, raw)] if len(texted) < len(recipients) else []
    if not texted:
        return _told(intake, Outcome(0, ()), owed)
    reading = read(intake, envelope, texted[0], mail, shown, lists=any(one.is_listed() for one in texted))
    texted = _settled(intake, envelope, texted, reading)
    wanted = submission.of_mail(envelope, texted, reading, asked, _returnable(intake, texted, raw))
    if len(wanted.to) > MOST_NUMBERS:
        raise GroupTooLarge(f"the mail is for {len(wanted.to)} numbers; at most {MOST_NUMBERS} a mail")
    left_out = _left_out(texted)
    if reading.options.preview or any(recipient.options.preview for recipient in texted):
        return _preview(intake, wanted, left_out, owed)
    heard = [one for one in texted if one.dsn.notify != _NEVER]
    if heard and (left_out or mail.attachments):
        owed += remarks.remark(wanted, mail, _left_out(heard))
    if intake.book.dead and not (wanted.origin or {}).get("unanswered"):  # somebody is there after all
        for author in intake.book.dead.intersection(map(trust.normal, (mail.from_[0], *mail.reply_to))):
            intake.gateway.writer.put(bounces.revive, author)
    submitted = submit(intake.gateway, wanted._replace(owed=tuple(owed)) if owed else wanted)
    if left_out:
        submitted.add_done_callback(
            lambda done: _note(intake, refused.Case(envelope, mail.from_[0], shown), left_out, done)
        )
    return submitted


def _returnable(intake: Intake, texted: Sequence[Recipient], raw: bytes) -> bytes:
    """The mail, unless it may hold a secret: that is kept nowhere."""
    account = texted[0].account
    return b"" if account is None or intake.book.rules().has_secret(account.id) else raw


def _left_out(texted: Sequence[Recipient]) -> LeftOut:
    """Each once, though several groups may have it."""
    return list(dict(one for recipient in texted for one in recipient.left_out).items())


def _settled(
    intake: Intake, envelope: Envelope, texted: Sequence[Recipient], reading: Reading
) -> list[Recipient]:
    """Each decided as far as can be known before the transaction; what stands for a list, by what it lists."""
    found: list[Recipient] = []
    for recipient in texted:
        known = settle(intake, envelope, recipient)
        if reading.listed is not None and known.is_listed():
            found += expand(intake, envelope, known, reading.listed.to, reading.listed.sender_id)
        else:
            found.append(known)
    return found


def _preview(intake: Intake, wanted: Submission, left_out: LeftOut, owed: list[Notice]) -> "Future[Outcome]":
    """Everything is decided, and mailed to the author instead of texted to anybody."""
    text, drafted, refusals = drafts.decide(intake.gateway.snapshot, wanted)
    if refusals:
        return _done(Outcome(0, tuple(refusals)))
    would_be = [
        (one.to, Accepted(0, State.QUEUED, len(one.segments), str(one.segments.encoding), one.price))
        for one in drafted
    ]
    owed.append(remarks.preview(wanted, text, drafted, left_out))
    return _told(intake, Outcome(0, tuple(would_be)), owed)


def _note(intake: Intake, case: refused.Case, left_out: LeftOut, submitted: "Future[Outcome]") -> None:
    """A record of each number that is not texted, once the others are."""
    if submitted.exception() is None and not submitted.result().refused:
        for to, error in left_out:
            refused.note(intake, case, to, error)


def _done(outcome: Outcome) -> "Future[Outcome]":
    done: Future[Outcome] = Future()
    done.set_result(outcome)
    return done


def _forwarded(
    intake: Intake, envelope: Envelope, recipients: Sequence[Recipient], mail: Mail, raw: bytes
) -> Notice:
    """Mail to the operator, and bounces of ours, are kept as notices. Raises Loop, MailTooLarge."""
    if guard.is_loop(mail, intake.settings.mail.domains, intake.loop_token):
        raise Loop("this mail has been here before")
    if len(raw) > _LONGEST_FORWARD:
        raise MailTooLarge(f"mail to the operator may have {_LONGEST_FORWARD} bytes")
    ours = [recipient for recipient in recipients if recipient.is_ours()]
    names = sorted({recipient.address for recipient in ours})
    facts = {"raw": raw.decode("latin-1"), "for": names, "mail_from": envelope.mail_from}
    digest = hashlib.sha256(raw).hexdigest()
    path = ours[0].named
    if len(ours) == 1 and isinstance(path, ReturnPath):
        about = path.notice_id
        return Notice(None, f"bounce:{about}:{digest}", "bounce", {**facts, "about": about})
    return Notice(None, f"forward:{digest}", "forward", facts)


def _told(intake: Intake, outcome: Outcome, owed: Sequence[Notice]) -> "Future[Outcome]":
    """The outcome of what is no text, once each notice of it is committed; said again, they are the same ones."""
    told: Future[Outcome] = Future()
    put = intake.gateway.writer.put
    waiting = [put(notices.owe_each, (intake.gateway.ids, notice)) for notice in owed]

    def next_one(_done: "Future[None] | None" = None) -> None:
        error = _done.exception() if _done else None
        if error:
            told.set_exception(error)
        elif waiting:
            waiting.pop().add_done_callback(next_one)
        else:
            intake.gateway.queue.hint(NOTICES)
            told.set_result(outcome)

    next_one()
    return told
