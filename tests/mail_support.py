"""A listener on a free port over a real gateway process, for tests of the mail side."""

import asyncio
import contextlib
import json
import smtplib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import uvloop

from gateway_core import messages, phones
from gateway_core.process import Process
from gateway_core.storage import schema
from gateway_core.storage.engine import open_engine
from gateway_core.storage.ids import read as read_id
from mailgate import apply, jobs, outbound, rows
from mailgate.checks import Intake
from mailgate.cli import opening
from mailgate.outbound import Outbound
from mailgate.settings import Settings
from mailgate.smtp.listener import Listener
from mailgate.smtp.shared import Patience

ALICE, ACME, BOB = "alice@acme.example", "acme", "bob@other.example"

ROWS: dict[str, Any] = {
    "account": [
        {
            "name": "acme",
            "opening_credit": "10.00",
            "receipts": "all",
            "test": True,
            "destinations": ["+44", "+47"],
            "replies_to": ["desk@acme.example"],
            "sender": [
                {"address": "alice@acme.example"},
                {"address": "nagios@acme.example", "monitoring": True},
                {"address": "far@acme.example", "ips": ["192.0.2.0/24"]},
                {"address": "list@acme.example", "lists": True},
            ],
            "contact": [
                {"name": "oncall", "numbers": ["+447700900123"]},
                {"name": "team", "numbers": ["+447700900123", "+447700900124"]},
            ],
        },
        {
            "name": "other",
            "opening_credit": "1.00",
            "test": True,
            "sender": [{"address": "@other.example"}],
        },
    ],
    "number": [
        {"msisdn": "+447700900901", "account": "acme"},
        {"msisdn": "+447700900902", "account": "other"},
    ],
    "route": [
        {
            "name": "sim",
            "carrier": "simulator",
            "settings": {"response_timeout_seconds": 0.5, "resend_wait_seconds": 0.5},
        }
    ],
    "price": [{"prefix": "+44", "per_segment": "0.05", "currency": "GBP"}],
}


class World:
    """What a test holds: the listener's port, and ways to look at what became of a mail."""

    def __init__(
        self,
        state: Intake,
        process: Process,
        listener: Listener,
        drain: Callable[[float], None],
        door: Outbound,
    ) -> None:
        self.drain = drain
        self.door = door
        self.state = state
        self.process = process
        self.gateway = process.gateway
        self.listener = listener
        self.patience = listener.patience
        self.ports = [port for _, port in listener.addresses]  # of smtp.listen, then of smtp.listen_tls
        self.port = self.ports[0]

    def client(self) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.port, timeout=30)

    def send(
        self, raw: bytes | str, to: str | list[str] = "447700900123@sms.localhost", mail_from: str = ALICE
    ) -> str:
        """The last reply's text; raises what smtplib raises for refusals."""
        with self.client() as client:
            client.ehlo("client.example")
            client.mail(mail_from)
            for address in [to] if isinstance(to, str) else to:
                code, words = client.rcpt(address)
                if code >= 400:
                    raise smtplib.SMTPRecipientsRefused({address: (code, words)})
            code, words = client.data(raw)
            if code >= 400:
                raise smtplib.SMTPDataError(code, words)
            return words.decode()

    def texts(self, phone: str) -> list[str]:
        with self.gateway.reader.connect() as conn:
            return [entry.text for entry in phones.of_phone(conn, phone)]

    def of_submission(self, reply: str) -> list[Any]:
        """The messages of the submission that a 250 line names."""
        number = read_id("s", reply.split()[1])
        with self.gateway.reader.connect() as conn:
            return messages.of_submission(conn, number or 0)

    def mail_notices(self) -> None:
        """Those that are due, in this thread."""
        jobs.mail_notices(self.state, self.door)

    def outbox(self) -> list[Path]:
        return sorted((outbound.outbox(self.state.settings) / "new").glob("*"))


def settings_for(folder: Path, **sections: dict[str, Any]) -> Settings:
    values = {
        "database": {"url": f"sqlite:///{folder}/mailgate.db"},
        "smtp": {"listen": ["127.0.0.1:0"]},
        "security": {"secrets": ["a secret of the tests"]},
    }
    for section, keys in sections.items():
        values[section] = {**values.get(section, {}), **keys}
    return Settings.model_validate(values)


@contextlib.contextmanager
def world(
    folder: Path,
    given: dict[str, Any] | None = None,
    patience: Patience | None = None,
    **sections: dict[str, Any],
) -> Iterator[World]:
    """Everything of `serve` but the HTTP side, in this process."""
    settings = settings_for(folder, **sections)
    engine = open_engine(settings.database.url, writes=True)
    schema.migrate(engine)
    engine.dispose()
    door = Outbound(settings)
    process = Process(settings.database.url)
    try:
        document = rows.Document.model_validate(json.loads(json.dumps(given or ROWS)))
        process.gateway.writer.put(_apply, (process.gateway.ids, document)).result()
        process.gateway.directory.refresh()
        state = opening.intake_of(settings, process.gateway)
        jobs.declare(process.queue, state, door)
        process.start()
        with _listening(state, patience) as (listener, drain):
            yield World(state, process, listener, drain, door)
    finally:
        door.close()
        process.stop()


def _apply(conn: Any, units: Any) -> list[list[str]]:
    return [apply.apply(conn, ids, document) for ids, document in units]


@contextlib.contextmanager
def _listening(
    state: Intake, patience: Patience | None
) -> Iterator[tuple[Listener, Callable[[float], None]]]:
    """The listener in an event loop of its own thread."""
    loop = uvloop.new_event_loop()  # what `serve` uses
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    made: list[Listener] = []

    async def start() -> Listener:
        made.append(Listener(state, patience=patience))
        await made[0].start()
        return made[0]

    def drain(seconds: float = 10) -> None:
        asyncio.run_coroutine_threadsafe(made[0].drain(seconds), loop).result(seconds + 10)

    try:
        yield asyncio.run_coroutine_threadsafe(start(), loop).result(10), drain
    finally:
        drain(2)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def mail(body: str = "Hello there", *, sender: str = ALICE, message_id: str = "", **headers: str) -> bytes:
    """A plain mail as a client writes it."""
    lines = [f"From: {sender}"]
    if message_id:
        lines.append(f"Message-ID: <{message_id}>")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", *body.splitlines()]).encode() + b"\r\n"


def talk(port: int, *lines: bytes) -> list[bytes]:
    """Say these lines on one connection, each after the reply to the one before; the last line of each reply."""
    replies = []
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        stream = connection.makefile("rb")
        replies.append(_reply(stream))
        for line in lines:
            connection.sendall(line)
            replies.append(_reply(stream))
    return replies


def _reply(stream: Any) -> bytes:
    while True:
        line: bytes = stream.readline()
        if line[3:4] != b"-":
            return line.rstrip(b"\r\n")
