"""One process of the gateway: opens what the doors need, keeps it alive, and closes it in order."""

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import structlog

from gateway_core import delays, dispatch, overdue, owners, sweeper
from gateway_core.carriers import CARRIERS
from gateway_core.carriers.base import Host
from gateway_core.deliver import deliver
from gateway_core.directory import Directory
from gateway_core.errors import SettingsError
from gateway_core.gateway import Gateway, IdsElsewhere
from gateway_core.jobs import actors
from gateway_core.jobs.queue import DISPATCH, EmbeddedQueue, Queue
from gateway_core.owners import Owner
from gateway_core.phones import RoutePhones
from gateway_core.routing import Route
from gateway_core.sms import DLR, MO, Answer
from gateway_core.storage.engine import database_url, open_engine
from gateway_core.storage.frames import Link
from gateway_core.storage.remote import RemoteWriter, Served
from gateway_core.storage.writer import Writer
from gateway_core.windows import Window

SWEEP_SECONDS = 2.0
STATEMENT_SECONDS = 60.0  # between looks for what is due seldom: statements, warnings of delay
HINT = "hint"  # a note of a guest: (job, argument)
DEAD_OWNER_WAIT_MS = 10_000  # what an UNCERTAIN submit of a dead process waits for a receipt before a resend

log = structlog.get_logger(__name__)


class NoQueue:
    """For commands that write a row and end: the serving process finds it by itself."""

    def hint(self, job: str, argument: int = 0) -> None:
        pass


class RemoteQueue:
    """The queue of the process that writes."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def hint(self, job: str, argument: int = 0) -> None:
        self._link.tell(HINT, (job, argument), once=True)


class RouteHost:
    """The host as one route's carrier sees it (carriers.base.Host)."""

    def __init__(self, gateway: Gateway, route_id: int) -> None:
        self._gateway = gateway
        self._route_id = route_id

    def answered(self, answers: Sequence[Answer]) -> None:
        dispatch.answered(self._gateway, self._route_id, answers)

    def deliver(self, events: Sequence[DLR | MO]) -> None:
        deliver(self._gateway, self._route_id, events)


@contextlib.contextmanager
def opened(url: str) -> Iterator[Gateway]:
    """A gateway for one command: it can read and write rows, and owns no route."""
    gateway, _ = _open(url, NoQueue())
    try:
        yield gateway
    finally:
        _close(gateway)


def guest(url: str, link: RemoteWriter) -> Gateway:
    """The gateway of a process that decides for itself, and writes and hints through the one that started it."""
    reader = open_engine(url)
    owner = Owner(0, 0, 0, 0.0)
    owner.ids = IdsElsewhere()
    return Gateway(reader, link, owner, Directory(reader), RemoteQueue(link))


def _open(url: str, queue: Queue) -> tuple[Gateway, Writer]:
    engine = open_engine(url, writes=True)
    reader = open_engine(url)
    writer = Writer(engine)
    return Gateway(reader, writer, owners.register(engine), Directory(reader), queue), writer


def _close(gateway: Gateway) -> None:
    gateway.writer.put(owners.leave, gateway.owner)
    gateway.writer.close()
    gateway.reader.dispose()


class Process:
    """A serving process: dispatches, sweeps, renews its lease. `stop` leaves nothing half done."""

    def __init__(self, url: str) -> None:
        self._lock = only_one(url)
        self.queue = EmbeddedQueue()
        self.gateway, self._writer = _open(url, self.queue)
        self.gateway.open_window = self._open_window
        actors.declare(self.queue, self.gateway)
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.last_sweep = time.monotonic()
        self._statements_at = 0.0

    def start(self) -> None:
        if self._lock is not None:
            owners.bury(self.gateway.reader, but=self.gateway.owner.id)
        self._open_windows()
        self.queue.start()
        for name, work, every in (
            ("heartbeat", self._beat, owners.BEAT_SECONDS),
            ("tick", self._tick, 1.0),
            ("sweeper", self._sweep, SWEEP_SECONDS),
        ):
            thread = threading.Thread(target=self._repeat, args=(name, work, every), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Work in hand is finished; what is only due waits in its rows for the next process."""
        self._stopping.set()
        for window in self.gateway.windows.values():
            window.closed = True
        for thread in self._threads:
            thread.join()
        for window in self.gateway.windows.values():
            window.closed = True  # the tick may just have opened a successor
        self.queue.stop()
        for window in self.gateway.windows.values():
            window.carrier.close()
        _close(self.gateway)
        if self._lock is not None:
            os.close(self._lock)

    def serve_guest(self) -> Served:
        """The end, in the running loop, of a link to a process that writes through this one."""
        return Served(self._writer, self.gateway.finds)

    def _repeat(self, name: str, work: Callable[[], None], every: float) -> None:
        while not self._stopping.is_set():
            try:
                work()
            except Exception:
                log.exception("periodic work failed; it is tried again", work=name)
            self._stopping.wait(every)

    def _beat(self) -> None:
        began = time.monotonic()
        self.gateway.writer.put(owners.beat, self.gateway.owner).result()
        self.gateway.owner.beaten(began)

    def _tick(self) -> None:
        changing = any(window.closed for window in self.gateway.windows.values())
        if self.gateway.directory.refresh() or changing:
            self._open_windows()
        dispatch.record_unkept(self.gateway)
        overdue.time_out(self.gateway)
        for window in list(self.gateway.windows.values()):
            self._tick_route(window)

    def _tick_route(self, window: Window) -> None:
        if window.wanted():
            self.queue.hint(DISPATCH, window.route.id)
        try:
            window.carrier.tick()
        except Exception:
            log.exception("a carrier's tick failed; it is tried again", route=window.route.name)

    def _sweep(self) -> None:
        overdue.find_strays(self.gateway)
        sweeper.sweep(self.gateway, wait_ms=DEAD_OWNER_WAIT_MS)
        self.last_sweep = time.monotonic()
        if self.last_sweep >= self._statements_at:  # they are due once a month: no need to look at each sweep
            self._statements_at = self.last_sweep + STATEMENT_SECONDS
            sweeper.make_statements(self.gateway)
            delays.warn(self.gateway)

    def _open_windows(self) -> None:
        for route in self.gateway.snapshot.routes:
            try:
                self.gateway.window(route.id)
            except Exception:  # one route's bad settings must not stop the others
                log.exception("the route cannot be opened", route=route.name)

    def _open_window(self, route: Route) -> Window:
        gateway = self.gateway
        carrier = CARRIERS[route.carrier]
        settings = carrier.settings_model.model_validate(route.settings)
        host: Host = RouteHost(gateway, route.id)
        phones = RoutePhones(gateway.reader, self._writer, gateway.ids, route.id)
        return Window(route, carrier(settings, host, phones), settings)


def only_one(url: str) -> int | None:
    """On SQLite one process serves a database: its lock, held until the process ends however it ends.

    Raises SettingsError when another process serves it. None on PostgreSQL, where many may.
    """
    parsed = database_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    path = Path(parsed.database + ".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise SettingsError(f"database.url: another mailgate serves {parsed.database}") from None
    return lock
