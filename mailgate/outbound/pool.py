"""Connections to one destination, kept open from batch to batch. All of it runs in one event loop."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from mailgate.outbound.client import Client, end, is_alive

_SURE_SECONDS = 1  # idle for less, it is not asked whether it is alive
_ASK_SECONDS = 5


@dataclass(slots=True)
class Connection:
    """`used`: a mail went over it, so that its end may be nobody's fault. `clean`: the server took the last one, and
    waits for no more of it.
    """

    client: Client
    used: bool = False
    clean: bool = True
    idle_since: float = 0.0


class Pool:
    """At most `most` connections at once, made by `connect`, which raises Unreachable."""

    def __init__(self, connect: Callable[[], Awaitable[Client]], most: int) -> None:
        self._connect = connect
        self._free = asyncio.Semaphore(most)
        self._idle: list[Connection] = []
        self._users = 0

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """So that nobody throws it away."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1

    async def take(self) -> Connection:
        """One that takes mail: a kept one, or a new one. Raises Unreachable."""
        await self._free.acquire()
        try:
            return await self._kept() or Connection(await self._connect())
        except BaseException:
            self._free.release()
            raise

    def give(self, connection: Connection) -> None:
        """Back, whatever became of it."""
        if connection.client.is_connected:
            connection.idle_since = time.monotonic()
            self._idle.append(connection)
        self._free.release()

    def is_empty(self) -> bool:
        return not self._users and not self._idle

    async def tidy(self, kept_seconds: float, ask_seconds: float = _ASK_SECONDS) -> None:
        """End what has been idle for so long."""
        limit = time.monotonic() - kept_seconds
        old = [one for one in self._idle if one.idle_since <= limit]
        self._idle = [one for one in self._idle if one.idle_since > limit and one.client.is_connected]
        await asyncio.gather(*(end(one.client, ask_seconds) for one in old))

    async def _kept(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()  # the last one used: the others may grow old and end
            client = connection.client
            try:
                sure = connection.clean and time.monotonic() - connection.idle_since < _SURE_SECONDS
                if client.is_connected and (sure or await is_alive(client, _ASK_SECONDS)):
                    return connection
            except BaseException:
                client.close()
                raise
        return None
