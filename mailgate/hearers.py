"""To whom a notice is mailed: never to this gateway itself, where mail would run in circles, and of mail that wants
no answer (RFC 3834 §2) to people instead of machines.
"""

from email.headerregistry import Address
from typing import Any

from sqlalchemy import Row

from gateway_core import notices, numbers
from gateway_core.errors import BadNumber
from mailgate import addresses, dsn
from mailgate.checks import Intake
from mailgate.errors import NotOurDomain, UnknownToken
from mailgate.headers import addressee


def of_receipt(state: Intake, notice: Row[Any], origin: dict[str, Any]) -> tuple[str, ...]:
    """The envelope sender, as far as it wants to hear (RFC 3461 §4.1); or the account's alarm_to (`is_for_people`)."""
    to, facts = origin.get("envelope_from", ""), notice.facts
    if is_for_people(notice, origin):
        # An alarm that reached nobody must be heard, and so must the correction of what was said about it.
        told = {facts["state"], facts.get("before")} & notices.WANTED["failures"]
        account = state.gateway.snapshot.accounts.get(notice.account_id)
        return account.terms.alarm_to if told and account else ()
    success = facts["state"] in {"DELIVERED", "SENT"}
    if not to or not dsn.wants_report(origin.get("dsn", {}), facts["to"], success=success):
        return ()
    return () if is_ours(state, notice.account_id, to) else (to,)


def is_for_people(notice: Row[Any], origin: dict[str, Any]) -> bool:
    """Whether a receipt is for the account's own people: the mail wants no answer. NOTIFY is a wish for one."""
    asked = origin.get("dsn", {})
    return bool(origin.get("unanswered")) and not dsn.is_explicit(asked, notice.facts["to"])


def of_remark(state: Intake, notice: Row[Any]) -> tuple[str, ...]:
    """The author; of mail that wants no answer the account's alarm_to, if somebody was left out. A preview was asked
    for: it goes to who asked.
    """
    facts, to = notice.facts, str(notice.facts["origin"]["envelope_from"])
    if notice.kind == "remark" and facts["origin"].get("unanswered"):
        account = state.gateway.snapshot.accounts.get(notice.account_id)
        return account.terms.alarm_to if facts["left_out"] and account else ()
    return () if is_ours(state, notice.account_id, to) else (to,)


def of_reply(state: Intake, notice: Row[Any], origin: dict[str, Any]) -> str:
    """forward_to's address; else the author's Reply-To where a rule of the account covers it; else From."""
    to = _wanted(state, notice, origin)
    return "" if is_ours(state, notice.account_id, to) else to


def _wanted(state: Intake, notice: Row[Any], origin: dict[str, Any]) -> str:
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
