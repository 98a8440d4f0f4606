"""Top-ups: credit that an operator enters, once under each key."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from gateway_core import accounts, alarms, ledger
from gateway_core.errors import KeyReused, NoCredit, Refused
from gateway_core.ledger import Entry
from gateway_core.storage import tables
from gateway_core.storage.ids import Ids


class TopUp(NamedTuple):
    """`key`: a repeat under it is not entered again; "": there is none."""

    ids: Ids
    account_id: int
    amount: int  # 1/10,000; negative: taken back
    note: str = ""
    key: str = ""


class Entered(NamedTuple):
    balance: int  # after it
    repeat: bool = False  # it had been entered before


_e = tables.ledger_entry.c


def enter(conn: Connection, units: Sequence[TopUp]) -> list[Entered | Refused]:
    """Fold: each entry with the accounts locked; KeyReused, NoCredit where it is not entered."""
    return [_enter(conn, unit) for unit in units]


def _enter(conn: Connection, unit: TopUp) -> Entered | Refused:
    spendable = ledger.lock(conn, [unit.account_id])[unit.account_id]
    if unit.key:
        known = conn.execute(
            select(_e.amount).where(_e.account_id == unit.account_id, _e.key == unit.key)
        ).scalar()
        if known is not None and known != unit.amount:
            return KeyReused("this key was used for another amount")
        if known is not None:
            return Entered(ledger.balance(conn, unit.account_id), repeat=True)
    if spendable + unit.amount < 0:
        return NoCredit("the account has not that much left to take back")
    entry = Entry(unit.account_id, "credit", unit.amount, unit.note, key=unit.key or None)
    ledger.record(conn, unit.ids, [entry])
    if unit.amount < 0:
        owner = accounts.get(conn, unit.account_id)
        before, after = {owner.id: spendable}, {owner.id: spendable + unit.amount}
        alarms.owe_credit_alarms(conn, unit.ids, [owner], before, after)
    return Entered(ledger.balance(conn, unit.account_id))
