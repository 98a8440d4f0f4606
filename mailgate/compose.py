"""A notice becomes a mail: receipts and replies, threaded under what their reader wrote.

All headers go through EmailMessage, which refuses line breaks; what people or phones wrote never becomes an
address. Every mail of ours says that it is one (RFC 3834 §5) and carries the mark by which we know it again.
"""

import email.utils
import hashlib
import re
from dataclasses import dataclass, replace
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from typing import Any

from sqlalchemy import Connection, Row, select

from gateway_core import numbers
from gateway_core.storage import clock, ids, tables
from mailgate import addresses, headers, hearers, pace, remarks, statements
from mailgate.checks import Intake
from mailgate.wording import (
    ALARM_WORDS,
    FOR_PEOPLE,
    GATHERED,
    GUESSED,
    OPTING_WORDS,
    REASON_WORDS,
    RECEIPT_WORDS,
)

_USABLE_ID = re.compile(r"[!-;=?-~]{3,500}")  # what fits a line without folding or encoding (RFC 5322 §2.1.1)
# Python decodes encoded words (RFC 2047) in any field, and no id is what it was then.
_ENCODED_WORD = re.compile(r"=\?[^?]*\?[bBqQ]\?.*\?=")
_LONGEST_GATHERED = 500_000  # characters of the texts in one mail
_MOST_REFERENCES = 20  # the first and the last ones; RFC 5322 §3.6.4 lets them grow for ever


class _Form(EmailPolicy):
    """How our mail is written: ids one a line, never cut or encoded, which would end the thread."""

    def fold_binary(self, name: str, value: str) -> bytes:
        if name not in {"In-Reply-To", "References"}:
            return super().fold_binary(name, value)
        lines = f"{self.linesep} ".join(str(value).split())
        return f"{name}: {lines}{self.linesep}".encode("ascii")


_POLICY = _Form(linesep="\r\n", cte_type="7bit")  # any relay takes it, with or without 8BITMIME


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One mail, ready to go. `mail_from` "" is the null return path."""

    id: str  # stable: the same notice is the same mail, whoever sends it and how often
    mail_from: str
    to: tuple[str, ...]
    content: bytes
    local: bool = False  # for this gateway's outbox, also where a smarthost is set


@dataclass(frozen=True, slots=True)
class _Thread:
    """Where in its reader's mail client a mail belongs."""

    to: tuple[str, ...]
    subject: str
    references: tuple[str, ...]


def compose(state: Intake, conn: Connection, notice: Row[Any]) -> Outgoing | None:
    """The mail that a notice asks for; None when nobody is to be told by mail."""
    return _BY_KIND[notice.kind](state, conn, notice)


# --- kinds ------------------------------------------------------------------------------------------------


def _receipt(state: Intake, conn: Connection, notice: Row[Any]) -> Outgoing | None:
    text, origin = _submitted(conn, notice.message_id)
    facts = notice.facts
    to = hearers.of_receipt(state, notice, origin)
    if not to:
        return None
    mail = _begin(state, notice, _thread(origin, to, facts["to"]))
    mail["From"] = Address("SMS gateway", addr_spec=state.settings.outbound.from_address)
    mail["Precedence"] = "bulk"
    words = FOR_PEOPLE.format(author=origin["from"]) if hearers.is_for_people(origin, facts["to"]) else ""
    mail.set_content(_receipt_words(facts, origin, text) + words)
    return _finish(notice, "", to, mail)


def _receipt_words(facts: dict[str, Any], origin: dict[str, Any], text: str) -> str:
    to = numbers.display(facts["to"])
    lines = [RECEIPT_WORDS[facts["state"]].format(to=to)]
    if facts.get("before"):
        lines.append("This corrects what was said before.")
    if facts.get("reason") in REASON_WORDS:
        lines.append(REASON_WORDS[facts["reason"]])
    if facts.get("words"):
        lines.append(f"The network said: {facts['words']}")
    if origin.get("attachments"):
        lines.append(remarks.attached(origin["attachments"]))
    return "\n".join([*lines, "", _quoted(text)])


def _reply(state: Intake, conn: Connection, notice: Row[Any]) -> Outgoing | None:
    facts = notice.facts
    text, origin = _submitted(conn, notice.message_id) if notice.message_id else ("", {})
    mailbox = hearers.of_reply(state, notice, origin)
    if not mailbox:
        return None
    said = facts["text"] + OPTING_WORDS[facts["opted_out"]] if "opted_out" in facts else facts["text"]
    said += GUESSED.format(number=numbers.display(facts["number"])) if facts.get("guessed") else ""
    words = "\n".join([said, "", _quoted(text)]) if text else said + "\n"
    return _from_phone(state, conn, notice, facts, _thread(origin, (mailbox,), facts["handset"]), words)


def _gathered(state: Intake, conn: Connection, notice: Row[Any]) -> Outgoing:
    """The answers of an hour in one mail, in the thread of the last one (`pace`)."""
    answers = pace.gathered(conn, notice.id)
    last = answers[-1]
    _, origin = _submitted(conn, last.message_id) if last.message_id else ("", {})
    account = state.gateway.snapshot.accounts.get(notice.account_id)
    zone = account.terms.timezone if account else "UTC"
    lines, left = [], _LONGEST_GATHERED
    for number, answer in enumerate(answers):
        lines.append(f"{pace.shown(answer.created_at, zone)}  {answer.facts['text']}")
        left -= len(lines[-1])
        if left < 0 and number + 1 < len(answers):
            lines.append(f"And {len(answers) - number - 1} more, which GET /v1/replies shows.")
            break
    words = GATHERED.format(texts="\n".join(lines), **notice.facts)
    thread = _thread(origin, (notice.facts["mailbox"],), last.facts["handset"])
    return _from_phone(state, conn, notice, last.facts, thread, words)


def _from_phone(
    state: Intake, conn: Connection, notice: Row[Any], facts: dict[str, Any], thread: _Thread, words: str
) -> Outgoing:
    mail, domain = _begin(state, notice, thread), state.settings.mail.domains[0]
    mail["From"] = Address(numbers.display(facts["handset"]), facts["handset"].removeprefix("+"), domain)
    mail["Reply-To"] = Address(addr_spec=f"{_reply_local(state, conn, facts)}@{domain}")
    mail.set_content(words)
    sender = f"{addresses.return_local(notice.id, state.secrets)}@{domain}"
    return _finish(notice, sender, thread.to, mail)


def _reply_local(state: Intake, conn: Connection, facts: dict[str, Any]) -> str:
    c = tables.conversation.c
    conversation_id = conn.execute(
        select(c.id).where(c.handset == facts["handset"], c.number == facts["number"])
    ).scalar_one()
    expires_at = clock.now() + state.settings.mail.reply_token_days * clock.DAY
    return addresses.reply_local(conversation_id, expires_at, state.secrets)


def _alarm(state: Intake, conn: Connection, notice: Row[Any]) -> Outgoing:
    """What an account's own people should know, or the operator where it names none: facts say what it is about."""
    facts, operator = notice.facts, state.settings.mail.operator
    to = (str(notice.target).removeprefix("mailto:") or operator or "postmaster",)
    subject, words = ALARM_WORDS[facts.get("about", "credit")]
    mail = _begin(state, notice, _Thread(to, subject.format_map(facts), ()))
    mail["From"] = Address("SMS gateway", addr_spec=state.settings.outbound.from_address)
    mail.set_content(words.format_map(facts))
    return replace(_finish(notice, "", to, mail), local=not (notice.target or operator))


def _statement(state: Intake, conn: Connection, notice: Row[Any]) -> Outgoing:
    """The month's money, in words and as a table that programs read."""
    facts, to = notice.facts, (str(notice.target).removeprefix("mailto:"),)
    mail = _begin(state, notice, _Thread(to, f"Statement of {facts['account']}, {facts['month']}", ()))
    mail["From"] = Address("SMS gateway", addr_spec=state.settings.outbound.from_address)
    mail.set_content(statements.as_words(facts))
    name = f"{facts['account']}-{facts['month']}.csv"
    mail.add_attachment(statements.as_csv(facts), subtype="csv", filename=name)
    return _finish(notice, "", to, mail)


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
    origin, words = notice.facts["origin"], remarks.remark_words(notice.facts)
    words += FOR_PEOPLE.format(author=origin["from"]) if origin.get("unanswered") else ""
    return _to_author(state, notice, words)


def _preview(state: Intake, conn: Connection, notice: Row[Any]) -> Outgoing | None:
    return _to_author(state, notice, remarks.preview_words(notice.facts))


def _to_author(state: Intake, notice: Row[Any], words: str) -> Outgoing | None:
    to, origin = hearers.of_remark(state, notice), notice.facts["origin"]
    if not to:
        return None
    mail = _begin(state, notice, _thread(origin, to, notice.facts["number"]))
    mail["From"] = Address("SMS gateway", addr_spec=state.settings.outbound.from_address)
    mail.set_content(words)
    return _finish(notice, "", to, mail)


_BY_KIND = {
    "receipt": _receipt,
    "remark": _remark,
    "preview": _preview,
    "reply": _reply,
    "gathered": _gathered,
    "alarm": _alarm,
    "statement": _statement,
    "forward": _forward,
}


# --- parts ------------------------------------------------------------------------------------------------


def _submitted(conn: Connection, message_id: int) -> tuple[str, dict[str, Any]]:
    """The text of a message and the origin of its submission."""
    m, s = tables.message, tables.submission
    row = conn.execute(
        select(s.c.text, s.c.origin).join_from(m, s, m.c.submission_id == s.c.id).where(m.c.id == message_id)
    ).one()
    return row.text, row.origin


def _thread(origin: dict[str, Any], to: tuple[str, ...], number: str) -> _Thread:
    """Under the mail that began it. One that a phone began has a root of its own, the same for each number."""
    subject = origin.get("subject", "").strip() or f"SMS {numbers.display(number)}"
    subject = subject if subject.lower().startswith("re:") else f"Re: {subject}"
    message_id = origin.get("message_id", "")
    if not _is_usable(message_id):
        domain = to[0].rpartition("@")[2]
        domain = (
            domain if _is_usable(domain) else hashlib.sha256(domain.encode("utf-8", "replace")).hexdigest()
        )
        return _Thread(to, subject, (f"sms.{number.removeprefix('+')}.{domain}@mailgate.invalid",))
    chain = [*filter(_is_usable, origin.get("references", ())), message_id]
    if len(chain) > _MOST_REFERENCES:
        chain = [chain[0], *chain[1 - _MOST_REFERENCES :]]
    return _Thread(to, subject, tuple(chain))


def _is_usable(message_id: str) -> bool:
    return bool(_USABLE_ID.fullmatch(message_id)) and not _ENCODED_WORD.search(message_id)


def _begin(state: Intake, notice: Row[Any], thread: _Thread) -> EmailMessage:
    mail = EmailMessage(policy=_POLICY)
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


def _finish(notice: Row[Any], mail_from: str, to: tuple[str, ...], mail: EmailMessage) -> Outgoing:
    return Outgoing(ids.show("n", notice.id), mail_from, to, mail.as_bytes())


def _quoted(text: str) -> str:
    return remarks.quoted(text) + "\n"
