"""To whom a notice is mailed: never to this gateway itself, where mail would run in circles, and of mail that wants
no answer (RFC 3834 §2) to people instead of machines.
"""

from collections.abc import Collection, Mapping
from email.headerregistry import Address
from typing import Any

from sqlalchemy import Row

from gateway_core import notices, numbers
from gateway_core.errors import BadNumber
from gateway_core.messages import FINAL
from mailgate import addresses, dsn
from mailgate.checks import Intake
from mailgate.errors import NotOurDomain, UnknownToken
from mailgate.headers import addressee


def of_receipt(state: Intake, notice: Row[Any], origin: Mapping[str, Any]) -> tuple[str, ...]:
    """The envelope sender; or the account's alarm_to (`is_for_people`)."""
    to, facts = origin.get("envelope_from", ""), notice.facts
    if is_for_people(origin, facts["to"]):
        # An alarm that reached nobody must be heard, and so must the correction of what was said about it.
        told = notice.kind == "delay" or {facts["state"], facts.get("before")} & notices.WANTED["failures"]
        return _people(state, notice) if told else ()
    return () if not to or is_ours(state, notice.account_id, to) else (to,)


def of_digest(
    state: Intake, notice: Row[Any], origin: Mapping[str, Any], states: Collection[str]
) -> tuple[str, ...]:
    """The same for a digest, whose texts are in these states."""
    to = origin.get("envelope_from", "")
    if origin.get("unanswered"):
        bad = not notices.WANTED["failures"].isdisjoint(states) or not FINAL.issuperset(states)
        return _people(state, notice) if bad or notice.facts["number"] > 1 else ()
    return () if not to or is_ours(state, notice.account_id, to) else (to,)


def _people(state: Intake, notice: Row[Any]) -> tuple[str, ...]:
    account = state.gateway.snapshot.accounts.get(notice.account_id)
    return account.terms.alarm_to if account else ()


def is_for_people(origin: Mapping[str, Any], to: str) -> bool:
    """Whether what became of the text to a number is for the account's own people: the mail wants no answer. NOTIFY
    is a wish for one.
    """
    return bool(origin.get("unanswered")) and not dsn.is_explicit(origin.get("dsn", {}), to)


def of_remark(state: Intake, notice: Row[Any]) -> tuple[str, ...]:
    """The author; of mail that wants no answer the account's alarm_to, if somebody was left out. A preview was asked
    for: it goes to who asked.
    """
    facts, to = notice.facts, str(notice.facts["origin"]["envelope_from"])
    if notice.kind == "remark" and facts["origin"].get("unanswered"):
        return _people(state, notice) if facts["left_out"] else ()
    return () if is_ours(state, notice.account_id, to) else (to,)


def of_reply(state: Intake, notice: Row[Any], origin: Mapping[str, Any]) -> str:
    """forward_to's address; else the author's Reply-To where a rule of the account covers it; else From."""
    to = _wanted(state, notice, origin)
    return "" if is_ours(state, notice.account_id, to) else to


def _wanted(state: Intake, notice: Row[Any], origin: Mapping[str, Any]) -> str:
    if notice.target:
        return str(notice.target).removeprefix("mailto:") if notice.target.startswith("mailto:") else ""
    for wanted in origin.get("reply_to", ()):
        cover = state.book.rules().covering(wanted)
        usable = isinstance(addressee(wanted), Address) and not is_ours(state, notice.account_id, wanted)
        if usable and cover and cover.account_id == notice.account_id:
            return str(wanted)
    return str(origin.get("from", ""))


def is_ours(state: Intake, account_id: int, address: str) -> bool:
    """Whether this gateway itself would take mail for it: a phone, a contact, a signed address, the operator, its
    own From. People may have their mailboxes at the same domain, behind a server that tells them apart.
    """
    if address.lower() == state.settings.outbound.from_address.lower():
        return True
    try:
        named = addresses.read(address, state.settings.mail.domains, state.secrets)
    except NotOurDomain:
        return False
    except UnknownToken:
        return True
    if not isinstance(named, addresses.Typed):
        return True
    if state.book.contact(account_id, named.name) is not None:
        return True
    account = state.gateway.snapshot.accounts.get(account_id)
    try:
        return bool(numbers.parse(named.name, account.terms.region if account else ""))
    except BadNumber:
        return False
