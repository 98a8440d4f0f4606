"""Results of the writer's thread, brought into an event loop: one wake-up for all that one commit answers."""

import asyncio
from collections import deque
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


class Waiting:
    """For one event loop.

    Who gives up waiting (a client that hung up cancels its task) gives up the answer only: the commit goes on.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ready: deque[tuple[asyncio.Future[Any], Future[Any]]] = deque()
        self._called = False

    def result(self, written: "Future[T]") -> "asyncio.Future[T]":
        """To be awaited in the loop; raises what the other future raises."""
        waiter: asyncio.Future[T] = self._loop.create_future()
        written.add_done_callback(partial(self._arrived, waiter))
        return waiter

    def _arrived(self, waiter: "asyncio.Future[Any]", written: "Future[Any]") -> None:
        self._ready.append((waiter, written))
        if not self._called:
            self._called = True
            self._loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        self._called = False  # before the queue is emptied: what comes meanwhile calls again
        while self._ready:
            waiter, written = self._ready.popleft()
            if waiter.done():
                continue
            error = written.exception()
            if error is None:
                waiter.set_result(written.result())
            else:
                waiter.set_exception(error)
