"""What this process has in flight on one route: attempts that wait for their answer, and how many more may go."""

import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gateway_core.carriers.base import Carrier, CarrierSettings
from gateway_core.routing import Route

_LEAST = 25


@dataclass(frozen=True, slots=True)
class InFlight:
    ref: int
    message_id: int
    deadline: float  # monotonic


class Window:
    """One route in one process. Thread-safe."""

    def __init__(self, route: Route, carrier: Carrier, settings: CarrierSettings) -> None:
        self.route = route
        self.carrier = carrier
        self.settings = settings
        self.working = threading.Lock()  # one dispatch run at a time
        self.again = False
        self.closed = False  # a dispatch run ends after the batch in hand
        self.short = False  # a run ended for lack of room: `wanted` says when there is some
        self.patient = True  # False: take what room there is
        self.unkept: deque[Any] = deque()  # answers that could not be written yet
        self._lock = threading.Lock()
        self._flying: dict[int, InFlight] = {}
        self._paused_until = 0.0
        self._tokens = float(route.segments_per_second)  # starts with one second's worth, never more
        self._filled_at = time.monotonic()

    def room(self) -> int:
        """Segments that may go now: the window's free places, cut by the rate, 0 while the carrier asked for rest."""
        with self._lock:
            now = time.monotonic()
            free = self.settings.window - len(self._flying) if now >= self._paused_until else 0
            if not self.route.segments_per_second:
                return max(0, free)
            rate = self.route.segments_per_second
            self._tokens = min(rate, self._tokens + (now - self._filled_at) * rate)
            self._filled_at = now
            return max(0, min(free, int(self._tokens)))

    def least(self) -> int:
        """Room worth a claim: a row or two cost as much as many, so a busy window waits for a little more."""
        if not self.patient or not self.in_flight():
            return 1
        rate = self.route.segments_per_second or _LEAST
        return max(1, min(_LEAST, rate, self.settings.window // 4))

    def fly(self, attempts: Sequence[tuple[int, int]]) -> None:
        """(ref, message) of segments that are about to be written."""
        deadline = time.monotonic() + self.settings.response_timeout_seconds
        with self._lock:
            self._tokens -= len(attempts)
            for ref, message_id in attempts:
                self._flying[ref] = InFlight(ref, message_id, deadline)

    def land(self, refs: Iterable[int]) -> list[InFlight]:
        """These are answered; those that were still in the window."""
        with self._lock:
            return [flying for ref in refs if (flying := self._flying.pop(ref, None))]

    def overdue(self) -> list[InFlight]:
        """Attempts without an answer in time; they are out of the window now."""
        now = time.monotonic()
        with self._lock:
            late = [flying for flying in self._flying.values() if flying.deadline <= now]
            for flying in late:
                del self._flying[flying.ref]
        return late

    def pause(self, seconds: float) -> None:
        with self._lock:
            self._paused_until = max(self._paused_until, time.monotonic() + seconds)

    def in_flight(self) -> int:
        with self._lock:
            return len(self._flying)

    def messages(self) -> set[int]:
        """The messages that wait for an answer."""
        with self._lock:
            return {flying.message_id for flying in self._flying.values()}

    def wanted(self) -> bool:
        """Whether a run ended for lack of room and there is room now. Asked about once a second."""
        if not self.short or not self.room():
            return False
        self.short = self.patient = False
        return True

    def close(self) -> bool:
        """No batch begins any more. Whether none is in hand either: then it is closed for ever."""
        self.closed = True
        return self.working.acquire(blocking=False)

    def hand_over(self, successor: "Window") -> None:
        """The route was changed: what is in flight belongs to the window that takes over. After `close`."""
        # One lock and one dict for both: an answer that still looks here finds its submit.
        successor._lock, successor._flying = self._lock, self._flying  # noqa: SLF001 - the same class
        successor._paused_until = self._paused_until  # noqa: SLF001
        successor.unkept = self.unkept
        self.carrier.close()
