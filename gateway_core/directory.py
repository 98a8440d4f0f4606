"""What operators set while we run, as one frozen snapshot: read often, reloaded when the revision moves."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, select, update

from gateway_core import accounts, optouts, routing
from gateway_core.accounts import Account
from gateway_core.carriers import CARRIERS
from gateway_core.numbers import national as spellings
from gateway_core.routing import Price, Route, SenderIDRule
from gateway_core.storage import tables


@dataclass(frozen=True, slots=True)
class Number:
    """A number of ours. `account_id` is None where it is shared: then the keyword picks the account."""

    id: int
    msisdn: str
    account_id: int | None
    forward_to: tuple[str, ...]
    pool: bool = True  # its account texts with it when nothing else is said


@dataclass(frozen=True, slots=True)
class Keyword:
    word: str
    account_id: int
    forward_to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    revision: int
    accounts: Mapping[int, Account]
    keys: Mapping[str, int]  # account id by digest of API key
    numbers: Mapping[str, Number]
    keywords: Mapping[int, tuple[Keyword, ...]]  # by number id
    routes: tuple[Route, ...]
    prices: tuple[Price, ...]
    pools: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    spelled: Mapping[str, str] = field(default_factory=dict)  # our numbers, however networks write them
    sender_id_rules: tuple[SenderIDRule, ...] = ()
    one_receipt: frozenset[int] = frozenset()  # routes whose carrier gives a text one receipt
    opted_out: frozenset[str] = frozenset()  # scopes that ever had an opt-out
    shared: frozenset[str] = frozenset()  # numbers

    def account(self, name: str) -> Account | None:
        return next((account for account in self.accounts.values() if account.name == name), None)

    def route(self, route_id: int) -> Route | None:
        return next((route for route in self.routes if route.id == route_id), None)

    def pool(self, account_id: int) -> tuple[str, ...]:
        """The numbers that an account texts from when nothing else is said."""
        return self.pools.get(account_id, ())

    def default_number(self, account_id: int) -> str | None:
        """The first of them."""
        return next(iter(self.pool(account_id)), None)


class Directory:
    """The current snapshot. `refresh` is called about once a second, so a change acts within two."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        with engine.connect() as conn:
            self.current = load(conn)
        self._followers: list[Callable[[Connection, Snapshot], None]] = []

    def follow(self, read: Callable[[Connection, Snapshot], None]) -> None:
        """Have other rows of the same revision read now, and whenever the snapshot has moved."""
        with self._lock, self._engine.connect() as conn:
            read(conn, self.current)
            self._followers.append(read)

    def refresh(self) -> bool:
        """Whether there was anything new. What could not be read is tried again by the next call."""
        with self._lock, self._engine.connect() as conn:
            if read_revision(conn) == self.current.revision:
                return False
            found = load(conn)
            for read in self._followers:
                read(conn, found)
            self.current = found
            return True


_r = tables.revision.c


def read_revision(conn: Connection) -> int:
    return conn.execute(select(_r.value)).scalar() or 0


def raise_revision(conn: Connection) -> None:
    """Called in the transaction of every change of what a snapshot holds."""
    if conn.execute(update(tables.revision).values(value=_r.value + 1)).rowcount == 0:
        conn.execute(tables.revision.insert(), {"id": 1, "value": 1})


def load(conn: Connection) -> Snapshot:
    numbers = _numbers(conn)
    routes = routing.load_routes(conn, lambda name: name in CARRIERS and CARRIERS[name].simulated)
    return Snapshot(
        revision=read_revision(conn),
        accounts=accounts.load(conn),
        keys=accounts.load_keys(conn),
        numbers=numbers,
        keywords=_keywords(conn),
        routes=routes,
        one_receipt=frozenset(one.id for one in routes if one.settings.get("receipt_parts") == "one"),
        prices=routing.load_prices(conn),
        pools=_pools(numbers.values()),
        spelled=_spelled(numbers),
        sender_id_rules=routing.load_rules(conn),
        opted_out=optouts.load_scopes(conn),
        shared=frozenset(one.msisdn for one in numbers.values() if one.account_id is None),
    )


def _numbers(conn: Connection) -> dict[str, Number]:
    rows = conn.execute(select(tables.number).order_by(tables.number.c.id))
    return {r.msisdn: Number(r.id, r.msisdn, r.account_id, tuple(r.forward_to), r.pool) for r in rows}


def _pools(found: Iterable[Number]) -> dict[int, tuple[str, ...]]:
    pools: dict[int, tuple[str, ...]] = {}
    for number in found:
        if number.account_id is not None and number.pool:
            pools[number.account_id] = (*pools.get(number.account_id, ()), number.msisdn)
    return pools


def _spelled(found: Iterable[str]) -> dict[str, str]:
    """By each spelling that means one of ours and no other: +44…, 44…, 0044…, 07…; of a short code also without 44."""
    spelled: dict[str, str | None] = {}
    for msisdn in found:
        for one in {msisdn, msisdn[1:], "00" + msisdn[1:], *spellings(msisdn)}:
            spelled[one] = None if one in spelled else msisdn
    return {one: msisdn for one, msisdn in spelled.items() if msisdn} | {msisdn: msisdn for msisdn in found}


def _keywords(conn: Connection) -> dict[int, tuple[Keyword, ...]]:
    found: dict[int, tuple[Any, ...]] = {}
    for row in conn.execute(select(tables.keyword).order_by(tables.keyword.c.word)):
        word = Keyword(row.word, row.account_id, tuple(row.forward_to))
        found[row.number_id] = (*found.get(row.number_id, ()), word)
    return found
