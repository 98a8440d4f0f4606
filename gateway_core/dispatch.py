"""The door out, to the network: the only place that hands a message to a carrier.

A hint names a route. One run claims up to the window's free places, journals an attempt for each segment in one
commit, writes them, and repeats until nothing due is left. Answers come back through `answered`, each in its own
unit, folded with whatever else is written.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection, bindparam, insert, select

from gateway_core import encoding, matching, messages, moves, optouts, overdue, receipts
from gateway_core.answers import Answered, record_answers, says_nothing
from gateway_core.claims import Claim, Claimed, claim
from gateway_core.errors import CarrierError, CarrierRejected, CarrierUnavailable, NotKept
from gateway_core.failover import Routes
from gateway_core.gateway import Gateway
from gateway_core.jobs.queue import DISPATCH, NOTICES
from gateway_core.messages import Actor, Current, State
from gateway_core.moves import Context, Move
from gateway_core.sms import MT, Answer
from gateway_core.storage import clock, tables
from gateway_core.windows import Window

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Journal:
    context: Context
    owner_id: int
    claimed: Sequence[Claimed]
    gives_receipts: bool


def dispatch(gateway: Gateway, route_id: int) -> None:
    """Work a route until nothing due is left or its window is full. One run at a time: more hints cost nothing."""
    window = gateway.window(route_id)
    if window is None:
        return
    window.again = True
    while window.again and window.working.acquire(blocking=False):
        try:
            window.again = False
            while not window.closed and _batch(gateway, window):
                pass
        finally:
            window.working.release()


def _batch(gateway: Gateway, window: Window) -> bool:
    """One claim; whether there may be more to do now."""
    room = window.room()
    if room < window.least():
        window.short = True  # the answers that come will hint again, or the tick when there is room
        return False
    window.patient = True
    claimed = gateway.writer.put(claim, Claim(gateway.context, window.route, gateway.owner.id, room)).result()
    if not claimed:
        return False
    journal = _Journal(gateway.context, gateway.owner.id, claimed, window.carrier.gives_receipts)
    mts = gateway.writer.put(_journal, journal).result()
    if not gateway.owner.holds():
        log.error("lease lost between journal and write; nothing written", route=window.route.name)
        lost = CarrierUnavailable("not written: the lease was lost")
        answered(gateway, window.route.id, [Answer(mt.ref, error=lost) for mt in mts])
        return False
    if mts:
        _write(gateway, window, mts)
    return True


def _write(gateway: Gateway, window: Window, mts: Sequence[MT]) -> None:
    window.fly([(mt.ref, mt.message_id) for mt in mts])
    try:
        window.carrier.submit(mts)
    except CarrierError as error:
        answered(gateway, window.route.id, [Answer(mt.ref, error=error) for mt in mts])


def answered(gateway: Gateway, route_id: int, answers: Sequence[Answer]) -> None:
    """What the carrier said to submits, in any order, late ones too. Called by carriers, from any thread."""
    window = gateway.windows.get(route_id)
    if window is None or not answers:
        return
    landed = {flying.ref: flying for flying in window.land(answer.ref for answer in answers)}
    for answer in answers:
        rest = getattr(answer.error, "after_seconds", 0.0)
        if rest:
            window.pause(rest)
    gives_receipts, snapshot = window.carrier.gives_receipts, gateway.snapshot
    routes = Routes(snapshot.routes, snapshot.accounts)
    for said in answers:
        answer = _normal(window, said)
        if says_nothing(answer):
            if flying := landed.get(answer.ref):
                overdue.lose(gateway, window, flying, "an answer that cannot be read")
        else:
            _record(gateway, window, Answered(gateway.context, route_id, answer, gives_receipts, routes))
    if window.room() >= window.least():
        gateway.queue.hint(DISPATCH, route_id)


def _normal(window: Window, answer: Answer) -> Answer:
    """With the carrier's id in the form in which its receipts are compared with it."""
    if answer.carrier_ref is None:
        return answer
    return replace(answer, carrier_ref=matching.normal(answer.carrier_ref, window.settings.submit_ids))


def _record(gateway: Gateway, window: Window, unit: Answered) -> None:
    gateway.writer.put(record_answers, unit).add_done_callback(partial(_recorded, gateway, window, unit))


def _recorded(gateway: Gateway, window: Window, unit: Answered, future: "Future[None]") -> None:
    if isinstance(future.exception(), NotKept):
        window.unkept.append(unit)  # the carrier will not say it again
    elif isinstance(unit.answer.error, CarrierRejected):
        gateway.queue.hint(NOTICES)  # the end of a message
    elif unit.answer.error:
        for route in unit.routes.all:  # one of them may have it now
            if route.id != unit.route_id:
                gateway.queue.hint(DISPATCH, route.id)


def record_unkept(gateway: Gateway) -> None:
    """Answers that the database could not take when they came. Called about once a second."""
    for window in list(gateway.windows.values()):
        for _ in range(len(window.unkept)):
            _record(gateway, window, window.unkept.popleft())


# --- folds ------------------------------------------------------------------------------------------------

_a = tables.attempt.c
_ACCEPTED = select(_a.message_id, _a.segment).where(
    _a.message_id.in_(bindparam("messages", expanding=True)), _a.outcome == "accepted"
)


def _journal(conn: Connection, units: Sequence[_Journal]) -> list[list[MT]]:
    """Fold: CLAIMED -> SUBMITTING and an attempt for each segment, before a byte is written."""
    return [_journal_one(conn, unit) for unit in units]


def _journal_one(conn: Connection, unit: _Journal) -> list[MT]:
    held = messages.lock(conn, [claimed.was.id for claimed in unit.claimed])
    mine = [c for c in unit.claimed if _still_ours(held.get(c.was.id), c.was)]
    done = _accepted_segments(conn, mine)
    barred = optouts.forbidden(conn, [_text(claimed) for claimed in mine if not claimed.service])
    at = clock.now()
    todo, complete, rows, mts = [], [], [], []
    for claimed in mine:
        was = held[claimed.was.id]
        if was.expires_at <= at:
            todo.append(Move(was, State.QUEUED, Actor.DISPATCH, "expired", at))
            continue
        if not claimed.service and _text(claimed) in barred:  # the next claim ends it
            todo.append(Move(was, State.QUEUED, Actor.DISPATCH, "opted_out", at))
            continue
        todo.append(Move(was, State.SUBMITTING, Actor.DISPATCH, "", None))
        new = _mts(unit.context, claimed, done.get(was.id, set()))
        if not new:  # an answer or receipt that came late: the network has it all
            complete.append(was)
        mts += new
        rows += [_attempt(unit, was, mt, at) for mt in new]
    moves.make(conn, unit.context, todo)
    if rows:
        conn.execute(insert(tables.attempt), rows)
    _complete(conn, unit, complete)
    return mts


def _text(claimed: Claimed) -> optouts.Text:
    return optouts.Text(claimed.was.account_id, claimed.sender_id, claimed.was.to)


def _still_ours(now: Current | None, was: Current) -> bool:
    return (
        now is not None
        and now.state == State.CLAIMED
        and now.fence == was.fence
        and now.owner_id == was.owner_id
    )


def _accepted_segments(conn: Connection, claimed: Sequence[Claimed]) -> dict[int, set[int]]:
    """Segments that the network has already: only the others are written again."""
    again = [c.was.id for c in claimed if c.was.fence > 1]
    found: dict[int, set[int]] = {}
    if again:
        for row in conn.execute(_ACCEPTED, {"messages": again}):
            found.setdefault(row.message_id, set()).add(row.segment)
    return found


def _mts(context: Context, claimed: Claimed, done: set[int]) -> list[MT]:
    was = claimed.was
    parts = encoding.split(claimed.text).parts
    return [
        MT(
            ref=context.ids.new(),
            message_id=was.id,
            to=was.to,
            sender_id=claimed.sender_id,
            encoding=claimed.encoding,
            text=part,
            number=number,
            total=len(parts),
            concat_ref=claimed.concat_ref,
            expires_at=was.expires_at,
            possible_duplicate=was.possible_duplicate,
            flash=claimed.flash,
        )
        for number, part in enumerate(parts, start=1)
        if number not in done
    ]


def _attempt(unit: _Journal, was: Current, mt: MT, at: int) -> dict[str, Any]:
    return {
        "id": mt.ref,
        "message_id": was.id,
        "route_id": was.route_id,
        "owner_id": unit.owner_id,
        "fence": was.fence,
        "segment": mt.number,
        "written_at": at,
        "answered_at": None,
        "outcome": None,
        "words": "",
        "carrier_ref": None,
        "receipt": None,
    }


def _complete(conn: Connection, unit: _Journal, complete: Sequence[Current]) -> None:
    new = State.SUBMITTED if unit.gives_receipts else State.SENT
    submitting = [replace(was, state=State.SUBMITTING) for was in complete]
    moves.make(
        conn,
        unit.context,
        [Move(was, new, Actor.DISPATCH, "already accepted", was.final_by) for was in submitting],
    )
    if complete:
        receipts.roll_up(conn, unit.context, {was.id: "" for was in complete})
