"""The HTTP edge for tests: a real server on a free port, over a real process on a database of its own."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from core_support import account_row, route_row, seed, wait_for
from sqlalchemy import delete, insert, select

from gateway_core import messages
from gateway_core.accounts import key_digest
from gateway_core.directory import raise_revision
from gateway_core.gateway import Gateway
from gateway_core.messages import State
from gateway_core.process import Process
from gateway_core.storage import ids, tables
from gateway_core.storage.engine import open_engine
from mailgate.checks import Intake
from mailgate.http.app import create_app
from mailgate.http.edge import Edge as EdgeState
from mailgate.http.server import Server
from mailgate.settings import Settings
from mailgate.trust import Book

ACME, GLOBEX, FAR = "a" * 40, "b" * 40, "c" * 40  # API keys; the last one's account may not text from here
PHONE, OTHER_PHONE = "+447700900123", "+447700900124"
LATER = "2099-01-01T00:00:00Z"


@dataclass
class Edge:
    """What a test holds. `state["draining"]` is turned by hand."""

    url: str
    process: Process
    data: Path
    here: EdgeState  # what the endpoints themselves hold
    state: dict[str, bool]
    stop: Callable[[], None]  # the server begins to drain

    @property
    def gateway(self) -> Gateway:
        return self.process.gateway

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def client(self, key: str | None = ACME, **headers: str) -> httpx2.Client:
        bearer = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx2.Client(base_url=self.url, headers={**bearer, **headers}, timeout=20)

    def post(self, *to: str, text: str = "hello", key: str = ACME, idempotency: str = "", **more: Any) -> Any:
        """Submit, whatever comes of it."""
        headers = {"Idempotency-Key": idempotency} if idempotency else {}
        with self.client(key) as client:
            body = {"to": to or (PHONE,), "text": text, **more}
            return client.post("/v1/messages", json=body, headers=headers)

    def accepted(self, *to: str, **more: Any) -> dict[str, Any]:
        answer = self.post(*to, **more)
        assert answer.status_code == 202, answer.text
        (message, *_) = answer.json()["messages"]
        return dict(message)

    def until(self, shown_id: str, *states: State) -> dict[str, Any]:
        """Wait for a message to be in one of these states."""
        message_id = ids.read("m", shown_id)
        assert message_id is not None

        def there() -> dict[str, Any] | None:
            with self.gateway.reader.connect() as conn:
                row = messages.find(conn, message_id)
            return dict(row) if row and row["state"] in states else None

        return dict(wait_for(there))

    def count(self, table: Any, **wanted: Any) -> int:
        with self.gateway.reader.connect() as conn:
            rows = conn.execute(select(table).filter_by(**wanted)).all()
        return len(rows)

    @contextmanager
    def database_busy(self) -> Iterator[None]:
        """Another program holds the database's write lock: nothing can be committed meanwhile."""
        other = sqlite3.connect(self.data / "mailgate.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
            other.close()


def _people(url: str, *, simulated: bool) -> None:
    engine = open_engine(url, writes=True)
    seed(
        engine,
        [route_row(1, "simulator")],
        account_row(1, "acme", destinations=["+44", "+47"]),
        account_row(2, "globex", sender_id="Globex", credit=600),
        account_row(3, "far", sender_id="Far", api_ips=["192.0.2.0/24", "2001:db8:1::/48"]),
    )
    with engine.begin() as conn:
        if not simulated:
            conn.execute(delete(tables.route))
        for number, key in enumerate((ACME, GLOBEX, FAR), 1):
            row = {"id": number, "account_id": number, "digest": key_digest(key), "created_at": 0}
            conn.execute(insert(tables.api_key), row)
        raise_revision(conn)
    engine.dispose()


@contextmanager
def running(
    data: Path,
    *,
    embedded: bool = True,
    simulated: bool = True,
    forwarded_from: Sequence[str] = (),
    operator_keys: Sequence[str] = (),
) -> Iterator[Edge]:
    url = f"sqlite:///{data}/mailgate.db"
    _people(url, simulated=simulated)
    process = Process(url)
    process.start()
    http = {"listen": "127.0.0.1:0", "forwarded_from": forwarded_from, "operator_keys": operator_keys}
    settings = Settings.model_validate({"database": {"url": url}, "http": http})
    state = {"draining": False}
    book = Book(process.gateway, loopback_only=True)
    app = create_app(
        Intake(process.gateway, settings, book, ("secret",), "token"),
        process=process,
        embedded=embedded,
        listener_draining=lambda: state["draining"],
    )
    with served(app, settings.http.listen) as (port, stop):
        try:
            yield Edge(f"http://127.0.0.1:{port}", process, data, app.state.edge, state, stop)
        finally:
            process.stop()


@contextmanager
def served(app: Any, listen: str) -> Iterator[tuple[int, Callable[[], None]]]:
    """A server in an event loop in a thread, as a process has it: its port, and how to stop it."""
    held: dict[str, Any] = {}
    started = threading.Event()

    async def serve() -> None:
        server = Server(app, listen)
        held["loop"], held["stop"] = asyncio.get_running_loop(), asyncio.Event()
        await server.start()
        held["port"] = server.port
        started.set()
        await held["stop"].wait()
        await server.stop()

    def stop() -> None:
        held["loop"].call_soon_threadsafe(held["stop"].set)

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield held["port"], stop
    finally:
        if thread.is_alive():
            stop()
        thread.join(15)
        assert not thread.is_alive()


def is_problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The problem document (RFC 9457) of an answer, checked."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert (document["type"], document["status"], document["code"]) == ("about:blank", status, code), document
    assert document["title"]
    assert document["detail"]
    return dict(document)
