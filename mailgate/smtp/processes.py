"""Several processes that take mail in on the same sockets, and one that writes: this one.

This process accepts every connection, since limits for a peer are kept in one place, and gives it to the child that
has the fewest. Children decide, and hand what is to be written back over a link (storage.remote). A child that dies
is started again: its connections are gone, but what was accepted is written here.
"""

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections import Counter, deque
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog

from gateway_core.errors import SettingsError
from gateway_core.process import HINT, Process
from gateway_core.storage.remote import Served
from mailgate.checks import Intake
from mailgate.settings import Settings
from mailgate.smtp import child as protocol
from mailgate.smtp.gate import Gate, dismiss
from mailgate.smtp.sums import Sums
from mailgate.smtp.tls import Certificates

_COMMAND = (sys.executable, "-m", "mailgate.cli.child")
_START_SECONDS = 30.0
_EXIT_SECONDS = 5.0  # from the end of a child's link to its end
_BACKOFF_SECONDS = (0.1, 0.5, 2.0, 5.0)  # before a child that died young is started again
_YOUNG_SECONDS = 10.0
_MOST_WAITING = 1000  # connections while no child can take one

log = structlog.get_logger(__name__)


@dataclass(eq=False)
class _Child:
    """A running one. `peers` are the addresses of its connections."""

    program: "subprocess.Popen[bytes]"
    link: Served
    handed: socket.socket
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    ready: bool = False
    peers: Counter[str] = field(default_factory=Counter)

    @property
    def connections(self) -> int:
        return self.peers.total()


class Processes:
    """Stands for a Listener, with settings.smtp.processes children behind it."""

    def __init__(self, state: Intake, process: Process, *, loopback_only: bool) -> None:
        self._process = process
        self._begin = protocol.Begin(_share(state.settings), loopback_only, state.secrets, state.loop_token)
        self._count = state.settings.smtp.processes
        self._tls = state.settings.smtp.tls_certificate, state.settings.smtp.tls_key
        self._loop = asyncio.get_running_loop()
        self._gate = Gate(state, self._serve)
        self._children: set[_Child] = set()
        self._keeping: list[asyncio.Task[None]] = []
        self._waiting: deque[tuple[socket.socket, str, bool]] = deque()
        self._stopping = asyncio.Event()
        self._all_ready = asyncio.Event()
        self._sums = Sums()
        self.addresses: list[tuple[str, int]] = []

    async def start(self) -> None:
        """Raises SettingsError naming the setting when an address or a certificate cannot be had."""
        if self._tls[0]:
            Certificates(*self._tls)
        self.addresses = self._gate.open()
        self._sums.register()
        self._keeping = [self._loop.create_task(self._keep()) for _ in range(self._count)]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_ready.wait(), _START_SECONDS)
        if not any(child.ready for child in self._children):
            raise SettingsError("smtp.processes: none of them serves; the log says why")

    @property
    def connections(self) -> int:
        return sum(child.connections for child in self._children) + len(self._waiting)

    async def drain(self, seconds: float = 30.0) -> None:
        """No new connections; who is inside a mail may end it, everybody else is told 421 4.3.2."""
        self._stopping.set()
        self._gate.close()
        while self._waiting:
            dismiss(self._waiting.popleft()[0])
        for child in self._children:
            child.link.tell(protocol.DRAIN, float(seconds))
        if self._keeping:
            await asyncio.wait(self._keeping, timeout=2 * seconds + protocol.SETTLE_SECONDS + _EXIT_SECONDS)
        for child in list(self._children):
            log.error("a process does not end; it is killed", pid=child.program.pid)
            child.program.kill()
        for keeping in self._keeping:
            keeping.cancel()
        if self._keeping:
            self._keeping = []
            self._sums.unregister()

    # --- children ---------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        """One child at a time, until the drain."""
        failures = 0
        while not self._stopping.is_set():
            began = self._loop.time()
            why = await self._one_life()
            if self._stopping.is_set():
                return
            failures = 0 if self._loop.time() - began > _YOUNG_SECONDS else failures + 1
            wait = _BACKOFF_SECONDS[min(failures, len(_BACKOFF_SECONDS) - 1)]
            log.error("a process that takes mail in has ended; it is started again", why=why, seconds=wait)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait)

    async def _one_life(self) -> str:
        """Start a child and wait for its end; why it ended."""
        try:
            child = await self._started()
        except OSError as error:  # no memory, no descriptors
            return str(error)
        await child.gone.wait()
        return f"pid {child.program.pid}, exit code {await self._ended(child)}"

    async def _started(self) -> _Child:
        link, its_link = socket.socketpair()
        handed, its_handed = socket.socketpair()
        handed.setblocking(False)
        with its_link, its_handed:
            program = _run(its_link.fileno(), its_handed.fileno())
        child = _Child(program, self._process.serve_guest(), handed)
        self._children.add(child)
        child.link.on_note = partial(self._told, child)
        child.link.on_lost = child.gone.set
        await child.link.connect(link)
        child.link.tell(protocol.BEGIN, self._begin)
        return child

    async def _ended(self, child: _Child) -> int:
        """Its connections are gone. Returns the exit code."""
        self._children.discard(child)
        child.handed.close()
        for peer, count in child.peers.items():
            for _ in range(count):
                self._gate.leave(peer)
        self._sums.end(child.program.pid)
        try:
            return await asyncio.to_thread(child.program.wait, _EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            child.program.kill()
            return await asyncio.to_thread(child.program.wait)

    def _told(self, child: _Child, name: str, value: Any) -> None:
        if name == HINT:
            self._process.queue.hint(*value)
        elif name == protocol.ENDED:
            child.peers[value] -= 1
            if child.peers[value] <= 0:
                del child.peers[value]
            self._gate.leave(value)
        elif name == protocol.COUNTED:
            self._sums.told(child.program.pid, value)
        elif name == protocol.READY:
            child.ready = True
            if sum(one.ready for one in self._children) == self._count:
                self._all_ready.set()
            while self._waiting and self._give(*self._waiting[0]):
                self._waiting.popleft()
        elif name == protocol.LEAVING:
            child.ready = False

    # --- connections ------------------------------------------------------------------------------------

    def _serve(self, accepted: socket.socket, peer: str, tls: bool) -> None:
        if self._give(accepted, peer, tls):
            return
        if len(self._waiting) < _MOST_WAITING:
            self._waiting.append((accepted, peer, tls))
        else:
            accepted.close()
            self._gate.leave(peer)

    def _give(self, accepted: socket.socket, peer: str, tls: bool) -> bool:
        """To the child that has the fewest connections; to the next one where its socket is full or gone."""
        able = sorted((one for one in self._children if one.ready), key=lambda one: one.connections)
        for child in able:
            with contextlib.suppress(OSError):
                socket.send_fds(child.handed, [protocol.record(peer, tls=tls)], [accepted.fileno()])
                accepted.close()
                child.peers[peer] += 1
                return True
        return False


def _run(*descriptors: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - this program
        [*_COMMAND, *map(str, descriptors)],
        pass_fds=descriptors,
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for this process, which drains them all
    )


def _share(settings: Settings) -> Settings:
    """Of what bounds a process's memory, each child has its part; the largest mail must still fit."""
    smtp = settings.smtp
    part = max(
        smtp.max_inflight_bytes // smtp.processes, min(smtp.max_message_bytes, smtp.max_inflight_bytes)
    )
    return settings.model_copy(update={"smtp": smtp.model_copy(update={"max_inflight_bytes": part})})
