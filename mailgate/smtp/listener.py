"""All SMTP connections of one process: how each begins, their time, and the drain that loses nothing."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog

from mailgate import legacy
from mailgate.checks import Intake
from mailgate.smtp import arrival, proxy
from mailgate.smtp.auth import Logins
from mailgate.smtp.connection import Connection
from mailgate.smtp.gate import Gate
from mailgate.smtp.handler import Handler
from mailgate.smtp.recorder import Recorder
from mailgate.smtp.session import Session
from mailgate.smtp.shared import Load, Patience, Shared
from mailgate.smtp.syntax import Malformed, sender
from mailgate.smtp.tls import Certificates
from mailgate.trust import LOOPBACK, inside

_LOOK_SECONDS = 1.0
_RELOAD_SECONDS = 10.0

log = structlog.get_logger(__name__)


class Listener:
    """All SMTP connections of one process, in the running event loop."""

    def __init__(self, state: Intake, *, patience: Patience | None = None) -> None:
        settings = state.settings.smtp
        certificates = (
            Certificates(settings.tls_certificate, settings.tls_key) if settings.tls_certificate else None
        )
        load = Load(settings.max_inflight_bytes)
        self._shared = Shared(state, load, certificates, patience or Patience())
        self._handler = Handler(state, alike_seconds=self._shared.patience.alike)
        self._logins = Logins(state.book)
        self._loop = asyncio.get_running_loop()
        self._gate = Gate(state, lambda accepted, peer, tls: self.adopt(accepted, peer, tls=tls))
        self._connections: set[Connection] = set()
        self._arriving: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()
        self._met: set[str] = set()  # devices whose first contact was recorded; legacy networks are small
        self._watch: asyncio.Task[None] | None = None
        self.on_end: Callable[[str], None] = self._gate.leave
        self.addresses: list[tuple[str, int]] = []
        self.reload_seconds = _RELOAD_SECONDS  # between two looks at the certificate

    async def start(self, *, listen: bool = True) -> None:
        """Raises SettingsError naming the setting when an address cannot be had.

        `listen` False: connections come by `adopt` only.
        """
        self._watch = self._loop.create_task(self._look_at_all())
        if listen:
            self.addresses = self._gate.open()

    @property
    def load(self) -> Load:
        return self._shared.load

    @property
    def patience(self) -> Patience:
        return self._shared.patience

    @property
    def open_connections(self) -> tuple[Connection, ...]:
        return tuple(self._connections)

    @property
    def connections(self) -> int:
        return len(self._connections) + len(self._arriving)

    # --- connections ------------------------------------------------------------------------------------

    def adopt(self, accepted: socket.socket, peer: str, *, tls: bool) -> None:
        """Serve an accepted connection; `tls`: from its first byte. `on_end` is called with `peer`, once."""
        task = self._loop.create_task(self._arrive(accepted, peer, tls))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    async def _arrive(self, accepted: socket.socket, peer: str, tls: bool) -> None:
        connection = None
        try:
            accepted.setblocking(False)
            known = await self._known(accepted, peer, tls)
            if tls or inside(peer, LOOPBACK) or not arrival.talks_early(accepted):
                connection = self._made(known, peer, tls)
                await self._connect(connection, accepted, tls)
        except (OSError, TimeoutError, proxy.BadHeader) as error:
            log.info("connection not served", peer=peer, why=str(error))
        finally:
            if connection is None:
                accepted.close()
                self.on_end(peer)

    async def _known(self, accepted: socket.socket, peer: str, tls: bool) -> str:
        """The address that counts: behind a trusted balancer the client's. Others wait for the banner."""
        patience = self._shared.patience
        if inside(peer, self._shared.state.settings.smtp.proxy_protocol_from):
            async with asyncio.timeout(patience.proxy):
                return await arrival.proxied(accepted) or peer
        if not tls and not inside(peer, LOOPBACK):
            await asyncio.sleep(patience.greeting)
        return peer

    def _made(self, known: str, peer: str, tls: bool) -> Connection:
        found = legacy.profile_for(self._shared.state.settings, known)
        profile = found[1] if found else None
        recorder = None
        if found and found[1].record_first_contact and known not in self._met:
            recorder = Recorder(partial(self._keep_first_contact, known, found[0]), self._has_secret)
        connection = Connection(
            self._shared,
            lambda lost: self._lost(lost, peer),
            repair=bool(profile and profile.repair_line_ends),
            recorder=recorder,
        )
        connection.session = Session(
            self._shared,
            self._handler,
            self._logins,
            known,
            connection.answered,
            tls=tls,
            profile=profile,
        )
        self._connections.add(connection)
        return connection

    def _has_secret(self, line: bytes) -> bool:
        with contextlib.suppress(Malformed):
            address = sender(line).address
            rules = self._shared.state.book.rules()
            rule = rules.covering(address) if address else None
            return rule is not None and rules.has_secret(rule.account_id)
        return False

    def _keep_first_contact(self, known: str, profile: str, transcript: str) -> None:
        self._met.add(known)
        legacy.keep(self._shared.state.gateway, known, profile, transcript)

    async def _connect(self, connection: Connection, accepted: socket.socket, tls: bool) -> None:
        certificates = self._shared.certificates
        options: dict[str, Any] = {}
        if tls and certificates:
            options = {
                "ssl": certificates.context,
                "ssl_handshake_timeout": self._shared.patience.handshake,
                "ssl_shutdown_timeout": 5.0,
            }
        try:
            await self._loop.connect_accepted_socket(lambda: connection, accepted, **options)
        except OSError as error:  # ssl.SSLError is one
            connection.connection_lost(error)
            raise

    def _lost(self, connection: Connection, peer: str) -> None:
        if connection in self._connections:
            self._connections.discard(connection)
            self.on_end(peer)
        if self._shared.draining and not self._connections:
            self._empty.set()

    def forget_failures(self) -> None:
        """Logins that failed are forgiven."""
        self._logins.forget()

    # --- time and the end -------------------------------------------------------------------------------

    async def _look_at_all(self) -> None:
        renew_at = 0.0
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            now = self._loop.time()
            for connection in list(self._connections):
                connection.look_at(now)
            if self._shared.certificates and now >= renew_at:
                await asyncio.to_thread(self._shared.certificates.reload_if_changed)
                renew_at = now + self.reload_seconds

    async def drain(self, seconds: float = 30.0) -> None:
        """No new connections; who is inside a mail may end it, everybody else is told 421 4.3.2."""
        self._shared.draining = True
        self._gate.close()
        for connection in list(self._connections):
            connection.dismiss()
        if self._arriving:
            await asyncio.wait(self._arriving, timeout=seconds)
        if self._connections:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), seconds)
        for connection in list(self._connections):
            connection.abort()
        self._logins.close()
        self._handler.close()
        if self._watch:
            self._watch.cancel()
