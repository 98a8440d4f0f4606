"""Who guesses passwords and secrets: failures of one source, and of one user from everywhere. Pure; thread-safe.

A user who is attacked from many sources is still let in from where it got in before: else anybody could lock it out.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, NamedTuple

_WINDOW_SECONDS = 600.0
_OF_SOURCE = 10  # failures within the window
_OF_USER = 100
_KNOWN_SECONDS = 86_400.0
_MOST = 10_000  # sources, users, and pairs of them that are remembered


class _Failure(NamedTuple):
    at: float
    user: str


class Guesses:
    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sources: OrderedDict[bytes, deque[_Failure]] = OrderedDict()
        self._users: OrderedDict[str, deque[_Failure]] = OrderedDict()
        self._good: OrderedDict[tuple[bytes, str], float] = OrderedDict()  # when they last got in

    def too_many(self, source: bytes, user: str) -> bool:
        """Whether nothing of this source is tried for this user now."""
        with self._lock:
            if self._count(self._sources.get(source)) >= _OF_SOURCE:
                return True
            known = self._good.get((source, user), -_KNOWN_SECONDS) > self._clock() - _KNOWN_SECONDS
            return not known and self._count(self._users.get(user)) >= _OF_USER

    def failed(self, source: bytes, user: str) -> None:
        with self._lock:
            failure = _Failure(self._clock(), user)
            self._sources.setdefault(source, deque(maxlen=_OF_SOURCE)).append(failure)
            self._sources.move_to_end(source)  # the oldest are forgotten first
            self._users.setdefault(user, deque(maxlen=_OF_USER)).append(failure)
            self._users.move_to_end(user)
            _bound(self._sources)
            _bound(self._users)

    def passed(self, source: bytes, user: str) -> None:
        """Its failures for this user were slips. Those for others stay: a login of its own pays for no guesses."""
        with self._lock:
            if failures := self._sources.pop(source, None):
                others = deque((one for one in failures if one.user != user), maxlen=_OF_SOURCE)
                if others:
                    self._sources[source] = others
            self._good[source, user] = self._clock()
            self._good.move_to_end((source, user))
            _bound(self._good)

    def forget(self) -> None:
        with self._lock:
            self._sources.clear()
            self._users.clear()
            self._good.clear()

    def _count(self, failures: deque[_Failure] | None) -> int:
        while failures and failures[0].at < self._clock() - _WINDOW_SECONDS:
            failures.popleft()
        return len(failures) if failures else 0


def _bound(remembered: OrderedDict[Any, Any]) -> None:
    while len(remembered) > _MOST:
        remembered.popitem(last=False)
