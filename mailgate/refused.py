"""What is kept of a mail that was not accepted: a row that says why, a count, and a word to whoever was impersonated.

The row names the rule and what it found; the peer was told less. Secrets in addresses are not kept.
"""

import time
from collections.abc import Sequence
from typing import NamedTuple

from prometheus_client import Counter

from gateway_core import notices, refusals
from gateway_core.errors import GatewayError, Refused, UnknownSender
from gateway_core.jobs.queue import NOTICES
from gateway_core.notices import Notice
from mailgate import addresses, trust
from mailgate.checks import Envelope, Intake
from mailgate.errors import FromNotCovered, NotAuthentic, SpfNotPassed
from mailgate.trust import Rule, Shown, Standing

REFUSED = Counter("mailgate_refused", "Refusals of mail, one for each recipient, by code", ["code"])
SPOOFS = Counter("mailgate_spoofs", "Those that came in the name of a sender without its proof")

_UNPROVED = (UnknownSender, SpfNotPassed, NotAuthentic, FromNotCovered)


class Case(NamedTuple):
    """A mail that is refused, as far as it is known."""

    envelope: Envelope
    from_: str = ""  # the address in From, where there is one
    shown: Shown | None = None


def note(intake: Intake, case: Case, recipient: str, error: GatewayError, more: str = "") -> None:
    """Leave a record; nobody waits for it."""
    if not isinstance(error, Refused):
        return
    envelope = case.envelope
    REFUSED.labels(error.code).inc()
    rule, words = _explained(intake, case, error)
    account = intake.gateway.snapshot.accounts.get(rule.account_id) if rule else None
    shown, words = hidden(rule, recipient, words)
    refusal = refusals.Refusal(
        intake.gateway.ids,
        envelope.door,
        error.code,
        words,
        account.name if account else "",
        envelope.mail_from,
        envelope.peer,
        shown + more,
    )
    intake.gateway.writer.put(refusals.record, refusal)


def hidden(rule: Rule | None, recipient: str, words: str) -> tuple[str, str]:
    """Both without a tag; of a sender that has a secret, only what looks like a number: a secret may stand there."""
    shown = addresses.hidden_tag(recipient)
    local, at, domain = shown.rpartition("@") if "@" in shown else (shown, "", "")  # of a list in the mail
    typed = local.removesuffix("+...")
    is_number = typed.lstrip("+pP").replace("-", "").isdecimal()
    if is_number or not typed or rule is None or rule.accept != "secret":
        return shown, words
    return f"...{at}{domain}", words.replace(typed, "...")


def note_each(intake: Intake, case: Case, recipients: Sequence[str], error: GatewayError) -> None:
    """The same for all recipients of a mail; one record for all, where a stranger chose how many there are."""
    unproved = isinstance(error, _UNPROVED)
    for recipient in recipients[:1] if unproved else recipients:
        more = f" and {len(recipients) - 1} more" if unproved and len(recipients) > 1 else ""
        note(intake, case, recipient, error, more)


def note_spoof(intake: Intake, case: Case, error: GatewayError) -> None:
    """Count a mail that came in somebody's name without proof, and tell that account: once a source and day."""
    if not isinstance(error, _UNPROVED):
        return
    found = _impersonated(intake, case)
    account = intake.gateway.snapshot.accounts.get(found[1].account_id) if found else None
    if found is None or account is None:
        return
    SPOOFS.inc()
    source, day = trust.counted_as(case.envelope.peer), time.strftime("%Y-%m-%d", time.gmtime())
    if not account.terms.alarm_to or not intake.spoofs.is_news(account.id, source, day):
        return
    facts = {"about": "spoof", "account": account.name, "address": found[0], "peer": case.envelope.peer}
    for to in account.terms.alarm_to:
        key = f"spoof:{account.id}:{source.hex()}:{day}:{to}"
        owed = Notice(account.id, key, "alarm", facts, f"mailto:{to}")
        kept = intake.gateway.writer.put(notices.owe_each, (intake.gateway.ids, owed))
        kept.add_done_callback(lambda _written: intake.gateway.queue.hint(NOTICES))


def _explained(intake: Intake, case: Case, error: Refused) -> tuple[Rule | None, str]:
    """The rule that decided, and words for the operator."""
    sender = case.envelope.mail_from
    rule = intake.book.rules().covering(sender) if sender else None
    if not isinstance(error, _UNPROVED):
        return rule, str(error)
    unproved = _impersonated(intake, case)
    if unproved is not None:
        return unproved[1], trust.why(unproved[1], unproved[0], _shown(case))
    return rule, f"no rule covers {sender}" if rule is None else str(error)


def _impersonated(intake: Intake, case: Case) -> tuple[str, Rule] | None:
    """The first of envelope sender and From that a rule covers, and that is not proved; with its rule."""
    shown = _shown(case)
    for address in dict.fromkeys((case.envelope.mail_from, case.from_)):
        rule = intake.book.rules().covering(address) if address else None
        if rule is not None and trust.judge(rule, address, shown) is not Standing.PROVED:
            return address, rule
    return None


def _shown(case: Case) -> Shown:
    return case.shown or Shown(case.envelope.peer, case.envelope.auth)
