"""Receipts: stored first, matched afterwards. Early, late, repeated, for parts: all normal. Ranks only rise."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import Counter
from sqlalchemy import BigInteger, Connection, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway_core import matching, messages, moves
from gateway_core.matching import Found, Seen
from gateway_core.messages import FINAL, Actor, Current, State
from gateway_core.moves import Context, Move
from gateway_core.sms import DLR, DlrState
from gateway_core.storage import clock, tables

# What a receipt says of one segment; None: it travels still.
ENDS: dict[DlrState, State | None] = {
    DlrState.ENROUTE: None,
    DlrState.ACCEPTED: None,
    DlrState.UNKNOWN: None,  # our own UNKNOWN comes when validity and grace are over
    DlrState.EXPIRED: State.EXPIRED,
    DlrState.UNDELIVERED: State.UNDELIVERED,
    DlrState.DELIVERED: State.DELIVERED,
}
_RANK = {state: rank for rank, state in enumerate(ENDS)}
_LOOK_AGAIN_MINUTES = (1, 5, 30, 120, 720, 1440)


@dataclass(frozen=True, slots=True)
class Match:
    attempt_id: int
    message_id: int
    dlr_state: DlrState
    words: str
    inferred: bool = False


CONFLICTS = Counter("mailgate_receipt_conflicts", "Receipts that contradict a DELIVERED")
ORPHANS = Counter("mailgate_receipts_orphaned", "Receipts that no submit was found for within a day")
_r, _a = tables.receipt.c, tables.attempt.c


def _upsert(dialect: Any) -> Any:
    return dialect.insert(tables.receipt).on_conflict_do_update(
        index_elements=[_r.carrier_ref, _r.route_id, _r.state, _r.done_at], set_={"repeats": _r.repeats + 1}
    )


_STORE = {"sqlite": _upsert(sqlite), "postgresql": _upsert(postgresql)}
_MATCHED = (
    update(tables.receipt)
    .where(
        *(_r.carrier_ref == bindparam("ref"), _r.route_id == bindparam("route")),
        # carriers may use one id for several texts, and even at the same time
        *(
            _r.handset == bindparam("to"),
            _r.echoed_ref.is_not_distinct_from(bindparam("echo", type_=BigInteger)),
        ),
        _r.attempt_id.is_(None),
    )
    .values(attempt_id=bindparam("attempt"), inferred=bindparam("guessed"), due_at=None)
)
_INFERRED = (  # what else is said under this id is of it as well
    update(tables.attempt)
    .where(_a.id == bindparam("attempt"), _a.carrier_ref.is_(None))
    .values(carrier_ref=bindparam("ref"))
)
_NOTE = (
    update(tables.attempt)
    .where(_a.id == bindparam("attempt"))
    .values(receipt=bindparam("says"), outcome="accepted")
)


def store(conn: Connection, context: Context, dlrs: Sequence[tuple[int, DLR]]) -> None:
    """Store (route, DLR) pairs and apply what can be matched now; the rest is looked at again later."""
    at = clock.now()
    conn.execute(_STORE[conn.dialect.name], [_row(context, route_id, dlr, at) for route_id, dlr in dlrs])
    _match(
        conn,
        context,
        [Seen(of, dlr.carrier_ref, dlr.state, dlr.words, dlr.ref, dlr.handset, at) for of, dlr in dlrs],
    )


def _match(
    conn: Connection, context: Context, seen: Sequence[Seen], *, infer: bool = False
) -> list[Found | None]:
    """Note whose they are, and apply them."""
    found = matching.find(conn, seen)
    if infer:
        left = [one for one, of in zip(seen, found, strict=True) if of is None]
        inferred = dict(zip(left, matching.infer(conn, left), strict=True))
        found = [of or inferred.get(one) for one, of in zip(seen, found, strict=True)]
    pairs = [(one, of) for one, of in zip(seen, found, strict=True) if of]
    if pairs:
        conn.execute(_MATCHED, [_matched(one, of) for one, of in pairs])
    guessed = [{"attempt": of.attempt_id, "ref": one.carrier_ref} for one, of in pairs if of.inferred]
    if guessed:
        conn.execute(_INFERRED, guessed)
    matches = [
        Match(of.attempt_id, of.message_id, DlrState(one.state), one.words, of.inferred) for one, of in pairs
    ]
    apply(conn, context, matches)
    return found


def _matched(one: Seen, of: Found) -> dict[str, Any]:
    return {
        "ref": one.carrier_ref,
        "route": one.route_id,
        "to": one.handset,
        "echo": one.echoed_ref,
        "attempt": of.attempt_id,
        "guessed": of.inferred,
    }


def _row(context: Context, route_id: int, dlr: DLR, at: int) -> dict[str, Any]:
    return {
        "id": context.ids.new(),
        "route_id": route_id,
        "carrier_ref": dlr.carrier_ref,
        "raw_ref": dlr.raw_ref,
        "echoed_ref": dlr.ref,
        "handset": dlr.handset,
        "state": dlr.state,
        "words": dlr.words,
        "done_at": dlr.done_at,
        "received_at": at,
        "repeats": 0,
        "attempt_id": None,
        "due_at": at + _LOOK_AGAIN_MINUTES[0] * clock.MINUTE,
    }


_SEEN = (
    *(_r.route_id, _r.carrier_ref, _r.state, _r.words),
    *(_r.echoed_ref, _r.handset, _r.received_at),
)


def rematch(conn: Connection, context: Context, refs: Collection[tuple[str, int]]) -> None:
    """Receipts that came before the answer to their submit: applied as soon as (carrier_ref, route) are known."""
    if not refs:
        return
    rows = conn.execute(
        select(*_SEEN).where(_r.attempt_id.is_(None), _r.carrier_ref.in_({ref for ref, _ in refs}))
    ).all()
    waiting = [Seen(*row) for row in rows if (row.carrier_ref, row.route_id) in refs]
    if waiting:
        _match(conn, context, waiting)


def look_again(conn: Connection, context: Context) -> int:
    """Unmatched receipts that are due: matched now, or looked at later, or given up. Returns how many."""
    now = clock.now()
    due = conn.execute(
        select(_r.id, *_SEEN).where(_r.attempt_id.is_(None), _r.due_at <= now).limit(500)
    ).all()
    found = _match(conn, context, [Seen(*row[1:]) for row in due], infer=True)
    for row in [row for row, of in zip(due, found, strict=True) if of is None]:
        later = [row.received_at + minutes * clock.MINUTE for minutes in _LOOK_AGAIN_MINUTES]
        due_at = next((at for at in later if at > now), None)  # NULL: an orphan, kept and counted
        conn.execute(update(tables.receipt).where(_r.id == row.id).values(due_at=due_at))
        ORPHANS.inc(due_at is None)
    return len(due)


def settle(conn: Connection, context: Context, message_ids: Collection[int]) -> None:
    """Messages that nobody will answer any more: what their receipts said meanwhile is applied now."""
    if not message_ids:
        return
    told = select(_a.message_id).where(_a.message_id.in_(sorted(message_ids)), _a.receipt.is_not(None))
    roll_up(conn, context, dict.fromkeys(conn.execute(told).scalars(), ""))


def apply(conn: Connection, context: Context, matches: Sequence[Match]) -> None:
    """Note each on its attempt (a receipt also proves that the submit was accepted), then move the messages."""
    if not matches:
        return
    best: dict[int, Match] = {}
    for match in matches:
        if match.attempt_id not in best or _RANK[match.dlr_state] >= _RANK[best[match.attempt_id].dlr_state]:
            best[match.attempt_id] = match
    known: dict[int, str] = dict(
        conn.execute(select(_a.id, _a.receipt).where(_a.id.in_(list(best)), _a.receipt.is_not(None))).all()
    )
    news = [
        match
        for match in best.values()
        if match.attempt_id not in known or _RANK[match.dlr_state] > _RANK[DlrState(known[match.attempt_id])]
    ]
    if news:
        conn.execute(_NOTE, [{"attempt": match.attempt_id, "says": match.dlr_state} for match in news])
        guessed = {match.message_id for match in news if match.inferred}
        roll_up(conn, context, {match.message_id: match.words for match in news}, guessed)
    _note_conflicts(
        conn, context, [one for one in best.values() if _contradicts(one, known.get(one.attempt_id))]
    )


def _contradicts(match: Match, known: str | None) -> bool:
    return known == DlrState.DELIVERED and ENDS[match.dlr_state] in {State.UNDELIVERED, State.EXPIRED}


def _note_conflicts(conn: Connection, context: Context, matches: Sequence[Match]) -> None:
    """DELIVERED stays; that the carrier said something else afterwards stands in the trail, once."""
    if not matches:
        return
    e, m = tables.event.c, tables.message.c
    ids = [match.message_id for match in matches]
    states: dict[int, str] = dict(conn.execute(select(m.id, m.state).where(m.id.in_(ids))).all())
    told = set(conn.execute(select(e.message_id, e.reason).where(e.message_id.in_(ids))).all())
    new = {(match.message_id, f"contradicted by {match.dlr_state}") for match in matches} - told
    rows = [(of, Actor.RECEIPTS, states[of], states[of], why) for of, why in sorted(new)]
    moves.record(conn, context.ids, rows)
    CONFLICTS.inc(len(rows))


def roll_up(
    conn: Connection, context: Context, words: dict[int, str], inferred: Collection[int] = ()
) -> None:
    """Move messages (id: the carrier's words) to what the receipts of all their segments say together."""
    if not words:
        return
    held = messages.lock(conn, words)
    said = _said(conn, held.values())
    todo = []
    for was in held.values():
        parts = said.get(was.id, {})
        new = _together(was, parts, one_decides=was.route_id in context.one_receipt)
        if new and new != was.state and messages.may_move(was.state, new, Actor.RECEIPTS):
            due_at = None if new in FINAL else was.final_by
            reason = "carrier" if new == State.EXPIRED else "inferred" if was.id in inferred else ""
            why = _with_count(was, parts, new, words[was.id])
            todo.append(Move(was, new, Actor.RECEIPTS, reason, due_at, words=why))
    moves.make(conn, context, todo)


def _with_count(was: Current, parts: dict[int, DlrState | None], new: State, words: str) -> str:
    """The carrier's words, behind how much of a long text did arrive."""
    if was.segments == 1 or new not in {State.UNDELIVERED, State.EXPIRED}:
        return words
    count = sum(state == DlrState.DELIVERED for state in parts.values())
    return f"delivered {count} of {was.segments} parts{'; ' + words if words else ''}"


def _said(conn: Connection, held: Iterable[Current]) -> dict[int, dict[int, DlrState | None]]:
    """By message and segment: what its best receipt says, None where it was accepted and no receipt came yet."""
    rows = conn.execute(
        select(_a.message_id, _a.segment, _a.receipt).where(
            _a.message_id.in_([was.id for was in held]), _a.outcome == "accepted"
        )
    )
    said: dict[int, dict[int, DlrState | None]] = {}
    for row in rows:
        of_message = said.setdefault(row.message_id, {})
        new = DlrState(row.receipt) if row.receipt else None
        old = of_message.get(row.segment)
        of_message[row.segment] = new if old is None or (new and _RANK[new] > _RANK[old]) else old
    return said


def _together(was: Current, said: dict[int, DlrState | None], *, one_decides: bool) -> State | None:
    """DELIVERED when all segments are; a segment that failed for good decides; all accepted proves SUBMITTED.

    `one_decides`: the carrier gives one receipt, whatever segment it names.
    """
    ends = [ENDS[state] if state else None for state in said.values()]
    if one_decides and State.DELIVERED in ends:
        return State.DELIVERED
    for bad in (State.UNDELIVERED, State.EXPIRED):
        if bad in ends:
            return bad
    if len(said) < was.segments:
        return None
    if all(end == State.DELIVERED for end in ends):
        return State.DELIVERED
    return State.SUBMITTED if was.state in {State.UNCERTAIN, State.QUEUED, State.HELD} else None
