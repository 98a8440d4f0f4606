"""What the doors need of one process: its engine, writer, owner, snapshot, queue and windows."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Engine

from gateway_core.accounts import Account
from gateway_core.directory import Directory, Snapshot
from gateway_core.jobs.queue import Queue
from gateway_core.moves import Context
from gateway_core.owners import Owner
from gateway_core.routing import Route
from gateway_core.storage.frames import Finds, References
from gateway_core.storage.ids import Ids
from gateway_core.storage.writer import UnitWriter
from gateway_core.windows import Window


class IdsElsewhere(Ids):
    """Stands for the ids of the process that writes, where units are decided and not written."""

    def __init__(self) -> None:
        super().__init__(0)

    def new(self) -> int:
        raise RuntimeError("ids are made where rows are written")


# What crosses by name when a unit goes to the process that writes.
REFERENCES: References = {
    IdsElsewhere: ("ids", lambda _: None),
    Account: ("account", lambda account: account.id),
    Route: ("route", lambda route: route.id),
}


@dataclass
class Gateway:
    reader: Engine
    writer: UnitWriter
    owner: Owner
    directory: Directory
    queue: Queue
    open_window: Callable[[Route], Window] | None = None  # None: this process owns no routes
    windows: dict[int, Window] = field(default_factory=dict)
    submits: int = 0  # that this process was asked for: how busy it is, about
    _opening: threading.Lock = field(default_factory=threading.Lock)

    @property
    def ids(self) -> Ids:
        return self.owner.ids

    @property
    def snapshot(self) -> Snapshot:
        return self.directory.current

    @property
    def context(self) -> Context:
        snapshot = self.snapshot
        return Context(self.ids, snapshot.accounts, snapshot.shared, snapshot.opted_out, snapshot.one_receipt)

    @property
    def finds(self) -> Finds:
        """What units of another process refer to, by the names of REFERENCES."""
        return {"ids": lambda _: self.ids, "account": self._account, "route": self._route}

    def _account(self, account_id: int) -> Account:
        """Raises KeyError when it is not there, nor has just been added."""
        if account_id not in self.snapshot.accounts:
            self.directory.refresh()
        return self.snapshot.accounts[account_id]

    def _route(self, route_id: int) -> Route:
        found = self.snapshot.route(route_id)
        if found is None and self.directory.refresh():
            found = self.snapshot.route(route_id)
        if found is None:
            raise KeyError(route_id)
        return found

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
