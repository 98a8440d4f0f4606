"""The writer of another process: decided units cross a local socket, and their results come back after the commit.

On SQLite one process writes. A process that only takes mail in has a RemoteWriter, whose `put` is that of a Writer;
the process that writes has a Served for each of them. All that is put in one turn of an event loop crosses in one
frame, and so do all results of one commit. Folds cross by name, so they are functions of modules.

When the link breaks, whoever waits is told NotKept: what crossed before is committed all the same, its outcome is
unknown here, and the key makes the sender's repeat harmless.
"""

import asyncio
import contextlib
import pickle
import threading
from collections import deque
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar

import structlog

from gateway_core.errors import NotKept
from gateway_core.storage.frames import Finds, Link, Note, Packer, References, Unpacker
from gateway_core.storage.writer import Fold, Waiting, Writer

MOST_WAITING = 10_000  # units of one RemoteWriter; beyond, a unit is NotKept at once
_MOST_UNITS = 2048  # of one child that the writing process holds; then the rest waits in the child
_MOST_BYTES = 32 << 20  # likewise; a frame that was under way comes on top
_GONE = "the process that writes is gone"

U = TypeVar("U")
R = TypeVar("R")

log = structlog.get_logger(__name__)


class _Put(NamedTuple):
    fold: Fold[Any, Any]
    unit: Any
    future: Future[Any]


class RemoteWriter(Link):
    """A Writer whose thread is in another process. `connect` it in the loop that serves; `put` from any thread."""

    def __init__(self, references: References) -> None:
        super().__init__(Packer(references), Unpacker())
        self._putting = threading.Lock()
        self._waiting: deque[_Put] = deque()  # put, and not sent
        self._sent: dict[int, Future[Any]] = {}  # by number
        self._number = 0
        self._settled = asyncio.Event()
        self.commits = 0  # frames of results
        self.units = 0

    def put(self, fold: Fold[U, R], unit: U) -> "Future[R]":
        """The future holds the fold's result after the commit, or raises what the Writer's raises."""
        future: Future[R] = Future()
        with self._putting:  # nothing is put behind the end
            if not self._lost and self.depth() < MOST_WAITING:
                self._waiting.append(_Put(fold, unit, future))
                self._soon()
                return future
        future.set_exception(NotKept(_GONE if self._lost else "too much waits to be written"))
        return future

    def depth(self) -> int:
        return len(self._waiting) + len(self._sent)

    def close(self) -> None:
        """Send what waits, and end. In the loop's thread."""
        self.flush()
        if self._transport:
            self._transport.close()

    async def settled(self, seconds: float) -> None:
        """Return when nothing waits any more, or when the time is over."""
        self._settled.clear()
        if self.depth():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._settled.wait(), seconds)

    # --- in the loop ------------------------------------------------------------------------------------

    def flush(self) -> None:
        self._called = False  # before it is emptied: what comes meanwhile calls again
        if self._paused or self._transport is None:
            return
        units = []
        while self._waiting:
            waiting = self._waiting.popleft()
            if waiting.future.set_running_or_notify_cancel():
                units.append(waiting)
        notes = self._taken_notes()
        if units or notes:
            self._send(units, notes)

    def _send(self, units: list[_Put], notes: list[Note]) -> None:
        """All in one frame; one that cannot be pickled fails alone."""
        first = self._number
        try:
            frame = self._packer.pack((first, [(one.fold, one.unit) for one in units], notes))
        except Exception as error:
            if len(units) + len(notes) > 1:
                for one in units:
                    self._send([one], [])
                for note in notes:
                    self._send([], [note])
            elif units:
                units[0].future.set_exception(error)
            else:
                log.exception("a note cannot be sent", note=notes[0][0])
            return
        for one in units:
            self._sent[self._number] = one.future
            self._number += 1
        if self._transport:
            self._transport.write(frame)

    def received(self, frame: bytes) -> None:
        answers, notes = self._unpacker.unpack(frame)
        for number, kept, value in answers:
            future = self._sent.pop(number)
            if kept:
                future.set_result(value)
            else:
                future.set_exception(value)
        self.commits += bool(answers)
        self.units += len(answers)
        if not self._sent and not self._waiting:
            self._settled.set()
        self._heard(notes)

    def connection_lost(self, error: Exception | None) -> None:
        with self._putting:
            self._lost = True
        lost = [*self._sent.values(), *(one.future for one in self._waiting)]
        self._sent.clear()
        self._waiting.clear()
        for future in lost:
            if future.running() or future.set_running_or_notify_cancel():
                future.set_exception(NotKept(_GONE))
        self._settled.set()
        super().connection_lost(error)


class _Promise:
    """The result of one unit, on its way back to the child."""

    __slots__ = ("_number", "_served")

    def __init__(self, served: "Served", number: int) -> None:
        self._served = served
        self._number = number

    def set_running_or_notify_cancel(self) -> bool:
        return True

    def set_result(self, result: Any, /) -> None:
        self._served.answer(self._number, True, result)

    def set_exception(self, exception: BaseException, /) -> None:
        self._served.answer(self._number, False, exception)


class Served(Link):
    """The end of a link in the process that writes: puts what comes into its Writer, and answers."""

    def __init__(self, writer: Writer, finds: Finds) -> None:
        super().__init__(Packer(), Unpacker(finds))
        self._writer = writer
        self._answers: deque[tuple[int, bool, Any]] = deque()
        self._frames: deque[tuple[int, int]] = (
            deque()
        )  # the number behind the last unit of each, and its bytes
        self._units = self._bytes = 0  # taken and not answered
        self._full = False

    def answer(self, number: int, kept: bool, value: Any) -> None:
        """From any thread. It is said with all others of its commit."""
        self._answers.append((number, kept, value))

    def _answered(self) -> None:
        if self._answers:
            self._soon()

    def close(self) -> None:
        if self._transport:
            self._transport.close()

    # --- in the loop ------------------------------------------------------------------------------------

    def received(self, frame: bytes) -> None:
        first, units, notes = self._unpacker.unpack(frame)
        behind = first + len(units)
        if self._unpacker.missing:
            log.warning("units name rows that are not known here", missing=self._unpacker.missing[:5])
            for number in range(first, behind):
                self.answer(number, False, NotKept("the rows have just changed"))
        else:
            self._writer.hand(
                [
                    Waiting(fold, unit, _Promise(self, number))
                    for number, (fold, unit) in enumerate(units, first)
                ]
            )
        if units:
            self._frames.append((behind, len(frame)))
            self._units += len(units)
            self._bytes += len(frame)
            self._hold_back()
            self._answered()  # those that never came to a commit
        self._heard(notes)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._writer.on_answered = (*self._writer.on_answered, self._answered)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._writer.on_answered = tuple(one for one in self._writer.on_answered if one != self._answered)
        super().connection_lost(error)

    def _hold_back(self) -> None:
        """Read no more while too much waits for its commit."""
        full = self._units > _MOST_UNITS or self._bytes > _MOST_BYTES
        if full != self._full and self._transport:
            self._full = full
            if full:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def flush(self) -> None:
        self._called = False  # before it is emptied: what comes meanwhile calls again
        answers = []
        while self._answers:
            answers.append(self._answers.popleft())
        notes = self._taken_notes()
        if self._transport is None or not (answers or notes):
            return
        self._transport.write(self._pack(answers, notes))
        if answers:
            self._units -= len(answers)
            while self._frames and self._frames[0][0] <= answers[-1][0] + 1:  # the Writer keeps the order
                self._bytes -= self._frames.popleft()[1]
            self._hold_back()

    def _pack(self, answers: list[tuple[int, bool, Any]], notes: list[Note]) -> bytes:
        answers = [one if one[1] else (one[0], False, _portable(one[2])) for one in answers]
        try:
            return self._packer.pack((answers, notes))
        except Exception:
            log.exception("a result cannot be told to another process")
            return self._packer.pack(([self._tellable(one) for one in answers], []))

    def _tellable(self, answer: tuple[int, bool, Any]) -> tuple[int, bool, Any]:
        try:
            self._packer.pack(answer)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this answer's
            return answer[0], False, RuntimeError(repr(error))
        return answer


def _portable(error: BaseException) -> BaseException:
    """The same error without its traceback; one that cannot be pickled and read again is told by its words."""
    try:
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    except Exception:  # noqa: BLE001 - anything may be in an error
        return RuntimeError(repr(error))
    return again if type(again) is type(error) else RuntimeError(repr(error))
