"""What the doors need of one process: its engine, writer, owner, snapshot, queue and windows."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Engine

from gateway_core.directory import Directory, Snapshot
from gateway_core.jobs.queue import Queue
from gateway_core.moves import Context
from gateway_core.owners import Owner
from gateway_core.routing import Route
from gateway_core.storage.ids import Ids
from gateway_core.storage.writer import Writer
from gateway_core.windows import Window


@dataclass
class Gateway:
    reader: Engine
    writer: Writer
    owner: Owner
    directory: Directory
    queue: Queue
    open_window: Callable[[Route], Window] | None = None  # None: this process owns no routes
    windows: dict[int, Window] = field(default_factory=dict)
    _opening: threading.Lock = field(default_factory=threading.Lock)

    @property
    def ids(self) -> Ids:
        return self.owner.ids

    @property
    def snapshot(self) -> Snapshot:
        return self.directory.current

    @property
    def context(self) -> Context:
        return Context(self.ids, self.snapshot.accounts)

    def window(self, route_id: int) -> Window | None:
        """The window of a route as it is set now; None when there is no such route, or it is not ours.

        While a batch of the route as it was is in hand, that one's window, closed.
        """
        route = self.snapshot.route(route_id)
        if route is None or self.open_window is None:
            return None
        with self._opening:  # two threads must not open one route twice
            window = self.windows.get(route_id)
            if window and (window.route == route or not window.close()):
                return window
            try:
                successor = self.open_window(route)
            except Exception:
                if window:
                    window.working.release()  # the route rests until it can be opened
                raise
            if window:
                window.hand_over(successor)
            self.windows[route_id] = successor
            return successor
