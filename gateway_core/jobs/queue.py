"""The names of the jobs, and the hint that one of them has work. Given after the commit, never inside it."""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any, Protocol

import dramatiq
import structlog
from dramatiq.brokers.stub import StubBroker

DISPATCH = "dispatch"  # argument: the route that has due messages
NOTICES = "notices"
JOBS = (DISPATCH, NOTICES)
_LAPSES_SECONDS = 5.0  # a hint that was not taken up by then may be lost: the next one goes out again

log = structlog.get_logger(__name__)


class Queue(Protocol):
    def hint(self, job: str, argument: int = 0) -> None:
        """There may be work. Cheap, and free while the same hint already waits."""


class EmbeddedQueue:
    """dramatiq inside this process. It forgets everything at the end: the sweeper looks at the rows anyway."""

    def __init__(self) -> None:
        # No middleware: a time limit would cut long dispatch runs, a retry is the sweeper's work.
        self._broker = StubBroker(middleware=[])
        dead: Any = defaultdict(lambda: deque(maxlen=10))  # a plain list would grow for ever
        self._broker.dead_letters_by_queue = dead
        self._actors: dict[str, Any] = {}
        self._waiting: dict[tuple[str, int], float] = {}  # when it was hinted (monotonic)
        self._lock = threading.Lock()
        self._worker: dramatiq.Worker | None = None

    def declare(self, job: str, work: Callable[[int], None]) -> None:
        """Name who does a job. Each has its own queue, so that none waits behind another."""

        def run(argument: int) -> None:
            with self._lock:
                self._waiting.pop((job, argument), None)
            try:
                work(argument)
            except Exception:
                log.exception("job failed; the sweeper will find its work again", job=job, argument=argument)

        self._actors[job] = dramatiq.actor(actor_name=job, queue_name=job, broker=self._broker)(run)

    def hint(self, job: str, argument: int = 0) -> None:
        now = time.monotonic()
        with self._lock:
            hinted = self._waiting.get((job, argument), -_LAPSES_SECONDS)
            if job not in self._actors or now - hinted < _LAPSES_SECONDS:
                return
            self._waiting[job, argument] = now
        self._actors[job].send(argument)

    def start(self, threads: int = 4) -> None:
        self._worker = dramatiq.Worker(self._broker, worker_threads=threads, worker_timeout=200)
        self._worker.start()

    def stop(self) -> None:
        if self._worker:
            self._worker.stop()
            self._worker = None
