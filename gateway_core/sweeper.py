"""The real engine: every few seconds, what is due moves, whether or not anybody hinted.

Hints only cut latency. Each sweep is a fold like any other, bounded, so that it never holds up an accept.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, select

from gateway_core import (
    caps,
    keys,
    limits,
    messages,
    moves,
    notices,
    owners,
    receipts,
    refusals,
    routing,
    statements,
)
from gateway_core.gateway import Gateway
from gateway_core.jobs.queue import DISPATCH, NOTICES
from gateway_core.messages import Actor, Current, State
from gateway_core.moves import Context, Move
from gateway_core.overdue import uncertain
from gateway_core.routing import Route
from gateway_core.statements import Statement
from gateway_core.storage import clock, tables

MOST = 500  # messages a fold

_m = tables.message.c


@dataclass(frozen=True, slots=True)
class _Sweep:
    context: Context
    routes: dict[int, Route]
    owner_id: int
    wait_ms: int  # what an UNCERTAIN submit of a dead owner waits for


def sweep(gateway: Gateway, *, wait_ms: int) -> int:
    """One round. Returns how many messages moved."""
    unit = _Sweep(
        gateway.context, {route.id: route for route in gateway.snapshot.routes}, gateway.owner.id, wait_ms
    )
    moved = 0
    for fold in (_expire, _move_due, _recover_dead, _release_paused):
        while (count := gateway.writer.put(fold, unit).result()) == MOST:
            moved += count
        moved += count
    gateway.writer.put(_look_again, unit).result()
    gateway.writer.put(keys.forget, MOST).result()
    gateway.writer.put(refusals.forget, MOST).result()
    gateway.writer.put(caps.forget, MOST).result()
    gateway.writer.put(limits.forget, MOST).result()
    _hint(gateway)
    return moved


def make_statements(gateway: Gateway) -> int:
    """Those of the month that is over. Returns how many were made; another process may make them at the same time."""
    accounts = list(gateway.snapshot.accounts.values())
    made = 0
    for account, month in statements.due(gateway.reader, accounts):
        with gateway.reader.connect() as conn:
            found = statements.facts(conn, account, month)
        unit = Statement(gateway.ids, account, month, found)
        made += gateway.writer.put(statements.make, unit).result()
    return made


def _hint(gateway: Gateway) -> None:
    """Hints for what is due and may have lost its own."""
    with gateway.reader.connect() as conn:
        for route in gateway.snapshot.routes:
            queued = select(_m.id).where(_m.route_id == route.id, tables.QUEUED, _m.due_at <= clock.now())
            if conn.execute(queued.limit(1)).first():
                gateway.queue.hint(DISPATCH, route.id)
        if notices.any_due(conn):
            gateway.queue.hint(NOTICES)


def _find(conn: Connection, *wanted: ColumnElement[bool]) -> list[Current]:
    rows = conn.execute(
        select(*messages.CURRENT).where(*wanted).limit(MOST).with_for_update(skip_locked=True, key_share=True)
    )
    return [messages.current(row) for row in rows]


def _expire(conn: Connection, units: Sequence[_Sweep]) -> list[int]:
    """HELD, QUEUED -> EXPIRED(in_queue) when the validity is over."""
    late = _find(conn, tables.EXPIRABLE, _m.expires_at <= clock.now())
    moves.make(conn, units[0].context, [Move(was, State.EXPIRED, Actor.SWEEPER, "in_queue") for was in late])
    return [len(late)] * len(units)


def _move_due(conn: Connection, units: Sequence[_Sweep]) -> list[int]:
    """HELD that is due, CLAIMED whose lease is over, UNCERTAIN whose wait is over, SUBMITTED past its grace."""
    now = clock.now()
    moving = _m.state.in_(["HELD", "CLAIMED", "UNCERTAIN", "SUBMITTED"])
    due = _find(conn, tables.WAITING, moving, _m.due_at <= now)
    moves.make(conn, units[0].context, [_next(units[0], was, now) for was in due])
    return [len(due)] * len(units)


def _next(sweep: _Sweep, was: Current, now: int) -> Move:
    if was.state == State.HELD:
        return Move(was, State.QUEUED, Actor.SWEEPER, "due", now)
    if was.state == State.CLAIMED:
        return Move(was, State.QUEUED, Actor.SWEEPER, "claim not used", now)
    if was.state == State.SUBMITTED:
        return Move(was, State.UNKNOWN, Actor.SWEEPER, "no receipt")
    route = sweep.routes.get(was.route_id)
    budget = routing.resend_budget(route.resend) if route else 0
    if was.expires_at > now and was.resends < budget:
        marked = route is not None and route.resend != "idempotent"
        return Move(
            was,
            State.QUEUED,
            Actor.SWEEPER,
            "resend",
            now,
            resends=was.resends + 1,
            possible_duplicate=marked,
        )
    return Move(was, State.UNKNOWN, Actor.SWEEPER, "no answer")


def _recover_dead(conn: Connection, units: Sequence[_Sweep]) -> list[int]:
    """CLAIMED and SUBMITTING of owners whose lease is over: the first is safe to queue, the second UNCERTAIN."""
    dead = owners.dead(conn, but=units[0].owner_id)
    if not dead:
        return [0] * len(units)
    held = _m.state.in_(["CLAIMED", "SUBMITTING"])
    lost = _find(conn, tables.WAITING, held, _m.owner_id.in_(dead))
    moves.make(conn, units[0].context, [_recover(units[0], was) for was in lost])
    receipts.settle(conn, units[0].context, [was.id for was in lost])
    return [len(lost)] * len(units)


def _recover(sweep: _Sweep, was: Current) -> Move:
    if was.state == State.CLAIMED:
        return Move(was, State.QUEUED, Actor.SWEEPER, "owner is gone", clock.now())
    return uncertain(was, sweep.routes.get(was.route_id), sweep.wait_ms, Actor.SWEEPER, "owner is gone")


def _release_paused(conn: Connection, units: Sequence[_Sweep]) -> list[int]:
    """HELD(route_paused) -> QUEUED when its route is not paused any more."""
    running = [route.id for route in units[0].routes.values() if not route.paused]
    paused = (_m.state == "HELD") & _m.due_at.is_(None)
    back = _find(conn, tables.WAITING, paused, _m.route_id.in_(running))
    now = clock.now()
    moves.make(
        conn, units[0].context, [Move(was, State.QUEUED, Actor.SWEEPER, "route resumed", now) for was in back]
    )
    return [len(back)] * len(units)


def _look_again(conn: Connection, units: Sequence[_Sweep]) -> list[int]:
    return [receipts.look_again(conn, units[0].context)] * len(units)
