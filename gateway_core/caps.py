"""Spending caps: what somebody may spend in a day, decided and taken in the accepting transaction, like credit.

The core does not know who spends: a cap has an opaque key. What was taken stays taken: a refund goes to the
account and does not raise what may be spent that day, or a number that always fails could be texted without end.
"""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, bindparam, delete, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from gateway_core import money
from gateway_core.errors import QuotaExceeded
from gateway_core.storage import clock, tables
from gateway_core.storage.prepared import Parameters, Prepared, PreparedLists

_KEPT_DAYS = 40  # the month before can be asked for


class Cap(NamedTuple):
    """Who submits may spend `most` (1/10,000 of the account's currency unit) on `day`, all submissions together.

    A key belongs to one account, whose lock guards it. Its length is the caller's to bound: it is part of an index.
    """

    key: str
    day: str  # YYYY-MM-DD, in whatever time zone the caller counts
    most: int


_s = tables.spent.c


def _of(days: Parameters, keys: Parameters) -> Any:
    return select(_s.key, _s.day, _s.amount).where(_s.day.in_(days), _s.key.in_(keys))


_SELECT = PreparedLists(_of, lists=2)
# It adds, whatever was read before: of two accounts with one key, neither loses what the other took.
_UPSERT = Prepared(
    {
        name: dialect.insert(tables.spent)
        .values(key=bindparam("key"), day=bindparam("day"), amount=bindparam("amount", type_=BigInteger))
        .on_conflict_do_update(
            index_elements=[_s.day, _s.key],
            set_={"amount": _s.amount + dialect.insert(tables.spent).excluded.amount},
        )
        for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))
    },
    *("key", "day", "amount"),
)


class Spent:
    """What is spent under the caps that one fold meets, and what it takes itself."""

    def __init__(self, conn: Connection, caps: Sequence[Cap]) -> None:
        """Of a fold whose accounts are locked (ledger.lock)."""
        # A key belongs to one account, so its lock guards these rows too: between this SELECT and the commit nobody
        # else takes from the cap. It is read after the lock, so what the holder before took is seen.
        self._spent: dict[tuple[str, str], int] = {}
        self._taken: dict[tuple[str, str], int] = {}
        if caps:
            keys, days = sorted({cap.key for cap in caps}), sorted({cap.day for cap in caps})
            self._spent = {(key, day): amount for key, day, amount in _SELECT.rows(conn, days, keys)}

    def require(self, cap: Cap, cost: int, currency: str) -> None:
        """Raises QuotaExceeded when the cost (1/10,000) does not fit any more. What is free always fits."""
        spent = self.amount(cap)
        if cost and spent + cost > cap.most:
            most, so_far, asked = (money.show(amount, currency) for amount in (cap.most, spent, cost))
            raise QuotaExceeded(
                f"the sender may spend {most} {currency} a day; {so_far} are spent, and this costs {asked}"
            )

    def amount(self, cap: Cap) -> int:
        """What is spent under it."""
        return self._spent.get((cap.key, cap.day), 0)

    def take(self, cap: Cap, cost: int) -> None:
        """What `require` let pass, and is accepted."""
        if cost:
            at = cap.key, cap.day
            self._spent[at] = self._spent.get(at, 0) + cost
            self._taken[at] = self._taken.get(at, 0) + cost

    def write(self, conn: Connection) -> None:
        """In order of keys: two processes never wait for each other's rows crosswise."""
        _UPSERT.many(conn, [(key, day, amount) for (key, day), amount in sorted(self._taken.items())])


def forget(conn: Connection, units: Sequence[int]) -> list[int]:
    """Fold: days older than _KEPT_DAYS are deleted, a bounded number of rows at a time. Returns how many."""
    return [_forget_some(conn, most) for most in units]


def _forget_some(conn: Connection, most: int) -> int:
    """The day is one of UTC: against forty of them a time zone is nothing."""
    day = time.strftime("%Y-%m-%d", time.gmtime(clock.now() / 1000 - _KEPT_DAYS * 86400))
    old = select(_s.day, _s.key).where(_s.day < day).limit(most)
    return conn.execute(delete(tables.spent).where(tuple_(_s.day, _s.key).in_(old))).rowcount
