"""What an account is owed: rows that say so. Somebody else turns them into mail or a request."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway_core.messages import State
from gateway_core.storage import clock, tables
from gateway_core.storage.ids import Ids

LEASE_SECONDS = 120  # how long one that is being sent is not tried by somebody else

# The account's term `receipts`, and what a submitter asks for: the states that it wants to hear of.
DIGEST = "digest"
_BAD = frozenset({State.FAILED, State.UNDELIVERED, State.EXPIRED, State.UNKNOWN})
WANTED: dict[str, frozenset[State]] = {
    "none": frozenset(),
    "failures": _BAD,
    "all": _BAD | {State.DELIVERED, State.SENT, State.CANCELLED},
    "successes": frozenset({State.DELIVERED, State.SENT}),
    DIGEST: frozenset(),  # all of a submission together (digests)
}


@dataclass(frozen=True, slots=True)
class Notice:
    """One to be owed. `event_key` names the event: the same event is owed once."""

    account_id: int | None
    event_key: str
    kind: str  # receipt, delay, digest, reply, bounce, gathered, remark, preview, alarm, forward
    facts: dict[str, Any]
    target: str = ""
    message_id: int | None = None
    mo_id: int | None = None
    id: int | None = None  # where somebody else has to name it; else `owe` makes one
    due_at: int | None = None  # None: at once


_n = tables.notice.c
_INSERTS = {
    "sqlite": sqlite.insert(tables.notice).on_conflict_do_nothing(index_elements=[_n.event_key]),
    "postgresql": postgresql.insert(tables.notice).on_conflict_do_nothing(index_elements=[_n.event_key]),
}


def owe(conn: Connection, ids: Ids, notices: Sequence[Notice]) -> None:
    if not notices:
        return
    at = clock.now()
    conn.execute(
        _INSERTS[conn.dialect.name],
        [
            {
                "id": notice.id or ids.new(),
                "account_id": notice.account_id,
                "event_key": notice.event_key,
                "kind": notice.kind,
                "target": notice.target,
                "message_id": notice.message_id,
                "mo_id": notice.mo_id,
                "facts": notice.facts,
                "state": "DUE",
                "due_at": notice.due_at or at,
                "tries": 0,
                "words": "",
                "created_at": at,
            }
            for notice in notices
        ],
    )


def owe_each(conn: Connection, units: Sequence[tuple[Ids, Notice]]) -> list[None]:
    """Fold: notices that do not belong to another unit."""
    owe(conn, units[0][0], [notice for _, notice in units])
    return [None] * len(units)


_DUE = (
    select(tables.notice)
    .where(_n.state == "DUE", _n.due_at <= bindparam("now"))
    .order_by(_n.due_at, _n.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_LEASE = (
    update(tables.notice)
    .where(_n.id == bindparam("notice"), _n.state == "DUE")
    .values(
        due_at=bindparam("until"),
        tries=_n.tries + 1,
        tried_at=func.coalesce(_n.tried_at, bindparam("now")),
    )
)
_END = (
    update(tables.notice)
    .where(_n.id == bindparam("notice"), _n.state == "DUE")
    .values(
        state=bindparam("new"), due_at=bindparam("at"), words=bindparam("said"), mailed_to=bindparam("mailed")
    )
)


def claim(conn: Connection, units: Sequence[int]) -> list[list[Any]]:
    """Fold: each unit is how many due notices somebody wants; they are leased to it."""
    claimed = []
    for most in units:
        rows = conn.execute(_DUE, {"now": clock.now(), "most": most}).all()
        if rows:
            now = clock.now()
            until = now + LEASE_SECONDS * clock.SECOND
            conn.execute(_LEASE, [{"notice": row.id, "until": until, "now": now} for row in rows])
        claimed.append(list(rows))
    return claimed


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of one: state DONE or DEAD; DUE with a later time to try again."""

    notice_id: int
    state: str
    at: int
    words: str = ""
    mailed_to: str = ""  # the first of its addressees, once it is gone


def end(conn: Connection, units: Sequence[Ended]) -> list[None]:
    """Fold: what became of notices that were claimed."""
    conn.execute(
        _END,
        [
            {
                "notice": unit.notice_id,
                "new": unit.state,
                "at": unit.at,
                "said": unit.words,
                "mailed": unit.mailed_to,
            }
            for unit in units
        ],
    )
    return [None] * len(units)


def any_due(conn: Connection) -> bool:
    return (
        conn.execute(select(_n.id).where(_n.state == "DUE", _n.due_at <= clock.now()).limit(1)).first()
        is not None
    )


def page(conn: Connection, state: str | None, limit: int) -> Sequence[Row[Any]]:
    """Newest first; of one state where it is named."""
    wanted = select(tables.notice).order_by(_n.id.desc()).limit(limit)
    return conn.execute(wanted.where(_n.state == state) if state else wanted).all()


def of_message(conn: Connection, message_id: int) -> Sequence[Row[Any]]:
    return conn.execute(select(tables.notice).where(_n.message_id == message_id).order_by(_n.id)).all()


def count_dead(conn: Connection) -> int:
    """Notices that were given up."""
    return conn.execute(select(func.count()).where(_n.state == "DEAD")).scalar_one()


def oldest_due(conn: Connection) -> int | None:
    """When the oldest notice that is still owed was made; None when none is."""
    return conn.execute(select(func.min(_n.created_at)).where(_n.state == "DUE")).scalar()
