"""Conversations: (our number, handset) and who wrote last, so that a reply finds its mailbox."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, case, literal_column, null, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway_core.storage import clock, tables
from gateway_core.storage.ids import Ids
from gateway_core.storage.prepared import Prepared


class Said(NamedTuple):
    """A text between a number of ours and a handset. `message_id` when it was ours, None when the phone began."""

    account_id: int
    number: str
    handset: str
    message_id: int | None
    sender: str = ""  # who of the account wrote it


_c = tables.conversation.c
_KEY = [_c.handset, _c.number]
_COLUMNS = ("id", "account_id", "number", "handset", "message_id", "changed_at", "sender")


def _upsert(dialect: Any) -> Any:
    statement = dialect.insert(tables.conversation)
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=_KEY,
        set_={
            "account_id": new.account_id,
            "message_id": new.message_id,
            "changed_at": new.changed_at,
            "sender": new.sender,
            # whoever answers now may mean either of two
            "shared_at": case((_other(new), new.changed_at), else_=_c.shared_at),
        },
    )


def _other(new: Any) -> Any:
    """Whether somebody else texted the handset from this number before."""
    return _c.message_id.is_not(None) & ((_c.sender != new.sender) | (_c.account_id != new.account_id))


_UPSERT = Prepared({"sqlite": _upsert(sqlite), "postgresql": _upsert(postgresql)}, *_COLUMNS)


def _begin(dialect: Any) -> Any:
    """Nothing changes where the account is the same; else the talk is the new account's, from its beginning."""
    statement = dialect.insert(tables.conversation)
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=_KEY,
        set_={
            "account_id": new.account_id,
            "message_id": null(),
            "changed_at": new.changed_at,
            "sender": literal_column("''"),
            "shared_at": null(),
        },
        where=_c.account_id != new.account_id,
    )


_BEGIN = Prepared({"sqlite": _begin(sqlite), "postgresql": _begin(postgresql)}, *_COLUMNS)


def texted(conn: Connection, ids: Ids, said: Sequence[Said]) -> None:
    """Our texts, in order: the last writer owns the conversation."""
    _run(conn, _UPSERT, ids, said)


def begun(conn: Connection, ids: Ids, said: Sequence[Said]) -> None:
    """Texts of phones: where their account had no conversation, it has one now."""
    _run(conn, _BEGIN, ids, said)


def _run(conn: Connection, statement: Prepared, ids: Ids, said: Sequence[Said]) -> None:
    at = clock.now()
    in_order = sorted(said, key=lambda one: (one.handset, one.number))  # one order: no deadlock
    rows = [
        (ids.new(), account, number, handset, of, at, who) for account, number, handset, of, who in in_order
    ]
    statement.many(conn, rows)


def find(conn: Connection, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Row[Any]]:
    """Conversations by (handset, number)."""
    # Not by pairs: SQLite reads the whole table for a list of them.
    handsets, numbers = {handset for handset, _ in pairs}, {number for _, number in pairs}
    rows = conn.execute(select(tables.conversation).where(_c.handset.in_(handsets), _c.number.in_(numbers)))
    return {(row.handset, row.number): row for row in rows if (row.handset, row.number) in pairs}


def get(conn: Connection, conversation_id: int) -> Row[Any] | None:
    return conn.execute(select(tables.conversation).where(_c.id == conversation_id)).one_or_none()


_GUESS_DAYS = 7  # for so long an answer may be to a text of somebody else


def is_guess(talk: Row[Any]) -> bool:
    """Whether somebody else texted the handset from this number lately: an answer goes to whoever did last."""
    return talk.shared_at is not None and talk.shared_at > clock.now() - _GUESS_DAYS * clock.DAY
