"""The listening sockets, and the drain that loses nothing."""

import asyncio
import contextlib
import logging

from gateway_core.errors import SettingsError
from mailgate.checks import Intake
from mailgate.smtp.handler import Handler
from mailgate.smtp.protocol import Protocol

_IDLE_SECONDS = 300  # RFC 5321 §4.5.3.2.7
_LIMITS = {"*": 1000, "NOOP": 100, "RSET": 10_000, "MAIL": 1_000_000, "RCPT": 1_000_000, "DATA": 1_000_000}

logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd formats every line it sees


class Listener:
    """All plain SMTP sockets of one process, in the running event loop."""

    def __init__(self, state: Intake) -> None:
        self._state = state
        self._draining = asyncio.Event()
        self._empty = asyncio.Event()
        self._handler = Handler(state, self._draining)
        self._servers: list[asyncio.Server] = []
        self._connections: set[Protocol] = set()
        self.addresses: list[tuple[str, int]] = []

    async def start(self) -> None:
        """Raises SettingsError naming the setting when an address cannot be had."""
        loop = asyncio.get_running_loop()
        for listen in self._state.settings.smtp.listen:
            host, _, port = listen.rpartition(":")
            try:
                server = await loop.create_server(
                    self._connect, host.strip("[]") or None, int(port), backlog=512
                )
            except OSError as error:
                raise SettingsError(f"smtp.listen: {listen}: {error.strerror or error}") from None
            self._servers.append(server)
            self.addresses += [socket.getsockname()[:2] for socket in server.sockets]

    def _connect(self) -> Protocol:
        protocol = Protocol(
            self._handler,
            draining=self._draining,
            data_size_limit=self._state.settings.smtp.max_message_bytes,
            enable_SMTPUTF8=True,
            hostname=self._state.settings.mail.domains[0],  # else a blocking look-up for each connection
            ident="ESMTP",
            timeout=_IDLE_SECONDS,
            command_call_limit=_LIMITS,
            loop=asyncio.get_running_loop(),
        )
        protocol.on_lost = self._lost
        self._connections.add(protocol)
        return protocol

    async def drain(self, seconds: float = 30.0) -> None:
        """No new connections; who is inside a mail may end it, everybody else is told 421 4.3.2."""
        self._draining.set()
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.dismiss_if_idle()
        if self._connections:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), seconds)
        for connection in list(self._connections):
            connection.abort()

    def _lost(self, connection: Protocol) -> None:
        self._connections.discard(connection)
        if self._draining.is_set() and not self._connections:
            self._empty.set()
