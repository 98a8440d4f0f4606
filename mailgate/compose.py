"""A notice becomes a mail: reports, replies and alarms, threaded under what their reader wrote.

All headers go through EmailMessage, which refuses line breaks; what people or phones wrote never becomes an
address. Every mail of ours says that it is one (RFC 3834 §5) and carries the mark by which we know it again.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, select

from gateway_core import digests, numbers
from gateway_core.accounts import Terms
from gateway_core.messages import FINAL
from gateway_core.storage import clock, ids, tables
from mailgate import (
    addresses,
    hearers,
    letters,
    outgoing,
    pace,
    parts,
    reports,
    statements,
    threads,
    wording,
)
from mailgate.checks import Intake
from mailgate.outgoing import Outgoing
from mailgate.reports import Outcome
from mailgate.threads import Thread
from mailgate.wording import Speech

_NOBODYS = Terms(timezone="UTC")
_LONGEST_GATHERED = 500_000  # characters of the texts in one mail


class _Submitted(NamedTuple):
    """What a notice is about, where it is about a text: its submission."""

    text: str = ""
    origin: Mapping[str, Any] = {}
    at: int = 0


def compose(state: Intake, conn: Connection, notice: Row[Any]) -> Outgoing | None:
    """The mail that a notice asks for; None when nobody is to be told by mail."""
    return _BY_KIND[notice.kind](state, conn, notice)


# --- reports ----------------------------------------------------------------------------------------------


def _receipt(state: Intake, conn: Connection, notice: Row[Any]) -> Outgoing | None:
    about, facts, speech = _submitted(conn, notice.message_id), notice.facts, _speech(state, notice)
    author = _author(about, hearers.is_for_people(about.origin, facts["to"]))
    outcome = Outcome(facts["to"], facts["state"], facts.get("reason", ""), facts.get("words", ""))
    said = letters.receipt(speech, facts, about.origin, about.text, author)
    to = hearers.of_receipt(state, notice, about.origin)
    return _report(state, notice, to, about, [outcome], speech.body("receipt", said)) if to else None


def _delay(state: Intake, conn: Connection, notice: Row[Any]) -> Outgoing | None:
    """None where the text has ended meanwhile."""
    m, facts = tables.message.c, notice.facts
    now = conn.execute(select(m.state).where(m.id == notice.message_id)).scalar_one()
    about = _submitted(conn, notice.message_id)
    to = hearers.of_receipt(state, notice, about.origin)
    if now in FINAL or not to:
        return None
    author = _author(about, hearers.is_for_people(about.origin, facts["to"]))
    said = letters.delay(
        {**facts, "state": now}, about.origin, about.text, author, _terms(state, notice).timezone
    )
    outcome = Outcome(facts["to"], now, until=facts["until"])
    return _report(state, notice, to, about, [outcome], _speech(state, notice).body("delay", said))


def _digest(state: Intake, conn: Connection, notice: Row[Any]) -> Outgoing | None:
    rows = digests.rows(conn, notice.facts["group"])
    words = digests.words(conn, [row.id for row in rows])
    outcomes = [Outcome(row.to, row.state, row.reason, words.get(row.id, ""), row.expires_at) for row in rows]
    about = _submitted(conn, notice.message_id)
    to = hearers.of_digest(state, notice, about.origin, {row.state for row in rows})
    if not to or not rows:
        return None
    author = _author(about, bool(about.origin.get("unanswered")))
    said = letters.digest(
        _speech(state, notice), outcomes, notice.facts["number"], about.origin, about.text, author
    )
    return _report(state, notice, to, about, outcomes, _speech(state, notice).body("digest", said))


def _author(about: _Submitted, for_people: bool) -> str:
    """Whom a report names that goes to somebody else than the author."""
    return str(about.origin["from"]) if for_people else ""


def _report(
    state: Intake,
    notice: Row[Any],
    to: tuple[str, ...],
    about: _Submitted,
    outcomes: list[Outcome],
    body: wording.Body,
) -> Outgoing:
    domain = state.settings.mail.domains[0]
    fields = outgoing.begin_ours(state, notice, threads.of(about.origin, to, outcomes[0].to))
    fields.append(parts.field("Precedence", "bulk"))
    if len(outcomes) == 1:  # who answers a report means the phone
        fields.append(parts.people("Reply-To", (f"{outcomes[0].to.removeprefix('+')}@{domain}",)))
    inner = [outgoing.filled(notice, body), *reports.parts_of(domain, about.origin, about.at, outcomes)]
    report = parts.multipart("report", f"{notice.id:x}r", inner, " report-type=delivery-status;")
    return outgoing.finish(notice, "", to, fields, report)


# --- answers ----------------------------------------------------------------------------------------------


def _reply(state: Intake, conn: Connection, notice: Row[Any]) -> Outgoing | None:
    facts = notice.facts
    about = _submitted(conn, notice.message_id) if notice.message_id else _Submitted()
    mailbox = hearers.of_reply(state, notice, about.origin)
    if not mailbox:
        return None
    body = _speech(state, notice).body("reply", letters.reply(facts, about.text))
    return _from_phone(
        state, conn, notice, facts, threads.of(about.origin, (mailbox,), facts["handset"]), body
    )


def _gathered(state: Intake, conn: Connection, notice: Row[Any]) -> Outgoing:
    """The answers of an hour in one mail, in the thread of the last one (`pace`)."""
    answers = pace.gathered(conn, notice.id)
    last = answers[-1]
    about = _submitted(conn, last.message_id) if last.message_id else _Submitted()
    shown, left = [], _LONGEST_GATHERED
    for answer in answers:
        shown.append((answer.created_at, answer.facts["text"]))
        left -= len(answer.facts["text"])
        if left < 0:
            break
    said = letters.gathered(
        shown, len(answers) - len(shown), notice.facts["most"], _terms(state, notice).timezone
    )
    thread = threads.of(about.origin, (notice.facts["mailbox"],), last.facts["handset"])
    body = _speech(state, notice).body("gathered", said)
    return _from_phone(state, conn, notice, last.facts, thread, body)


def _from_phone(
    state: Intake,
    conn: Connection,
    notice: Row[Any],
    facts: dict[str, Any],
    thread: Thread,
    body: wording.Body,
) -> Outgoing:
    domain, handset = state.settings.mail.domains[0], facts["handset"]
    fields = [
        *outgoing.begin(state, notice, thread),
        parts.person("From", numbers.display(handset), f"{handset.removeprefix('+')}@{domain}"),
        parts.people("Reply-To", (f"{_reply_local(state, conn, facts)}@{domain}",)),
    ]
    sender = f"{addresses.return_local(notice.id, state.secrets)}@{domain}"
    return outgoing.finish(notice, sender, thread.to, fields, outgoing.filled(notice, body))


def _reply_local(state: Intake, conn: Connection, facts: dict[str, Any]) -> str:
    c = tables.conversation.c
    conversation_id = conn.execute(
        select(c.id).where(c.handset == facts["handset"], c.number == facts["number"])
    ).scalar_one()
    expires_at = clock.now() + state.settings.mail.reply_token_days * clock.DAY
    return addresses.reply_local(conversation_id, expires_at, state.secrets)


# --- what else an account or the operator is owed ---------------------------------------------------------


def _alarm(state: Intake, conn: Connection, notice: Row[Any]) -> Outgoing:
    """What an account's own people should know, or the operator where it names none: facts say what it is about."""
    operator, speech = state.settings.mail.operator, _speech(state, notice)
    to = (str(notice.target).removeprefix("mailto:") or operator or "postmaster",)
    subject, said = letters.alarm(speech, notice.facts, _terms(state, notice).timezone)
    sent = outgoing.from_gateway(state, notice, Thread(to, subject, ()), speech.body("alarm", said))
    return replace(sent, local=not (notice.target or operator))


def _statement(state: Intake, conn: Connection, notice: Row[Any]) -> Outgoing:
    """The month's money, in words and as a table that programs read."""
    facts, to, speech = notice.facts, (str(notice.target).removeprefix("mailto:"),), _speech(state, notice)
    name = f"{facts['account']}-{facts['month']}.csv"
    inner = [
        outgoing.filled(notice, speech.body("statement", letters.statement(speech, facts))),
        parts.named(parts.text(statements.as_csv(facts), "csv"), name),
    ]
    fields = outgoing.begin_ours(state, notice, Thread(to, speech.say("subject.statement", **facts), ()))
    return outgoing.finish(notice, "", to, fields, parts.multipart("mixed", f"{notice.id:x}m", inner))


def _forward(state: Intake, conn: Connection, notice: Row[Any]) -> Outgoing:
    """Mail to postmaster, and bounces of ours, as they came."""
    operator = state.settings.mail.operator
    # The mark stands first: what the mail begins with may continue the field before it (RFC 5322 §2.2.3), and
    # must not spoil the mark. For whom the mail came is in the envelope only (RFC 9228). Nothing is said for its
    # author: Auto-Submitted stays as it came.
    fields = f"X-Mailgate-Loop: {state.loop_token}\r\nDelivered-To: {', '.join(notice.facts['for'])}\r\n"
    content = fields.encode() + notice.facts["raw"].encode("latin-1")
    return Outgoing(ids.show("n", notice.id), "", (operator or "postmaster",), content, local=not operator)


def _remark(state: Intake, conn: Connection, notice: Row[Any]) -> Outgoing | None:
    origin, speech = notice.facts["origin"], _speech(state, notice)
    said = letters.remark(speech, notice.facts, origin["from"] if origin.get("unanswered") else "")
    return _to_author(state, notice, speech.body("remark", said))


def _refusal(state: Intake, conn: Connection, notice: Row[Any]) -> Outgoing | None:
    speech = _speech(state, notice)
    return _to_author(state, notice, speech.body("refusal", letters.refusal(speech, notice.facts)))


def _preview(state: Intake, conn: Connection, notice: Row[Any]) -> Outgoing | None:
    speech = _speech(state, notice)
    return _to_author(state, notice, speech.body("preview", letters.preview(speech, notice.facts)))


def _to_author(state: Intake, notice: Row[Any], body: wording.Body) -> Outgoing | None:
    to, facts = hearers.of_remark(state, notice), notice.facts
    if not to:
        return None
    return outgoing.from_gateway(
        state, notice, threads.of(facts["origin"], to, facts.get("number", "")), body
    )


_BY_KIND = {
    "receipt": _receipt,
    "delay": _delay,
    "digest": _digest,
    "remark": _remark,
    "refusal": _refusal,
    "preview": _preview,
    "reply": _reply,
    "gathered": _gathered,
    "alarm": _alarm,
    "statement": _statement,
    "forward": _forward,
}


# --- parts ------------------------------------------------------------------------------------------------


def _submitted(conn: Connection, message_id: int) -> _Submitted:
    m, s = tables.message, tables.submission
    wanted = select(s.c.text, s.c.origin, s.c.created_at).join_from(m, s, m.c.submission_id == s.c.id)
    return _Submitted(*conn.execute(wanted.where(m.c.id == message_id)).one())


def _terms(state: Intake, notice: Row[Any]) -> Terms:
    account = state.gateway.snapshot.accounts.get(notice.account_id)
    return account.terms if account else _NOBODYS


def _speech(state: Intake, notice: Row[Any]) -> Speech:
    terms = _terms(state, notice)
    return wording.speech(terms.language, terms.templates)
