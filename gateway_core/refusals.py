"""Refusals: what was not accepted, kept so that it can be explained. A repeat on the same day raises a count."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway_core.storage import clock, tables
from gateway_core.storage.ids import Ids

_KEPT_DAYS = 90
_LONGEST = 200  # characters; PostgreSQL bounds what an index entry may hold


@dataclass(frozen=True, slots=True)
class Refusal:
    ids: Ids
    door: str  # smtp, http
    code: str
    words: str
    account: str = ""
    sender: str = ""
    peer: str = ""
    recipient: str = ""


_r = tables.refusal.c
_KEY = [_r.day, _r.door, _r.code, _r.sender, _r.peer, _r.recipient]
_UPSERTS = {
    name: dialect.insert(tables.refusal).on_conflict_do_update(
        index_elements=_KEY,
        set_={
            "count": _r.count + 1,
            "last_at": dialect.insert(tables.refusal).excluded.last_at,
            "words": dialect.insert(tables.refusal).excluded.words,
        },
    )
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))
}


def record(conn: Connection, units: Sequence[Refusal]) -> list[None]:
    """Fold: store refusals."""
    at = clock.now()
    day = time.strftime("%Y-%m-%d", time.gmtime(at / 1000))
    conn.execute(
        _UPSERTS[conn.dialect.name],
        [
            {
                "id": unit.ids.new(),
                "day": day,
                "door": unit.door,
                "code": unit.code,
                "account": unit.account,
                "sender": _kept(unit.sender),
                "peer": unit.peer,
                "recipient": _kept(unit.recipient),
                "words": _kept(unit.words),
                "count": 1,
                "first_at": at,
                "last_at": at,
            }
            for unit in sorted(units, key=lambda unit: (unit.code, unit.sender, unit.peer, unit.recipient))
        ],
    )
    return [None] * len(units)


def _kept(text: str) -> str:
    """Whatever a stranger sent, in a form that every database takes."""
    return text[:_LONGEST].replace("\0", "").encode("utf-8", "replace").decode()


def forget(conn: Connection, units: Sequence[int]) -> list[int]:
    """Fold: rows older than _KEPT_DAYS are deleted, a bounded number at a time. Returns how many."""
    return [_forget_some(conn, most) for most in units]


def _forget_some(conn: Connection, most: int) -> int:
    day = time.strftime("%Y-%m-%d", time.gmtime(clock.now() / 1000 - _KEPT_DAYS * 86400))
    old = select(_r.id).where(_r.day < day).limit(most)
    return conn.execute(delete(tables.refusal).where(_r.id.in_(old))).rowcount


def newest(conn: Connection, limit: int = 100) -> list[RowMapping]:
    return list(conn.execute(select(tables.refusal).order_by(_r.last_at.desc()).limit(limit)).mappings())
