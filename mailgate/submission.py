"""What the core is asked to submit of a mail, and what comes back with every notice of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from gateway_core import keys, notices
from gateway_core.accounts import Account
from gateway_core.caps import Cap
from gateway_core.drafts import Submission
from gateway_core.errors import UnknownSender
from gateway_core.keys import Key
from gateway_core.storage import clock
from mailgate import automatic, dsn, trust
from mailgate.checks import NOT_ALLOWED, Envelope, Recipient
from mailgate.dsn import MailOptions
from mailgate.mail import Mail
from mailgate.options import NO_OPTIONS
from mailgate.reading import Reading
from mailgate.trust import Rule

_NO_ID_LIVES_MS = 5 * clock.MINUTE
_LONGEST_WHOLE, _LONGEST_LINE = 65_536, 998  # octets; of a line RFC 5322 §2.1.1
_MOST_REMOVED, _LONGEST_REMOVED = 20, 2000  # pieces, and characters of one


def of_mail(
    envelope: Envelope, texted: Sequence[Recipient], reading: Reading, asked: MailOptions, raw: bytes = b""
) -> Submission:
    """`raw`: the mail as it came, where it may be kept."""
    account = texted[0].account
    if account is None:
        raise UnknownSender(NOT_ALLOWED)
    return Submission(
        account,
        tuple(dict.fromkeys(to for recipient in texted for to in recipient.to)),
        reading.text.text,
        origin=origin(envelope, reading.mail)
        | _asked(texted, asked)
        | _left_out(reading)
        | _whole(asked, raw),
        sender=trust.normal(reading.mail.from_[0]),
        notify=True,
        receipts=_receipts(texted),
        warn=_warned(texted),
        whole=True,
        key=_key(envelope, reading),
        segments=reading.segments,
        sender_ids={
            to: recipient.sender_id for recipient in texted for to in recipient.to if recipient.sender_id
        },
        cap=_cap(account, texted[0].rule),
        client_ref=reading.listed.ref or None if reading.listed else None,
        flash=reading.options.flash,
        urgent=reading.options.urgent,
        flash_to=_with_option(texted, "flash"),
        urgent_to=_with_option(texted, "urgent"),
    )


def _receipts(texted: Sequence[Recipient]) -> dict[str, str]:
    """Of which ends the author is told: as it asked (RFC 3461), else as its rule says, else its account."""
    return {to: _mode(one) for one in texted for to in one.to}


def _mode(one: Recipient) -> str:
    if one.dsn.notify:
        return dsn.receipts(one.dsn.notify)
    own = one.rule.receipts if one.rule else ""
    return own or (one.account.terms.receipts if one.account else "none")


def _warned(texted: Sequence[Recipient]) -> frozenset[str] | None:
    """Whose delay it is told of, where it asked for anything."""
    if not any(one.dsn.notify for one in texted):
        return None
    return frozenset(to for one in texted if _wants_warning(one) for to in one.to)


def _wants_warning(one: Recipient) -> bool:
    return "DELAY" in one.dsn.notify if one.dsn.notify else _mode(one) not in {"none", notices.DIGEST}


_NOBODY: frozenset[str] = frozenset()


def _with_option(texted: Sequence[Recipient], option: str) -> frozenset[str]:
    """The numbers of those recipients that ask for it."""
    if all(one.options is NO_OPTIONS for one in texted):
        return _NOBODY
    return frozenset(to for one in texted if getattr(one.options, option) for to in one.to)


def _cap(account: Account, rule: Rule | None) -> Cap | None:
    """What the sender may spend today, where the account is."""
    if rule is None or rule.daily_spend is None:
        return None
    today = datetime.now(ZoneInfo(account.terms.timezone)).date()
    return Cap(f"sender:{account.id}:{rule.address}", today.isoformat(), rule.daily_spend)


def origin(envelope: Envelope, mail: Mail) -> dict[str, Any]:
    """What a receipt or reply needs in order to find the author's thread (RFC 5322 §3.6.4)."""
    return {
        "door": envelope.door,
        "envelope_from": envelope.mail_from,
        "from": mail.from_[0],
        "reply_to": list(mail.reply_to),
        "subject": mail.subject,
        "message_id": mail.message_id or "",
        "date": mail.date,
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


def _whole(asked: MailOptions, raw: bytes) -> dict[str, Any]:
    """The mail itself, where its sender asked to get it back (RET=FULL) and a report can hold it (RFC 6522 §3)."""
    fits = asked.ret == "FULL" and len(raw) <= _LONGEST_WHOLE and raw.isascii()
    if not fits or max(map(len, raw.split(b"\r\n"))) > _LONGEST_LINE:
        return {}
    return {"full": raw.decode("ascii")}


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
