"""Submits of ours that nobody will answer: SUBMITTING -> UNCERTAIN, and what happens to them then."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from gateway_core import messages, moves, receipts, routing
from gateway_core.gateway import Gateway
from gateway_core.jobs.queue import DISPATCH
from gateway_core.messages import Actor, Current, State
from gateway_core.moves import Context, Move
from gateway_core.routing import Route
from gateway_core.storage import clock, tables
from gateway_core.windows import InFlight, Window

MOST = 500  # strays of a route at a time

_m, _a = tables.message.c, tables.attempt.c


@dataclass(frozen=True, slots=True)
class _Lost:
    context: Context
    flying: InFlight
    route: Route
    wait_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Strays:
    context: Context
    message_ids: Sequence[int]
    route: Route
    wait_ms: int


def time_out(gateway: Gateway) -> None:
    """Submits of this process whose answer is overdue become UNCERTAIN. Called about once a second."""
    for window in list(gateway.windows.values()):
        late = window.overdue()
        for flying in late:
            lose(gateway, window, flying, "no answer in time")
        if late:
            gateway.queue.hint(DISPATCH, window.route.id)


def lose(gateway: Gateway, window: Window, flying: InFlight, reason: str) -> None:
    """A submit that left the window without an answer that says what became of it."""
    gateway.writer.put(_lose, _Lost(gateway.context, flying, window.route, _wait_ms(window), reason))


def find_strays(gateway: Gateway) -> None:
    """Submits of this process that nobody waits for any more, because the database could not write their answer
    (or its loss) when it came. Not by time alone: they are in no window, and no run is between journal and write.
    """
    for window in list(gateway.windows.values()):
        if window.working.acquire(blocking=False):
            try:
                _end_strays(gateway, window)
            finally:
                window.working.release()


def _end_strays(gateway: Gateway, window: Window) -> None:
    old = clock.now() - int(window.settings.response_timeout_seconds * clock.SECOND)
    submitting = select(_m.id).where(
        tables.WAITING,
        _m.state == "SUBMITTING",
        _m.owner_id == gateway.owner.id,
        _m.route_id == window.route.id,
        _m.state_at <= old,  # an answer that has just come is still on its way through the writer
    )
    with gateway.reader.connect() as conn:
        found = set(conn.execute(submitting.limit(MOST)).scalars())
    strays = sorted(found - window.messages())
    if strays:
        unit = _Strays(gateway.context, strays, window.route, _wait_ms(window))
        gateway.writer.put(_stray, unit).result()


def _wait_ms(window: Window) -> int:
    return int(window.settings.resend_wait_seconds * clock.SECOND)


def _lose(conn: Connection, units: Sequence[_Lost]) -> list[None]:
    """Fold: SUBMITTING -> UNCERTAIN for attempts of ours that were not answered."""
    held = messages.lock(conn, {unit.flying.message_id for unit in units})
    unanswered = set(
        conn.execute(
            select(_a.message_id).where(
                _a.id.in_([unit.flying.ref for unit in units]), _a.answered_at.is_(None)
            )
        ).scalars()
    )
    todo = {}
    for unit in units:
        was = held[unit.flying.message_id]
        if was.id in unanswered and was.state == State.SUBMITTING:
            todo[was.id] = uncertain(was, unit.route, unit.wait_ms, Actor.DISPATCH, unit.reason)
    moves.make(conn, units[0].context, list(todo.values()))
    receipts.settle(conn, units[0].context, todo)
    return [None] * len(units)


def _stray(conn: Connection, units: Sequence[_Strays]) -> list[None]:
    """Fold: SUBMITTING -> UNCERTAIN for messages of ours that are in no window."""
    for unit in units:
        held = messages.lock(conn, unit.message_ids)
        todo = [
            uncertain(was, unit.route, unit.wait_ms, Actor.DISPATCH, "its answer could not be kept")
            for was in held.values()
            if was.state == State.SUBMITTING
        ]
        moves.make(conn, unit.context, todo)
        receipts.settle(conn, unit.context, [move.was.id for move in todo])
    return [None] * len(units)


def uncertain(was: Current, route: Route | None, wait_ms: int, actor: Actor, reason: str) -> Move:
    """SUBMITTING -> UNCERTAIN, to be looked at when the wait for a late answer is over."""
    budget = routing.resend_budget(route.resend) if route else 0
    due_at = clock.now() + wait_ms if was.resends < budget else was.expires_at
    return Move(was, State.UNCERTAIN, actor, reason, due_at)
