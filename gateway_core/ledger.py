"""Credit: an append-only ledger whose sum is the balance. What is given back is decided in `refunds`."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, bindparam, func, insert, literal_column, or_, select, update

from gateway_core.storage import clock, tables
from gateway_core.storage.ids import Ids
from gateway_core.storage.prepared import Parameters, Prepared, PreparedLists


class Entry(NamedTuple):
    account_id: int
    kind: str
    amount: int  # negative: taken
    note: str = ""
    message_id: int | None = None
    key: str | None = None  # of a top-up


_COLUMNS = ("id", "account_id", "message_id", "kind", "amount", "note", "at", "key")
_INSERT = Prepared(insert(tables.ledger_entry), *_COLUMNS)
_a = tables.account.c


def _locking(ids: Parameters) -> Any:
    return (
        select(_a.id, _a.balance, _a.credit_limit)
        .where(_a.id.in_(ids))
        .order_by(_a.id)
        .with_for_update(key_share=True)  # rows that refer to an account are not in the way
    )


_LOCK = PreparedLists(_locking)
_amount = bindparam("amount", type_=BigInteger)
_MOVE = Prepared(
    update(tables.account)
    .where(
        _a.id == bindparam("account"),
        or_(_amount >= literal_column("0"), _a.balance + _amount >= -_a.credit_limit),
    )
    .values(balance=_a.balance + _amount),
    "account",
    "amount",
)


def lock(conn: Connection, account_ids: Iterable[int]) -> dict[int, int]:
    """What each account may still spend (balance + credit limit), nobody else changing it until the commit."""
    rows = _LOCK.rows(conn, sorted(set(account_ids)))
    return {account_id: balance + limit for account_id, balance, limit in rows}


def record(conn: Connection, ids: Ids, entries: Sequence[Entry]) -> None:
    """Write entries and move the balances by their sums. The caller has decided that they may be written."""
    if not entries:
        return
    at = clock.now()
    rows = []
    sums: dict[int, int] = {}
    for account_id, kind, amount, note, message_id, key in entries:
        rows.append((ids.new(), account_id, message_id, kind, amount, note, at, key))
        sums[account_id] = sums.get(account_id, 0) + amount
    _INSERT.many(conn, rows)
    for account_id, amount in sorted(sums.items()):
        _move(conn, account_id, amount)


def _move(conn: Connection, account_id: int, amount: int) -> None:
    """One conditional UPDATE: what is taken never passes the limit, whatever was decided before it."""
    if _MOVE.change(conn, (account_id, amount)) != 1:
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
