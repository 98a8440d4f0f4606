"""Processes and their leases. An owner writes to a carrier only while its lease holds by its own clock."""

import os
import random
import socket
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from gateway_core.errors import NotKept
from gateway_core.storage import clock, tables
from gateway_core.storage.ids import NODES, Ids

LEASE_SECONDS = 20
BEAT_SECONDS = 5
# A row whose lease is over for so long, or that was left in order, may be taken over with its node. Its ids are
# older than any that follow, also when two machines' clocks disagree a little.
_FREE_AFTER_MS = 60 * clock.MINUTE
_LEFT = 0  # lease_until of a process that ended in order
_TRIES = 50

_o, _m = tables.owner.c, tables.message.c
_BEAT = (
    update(tables.owner)
    .where(_o.id == bindparam("owner"), _o.started_at == bindparam("since"))
    .values(lease_until=bindparam("until"))
)


class Owner:
    """This process. `holds()` is judged by the monotonic clock, from before the last heartbeat was written."""

    def __init__(self, owner_id: int, node: int, started_at: int, beat_at: float) -> None:
        self.id = owner_id
        self.ids = Ids(node)
        self.started_at = started_at
        self._beat_at = beat_at

    def holds(self) -> bool:
        return time.monotonic() < self._beat_at + LEASE_SECONDS - 1

    def beaten(self, at: float) -> None:
        """A heartbeat that began at this monotonic time is committed."""
        self._beat_at = at


def register(engine: Engine) -> Owner:
    """A row of our own, with a node that nobody else has, so that ids made here are unique."""
    for _ in range(_TRIES):
        began = time.monotonic()
        try:
            with engine.begin() as conn:
                at = clock.database_now(conn)
                owner_id, node = _take_over(conn, at) or _add(conn, at)
        except IntegrityError:  # somebody else has the node
            continue
        return Owner(owner_id, node, at, began)
    raise NotKept("no node is free for this process")


def _this_process(at: int) -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started_at": at,
        "lease_until": at + LEASE_SECONDS * clock.SECOND,
    }


def _take_over(conn: Connection, at: int) -> tuple[int, int] | None:
    """The row of a process that ended, once nothing is left to recover of it: so the rows do not grow."""
    unfinished = select(_m.id).where(
        tables.WAITING, _m.state.in_(["CLAIMED", "SUBMITTING"]), _m.owner_id == _o.id
    )
    free = or_(_o.lease_until == _LEFT, _o.lease_until < at - _FREE_AFTER_MS)
    found = select(_o.id, _o.node).where(free, ~unfinished.exists()).limit(1)
    row = conn.execute(found.with_for_update(skip_locked=True)).first()
    if row is None:
        return None
    conn.execute(update(tables.owner).where(_o.id == row.id).values(**_this_process(at)))
    return row.id, row.node


def _add(conn: Connection, at: int) -> tuple[int, int]:
    node = random.randrange(NODES)  # noqa: S311 - the database says whether it is free
    owner_id = Ids(node).new()
    conn.execute(insert(tables.owner), {"id": owner_id, "node": node, **_this_process(at)})
    return owner_id, node


def beat(conn: Connection, units: Sequence[Owner]) -> list[None]:
    """Fold: renew leases. Raises LookupError for an owner whose row somebody else has taken over."""
    until = clock.database_now(conn) + LEASE_SECONDS * clock.SECOND
    rows = [{"owner": owner.id, "since": owner.started_at, "until": until} for owner in units]
    if conn.execute(_BEAT, rows).rowcount != len(rows):
        raise LookupError("this process slept so long that its place is taken: restart it")
    return [None] * len(units)


def leave(conn: Connection, units: Sequence[Owner]) -> list[None]:
    """Fold: end our own lease, so that nobody waits for it."""
    rows = [{"owner": owner.id, "since": owner.started_at, "until": _LEFT} for owner in units]
    conn.execute(_BEAT, rows)
    return [None] * len(units)


def bury(engine: Engine, *, but: int) -> None:
    """End every other owner's lease now: for a database that only one process may serve (it holds the lock)."""
    with engine.begin() as conn:
        now = clock.database_now(conn)
        others = update(tables.owner).where(_o.id != but, _o.lease_until >= now)
        conn.execute(others.values(lease_until=now - 1))


def dead(conn: Connection, *, but: int) -> list[int]:
    """Owners whose lease is over. Never ourselves: who asks is alive, however late its heartbeat is."""
    over = select(_o.id).where(_o.lease_until < clock.database_now(conn), _o.id != but)
    return list(conn.execute(over).scalars())
