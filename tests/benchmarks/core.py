"""The core alone, in this process: what a database makes of it, without mail and its parsing around."""

import itertools
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import old
from core_support import account_row, route_row, seed
from load import Broken
from sqlalchemy import func, insert, select

from gateway_core.drafts import Submission
from gateway_core.jobs.queue import DISPATCH
from gateway_core.keys import Key
from gateway_core.messages import State
from gateway_core.process import Process
from gateway_core.storage import schema, tables
from gateway_core.storage.engine import open_engine
from gateway_core.submit import Outcome, submit

RUNNING, PAUSED = 1, 2
_TO_RUNNING, _TO_PAUSED = "+4479", "+4478"  # prefixes of their routes
_AT_ONCE = 64  # submissions that wait for their commit, as those of 64 mails do
_CREDIT = 10**15
_SENDER = "alice@acme.example"
_numbers = itertools.count()


def prepare(url: str, messages: int) -> None:
    """Make the tables, an account, a running and a paused route, and so many old messages."""
    engine = open_engine(url, writes=True)
    schema.migrate(engine)
    routes = [
        route_row(RUNNING, "simulator", name="running", prefixes=[_TO_RUNNING], settings={"window": 500}),
        route_row(PAUSED, "simulator", name="paused", prefixes=[_TO_PAUSED], paused=True),
    ]
    seed(engine, routes, account_row(1, "acme", credit=_CREDIT))
    with engine.begin() as conn:
        row = {"id": 1, "node": 4095, "host": "old", "pid": 1, "started_at": 0, "lease_until": 0}
        conn.execute(insert(tables.owner), row)
    if messages:
        old.fill(engine, messages)
    engine.dispose()


class Core:
    """A running process on a prepared database."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._gateway = process.gateway

    def accept(self, count: int) -> float:
        """Texts accepted a second, for a route that is paused: nothing else is done meanwhile."""
        began = time.perf_counter()
        self._submit(count, _TO_PAUSED)
        return count / (time.perf_counter() - began)

    def dispatch(self, count: int) -> float:
        """Texts a second from the queue to the stored receipt. They are queued before the clock starts."""
        window = self._gateway.window(RUNNING)
        if window is None:
            raise Broken("the route has no window")
        mark = self._gateway.ids.new()
        with window.working:
            self._submit(count, _TO_RUNNING)
        began = time.perf_counter()
        self._gateway.queue.hint(DISPATCH, RUNNING)
        while self._left(mark):
            if time.perf_counter() - began > 120:
                raise Broken(f"{self._left(mark)} of {count} texts were not delivered in two minutes")
            time.sleep(0.02)
        return count / (time.perf_counter() - began)

    def _left(self, mark: int) -> int:
        m = tables.message.c
        with self._gateway.reader.connect() as conn:
            waits = select(func.count()).where(m.id > mark, m.route_id == RUNNING, m.state != State.DELIVERED)
            return conn.execute(waits).scalar_one()

    def _submit(self, count: int, prefix: str) -> None:
        account = self._gateway.snapshot.accounts[1]
        waiting: deque[Future[Outcome]] = deque()
        for _ in range(count):
            number = next(_numbers)
            to = f"{prefix}{10001000 + number * 104729 % old.HANDSETS // 10000 * 10000 + number % 9000}"
            name = f"{number * 2654435761 % 2**32}.{time.time_ns()}@acme.example"
            asked = Submission(
                account,
                (to,),
                f"disk 93% full on host {number}",
                {"mail_from": _SENDER},
                _SENDER,
                key=Key("mail", name, mail_digest="0" * 64),
            )
            waiting.append(submit(self._gateway, asked))
            if len(waiting) >= _AT_ONCE:
                _must_be_kept(waiting.popleft().result(30))
        for future in waiting:
            _must_be_kept(future.result(30))


def _must_be_kept(outcome: Outcome) -> None:
    if outcome.refused:
        raise Broken(f"a text was refused: {outcome.refused[0]}")


@contextmanager
def running(url: str) -> Iterator[Core]:
    """Started, with its sweeper and heartbeat; stopped at the end."""
    process = Process(url)
    process.start()
    try:
        yield Core(process)
    finally:
        process.stop()
