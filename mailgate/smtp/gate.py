"""The listening sockets: who may come in."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Sequence

import structlog

from gateway_core.errors import SettingsError
from mailgate import smtp_replies
from mailgate.checks import Intake
from mailgate.smtp import sockets
from mailgate.smtp.peers import Peers

_ACCEPTS_AT_ONCE = 64  # new connections before the others get their turn
_REST_SECONDS = 1.0  # when no file descriptor is left
_CROWDED = "421 4.7.0 too many connections from your address, or too fast"

log = structlog.get_logger(__name__)

# an accepted socket, its peer address, and whether TLS begins with the first byte
Serve = Callable[[socket.socket, str, bool], None]


_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Gate:
    """Accepts connections on all sockets, within the limits for each peer address."""

    def __init__(self, state: Intake, serve: Serve) -> None:
        self._settings = state.settings
        self._serve = serve
        limits = state.settings.limits
        self._peers = Peers(
            limits.connections, limits.connections_per_minute, state.settings.smtp.proxy_protocol_from
        )
        self._loop = asyncio.get_running_loop()
        self._sockets: list[socket.socket] = []

    def open(self) -> list[tuple[str, int]]:
        """Listen; returns the addresses. Raises SettingsError. Inherited sockets stand in for those of the settings."""
        smtp, given = self._settings.smtp, sockets.inherited()
        if given:
            plain, implicit = given.get("smtp", []), given.get("smtps", [])
            if implicit and not smtp.tls_certificate:
                raise SettingsError(
                    "smtp.tls_certificate: the inherited socket smtps needs it, and smtp.tls_key"
                )
        else:
            plain = sockets.bind(smtp.listen, "smtp.listen")
            implicit = sockets.bind(smtp.listen_tls, "smtp.listen_tls")
        self._listen(plain, tls=False)
        self._listen(implicit, tls=True)
        return [one.getsockname()[:2] for one in self._sockets if isinstance(one.getsockname(), tuple)]

    def _listen(self, opened: Sequence[socket.socket], *, tls: bool) -> None:
        for one in opened:
            self._sockets.append(one)
            self._loop.add_reader(one, self._accept, one, tls)

    def _accept(self, listening: socket.socket, tls: bool) -> None:
        for _ in range(_ACCEPTS_AT_ONCE):
            try:
                accepted, address = listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                log.error("connection not accepted", why=str(error))  # noqa: TRY400 - the trace says no more
                if error.errno in _EXHAUSTED:
                    self._rest(listening, tls)
                return
            if self._peers.admit(address[0]):
                self._serve(accepted, address[0], tls)
            else:
                dismiss(accepted, _CROWDED)

    def _rest(self, listening: socket.socket, tls: bool) -> None:
        """Connections wait in the backlog meanwhile."""
        self._loop.remove_reader(listening)
        self._loop.call_later(_REST_SECONDS, self._listen_again, listening, tls)

    def _listen_again(self, listening: socket.socket, tls: bool) -> None:
        if listening in self._sockets:
            self._loop.add_reader(listening, self._accept, listening, tls)

    def leave(self, peer: str) -> None:
        self._peers.leave(peer)

    def close(self) -> None:
        for one in self._sockets:
            self._loop.remove_reader(one)
            one.close()
        self._sockets.clear()


def dismiss(accepted: socket.socket, words: str = smtp_replies.DRAINING) -> None:
    """Say why and close, without serving it."""
    with contextlib.suppress(OSError):
        accepted.setblocking(False)
        accepted.send(f"{words}\r\n".encode())
    accepted.close()
