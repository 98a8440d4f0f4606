"""uvicorn inside a running event loop: our sockets, our signals, our log."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from gateway_core.errors import SettingsError

_MOST_CONNECTIONS = 1000
_DRAIN_SECONDS = 10
_BACKLOG = 1024


class _Uvicorn(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the process, which drains in its own order."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


class Server:
    """One listening address in the running event loop."""

    def __init__(self, app: Any, listen: str) -> None:
        self._listen = listen
        self._config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # else anybody on loopback could name another peer address
            limit_concurrency=_MOST_CONNECTIONS,
            backlog=_BACKLOG,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
        )
        self._server: _Uvicorn | None = None
        self._serving: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self) -> None:
        """Raises SettingsError naming the setting when the address cannot be had."""
        try:
            sockets = await _bind(self._listen)
        except OSError as error:
            words = error.strerror or str(error)
            raise SettingsError(f"http.listen: {self._listen}: {words}") from None
        self.port = sockets[0].getsockname()[1]
        self._server = _Uvicorn(self._config)
        self._serving = asyncio.create_task(self._server.serve(sockets))
        up = asyncio.create_task(self._server.up.wait())
        await asyncio.wait({self._serving, up}, return_when=asyncio.FIRST_COMPLETED)
        if self._serving.done():
            up.cancel()
            self._serving.result()

    async def stop(self) -> None:
        """No new connections; requests in hand are answered, for a bounded time."""
        if self._server and self._serving:
            self._server.should_exit = True
            await self._serving


async def _bind(listen: str) -> list[socket.socket]:
    """All addresses of a name (localhost has two), on one port. An empty host or * is every interface."""
    host, _, port = listen.rpartition(":")
    found = await asyncio.get_running_loop().getaddrinfo(
        host.strip("[]*") or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    sockets: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
            sockets.append(_listening(family, address, sockets[0].getsockname()[1] if sockets else int(port)))
    except OSError:
        for bound in sockets:
            bound.close()
        raise
    return sockets


def _listening(family: int, address: tuple[Any, ...], port: int) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((address[0], port, *address[2:]))
        bound.listen(_BACKLOG)  # a port that another one listens on is refused only here
    except OSError:
        bound.close()
        raise
    bound.setblocking(False)
    return bound
