"""Warnings of delay: a text that has not ended some time after it was accepted, told once.

Each text is looked at once, when that time is over: ids rise with time, and a row says how far this has got. So it
costs one look at each text, and no index of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from gateway_core import notices
from gateway_core.gateway import Gateway
from gateway_core.messages import FINAL
from gateway_core.notices import Notice
from gateway_core.storage import clock, tables
from gateway_core.storage.ids import Ids, first_at

MOST = 500  # texts a fold

_m, _p = tables.message.c, tables.progress.c


@dataclass(frozen=True, slots=True)
class _Look:
    ids: Ids
    minutes: int
    account_ids: Sequence[int]


def warn(gateway: Gateway) -> int:
    """Owe the warnings that are due; another process may do the same. Returns how many texts were late."""
    by_minutes: dict[int, list[int]] = {}
    for account in gateway.snapshot.accounts.values():
        if account.terms.delay_warning_minutes:
            by_minutes.setdefault(account.terms.delay_warning_minutes, []).append(account.id)
    late = 0
    for minutes, account_ids in by_minutes.items():
        unit = _Look(gateway.ids, minutes, account_ids)
        while (found := gateway.writer.put(_look, unit).result()) == MOST:
            late += found
        late += found
    return late


def _look(conn: Connection, units: Sequence[_Look]) -> list[int]:
    return [_warn(conn, unit) for unit in units]


def _warn(conn: Connection, unit: _Look) -> int:
    name, now = f"delays:{unit.minutes}", clock.now()
    until = first_at(now - unit.minutes * clock.MINUTE)
    row = select(_p.message_id).where(_p.name == name).with_for_update()
    begun_at = conn.execute(row).scalar()
    if begun_at is None:  # what was accepted before anybody looked is not told of: it may be old news
        conn.execute(insert(tables.progress).values(name=name, message_id=until))
        return 0
    late = conn.execute(
        select(_m.id, _m.account_id, _m.to, _m.state, _m.reason, _m.expires_at)
        .where(_m.id > begun_at, _m.id <= until, _m.warn, _m.state.not_in(FINAL), _m.reason != "send_at")
        .where(_m.account_id.in_(unit.account_ids))
        .order_by(_m.id)
        .limit(MOST)
    ).all()
    notices.owe(conn, unit.ids, [_notice(*one) for one in late])
    reached = late[-1].id if len(late) == MOST else until
    conn.execute(update(tables.progress).where(_p.name == name).values(message_id=max(reached, begun_at)))
    return len(late)


def _notice(message_id: int, account_id: int, to: str, state: str, reason: str, expires_at: int) -> Notice:
    facts = {"to": to, "state": state, "reason": reason, "until": expires_at}
    return Notice(account_id, f"delay:{message_id}", "delay", facts, message_id=message_id)
