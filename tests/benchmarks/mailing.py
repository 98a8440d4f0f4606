"""Notices as mail: how many leave a second, whether memory stays where it is, and what intake keeps meanwhile."""

import itertools
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
from load import Broken
from mail_support import ROWS, World, mail, world
from servers import Gateway
from sqlalchemy import Connection, func, insert, select, update

from gateway_core import notices
from gateway_core.jobs.queue import NOTICES
from gateway_core.notices import Notice
from gateway_core.storage import clock, tables
from gateway_core.storage.ids import Ids

_TEXTS = 500  # that the receipts are about
_numbers = itertools.count()


class Mailer:
    """A gateway in this process, with a smarthost on loopback."""

    def __init__(self, w: World) -> None:
        self._w = w
        self._texts = [self._text(number) for number in range(_TEXTS)]

    def _text(self, number: int) -> int:
        raw = mail(f"disk {number} is full", message_id=f"{number}@acme.example", Subject=f"No {number}")
        (row,) = self._w.of_submission(self._w.send(raw, f"4477009{10_010 + number}@sms.localhost"))
        return int(row["id"])

    def send(self, count: int) -> float:
        """Receipts a second, from due to taken by the smarthost."""
        self._owe(count)
        began = time.perf_counter()
        self._w.gateway.writer.put(_due_now, None).result()
        self._w.gateway.queue.hint(NOTICES)
        while left := self._left():
            if time.perf_counter() - began > 60 + count / 50:
                raise Broken(f"{left} of {count} notices were not mailed")
            time.sleep(0.02)
        seconds = time.perf_counter() - began
        self._must_be_done(count)
        return count / seconds

    def resident(self, count: int) -> float:
        """MiB of this process after so many more, in portions."""
        portion = min(count, 5000)
        for _ in range(count // portion):
            self.send(portion)
        return _resident() / 2**20

    def _owe(self, count: int) -> None:
        account = self._w.gateway.snapshot.account("acme")
        if account is None:
            raise Broken("the account is gone")
        later = clock.now() + clock.DAY
        waiting = []
        for number in itertools.islice(_numbers, count):
            facts = {"to": "+447700900123", "state": "DELIVERED", "reason": "", "words": ""}
            about = self._texts[number % _TEXTS]
            owed = Notice(account.id, f"bench:{number}", "receipt", facts, message_id=about, due_at=later)
            waiting.append(self._w.gateway.writer.put(notices.owe_each, (self._w.gateway.ids, owed)))
        for one in waiting:
            one.result(60)

    def _left(self) -> int:
        with self._w.gateway.reader.connect() as conn:
            return _count_due(conn)

    def _must_be_done(self, count: int) -> None:
        n = tables.notice.c
        with self._w.gateway.reader.connect() as conn:
            newest = select(n.state).where(n.kind == "receipt").order_by(n.id.desc()).limit(count)
            states = set(conn.execute(newest).scalars())
        if states != {"DONE"}:
            raise Broken(f"notices ended as {', '.join(sorted(states))}")


def _count_due(conn: Connection) -> int:
    return int(conn.execute(select(func.count()).where(tables.notice.c.state == "DUE")).scalar_one())


def _due_now(conn: Any, units: Any) -> list[None]:
    n = tables.notice.c
    conn.execute(update(tables.notice).where(n.state == "DUE").values(due_at=clock.now()))
    return [None] * len(units)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Backlog:
    """Notices in the database of a gateway that runs elsewhere: kept back, or due."""

    def __init__(self, gateway: Gateway, count: int) -> None:
        self._gateway = gateway
        self._count = count

    def intake(self, load: Callable[[], float], *, due: bool) -> float:
        """What the load says, while the notices are mailed, or wait."""
        with self._gateway.writing() as conn:
            self._fill(conn, clock.now() if due else clock.now() + clock.DAY)
        deadline = time.monotonic() + 20
        while due and self._left() == self._count:  # the next sweep finds them
            if time.monotonic() > deadline:
                raise Broken("no notice was mailed")
            time.sleep(0.02)
        rate = load()
        with self._gateway.writing() as conn:
            left = _count_due(conn)
            conn.execute(update(tables.notice).values(state="DONE"))
        if due and not 0 < left < self._count:
            raise Broken(f"{left} of {self._count} notices were left: they were not mailed all the time")
        return rate

    def _left(self) -> int:
        with self._gateway.writing() as conn:
            return _count_due(conn)

    def _fill(self, conn: Connection, due_at: int) -> None:
        m = tables.message.c
        message_id, account_id = conn.execute(select(m.id, m.account_id).limit(1)).one()
        facts = {"to": "+447700900123", "state": "DELIVERED", "reason": "", "words": ""}
        row = {"account_id": account_id, "kind": "receipt", "target": "", "message_id": message_id}
        row |= {
            "facts": facts,
            "state": "DUE",
            "due_at": due_at,
            "tries": 0,
            "words": "",
            "created_at": due_at,
        }
        ids = Ids(4001)
        rows = [{**row, "id": ids.new(), "event_key": f"bench:{next(_numbers)}"} for _ in range(self._count)]
        conn.execute(insert(tables.notice), rows)


@contextmanager
def mailer(folder: Path, port: int) -> Iterator[Mailer]:
    folder.mkdir()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    acme, *others = ROWS["account"]
    quiet = {**acme, "receipts": "none", "opening_credit": "100000.00"}
    rows = {**ROWS, "account": [quiet, *others]}
    with world(folder, rows, outbound={"smarthost": f"smtp://127.0.0.1:{port}"}) as w:
        yield Mailer(w)
