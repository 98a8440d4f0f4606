"""Group commit: the one place of a process that writes while it serves.

Whoever has something durable to write hands over a *unit* and the *fold* that writes units of its kind, and
gets a future. While one transaction commits, more units wait; they are written together in the next one. So
one fsync serves dozens of messages under load and one message when idle, and nothing is answered early.

A fold may fail because of one bad unit: then the transaction is rolled back and each unit is redone alone, so
that it fails alone. A COMMIT that fails is never redone, since its outcome may be unknown: NotKept to all. So is a
database that cannot be reached: to try it for each unit would only make the last one wait longest.
"""

import contextlib
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import structlog
from sqlalchemy import Connection, Engine, RootTransaction
from sqlalchemy.exc import DBAPIError, OperationalError

from gateway_core.errors import GatewayError, NoSpace, NotKept

MOST_UNITS = 256  # a fold is bounded, so that its first unit does not wait for ever

U = TypeVar("U")
R = TypeVar("R")
# A fold writes units of one kind inside the open transaction and returns one result for each, in order.
Fold = Callable[[Connection, Sequence[U]], Sequence[R]]

log = structlog.get_logger(__name__)


class Promise(Protocol):
    """What a result goes to: a Future, or less. Called by the writer's thread."""

    def set_running_or_notify_cancel(self) -> bool: ...

    def set_result(self, result: Any, /) -> None: ...

    def set_exception(self, exception: BaseException, /) -> None: ...


@dataclass(slots=True)
class Waiting:
    """A unit on its way."""

    fold: Fold[Any, Any]
    unit: Any
    future: Promise


class UnitWriter(Protocol):
    """What doors need of a writer: this process's own, or another process's (remote.RemoteWriter)."""

    commits: int
    units: int

    def put(self, fold: Fold[U, R], unit: U) -> "Future[R]": ...

    def depth(self) -> int: ...

    def close(self) -> None: ...


class Writer:
    """One thread, one connection. `put` may be called from any thread.

    `close` writes what waits, ends, and closes the engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._conn: Connection | None = None  # kept while units wait
        self._waiting: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self.commits = 0
        self.units = 0
        # Called when all that one commit answers is answered. Replaced, never changed: its reader is a thread.
        self.on_answered: tuple[Callable[[], None], ...] = ()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def put(self, fold: Fold[U, R], unit: U) -> "Future[R]":
        """Hand over one unit. The future holds the fold's result after the commit, never before.

        It raises NotKept (NoSpace when the disk is full) when the unit cannot be called written.
        """
        future: Future[R] = Future()
        self.hand((Waiting(fold, unit, future),))
        return future

    def hand(self, units: Iterable[Waiting]) -> None:
        """The same for several, each with its own promise."""
        with self._closing:  # nothing is queued behind the end
            if not self._closed:
                for waiting in units:
                    self._waiting.put(waiting)
                return
        for waiting in units:
            waiting.future.set_exception(NotKept("the writer is closed"))

    def depth(self) -> int:
        """Units that wait now."""
        return self._waiting.qsize()

    def close(self) -> None:
        with self._closing:
            self._closed = True
            self._waiting.put(None)
        self._thread.join()
        self._engine.dispose()

    def _run(self) -> None:
        ending = False
        while not ending:
            batch = [self._waiting.get()]
            while len(batch) < MOST_UNITS and not self._waiting.empty():
                batch.append(self._waiting.get())
            ending = None in batch
            # Whoever asked may have gone away; what is being written cannot be cancelled any more.
            units = [one for one in batch if one is not None and one.future.set_running_or_notify_cancel()]
            if units:
                self._write(units)
                for tell in self.on_answered:
                    tell()
            if self._waiting.empty():
                self._release()

    def _write(self, batch: list[Waiting]) -> None:
        try:
            results = self._commit(batch)
        except NotKept as error:
            for waiting in batch:
                waiting.future.set_exception(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is its unit's, and goes to who waits for it
            if len(batch) > 1:  # one unit's fault must not be its neighbours'
                for waiting in batch:
                    self._write([waiting])
                return
            if not isinstance(error, GatewayError):  # those are decisions, and their askers are told
                log.warning("unit not written", fold=batch[0].fold.__name__, error=repr(error))
            batch[0].future.set_exception(_as_not_kept(error))
        else:
            for waiting, result in zip(batch, results, strict=True):
                waiting.future.set_result(result)

    def _commit(self, batch: list[Waiting]) -> list[Any]:
        by_fold: dict[Fold[Any, Any], list[int]] = {}
        for index, waiting in enumerate(batch):
            by_fold.setdefault(waiting.fold, []).append(index)
        results: list[Any] = [None] * len(batch)
        with self._begin() as transaction:
            conn = transaction.connection
            for fold, indexes in by_fold.items():
                units = [batch[index].unit for index in indexes]
                for index, result in zip(indexes, fold(conn, units), strict=True):
                    results[index] = result
            try:
                transaction.commit()
            except DBAPIError as error:
                log.error("commit failed", error=repr(error.orig))  # noqa: TRY400 - the trace says no more
                conn.invalidate()  # SQLite may hold the transaction open still: the next BEGIN would fail
                raise _not_kept(error) from error
        self.commits += 1
        self.units += len(batch)
        return results

    @contextlib.contextmanager
    def _begin(self) -> Iterator[RootTransaction]:
        """What is not committed at its end is rolled back."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._release)
            try:
                self._conn = self._conn or self._engine.connect()
                transaction = self._conn.begin()
            except DBAPIError as error:
                log.error("no transaction begins", error=repr(error.orig))  # noqa: TRY400
                raise _not_kept(error) from error
            try:
                yield transaction
            except DBAPIError as error:
                if error.connection_invalidated:
                    raise _not_kept(error) from error
                raise
            stack.pop_all()

    def _release(self) -> None:
        """Give the connection back, with what was not committed rolled back."""
        conn, self._conn = self._conn, None
        if conn is not None:
            conn.close()


def _as_not_kept(error: Exception) -> Exception:
    """A database that cannot write now is NotKept, whatever it calls itself; a fault of ours stays itself."""
    return _not_kept(error) if isinstance(error, OperationalError) else error


def _not_kept(error: DBAPIError) -> NotKept:
    words = str(error.orig).lower()
    full = "disk is full" in words or "no space left" in words or "could not extend file" in words
    return NoSpace("the disk is full") if full else NotKept("the database cannot write now")
