"""A mail server on loopback that takes what we send, counts sessions, and fails as a test wants it to."""

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope
from certificates import Pair
from mail_support import ALICE, settings_for

from mailgate.outbound import Outbound, Sent
from mailgate.outgoing import Outgoing
from mailgate.settings import Settings

GONE = Sent(gone=True)
RAW = b"To: alice@acme.example\r\nSubject: hi\r\n\r\n.a line\r\n"


def outgoing(name: str = "n1", to: str = ALICE, *, mail_from: str = "", local: bool = False) -> Outgoing:
    return Outgoing(name, mail_from, (to,), RAW, local=local)


@dataclass
class Smarthost:
    """A mail server that answers what the test wants, and keeps what it accepted."""

    answers: dict[str, str] = field(default_factory=dict)  # by recipient, at RCPT or at the end of DATA
    taken: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    most_of_session: int = 1000  # mails; then 421 at MAIL
    slow_seconds: float = 0.0  # at RCPT
    sessions: Counter[int] = field(default_factory=Counter)  # MAIL commands, by port of the client
    encrypted: list[bool] = field(default_factory=list)  # of each mail that was taken
    open: dict[int, Any] = field(default_factory=dict)  # transports, by port of the client

    async def handle_EHLO(  # noqa: N802 - aiosmtpd finds it by name
        self, server: Any, session: Any, envelope: Envelope, name: str, responses: list[str]
    ) -> list[str]:
        session.host_name = name
        self.sessions[session.peer[1]] += 0
        self.open[session.peer[1]] = server.transport
        return responses

    async def handle_MAIL(  # noqa: N802
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.sessions[session.peer[1]] += 1
        if self.sessions[session.peer[1]] > self.most_of_session:
            return "421 4.7.0 enough for one session"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        await asyncio.sleep(self.slow_seconds)
        envelope.rcpt_tos.append(address)
        return self.answers.get(f"rcpt {address}", "250 OK")

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        answer = self.answers.get(f"data {envelope.rcpt_tos[0]}", "250 taken")
        if answer.startswith("2") or answer == "lost":
            content = envelope.original_content or b""
            sender = (envelope.mail_from or "").removeprefix("<>")  # aiosmtpd's word for the null return path
            self.taken.append((sender, list(envelope.rcpt_tos), bytes(content)))
            self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
        if answer.startswith("421"):
            server.transport.write(b"421 4.3.2 going down\r\n")
        if answer == "lost" or answer.startswith("421"):
            server.transport.close()
        return answer

    def hang_up(self, controller: Controller) -> None:
        """End all sessions, without a word."""

        async def close() -> None:
            for transport in self.open.values():
                transport.close()

        asyncio.run_coroutine_threadsafe(close(), controller.loop).result(10)


@contextmanager
def smarthost(handler: Any, port: int, *, host: str = "127.0.0.1", **options: Any) -> Iterator[Controller]:
    controller = Controller(handler, hostname=host, port=port, **options)
    controller.start()
    try:
        yield controller
    finally:
        controller.stop()


def tls(pair: Pair) -> ssl.SSLContext:
    """Of a server: `tls_context` for STARTTLS, `ssl_context` for TLS from the first byte."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


@contextmanager
def silent() -> Iterator[int]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def towards(folder: Path, port: int, **more: Any) -> Settings:
    """Settings with this smarthost; `more` are keys of [outbound]."""
    return settings_for(folder, outbound={"smarthost": f"smtp://127.0.0.1:{port}"} | more)


def send(settings: Settings, mails: Sequence[Outgoing], **options: Any) -> list[Sent]:
    """Through a door of its own."""
    with contextlib.closing(Outbound(settings, **options)) as door:
        return door.send(mails)
