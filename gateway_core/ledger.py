"""Credit: an append-only ledger whose sum is the balance.

What is given back when a message ends without having been accepted by the network, as a share of its segments:
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, insert, or_, select, update

from gateway_core.storage import clock, tables
from gateway_core.storage.ids import Ids

# state of the message: whether the segments that no carrier accepted are given back
GIVEN_BACK = {
    "FAILED": True,
    "CANCELLED": True,
    "EXPIRED": True,  # in our own queue; a carrier's EXPIRED leaves no segment unaccepted
    "DELIVERED": False,
    "UNDELIVERED": False,
    "UNKNOWN": False,  # it may have reached the handset
    "SENT": False,
}


@dataclass(frozen=True, slots=True)
class Entry:
    account_id: int
    kind: str
    amount: int  # negative: taken
    note: str = ""
    message_id: int | None = None


_INSERT = insert(tables.ledger_entry)
_a = tables.account.c
_LOCK = (
    select(_a.id, _a.balance, _a.credit_limit)
    .where(_a.id.in_(bindparam("ids", expanding=True)))
    .order_by(_a.id)
    .with_for_update(key_share=True)  # rows that refer to an account are not in the way
)
_MOVE = (
    update(tables.account)
    .where(
        _a.id == bindparam("account"),
        or_(bindparam("amount") >= 0, _a.balance + bindparam("amount") >= -_a.credit_limit),
    )
    .values(balance=_a.balance + bindparam("amount"))
)


def lock(conn: Connection, account_ids: Iterable[int]) -> dict[int, int]:
    """What each account may still spend (balance + credit limit), nobody else changing it until the commit."""
    rows = conn.execute(_LOCK, {"ids": sorted(set(account_ids))})
    return {row.id: row.balance + row.credit_limit for row in rows}


def record(conn: Connection, ids: Ids, entries: Sequence[Entry]) -> None:
    """Write entries and move the balances by their sums. The caller has decided that they may be written."""
    if not entries:
        return
    at = clock.now()
    conn.execute(
        _INSERT,
        [
            {
                "id": ids.new(),
                "account_id": entry.account_id,
                "message_id": entry.message_id,
                "kind": entry.kind,
                "amount": entry.amount,
                "note": entry.note,
                "at": at,
            }
            for entry in entries
        ],
    )
    sums: dict[int, int] = {}
    for entry in entries:
        sums[entry.account_id] = sums.get(entry.account_id, 0) + entry.amount
    for account_id, amount in sorted(sums.items()):
        _move(conn, account_id, amount)


def _move(conn: Connection, account_id: int, amount: int) -> None:
    """One conditional UPDATE: what is taken never passes the limit, whatever was decided before it."""
    moved = conn.execute(_MOVE, {"account": account_id, "amount": amount})
    if moved.rowcount != 1:
        raise AssertionError("the ledger was written without its lock")  # rolls the unit back


def balance(conn: Connection, account_id: int) -> int:
    return int(conn.execute(select(_a.balance).where(_a.id == account_id)).scalar_one())


def disagreements(conn: Connection) -> list[tuple[str, int, int]]:
    """Accounts whose balance is not the sum of their entries: (name, balance, sum). Empty when all is well."""
    entry = tables.ledger_entry.c
    total = func.coalesce(func.sum(entry.amount), 0)
    rows = conn.execute(
        select(_a.name, _a.balance, total)
        .select_from(tables.account.outerjoin(tables.ledger_entry, entry.account_id == _a.id))
        .group_by(_a.id, _a.name, _a.balance)
        .having(_a.balance != total)
    )
    return [(name, held, int(summed)) for name, held, summed in rows]
