"""What a carrier's answer to a submit means for its attempt, and the answers to all segments for their message."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from gateway_core import failover, messages, moves, opting, optouts, receipts
from gateway_core.errors import (
    CarrierGarbled,
    CarrierMisconfigured,
    CarrierOptedOut,
    CarrierRejected,
    CarrierThrottled,
    CarrierUnavailable,
)
from gateway_core.failover import Routes
from gateway_core.messages import Actor, Current, State
from gateway_core.moves import Context, Move
from gateway_core.sms import Answer
from gateway_core.storage import clock, tables
from gateway_core.storage.ids import made_at
from gateway_core.storage.storable import storable

# class of the error: outcome of the attempt. None: it cannot be known, the submit stays unanswered.
OUTCOMES: dict[type, str | None] = {
    CarrierUnavailable: "retry",
    CarrierMisconfigured: "retry",
    CarrierThrottled: "throttled",
    CarrierRejected: "rejected",
    CarrierGarbled: None,
}
_LONGEST_BACKOFF_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Answered:
    context: Context
    route_id: int
    answer: Answer
    gives_receipts: bool
    routes: Routes


_a = tables.attempt.c
_NOTE = (
    update(tables.attempt)
    .where(_a.id == bindparam("attempt"))
    .values(
        answered_at=bindparam("at"),
        outcome=bindparam("said"),
        words=bindparam("their_words"),
        carrier_ref=bindparam("ref"),
    )
)


def record_answers(conn: Connection, units: Sequence[Answered]) -> list[None]:
    """Fold: fill the attempts, move the messages whose segments are all answered, apply receipts that waited."""
    open_attempts = _unanswered(conn, [unit.answer.ref for unit in units])
    # Of two answers to one submit the first counts, also when both come in one fold.
    news = {u.answer.ref: u for u in reversed(units) if u.answer.ref in open_attempts and _outcome(u.answer)}
    if not news:
        return [None] * len(units)
    at = clock.now()
    conn.execute(_NOTE, [_filled(unit.answer, at, open_attempts[ref].receipt) for ref, unit in news.items()])
    held = messages.lock(conn, {open_attempts[ref].message_id for ref in news})
    by_segment = _by_segment(conn, held.values())
    units_of = {open_attempts[ref].message_id: unit for ref, unit in news.items()}
    todo = [
        move
        for was in held.values()
        if (move := _together(was, by_segment.get(was.id, {}), units_of[was.id], at))
    ]
    context = units[0].context
    todo = _elsewhere(conn, units[0].routes, todo, at)
    moves.make(conn, context, todo)
    _keep_optouts(conn, context, [u for u in news.values() if isinstance(u.answer.error, CarrierOptedOut)])
    receipts.rematch(
        conn, context, {(u.answer.carrier_ref, u.route_id) for u in news.values() if u.answer.carrier_ref}
    )
    early = [m.was.id for m in todo if m.new == State.SUBMITTED and m.was.id in _with_receipts(by_segment)]
    if early:
        receipts.roll_up(conn, context, dict.fromkeys(early, ""))
    return [None] * len(units)


def _elsewhere(conn: Connection, routes: Routes, todo: Sequence[Move], at: int) -> list[Move]:
    """What is to be tried again goes to the next route where there is one, at once in the first round."""
    again = [move.was for move in todo if move.new == State.QUEUED and move.retries is not None]
    found = failover.find(conn, routes, again)
    names = {route.id: route.name for route in routes.all}
    moved = []
    for move in todo:
        chosen = found.get(move.was.id)
        if chosen is None:
            moved.append(move)
            continue
        why = f"{move.reason}; from {names.get(move.was.route_id, '?')} to {chosen.route.name}"
        due_at = move.due_at if chosen.new_round else at
        moved.append(replace(move, reason=why, due_at=due_at, route_id=chosen.route.id))
    return moved


def _keep_optouts(conn: Connection, context: Context, units: Sequence[Answered]) -> None:
    """A carrier that says "opted out" knows of a STOP that we did not get."""
    if not units:
        return
    m = tables.message.c
    refs = {unit.answer.ref: unit for unit in units}
    rows = conn.execute(
        select(_a.id, m.to, m.account_id, m.sender_id)
        .join_from(tables.attempt, tables.message, _a.message_id == m.id)
        .where(_a.id.in_(list(refs)))
    )
    said = [
        optouts.Said(
            row.to,
            optouts.scope(row.sender_id, row.account_id, shared=row.sender_id in context.shared),
            active=True,
            source="carrier",
            words=storable(str(refs[row.id].answer.error)),
        )
        for row in rows
    ]
    opting.keep(conn, context, said)


def _unanswered(conn: Connection, refs: Sequence[int]) -> dict[int, Any]:
    rows = conn.execute(
        select(_a.id, _a.message_id, _a.receipt).where(_a.id.in_(refs), _a.answered_at.is_(None))
    )
    return {row.id: row for row in rows}


def _outcome(answer: Answer) -> str | None:
    if answer.error is None:
        return "accepted"
    return next((OUTCOMES[kind] for kind in type(answer.error).__mro__ if kind in OUTCOMES), None)


def says_nothing(answer: Answer) -> bool:
    """Whether the answer leaves it open what became of the submit."""
    return _outcome(answer) is None


def _filled(answer: Answer, at: int, receipt: str | None) -> dict[str, Any]:
    """What its attempt is to say. A receipt came before it: it was accepted, whatever the answer says."""
    return {
        "attempt": answer.ref,
        "at": at,
        "said": "accepted" if receipt else _outcome(answer),
        "their_words": storable(str(answer.error)) if answer.error else "",
        "ref": answer.carrier_ref,
    }


def _by_segment(conn: Connection, held: Iterable[Current]) -> dict[int, dict[int, Any]]:
    """By message: each segment's attempt that counts: an accepted one, at best with a receipt, else the newest."""
    rows = conn.execute(
        select(_a.message_id, _a.segment, _a.fence, _a.outcome, _a.words, _a.receipt)
        .where(_a.message_id.in_([was.id for was in held]))
        .order_by(_a.id)
    )
    found: dict[int, dict[int, Any]] = {}
    for row in rows:
        of_message = found.setdefault(row.message_id, {})
        old = of_message.get(row.segment)
        if old is None or old.outcome != "accepted" or (row.receipt and not old.receipt):
            of_message[row.segment] = row
    return found


def _with_receipts(by_segment: dict[int, dict[int, Any]]) -> set[int]:
    return {
        message_id for message_id, rows in by_segment.items() if any(row.receipt for row in rows.values())
    }


def _together(was: Current, rows: dict[int, Any], unit: Answered, at: int) -> Move | None:
    """The message's move when every segment of this fence is answered; None while one is not."""
    if was.state not in {State.SUBMITTING, State.UNCERTAIN} or len(rows) < was.segments:
        return None
    said = {row.outcome for row in rows.values()}
    words = next((row.words for row in rows.values() if row.words), "")
    if None in said:
        return None
    if "rejected" in said:
        why = "opted_out" if isinstance(unit.answer.error, CarrierOptedOut) else "rejected"
        return Move(was, State.FAILED, Actor.DISPATCH, why, words=words)
    if said == {"accepted"}:
        new = State.SUBMITTED if unit.gives_receipts else State.SENT
        return Move(was, new, Actor.DISPATCH, "", was.final_by if new == State.SUBMITTED else None)
    if "retry" in said:
        wait = min(_LONGEST_BACKOFF_SECONDS, 5 * 2 ** min(was.retries, 10)) * clock.SECOND
        return Move(
            was, State.QUEUED, Actor.DISPATCH, words or "try again", at + wait, retries=was.retries + 1
        )
    # Throttled: no retry burnt, and due when it was made, so that it goes first again.
    return Move(was, State.QUEUED, Actor.DISPATCH, "throttled", made_at(was.id))
