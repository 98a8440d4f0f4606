"""A process that takes mail in and writes through the one that started it (processes.Processes).

It gets accepted connections over one socketpair, and speaks with the process that writes over another: that one's
end is this one's end. It reads the database for itself.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Sequence
from typing import NamedTuple

import structlog

from gateway_core.gateway import REFERENCES, Gateway
from gateway_core.process import guest
from gateway_core.storage.remote import RemoteWriter
from mailgate.checks import Intake
from mailgate.settings import Settings
from mailgate.smtp import sums
from mailgate.smtp.listener import Listener
from mailgate.trust import Book

RECORD = 64  # octets that come with a connection: T or P, then its peer address
DRAIN_SECONDS = 30.0
SETTLE_SECONDS = 5.0  # for what is still to be written once nobody is connected
_ORPHANED_SECONDS = 2.0  # for saying 451 to whoever waits, once the process that writes is gone
_REFRESH_SECONDS = 1.0

# What the two processes tell each other (storage.frames.Note).
BEGIN = "begin"  # Begin: serve
READY = "ready"
DRAIN = "drain"  # seconds: serve what has begun, and end
LEAVING = "leaving"  # no more connections, please
ENDED = "ended"  # the peer address of a connection
COUNTED = "counted"  # sums.Samples

log = structlog.get_logger(__name__)


class Begin(NamedTuple):
    """What the first process has read and made: every process serves by the same."""

    settings: Settings
    loopback_only: bool
    secrets: tuple[str, ...]
    loop_token: str


def record(peer: str, *, tls: bool) -> bytes:
    return (("T" if tls else "P") + peer).encode()[:RECORD].ljust(RECORD)


class Child:
    """`run` returns when everything is served, or when the process that writes is gone."""

    def __init__(self, ready: Callable[[], None]) -> None:
        self._ready = ready
        self._loop = asyncio.get_running_loop()
        self._begin: asyncio.Future[Begin] = self._loop.create_future()
        self._drain: asyncio.Future[float] = self._loop.create_future()
        self._gone = asyncio.Event()
        self._writer = RemoteWriter(REFERENCES)
        self._writer.on_note = self._told
        self._writer.on_lost = self._orphaned

    async def run(self, link: socket.socket, handed: socket.socket) -> None:
        self._loop.add_signal_handler(signal.SIGTERM, self._told, DRAIN, DRAIN_SECONDS)
        await self._writer.connect(link)
        ending = self._drain
        await asyncio.wait((self._begin, ending), return_when=asyncio.FIRST_COMPLETED)
        if self._begin.done():
            await self._serve(self._begin.result(), handed)
        self._writer.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._gone.wait(), DRAIN_SECONDS)

    async def _serve(self, begin: Begin, handed: socket.socket) -> None:
        settings = begin.settings
        gateway = guest(settings.database.url, self._writer)
        book = Book(gateway, loopback_only=begin.loopback_only)
        listener = Listener(Intake(gateway, settings, book, begin.secrets, begin.loop_token))
        listener.on_end = lambda peer: self._writer.tell(ENDED, peer)
        await listener.start(listen=False)
        handed.setblocking(False)
        self._loop.add_reader(handed, self._take, handed, listener)
        keeping_up = self._loop.create_task(self._keep_up(gateway))
        self._ready()
        self._writer.tell(READY)
        seconds = await self._drain
        self._writer.tell(LEAVING)
        await listener.drain(seconds)  # what is on its way to us is adopted still, and sent away
        self._loop.remove_reader(handed)
        await self._writer.settled(SETTLE_SECONDS)
        keeping_up.cancel()
        self._writer.tell(COUNTED, sums.samples())
        gateway.reader.dispose()

    def _told(self, name: str, value: object) -> None:
        if name == BEGIN and isinstance(value, Begin) and not self._begin.done():
            self._begin.set_result(value)
        elif name == DRAIN and isinstance(value, float) and not self._drain.done():
            self._drain.set_result(value)

    def _orphaned(self) -> None:
        self._gone.set()
        self._told(DRAIN, _ORPHANED_SECONDS)

    def _take(self, handed: socket.socket, listener: Listener) -> None:
        """Connections that were given to this process."""
        while True:
            try:
                data, descriptors, _, _ = socket.recv_fds(handed, RECORD, 1)
            except (BlockingIOError, InterruptedError):
                return
            if not data:
                self._loop.remove_reader(handed)
                return
            if descriptors:
                peer = data[1:].decode().strip()
                listener.adopt(socket.socket(fileno=descriptors[0]), peer, tls=data[:1] == b"T")
            else:  # no descriptor is left here
                log.error("a connection was lost on its way to this process")
                self._writer.tell(ENDED, data[1:].decode().strip())

    async def _keep_up(self, gateway: Gateway) -> None:
        """Rows that have changed act within two seconds; what was counted is told."""
        told: sums.Samples = []
        while True:
            await asyncio.sleep(_REFRESH_SECONDS)
            try:
                await asyncio.to_thread(gateway.directory.refresh)
            except Exception:
                log.exception("the rows cannot be read; it is tried again")
            counted = sums.samples()
            if counted != told:
                self._writer.tell(COUNTED, counted)
                told = counted


async def serve(descriptors: Sequence[int], ready: Callable[[], None]) -> None:
    """With the inherited descriptors of the link and of the socket that brings connections.

    `ready` is called when everything is loaded.
    """
    link, handed = (socket.socket(fileno=one) for one in descriptors)
    with handed:
        await Child(ready).run(link, handed)
