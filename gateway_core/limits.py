"""Limits in segments: how many a minute and how many a day, of an account, of a sender, to a handset.

Decided and taken in the accepting transaction, whose account is locked, like credit: all of a submission or nothing
of it. A limit of 0 is off, and an account without limits costs no statement. What was taken stays taken: a number that
always fails cannot be texted without end.

A minute's limit is a leaky bucket (GCRA, ITU-T I.371 annex A) that holds one minute's worth: after a rest as many at
once, then as they leak out of it. A day's limit counts days of the account's time zone.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, delete, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from gateway_core import caps
from gateway_core.accounts import Account, Terms
from gateway_core.errors import QuotaExceeded, RateLimited, Refused, TooLong
from gateway_core.storage import clock, tables
from gateway_core.storage.prepared import Parameters, Prepared, PreparedLists

_MINUTE = 60 * 1_000_000  # microseconds: a segment of a large limit takes less than a millisecond


class Limit(NamedTuple):
    """`most` segments a minute or a day of whatever `key` names."""

    account_id: int
    key: str  # account, sender:…, handset:…
    whose: str  # as its owner is told
    most: int
    per: str  # minute, day


def of(account: Account, sender: str, handsets: Sequence[str]) -> Iterator[tuple[Limit, Sequence[str]]]:
    """The limits that a submission meets, each with the handsets that count under it."""
    terms = account.terms
    for per in ("minute", "day"):
        yield from _of_terms(account.id, terms, sender, handsets, per)


def _of_terms(
    account_id: int, terms: Terms, sender: str, handsets: Sequence[str], per: str
) -> Iterator[tuple[Limit, Sequence[str]]]:
    if most := getattr(terms, f"segments_per_{per}"):
        yield Limit(account_id, "account", "the account", most, per), handsets
    if (most := getattr(terms, f"sender_segments_per_{per}")) and sender:
        yield Limit(account_id, f"sender:{sender}", "the sender", most, per), handsets
    if most := getattr(terms, f"handset_segments_per_{per}"):
        for handset in handsets:
            yield Limit(account_id, f"handset:{handset}", handset, most, per), (handset,)


# --- a leaky bucket ----------------------------------------------------------------------------------------


def after(free_at: int, now: int, segments: int, most: int) -> int:
    """When the bucket is empty again once these segments are in it. Times in microseconds.

    A clock that was set back finds a bucket that is fuller than full: it counts as full, so nobody waits for more than
    a minute.
    """
    level = min(max(free_at, now), now + _MINUTE)
    return level + math.ceil(segments * _MINUTE / most)


def wait(free_at: int, now: int, segments: int, most: int) -> int:
    """Microseconds until these segments fit; 0: they fit now."""
    return max(0, after(free_at, now, segments, most) - now - _MINUTE)


# --- queries -----------------------------------------------------------------------------------------------

_r = tables.rate.c
_s = tables.spent.c


def _of_rates(accounts: Parameters, keys: Parameters) -> Any:
    return select(_r.account_id, _r.key, _r.free_at).where(_r.account_id.in_(accounts), _r.key.in_(keys))


_RATES = PreparedLists(_of_rates, lists=2)
_KEEP = Prepared(
    {
        name: dialect.insert(tables.rate).on_conflict_do_update(
            index_elements=[_r.account_id, _r.key],
            set_={"free_at": dialect.insert(tables.rate).excluded.free_at},
        )
        for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))
    },
    *("account_id", "key", "free_at"),
)


class Asked(NamedTuple):
    """What a unit wants to take: of the account, for the sender, segments by handset."""

    account: Account
    sender: str
    segments: Sequence[tuple[str, int]]


class Used:
    """What is used of the limits that one fold meets, and what it takes itself."""

    def __init__(self, conn: Connection, asked: Sequence[Asked]) -> None:
        """Of a fold whose accounts are locked (ledger.lock): nobody else takes from their limits until the commit."""
        self._now = clock.now() * 1000
        self._free_at: dict[tuple[int, str], int] = {}
        self._rated: set[tuple[int, str]] = set()
        self._daily: caps.Spent = caps.Spent(conn, [])
        if not asked:
            return
        met = [
            limit
            for account, sender, segments in asked
            for limit, _ in of(account, sender, [to for to, _ in segments])
        ]
        rated = {(limit.account_id, limit.key) for limit in met if limit.per == "minute"}
        if rated:
            accounts, keys = sorted({one for one, _ in rated}), sorted({key for _, key in rated})
            self._free_at = {(one, key): free_at for one, key, free_at in _RATES.rows(conn, accounts, keys)}
        by_id = {one.account.id: one.account for one in asked}
        daily = [_cap(by_id[limit.account_id], limit, self._now) for limit in met if limit.per == "day"]
        if daily:
            self._daily = caps.Spent(conn, daily)

    def require(self, asked: Asked) -> None:
        """Raises RateLimited, QuotaExceeded; TooLong for what the limit could never hold."""
        for limit, segments in _wanted(asked):
            if segments > limit.most:
                raise TooLong(
                    f"this needs {segments} segments; {limit.whose} may have {limit.most} a {limit.per}"
                )
            if limit.per == "minute":
                self._require_rate(limit, segments)
            else:
                self._require_day(asked.account, limit, segments)

    def _require_rate(self, limit: Limit, segments: int) -> None:
        free_at = self._free_at.get((limit.account_id, limit.key), 0)
        waits = wait(free_at, self._now, segments, limit.most)
        if waits:
            seconds = math.ceil(waits / 1_000_000)
            words = f"{limit.whose} may have {limit.most} segments a minute; try again in {seconds} s"
            raise _later(RateLimited(words), seconds)

    def _require_day(self, account: Account, limit: Limit, segments: int) -> None:
        used = self._daily.amount(_cap(account, limit, self._now))
        if used + segments > limit.most:
            words = (
                f"{limit.whose} may have {limit.most} segments a day; {used} are used, this needs {segments}"
            )
            raise _later(QuotaExceeded(words), _until_midnight(account, self._now))

    def take(self, asked: Asked) -> None:
        """What `require` let pass, and is accepted."""
        for limit, segments in _wanted(asked):
            at = limit.account_id, limit.key
            if limit.per == "minute":
                self._free_at[at] = after(self._free_at.get(at, 0), self._now, segments, limit.most)
                self._rated.add(at)
            else:
                self._daily.take(_cap(asked.account, limit, self._now), segments)

    def write(self, conn: Connection) -> None:
        """In order of keys: two processes never wait for each other's rows crosswise."""
        _KEEP.many(conn, [(one, key, self._free_at[one, key]) for one, key in sorted(self._rated)])
        self._daily.write(conn)


def _wanted(asked: Asked) -> Iterator[tuple[Limit, int]]:
    by_handset = dict(asked.segments)
    for limit, handsets in of(asked.account, asked.sender, list(by_handset)):
        yield limit, sum(by_handset[to] for to in handsets)


def _later(error: Refused, seconds: int) -> Refused:
    error.after_seconds = seconds
    return error


def _cap(account: Account, limit: Limit, now: int) -> caps.Cap:
    day = _local(account, now).date().isoformat()
    return caps.Cap(f"segments:{account.id}:{limit.key}", day, limit.most)


def _local(account: Account, now: int) -> datetime:
    return datetime.fromtimestamp(now / 1_000_000, ZoneInfo(account.terms.timezone))


def _until_midnight(account: Account, now: int) -> int:
    here = _local(account, now)
    midnight = datetime.combine(here.date() + timedelta(days=1), datetime.min.time(), here.tzinfo)
    return max(1, math.ceil(midnight.timestamp() - now / 1_000_000))


def forget(conn: Connection, units: Sequence[int]) -> list[int]:
    """Fold: buckets that are empty are deleted, a bounded number at a time. Returns how many."""
    return [_forget_some(conn, most) for most in units]


def _forget_some(conn: Connection, most: int) -> int:
    # without those that an accepting transaction holds: it locks them in its own order
    old = (
        select(_r.account_id, _r.key)
        .where(_r.free_at < bindparam("now"))
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    statement = delete(tables.rate).where(
        tuple_(_r.account_id, _r.key).in_(old), _r.free_at < bindparam("now")
    )
    return conn.execute(statement, {"now": (clock.now() - clock.MINUTE) * 1000}).rowcount
