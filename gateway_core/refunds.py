"""What is given back when a message ends, by the account's term `refunds`, and taken again when it did arrive.

Only ends change what was charged: the first one gives back, and a receipt that corrects an end sets it right.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from gateway_core import ledger
from gateway_core.accounts import Account
from gateway_core.messages import FINAL, Current, State
from gateway_core.storage import tables

# Shares of the price: all of it, the segments that no carrier accepted or may have, all of it if nothing was ever
# handed to a carrier.
WHOLE, UNACCEPTED, UNTOUCHED = "whole", "unaccepted", "untouched"
# What is not here is given back nothing of: DELIVERED, SENT, and UNKNOWN, which may have reached the handset.
GIVEN_BACK: dict[tuple[str, State], str] = {
    ("unaccepted", State.FAILED): UNACCEPTED,
    ("unaccepted", State.CANCELLED): UNACCEPTED,
    ("unaccepted", State.EXPIRED): UNACCEPTED,  # in our own queue; a carrier's leaves no segment unaccepted
    ("undelivered", State.FAILED): WHOLE,
    ("undelivered", State.CANCELLED): UNACCEPTED,
    ("undelivered", State.EXPIRED): WHOLE,
    ("undelivered", State.UNDELIVERED): WHOLE,
    ("none", State.FAILED): UNTOUCHED,  # we did not try: an opt-out, no route
    ("none", State.CANCELLED): UNTOUCHED,
    ("none", State.EXPIRED): UNTOUCHED,
}


def owed(share: str | None, was: Current, accepted: int, *, tried: bool) -> int:
    """1/10,000 of what the message cost. `accepted`: segments that a carrier has, or may have."""
    if share is None or not was.price:
        return 0
    if share == WHOLE:
        return was.price
    if share == UNTOUCHED:
        return 0 if tried else was.price
    return was.price * (was.segments - accepted) // was.segments


class End(NamedTuple):
    was: Current
    new: State


def entries(conn: Connection, accounts: Mapping[int, Account], ends: Sequence[End]) -> list[ledger.Entry]:
    """The entries of these ends, for the caller to record in this transaction."""
    policies = {end.was.account_id: accounts[end.was.account_id].terms.refunds for end in ends}
    shares = [GIVEN_BACK.get((policies[end.was.account_id], end.new)) for end in ends]
    asked = [end.was.id for end, share in zip(ends, shares, strict=True) if share and end.was.price]
    accepted, tried = _attempts(conn, asked)
    given = _given(conn, [end.was.id for end in ends if end.was.state in FINAL and end.was.price])
    found, taken = [], []
    for (was, _), share in zip(ends, shares, strict=True):
        change = owed(share, was, accepted.get(was.id, 0), tried=was.id in tried) - given.get(was.id, 0)
        if change > 0:
            found.append(ledger.Entry(was.account_id, "refund", change, message_id=was.id))
        elif change < 0:
            taken.append(ledger.Entry(was.account_id, "correction", change, message_id=was.id))
    return found + _affordable(conn, taken)


def _attempts(conn: Connection, message_ids: Sequence[int]) -> tuple[dict[int, int], set[int]]:
    """By message: its segments that a carrier has or may have (never answered); and those with any attempt."""
    if not message_ids:
        return {}, set()
    a = tables.attempt.c
    has = a.outcome.is_(None) | (a.outcome == "accepted")
    rows = conn.execute(
        select(a.message_id, func.count(a.segment.distinct()).filter(has))
        .where(a.message_id.in_(message_ids))
        .group_by(a.message_id)
    ).all()
    accepted: dict[int, int] = dict(rows)
    return accepted, set(accepted)


def _given(conn: Connection, message_ids: Sequence[int]) -> dict[int, int]:
    """What was given back of these already, and not taken again."""
    if not message_ids:
        return {}
    e = tables.ledger_entry.c
    rows = conn.execute(
        select(e.message_id, func.sum(e.amount))
        .where(e.message_id.in_(message_ids), e.kind.in_(["refund", "correction"]))
        .group_by(e.message_id)
    )
    return {message_id: int(amount) for message_id, amount in rows}


def _affordable(conn: Connection, taken: Sequence[ledger.Entry]) -> list[ledger.Entry]:
    """No balance falls below its limit, not even for what is due: the rest is written off, and the entry says so."""
    if not taken:
        return []
    spendable = ledger.lock(conn, [entry.account_id for entry in taken])
    found = []
    for entry in taken:
        amount = -min(-entry.amount, max(0, spendable[entry.account_id]))
        spendable[entry.account_id] += amount
        note = f"{amount - entry.amount} written off" if amount != entry.amount else ""
        found.append(entry._replace(amount=amount, note=note))
    return found
