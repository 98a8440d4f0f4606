"""A gateway for tests: a real database with a few rows, a real writer, real threads; and carriers that misbehave."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, Table, func, insert, select, text, update

from gateway_core import accounts, deliver, directory, dispatch, ledger, messages, phones, submit, sweeper
from gateway_core.accounts import Account
from gateway_core.drafts import Submission
from gateway_core.gateway import Gateway
from gateway_core.messages import FINAL, State
from gateway_core.process import DEAD_OWNER_WAIT_MS, Process
from gateway_core.sms import DLR, MO
from gateway_core.storage import tables
from gateway_core.storage.engine import open_engine
from gateway_core.submit import Accepted, Outcome

OURS = "+447700900900"  # the demo account's number
SHARED = "+447700900800"
PHONE = "+447700900123"
CREDIT = 1_000_000
PRICE = 500
ACCOUNT, OTHER = 1, 2
SIM, FAKE = 1, 2

QUICK = {"response_timeout_seconds": 0.3, "resend_wait_seconds": 0.2}


def wait_for(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """The condition's first true value. Fails the test when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.01)
    return found


def route_row(route_id: int, carrier: str, **changes: Any) -> dict[str, Any]:
    row = {
        "id": route_id,
        "name": carrier,
        "carrier": carrier,
        "settings": QUICK,
        "prefixes": ["*"],
        "priority": 10,
        "weight": 1,
        "segments_per_second": 0,
        "resend": "once",
        "paused": False,
    }
    return {**row, **changes}


def account_row(
    account_id: int, name: str, *, credit: int = CREDIT, limit: int = 0, **terms: Any
) -> dict[str, Any]:
    asked = accounts.Terms.model_validate({"receipts": "all", "test": True, "max_segments": 5, **terms})
    return {
        "id": account_id,
        "name": name,
        "billing": "prepaid",
        "currency": "GBP",
        "balance": credit,
        "credit_limit": limit,
        "terms": asked.model_dump(mode="json"),
        "created_at": 0,
    }


def seed(engine: Engine, routes: Sequence[dict[str, Any]], *people: dict[str, Any]) -> None:
    """Accounts with an opening entry each, a number for the first, a shared one, routes, one price."""
    with engine.begin() as conn:
        tables.metadata.create_all(conn)
        for person in people:
            conn.execute(insert(tables.account), person)
            opening = {"id": person["id"], "account_id": person["id"], "message_id": None, "kind": "opening"}
            conn.execute(
                insert(tables.ledger_entry), {**opening, "amount": person["balance"], "note": "", "at": 0}
            )
        numbers = [(1, OURS, people[0]["id"]), (2, SHARED, None)]
        rows = [{"id": i, "msisdn": n, "account_id": owner, "forward_to": []} for i, n, owner in numbers]
        conn.execute(insert(tables.number), rows)
        conn.execute(insert(tables.route), list(routes))
        conn.execute(insert(tables.price), {"id": 1, "prefix": "*", "currency": "GBP", "per_segment": PRICE})
        directory.raise_revision(conn)


@dataclass
class World:
    """One process on one database. Nothing moves by itself until `process.start()`: tests call the doors."""

    process: Process
    url: str

    @property
    def gateway(self) -> Gateway:
        return self.process.gateway

    def account(self, account_id: int = ACCOUNT) -> Account:
        return self.gateway.snapshot.accounts[account_id]

    def ask(self, *to: str, body: str = "hello", account: int = ACCOUNT, **more: Any) -> "Future[Outcome]":
        more.setdefault("notify", True)
        return submit.submit(self.gateway, Submission(self.account(account), to or (PHONE,), body, **more))

    def submit(self, *to: str, **more: Any) -> Outcome:
        return self.ask(*to, **more).result(10)

    def accept(self, to: str = PHONE, **more: Any) -> int:
        """Submit one text that is accepted; the message's id."""
        ((_, result),) = self.submit(to, **more).results
        assert isinstance(result, Accepted), result
        return result.message_id

    def dispatch(self, route_id: int = SIM) -> None:
        """Work the route once, and wait until what came back is written."""
        dispatch.dispatch(self.gateway, route_id)
        self.settle()

    def sweep(self) -> int:
        moved = sweeper.sweep(self.gateway, wait_ms=DEAD_OWNER_WAIT_MS)
        self.settle()
        return moved

    def tick(self) -> None:
        self.process._tick()
        self.settle()

    def settle(self) -> None:
        """Wait until everything that was handed to the writer is written."""
        self.gateway.writer.put(_nothing, None).result(10)

    def deliver(self, *events: DLR | MO, route_id: int = SIM) -> None:
        deliver.deliver(self.gateway, route_id, events)

    def until(self, message_id: int, *states: State, seconds: float = 15.0) -> Any:
        """Turn the machine by hand until the message is in one of these states (or any end)."""
        wanted = frozenset(states) or FINAL

        def there() -> bool:
            if self.state(message_id) in wanted:
                return True
            for route in self.gateway.snapshot.routes:
                self.dispatch(route.id)
            if self.state(message_id) in wanted:
                return True
            self.tick()
            if self.state(message_id) in wanted:
                return True
            self.sweep()
            return False

        wait_for(there, seconds)
        return self.message(message_id)

    # --- what the database holds ---

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with self.gateway.reader.connect() as conn:
            yield conn

    def message(self, message_id: int) -> Any:
        with self.reading() as conn:
            return messages.find(conn, message_id)

    def state(self, message_id: int) -> State:
        return State(self.message(message_id)["state"])

    def states(self) -> dict[str, int]:
        m = tables.message.c
        with self.reading() as conn:
            return dict(conn.execute(select(m.state, func.count()).group_by(m.state)).all())

    def trail(self, message_id: int) -> list[tuple[str, str, str]]:
        """(old, new, actor) of each event."""
        with self.reading() as conn:
            return [(e["old"], e["new"], e["actor"]) for e in messages.trail(conn, message_id)]

    def path(self, message_id: int) -> list[str]:
        """The states that the message has been in, in order."""
        return [new for old, new, _ in self.trail(message_id) if old != new]

    def rows(self, table: Table, **wanted: Any) -> list[Row[Any]]:
        conditions = [table.c[name] == value for name, value in wanted.items()]
        with self.reading() as conn:
            key = next(iter(table.primary_key.columns))
            return list(conn.execute(select(table).where(*conditions).order_by(key)))

    def notices(self, message_id: int) -> list[str]:
        """The states that the account is told of, in order."""
        return [row.facts["state"] for row in self.rows(tables.notice, message_id=message_id)]

    def phone(self, number: str = PHONE) -> list[phones.Entry]:
        with self.reading() as conn:
            return phones.of_phone(conn, number)

    def balance(self, account: int = ACCOUNT) -> int:
        with self.reading() as conn:
            assert ledger.disagreements(conn) == []
            return ledger.balance(conn, account)

    def spent(self, account: int = ACCOUNT) -> int:
        return CREDIT - self.balance(account)

    # --- what an operator changes, over another connection ---

    def change(self, table: Table, row_id: int, **values: Any) -> None:
        with other_connection(self.url) as conn:
            conn.execute(update(table).where(table.c.id == row_id).values(**values))
            directory.raise_revision(conn)

    def terms(self, account: int = ACCOUNT, **changed: Any) -> None:
        """Change terms of an account, as `apply` does."""
        a = tables.account.c
        with self.reading() as conn:
            old = conn.execute(select(a.terms).where(a.id == account)).scalar_one()
        new = accounts.Terms.model_validate({**old, **changed})
        self.change(tables.account, account, terms=new.model_dump(mode="json"))
        self.gateway.directory.refresh()

    def add(self, table: Table, *rows: dict[str, Any]) -> None:
        with other_connection(self.url) as conn:
            conn.execute(insert(table), list(rows))
            directory.raise_revision(conn)
        self.gateway.directory.refresh()


def _nothing(_conn: Connection, units: Sequence[None]) -> list[None]:
    return [None] * len(units)


@contextmanager
def folded(core: World) -> Iterator[None]:
    """What is put into the writer meanwhile is written in one commit at the end."""
    entered, leave = threading.Event(), threading.Event()

    def fold(_conn: Connection, units: Sequence[None]) -> list[None]:
        entered.set()
        assert leave.wait(10)
        return [None] * len(units)

    waiting = core.gateway.writer.put(fold, None)
    assert entered.wait(10)
    try:
        yield
    finally:
        leave.set()
        waiting.result(10)


@contextmanager
def other_connection(url: str) -> Iterator[Connection]:
    """A transaction of somebody else."""
    engine = open_engine(url, writes=True)
    try:
        with engine.begin() as conn:
            yield conn
    finally:
        engine.dispose()


@contextmanager
def world(url: str, *routes: dict[str, Any], people: Sequence[dict[str, Any]] = ()) -> Iterator[World]:
    """A seeded database (route 1 is the simulator unless others are given) and a process that is not started."""
    engine = open_engine(url, writes=True)
    seed(engine, routes or [route_row(SIM, "simulator")], *(people or [account_row(ACCOUNT, "demo")]))
    engine.dispose()
    process = Process(url)
    try:
        yield World(process, url)
    finally:
        process.stop()


def at_once(asks: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each returned, each in a thread of its own."""
    with ThreadPoolExecutor(len(asks)) as threads:
        return [one.result(60) for one in [threads.submit(ask) for ask in asks]]


def count(url: str, table: Table) -> int:
    """Rows that are committed, as another connection sees them."""
    engine = open_engine(url)
    try:
        with engine.connect() as conn:
            return conn.execute(text(f'SELECT count(*) FROM "{table.name}"')).scalar_one()
    finally:
        engine.dispose()
