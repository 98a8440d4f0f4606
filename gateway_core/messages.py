"""The state machine of a message: the literal table of moves, and the queries around it.

Every move is one conditional UPDATE with the old state and the fence in its WHERE (see moves.py, the only
caller); every move leaves an event row.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, bindparam, select

from gateway_core.storage import tables


class State(enum.StrEnum):
    HELD = "HELD"
    QUEUED = "QUEUED"
    CLAIMED = "CLAIMED"
    SUBMITTING = "SUBMITTING"
    UNCERTAIN = "UNCERTAIN"
    SUBMITTED = "SUBMITTED"
    SENT = "SENT"
    UNKNOWN = "UNKNOWN"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    UNDELIVERED = "UNDELIVERED"
    DELIVERED = "DELIVERED"


class Actor(enum.StrEnum):
    SUBMIT = "submit"
    DISPATCH = "dispatch"
    RECEIPTS = "receipts"
    SWEEPER = "sweeper"
    ACCOUNT = "account"
    OPERATOR = "operator"


_S, _A = State, Actor
_DISPATCH, _SWEEPER = frozenset({_A.DISPATCH}), frozenset({_A.SWEEPER})
_PEOPLE = frozenset({_A.ACCOUNT, _A.OPERATOR})
_RECEIPTS = frozenset({_A.RECEIPTS})

# (old, new): who may make the move. What is not here does not happen.
MOVES: dict[tuple[State, State], frozenset[Actor]] = {
    (_S.HELD, _S.QUEUED): _SWEEPER | {_A.OPERATOR},
    (_S.HELD, _S.CANCELLED): _PEOPLE,
    (_S.QUEUED, _S.HELD): _DISPATCH,
    (_S.QUEUED, _S.CANCELLED): _PEOPLE,
    (_S.QUEUED, _S.FAILED): _DISPATCH | {_A.SUBMIT},  # opted_out, no_route
    (_S.QUEUED, _S.CLAIMED): _DISPATCH,
    (_S.CLAIMED, _S.QUEUED): _DISPATCH | _SWEEPER,  # nothing journalled for this fence: safe
    (_S.CLAIMED, _S.SUBMITTING): _DISPATCH,
    (_S.SUBMITTING, _S.SUBMITTED): _DISPATCH,
    (_S.SUBMITTING, _S.SENT): _DISPATCH,  # the carrier gives no receipts
    (_S.SUBMITTING, _S.FAILED): _DISPATCH,
    (_S.SUBMITTING, _S.QUEUED): _DISPATCH,
    (_S.SUBMITTING, _S.UNCERTAIN): _DISPATCH | _SWEEPER,  # the sweeper for a dead owner only
    (_S.UNCERTAIN, _S.SUBMITTED): _DISPATCH | _RECEIPTS,  # a late answer; a receipt that proves it
    (_S.UNCERTAIN, _S.SENT): _DISPATCH,
    (_S.UNCERTAIN, _S.FAILED): _DISPATCH,
    (_S.UNCERTAIN, _S.QUEUED): _DISPATCH | _SWEEPER,  # a late "try again"; the resend budget
    (_S.UNCERTAIN, _S.UNKNOWN): _SWEEPER,
    (_S.SUBMITTED, _S.UNKNOWN): _SWEEPER,
    # What a receipt alone may do. Ranks only rise: the pairs that are missing are the ones that would fall.
    **{
        (old, new): _RECEIPTS
        for old in (_S.UNCERTAIN, _S.SUBMITTED)
        for new in (_S.EXPIRED, _S.UNDELIVERED, _S.DELIVERED)
    },
    # A text that waits to be sent again needs not be: its first submit arrived.
    **{
        (old, new): _RECEIPTS
        for old in (_S.HELD, _S.QUEUED)
        for new in (_S.SUBMITTED, _S.UNDELIVERED, _S.DELIVERED)
    },
    (_S.HELD, _S.EXPIRED): _SWEEPER | _RECEIPTS,
    (_S.QUEUED, _S.EXPIRED): _DISPATCH | _SWEEPER | _RECEIPTS,
    (_S.UNKNOWN, _S.EXPIRED): _RECEIPTS,
    (_S.UNKNOWN, _S.UNDELIVERED): _RECEIPTS,
    (_S.UNKNOWN, _S.DELIVERED): _RECEIPTS,
    (_S.EXPIRED, _S.UNDELIVERED): _RECEIPTS,
    (_S.EXPIRED, _S.DELIVERED): _RECEIPTS,
    (_S.UNDELIVERED, _S.DELIVERED): _RECEIPTS,
}

FINAL = frozenset(
    {_S.SENT, _S.UNKNOWN, _S.EXPIRED, _S.FAILED, _S.CANCELLED, _S.UNDELIVERED, _S.DELIVERED},
)


def may_move(old: State, new: State, actor: Actor) -> bool:
    return actor in MOVES.get((old, new), frozenset())


@dataclass(frozen=True, slots=True)
class Current:
    """A message as it stands inside the open transaction, locked against everybody else."""

    id: int
    account_id: int
    submission_id: int
    route_id: int
    to: str
    state: State
    fence: int
    owner_id: int | None
    segments: int
    price: int
    retries: int
    resends: int
    possible_duplicate: bool
    notify: bool
    receipts: str  # of which ends the submitter is told; "": as its account says
    due_at: int | None
    expires_at: int
    final_by: int


_m = tables.message.c
CURRENT = (
    _m.id,
    _m.account_id,
    _m.submission_id,
    _m.route_id,
    _m.to,
    _m.state,
    _m.fence,
    _m.owner_id,
    _m.segments,
    _m.price,
    _m.retries,
    _m.resends,
    _m.possible_duplicate,
    _m.notify,
    _m.receipts,
    _m.due_at,
    _m.expires_at,
    _m.final_by,
)
# In one order, so that two processes do not wait for each other; `key_share` lets rows be added that refer to it.
_LOCK = (
    select(*CURRENT)
    .where(_m.id.in_(bindparam("ids", expanding=True)))
    .order_by(_m.id)
    .with_for_update(key_share=True)
)


def current(row: Any) -> Current:
    """A row that begins with the columns of CURRENT."""
    (
        message_id,
        account_id,
        submission_id,
        route_id,
        to,
        state,
        *rest,
    ) = row[: len(CURRENT)]
    return Current(message_id, account_id, submission_id, route_id, to, State(state), *rest)


def lock(conn: Connection, ids: Iterable[int]) -> dict[int, Current]:
    rows = conn.execute(_LOCK, {"ids": sorted(set(ids))})
    return {row.id: current(row) for row in rows}


# --- reading, for API, CLI and pages ----------------------------------------------------------------------


def find(conn: Connection, message_id: int, account_id: int | None = None) -> RowMapping | None:
    """One message with its text; of one account only, when one is named."""
    found = conn.execute(_with_text().where(_m.id == message_id)).mappings().one_or_none()
    return found if found and account_id in {None, found["account_id"]} else None


def of_submission(conn: Connection, submission_id: int) -> list[RowMapping]:
    return list(
        conn.execute(_with_text().where(_m.submission_id == submission_id).order_by(_m.id)).mappings()
    )


def of_key(conn: Connection, key: str) -> list[RowMapping]:
    """The messages that were accepted under a Message-ID or Idempotency-Key."""
    k = tables.accepted_key.c
    found = select(k.message_id).where(k.key == key)
    return list(conn.execute(_with_text().where(_m.id.in_(found)).order_by(_m.id)).mappings())


def page(
    conn: Connection,
    *,
    account_id: int | None = None,
    state: str | None = None,
    to: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[RowMapping]:
    """Newest first; `before` is the id of the last one of the page before."""
    wanted = [
        column == value
        for column, value in ((_m.account_id, account_id), (_m.state, state), (_m.to, to))
        if value is not None
    ]
    if before is not None:
        wanted.append(_m.id < before)
    return list(
        conn.execute(_with_text().where(and_(True, *wanted)).order_by(_m.id.desc()).limit(limit)).mappings()
    )


def origin(conn: Connection, submission_id: int) -> dict[str, Any]:
    """What whoever submitted it wants to find again; opaque here."""
    s = tables.submission.c
    found: dict[str, Any] = conn.execute(select(s.origin).where(s.id == submission_id)).scalar_one()
    return found


def trail(conn: Connection, message_id: int) -> list[RowMapping]:
    e = tables.event.c
    return list(
        conn.execute(select(tables.event).where(e.message_id == message_id).order_by(e.id)).mappings()
    )


def _with_text() -> Any:
    s, a = tables.submission, tables.account
    return select(
        tables.message, s.c.text, s.c.client_ref, a.c.name.label("account"), a.c.currency
    ).select_from(tables.message.join(s, _m.submission_id == s.c.id).join(a, _m.account_id == a.c.id))
