"""Results of the writer's thread, brought into an event loop: one wake-up for all that one commit answers."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

import structlog

log = structlog.get_logger(__name__)
T = TypeVar("T")


class Waiting:
    """For one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ready: deque[tuple[Callable[[Future[Any]], None], Future[Any]]] = deque()
        self._called = False

    def tell(self, written: "Future[T]", then: "Callable[[Future[T]], None]") -> None:
        """Call `then` with the finished future, in the loop."""
        written.add_done_callback(partial(self._arrived, then))

    def _arrived(self, then: "Callable[[Future[Any]], None]", written: "Future[Any]") -> None:
        self._ready.append((then, written))
        if not self._called:
            self._called = True
            self._loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        self._called = False  # before the queue is emptied: what comes meanwhile calls again
        while self._ready:
            then, written = self._ready.popleft()
            try:
                then(written)
            except Exception:  # one answer that cannot be given must not keep the others waiting
                log.exception("answer not given")
