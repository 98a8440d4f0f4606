"""What would become of a mail, without doing it: every check with its verdict, the text, what was cut, the price."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway_core import encoding, ledger, money
from gateway_core.accounts import Account, Terms
from gateway_core.drafts import check_destination
from gateway_core.encoding import Segments
from gateway_core.errors import NoCredit, Refused
from mailgate import addresses, checks, trust
from mailgate.checks import Envelope, Intake, Reading, Recipient
from mailgate.mail import Mail, parse
from mailgate.trust import Rule

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
    try:
        mail = parse(raw)
    except Refused as error:
        verdict.note("form", error)
        return _document(verdict, None, None, [], None, began)
    verdict.note("form")
    sender = mail_from if mail_from is not None else (mail.from_[0] if mail.from_ else "")
    envelope = Envelope("" if sender == "<>" else sender, ip)
    rule, account = _sender(state, envelope, verdict)
    reading = _read(state, envelope, rule, account, Reading(mail), verdict)
    segments = _segments(account, reading)
    named = [one for address in to for one in _recipients(state, envelope, address, segments, verdict)]
    recipients = list(
        {one["to"]: one for one in named}.values()
    )  # a number that is named twice is texted once
    if recipients and all(recipient["outcome"] == "refused" for recipient in recipients):
        verdict.reason = verdict.reason or recipients[0]["reason"]
    _credit(state, account, recipients, verdict)
    return _document(verdict, mail, reading, recipients, segments, began, account)


def whocan(state: Intake, mail_from: str, ip: str, number: str) -> dict[str, Any]:
    """The same verdict without a mail."""
    verdict = Verdict()
    envelope = Envelope(mail_from, ip)
    _, account = _sender(state, envelope, verdict)
    domain = state.settings.mail.domains[0]
    address = number if "@" in number else f"{number}@{domain}"
    recipient = _recipients(state, envelope, address, None, verdict)[0]
    verdict.reason = verdict.reason or recipient["reason"]
    return {
        "outcome": "refused" if verdict.reason else "accepted",
        "reason": verdict.reason,
        "account": account.name if account is not _NOBODY else None,
        "to": recipient["to"],
        "route": recipient["route"],
        "checks": verdict.checks,
    }


def _sender(state: Intake, envelope: Envelope, verdict: Verdict) -> tuple[Rule, Account]:
    """Here the rule is named: whoever can run this command may know it."""
    rule = state.book.rules().covering(envelope.mail_from) if envelope.mail_from else None
    if rule is None:
        detail = f"no rule covers {envelope.mail_from or '<>'}"
    elif rule.accept == "auth" and not envelope.auth:
        detail = f"the rule for {rule.address} needs a login"
    elif not trust.fits(rule, envelope.peer, envelope.auth):
        detail = (
            f"the rule for {rule.address} takes mail from {', '.join(rule.ips)}, not from {envelope.peer}"
        )
    else:
        detail = f"the rule for {rule.address} covers {envelope.mail_from} from {envelope.peer}"
    try:
        rule, account = checks.identify(state, envelope)
    except Refused as error:
        verdict.note("sender", error, detail)
        return _NO_RULE, _NOBODY
    verdict.note("sender", detail=f"{detail}; account {account.name}")
    return rule, account


def _read(
    state: Intake, envelope: Envelope, rule: Rule, account: Account, known: Reading, verdict: Verdict
) -> Reading:
    for name, decide in checks.MAIL_CHECKS:
        try:
            known = decide(state, envelope, rule, account, known)
        except Refused as error:
            verdict.note(name, error)
        else:
            verdict.note(name)
    return known


def _segments(account: Account, reading: Reading) -> Segments | None:
    """Of the whole text, also where it is too long to be accepted."""
    text = reading.text.text[:_LONGEST]
    return encoding.split(encoding.apply_policy(text, _shown_policy(account))) if text else None


def _shown_policy(account: Account) -> str:
    """A text with characters that the account refuses is shown as it is."""
    return "unicode" if account.terms.unsupported == "refuse" else account.terms.unsupported


def _recipients(
    state: Intake, envelope: Envelope, address: str, segments: Segments | None, verdict: Verdict
) -> list[dict[str, Any]]:
    """One for each number that the address names."""
    known = Recipient(address)
    for name, decide in checks.RECIPIENT_CHECKS:
        try:
            known = decide(state, envelope, known)
        except Refused as error:
            verdict.note(f"{name} {address}", error, counts=False)
            return [_decided(address, "refused", said(error))]
        verdict.note(f"{name} {address}", counts=False)
        if isinstance(known.named, addresses.Operator | addresses.ReturnPath):
            return [_decided(address, "accepted", "to the operator")]
    snapshot, account = state.gateway.snapshot, known.account or _NOBODY
    found = []
    for to in known.to:
        per_segment, route = check_destination(snapshot, account, to)
        price = per_segment * len(segments.parts) if segments else 0
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
    detail = (
        f"{money.show(cost, account.currency)} of {money.show(left, account.currency)} {account.currency}"
    )
    verdict.note(
        "credit", NoCredit("the account's credit does not cover this") if cost > left else None, detail
    )


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
