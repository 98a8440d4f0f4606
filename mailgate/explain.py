"""What would become of a mail, without doing it: every check with its verdict, the text, what was cut, the price."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway_core import encoding, ledger, money
from gateway_core.accounts import Account, Terms
from gateway_core.drafts import check_destination, route_for, sender_id_for
from gateway_core.encoding import Segments
from gateway_core.errors import NoCredit, Refused, UnknownSender
from mailgate import addresses, checks, proving, reading, settling, trust
from mailgate.checks import Envelope, Intake, Recipient
from mailgate.errors import NotProvable
from mailgate.mail import Mail, parse
from mailgate.proof.names import DnsTrouble
from mailgate.reading import Reading
from mailgate.trust import Rule, Shown, Standing

# How a mail is read when nobody may submit it: so that its text is shown all the same.
_NOBODY = Account(0, "nobody", "prepaid", "GBP", 0, Terms())
_LONGEST = 100_000  # characters whose segments are counted
_NO_RULE = Rule("", 0, (), "ip", monitoring=False, lists=False)


@dataclass
class Verdict:
    """The checks so far; the first refusal is the reason."""

    checks: list[dict[str, str]] = field(default_factory=list)
    reason: str = ""

    def note(self, name: str, error: Refused | None = None, detail: str = "", *, counts: bool = True) -> None:
        verdict = "refused" if error else "passed"
        self.checks.append(
            {"name": name, "verdict": verdict, "detail": detail or (str(error) if error else "")}
        )
        if error and counts and not self.reason:
            self.reason = said(error)


def said(error: Refused) -> str:
    return f"{error.code}: {error}"


def explain(state: Intake, raw: bytes, mail_from: str | None, to: Sequence[str], ip: str) -> dict[str, Any]:
    """One mail as `explain --json` shows it, without the file's name."""
    began = time.perf_counter()
    verdict = Verdict()
    if b"\r\n" not in raw:  # a file as Unix keeps it; signatures are made over CRLF
        raw = raw.replace(b"\n", b"\r\n")
    try:
        mail = parse(raw)
    except Refused as error:
        verdict.note("form", error)
        return _document(verdict, None, None, [], None, began)
    verdict.note("form")
    sender = mail_from if mail_from is not None else (mail.from_[0] if mail.from_ else "")
    envelope = Envelope("" if sender == "<>" else sender, ip)
    named = {address: _named(state, envelope, address) for address in to}
    mail, shown = _looked(state, envelope, named, mail, raw, verdict)
    rule, account = _sender(state, envelope, shown, verdict)
    lists = any(one.is_listed() for one in named.values())
    found = _read(state, envelope, rule, account, Reading(mail, shown=shown, lists=lists), verdict)
    segments = _segments(account, found)
    texted = [
        one
        for known in named.items()
        for one in _recipients(state, envelope, *known, found, segments, verdict)
    ]
    recipients = list({one["to"]: one for one in texted}.values())  # named twice is texted once
    if recipients and all(recipient["outcome"] == "refused" for recipient in recipients):
        verdict.reason = verdict.reason or recipients[0]["reason"]
    _credit(state, account, recipients, verdict)
    return _document(verdict, mail, found, recipients, segments, began, account)


def whocan(state: Intake, mail_from: str, ip: str, number: str) -> dict[str, Any]:
    """The same verdict without a mail: what a signature or a secret in it would prove is not known."""
    verdict = Verdict()
    envelope = Envelope(mail_from, ip)
    shown = _shown_by_network(state, envelope)
    _, account = _sender(state, envelope, shown, verdict)
    domain = state.settings.mail.domains[0]
    address = number if "@" in number else f"{number}@{domain}"
    named = _named(state, envelope, address)
    recipients = _recipients(state, envelope, address, named, None, None, verdict)
    # of a group those who can be texted are
    recipient = next((one for one in recipients if one["outcome"] == "accepted"), recipients[0])
    verdict.reason = verdict.reason or recipient["reason"]
    return {
        "outcome": "refused" if verdict.reason else "accepted",
        "reason": verdict.reason,
        "account": account.name if account is not _NOBODY else None,
        "to": recipient["to"],
        "route": recipient["route"],
        "checks": verdict.checks,
    }


def _named(state: Intake, envelope: Envelope, address: str) -> Recipient:
    """As far as it goes: what is wrong with it is said later."""
    try:
        return checks.check(state, envelope, address)
    except Refused:
        return Recipient(address)


def _looked(
    state: Intake,
    envelope: Envelope,
    named: dict[str, Recipient],
    mail: Mail,
    raw: bytes,
    verdict: Verdict,
) -> tuple[Mail, Shown]:
    """The mail without a secret, what it shows of its sender; recipients in `named` are replaced alike."""
    nothing = Shown(envelope.peer)
    if not proving.needed(state, envelope, mail):
        return mail, nothing
    try:
        looked = proving.look(state, envelope, list(named.values()), mail, raw)
    except NotProvable as error:
        verdict.note("proof", UnknownSender(str(error)), f"DNS: {error.__cause__}")
        return mail, nothing
    named.update(zip(named, looked.recipients, strict=True))
    return looked.mail, looked.shown


def _shown_by_network(state: Intake, envelope: Envelope) -> Shown:
    rule = state.book.rules().covering(envelope.mail_from) if envelope.mail_from else None
    nothing = Shown(envelope.peer)
    if rule is None or trust.judge(rule, envelope.mail_from, nothing) is not Standing.PENDING:
        return nothing
    try:
        evidence = state.prover.prove_by_network(envelope.peer, envelope.mail_from, envelope.helo)
    except DnsTrouble:
        return nothing
    return nothing._replace(evidence=evidence)


def _sender(state: Intake, envelope: Envelope, shown: Shown, verdict: Verdict) -> tuple[Rule, Account]:
    """Here the rule is named: whoever can run this command may know it."""
    rule = state.book.rules().covering(envelope.mail_from) if envelope.mail_from else None
    detail = (
        trust.why(rule, envelope.mail_from, shown) if rule else f"no rule covers {envelope.mail_from or '<>'}"
    )
    account = state.gateway.snapshot.accounts.get(rule.account_id) if rule else None
    if rule is None or account is None or trust.judge(rule, envelope.mail_from, shown) is not Standing.PROVED:
        verdict.note("sender", UnknownSender(checks.NOT_ALLOWED), detail)
        return _NO_RULE, _NOBODY
    verdict.note("sender", detail=f"{detail}; account {account.name}")
    return rule, account


def _read(
    state: Intake, envelope: Envelope, rule: Rule, account: Account, known: Reading, verdict: Verdict
) -> Reading:
    for name, decide in reading.MAIL_CHECKS[1:]:  # the first one, the proof, is _sender's
        try:
            known = decide(state, envelope, rule, account, known)
        except Refused as error:
            verdict.note(name, error, _why_from(state, account, known) if name == "from" else "")
        else:
            verdict.note(name, detail=str(known.options) if name == "listed" else "")
    return known


def _why_from(state: Intake, account: Account, known: Reading) -> str:
    """What would have to change about From."""
    mail = known.mail
    if mail.from_count != 1 or not mail.from_clean or known.shown is None:
        return ""
    rule = state.book.rules().covering(mail.from_[0])
    if rule is None:
        return f"no rule covers {mail.from_[0]}"
    if rule.account_id != account.id:
        return f"the rule for {rule.address} is not of the account of the envelope sender"
    return trust.why(rule, mail.from_[0], known.shown)


def _segments(account: Account, reading: Reading) -> Segments | None:
    """Of the whole text, also where it is too long to be accepted."""
    text = reading.text.text[:_LONGEST]
    return encoding.split(encoding.apply_policy(text, _shown_policy(account))) if text else None


def _shown_policy(account: Account) -> str:
    """A text with characters that the account refuses is shown as it is."""
    return "unicode" if account.terms.unsupported == "refuse" else account.terms.unsupported


def _recipients(
    state: Intake,
    envelope: Envelope,
    address: str,
    known: Recipient,
    reading: Reading | None,
    segments: Segments | None,
    verdict: Verdict,
) -> list[dict[str, Any]]:
    """One for each number that the address names. What waits for the proof of its sender is decided as proved; what
    is decided only behind the mail's last line, such as that and a list, refuses the mail for everybody.
    """
    late = known.pending
    tag = known.named.tag if isinstance(known.named, addresses.Typed) else None  # without its secret
    known, address = Recipient(address), addresses.hidden_tag(address)
    for name, decide in (*checks.SENDER_CHECKS, *checks.PROVED_CHECKS):
        try:
            known = decide(state, envelope, known)
            if tag is not None and isinstance(known.named, addresses.Typed):
                known = known._replace(named=known.named._replace(tag=tag))
        except Refused as error:
            verdict.note(f"{name} {address}", error, counts=late)
            return [_decided(address, "refused", said(error))]
        verdict.note(f"{name} {address}", detail=str(known.options) if name == "number" else "")
        if isinstance(known.named, addresses.Operator | addresses.ReturnPath):
            return [_decided(address, "accepted", "to the operator")]
    if known.is_listed():
        return _listed(state, envelope, address, known, reading, segments, verdict)
    return _numbers(state, known, segments)


def _listed(
    state: Intake,
    envelope: Envelope,
    address: str,
    known: Recipient,
    reading: Reading | None,
    segments: Segments | None,
    verdict: Verdict,
) -> list[dict[str, Any]]:
    """What the mail lists instead of an address; without a mail nothing can be said."""
    if reading is None or reading.listed is None:
        why = "does not say to whom" if reading else "itself names its recipients; ask for one of them"
        return [_decided(address, "refused", f"bad_listing: the mail {why}")]
    try:
        texted = settling.expand(state, envelope, known, reading.listed.to, reading.listed.sender_id)
    except Refused as error:
        verdict.note(f"listed {address}", error)
        return [_decided(address, "refused", said(error))]
    return [one for each in texted for one in _numbers(state, each, segments)]


def _numbers(state: Intake, known: Recipient, segments: Segments | None) -> list[dict[str, Any]]:
    """One document for each number that a decided recipient reaches, and for those that it does not."""
    snapshot, account = state.gateway.snapshot, known.account or _NOBODY
    found = [_decided(to, "refused", said(error)) for to, error in known.left_out]
    for to in known.to:
        try:  # the rows may have changed since it was decided
            price = check_destination(snapshot, account, to) * (len(segments.parts) if segments else 0)
            route = route_for(snapshot, account, to, sender_id_for(snapshot, account, known.sender_id, to))
        except Refused as error:
            found.append(_decided(to, "refused", said(error)))
        else:
            found.append(_decided(to, "accepted", "", route.name, price))
    return found


def _decided(to: str, outcome: str, reason: str, route: str | None = None, price: int = 0) -> dict[str, Any]:
    return {"to": to, "outcome": outcome, "reason": reason, "route": route, "price": price}


def _credit(state: Intake, account: Account, recipients: Sequence[dict[str, Any]], verdict: Verdict) -> None:
    cost = sum(recipient["price"] for recipient in recipients)
    if account is _NOBODY or not cost:
        return
    with state.gateway.reader.connect() as conn:
        left = ledger.balance(conn, account.id) + account.credit_limit
    of = f"{money.show(cost, account.currency)} of {money.show(left, account.currency)} {account.currency}"
    error = NoCredit("the account's credit does not cover this") if cost > left else None
    verdict.note("credit", error, of)


def _document(
    verdict: Verdict,
    mail: Mail | None,
    reading: Reading | None,
    recipients: Sequence[dict[str, Any]],
    segments: Segments | None,
    began: float,
    account: Account = _NOBODY,
) -> dict[str, Any]:
    text = reading.text if reading else None
    cost = sum(recipient["price"] for recipient in recipients)
    return {
        "outcome": "refused" if verdict.reason else "accepted",
        "reason": verdict.reason,
        "checks": verdict.checks,
        "text": text.text if text else "",
        "removed": [{"text": removed.text, "why": removed.why} for removed in text.removed] if text else [],
        "encoding": str(segments.encoding) if segments else None,
        "segments": len(segments.parts) if segments else 0,
        "price": money.show(cost, account.currency) if recipients else None,
        "recipients": [{key: r[key] for key in ("to", "outcome", "reason", "route")} for r in recipients],
        "subject": mail.subject if mail else "",
        "from": mail.from_display if mail else "",
        "ms": round((time.perf_counter() - began) * 1000, 3),
    }
