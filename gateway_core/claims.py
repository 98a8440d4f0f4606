"""What is due on a route becomes ours for a while: the first half of a dispatch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, bindparam, select

from gateway_core import messages, moves, optouts
from gateway_core.encoding import Encoding
from gateway_core.messages import Actor, Current, State
from gateway_core.moves import Context, Move
from gateway_core.routing import Route
from gateway_core.storage import clock, tables
from gateway_core.storage.prepared import Prepared

CLAIM_SECONDS = 60  # a claim that was not journalled by then is anybody's again


@dataclass(frozen=True, slots=True)
class Claim:
    context: Context
    route: Route
    owner_id: int
    most: int  # segments


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that is ours for CLAIM_SECONDS, and what an MT of it needs."""

    was: Current
    text: str
    sender_id: str
    encoding: Encoding
    concat_ref: int
    flash: bool
    service: bool


_m, _s = tables.message.c, tables.submission.c
_WAITS = (_m.route_id == bindparam("route"), tables.QUEUED, _m.due_at <= bindparam("now"))
# Urgent ones are few, and have an index of their own, so that to ask for them costs next to nothing. One statement
# that sorts by urgency would read the whole queue, or every message that is due later.
_ANY_URGENT = Prepared(select(select(_m.id).where(*_WAITS, tables.URGENT).exists()))
_DUE = (
    select(*messages.CURRENT, _m.sender_id, _m.encoding, _m.concat_ref, _m.flash, _m.service, _s.text)
    .join_from(tables.message, tables.submission, _m.submission_id == _s.id)
    .where(*_WAITS)
    .order_by(_m.due_at, _m.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True, key_share=True, of=tables.message)
)
_DUE_URGENT, _DUE_ORDINARY = _DUE.where(tables.URGENT), _DUE.where(tables.ORDINARY)


def claim(conn: Connection, units: Sequence[Claim]) -> list[list[Claimed]]:
    """Fold: QUEUED -> CLAIMED with a lease and a new fence; what is too old EXPIRES, what must wait is HELD."""
    return [_claim_one(conn, unit) for unit in units]


def _claim_one(conn: Connection, unit: Claim) -> list[Claimed]:
    now = clock.now()
    todo: list[Move] = []
    claimed: list[Claimed] = []
    left = unit.most
    due = _due(conn, unit, now)
    barred = optouts.forbidden(conn, [_text(row) for row in due if not row.service])
    for row in due:
        was = messages.current(row)
        left -= was.segments  # the window and the rate count segments
        if todo and left < 0:
            break
        move = _turn(unit, was, now, opted_out=not row.service and _text(row) in barred)
        todo.append(move)
        if move.new == State.CLAIMED:
            mine = replace(was, state=State.CLAIMED, fence=was.fence + 1, owner_id=unit.owner_id)
            claimed.append(
                Claimed(
                    mine,
                    row.text,
                    row.sender_id,
                    Encoding(row.encoding),
                    row.concat_ref,
                    row.flash,
                    row.service,
                )
            )
    moves.make(conn, unit.context, todo)
    return claimed


def _due(conn: Connection, unit: Claim, now: int) -> list[Any]:
    """Urgent ones first; among equals the one that has been due for longest."""
    wanted = {"route": unit.route.id, "now": now}
    rows: list[Any] = []
    ((any_urgent,),) = _ANY_URGENT.rows(conn, (unit.route.id, now))
    if any_urgent:
        rows += conn.execute(_DUE_URGENT, {**wanted, "most": unit.most})
    if len(rows) < unit.most:
        rows += conn.execute(_DUE_ORDINARY, {**wanted, "most": unit.most - len(rows)})
    return rows


def _text(row: Any) -> optouts.Text:
    return optouts.Text(row.account_id, row.sender_id, row.to)


def _turn(unit: Claim, was: Current, now: int, *, opted_out: bool) -> Move:
    """What becomes of a message whose turn has come."""
    if opted_out:
        return Move(was, State.FAILED, Actor.DISPATCH, "opted_out")
    if was.expires_at <= now:
        return Move(was, State.EXPIRED, Actor.DISPATCH, "in_queue")
    if unit.route.paused:
        return Move(was, State.HELD, Actor.DISPATCH, "route_paused")
    until = now + CLAIM_SECONDS * clock.SECOND
    return Move(was, State.CLAIMED, Actor.DISPATCH, "", until, fence=was.fence + 1, owner_id=unit.owner_id)
