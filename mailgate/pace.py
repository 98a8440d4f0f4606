"""How many answers of one handset are mailed to one mailbox in an hour: two robots must not run up a bill all night.

The first replies_per_hour within any hour are mailed as they come. One more, and a person is told; from then on
answers are gathered, and mailed in one mail an hour, until an hour passes without any. So a phone that answers
every text and a mailbox that answers every mail slow down to one text an hour. Nothing is lost: an answer that is
gathered is owed by another notice, which is written in the transaction that ends its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway_core import notices, numbers
from gateway_core.accounts import Account
from gateway_core.notices import Ended, Notice
from gateway_core.storage import clock, ids, tables
from gateway_core.storage.ids import Ids
from gateway_core.storage.storable import storable
from mailgate import letters, trust
from mailgate.checks import Intake
from mailgate.tables import reply_pace, reply_turn

HOUR = 60 * clock.MINUTE
_LONGEST_MAILBOX = 320  # 64 + 1 + 255 octets (RFC 5321 §4.5.3.1)

_p, _t, _n = reply_pace.c, reply_turn.c, tables.notice.c
_PAIR = (_p.account_id, _p.handset, _p.mailbox)


@dataclass(frozen=True, slots=True)
class Ask:
    """An answer that could be mailed now."""

    ids: Ids
    notice_id: int
    account: Account
    handset: str
    to: str

    @property
    def pair(self) -> dict[str, Any]:
        """Its mailbox as it can be compared and kept in an index, whatever an author's From says."""
        mailbox = storable(trust.normal(self.to))[:_LONGEST_MAILBOX]
        return {"account_id": self.account.id, "handset": self.handset, "mailbox": mailbox}


def ask(state: Intake, notice: Row[Any], to: str) -> Ask | None:
    """None: it is no answer of a handset, or there is no cap."""
    account = state.gateway.snapshot.accounts.get(notice.account_id)
    if notice.kind != "reply" or account is None or not account.terms.replies_per_hour:
        return None
    return Ask(state.gateway.ids, notice.id, account, notice.facts["handset"], to)


def take(conn: Connection, units: Sequence[Ask]) -> list[bool]:
    """Fold: whether each is to be mailed by itself. If not, it is done here, and owed together with others."""
    order = sorted(units, key=lambda unit: (*unit.pair.values(), unit.notice_id))  # one order: no deadlock
    decided = {unit.notice_id: _decide(conn, unit) for unit in order}
    return [decided[unit.notice_id] for unit in units]


def _lock(dialect: Any) -> Any:
    """The row of the pair, made where it is missing, and held until the commit: others decide behind this one."""
    statement = dialect.insert(reply_pace).values(most=0, until=0)
    return statement.on_conflict_do_update(index_elements=_PAIR, set_={"most": _p.most})


_LOCK = {"sqlite": _lock(sqlite), "postgresql": _lock(postgresql)}
_JOIN = (  # only before anybody can have begun to mail it, by any clock: what is gathered changes no more then
    update(tables.notice)
    .where(_n.id == bindparam("notice"), _n.state == "DUE", _n.tries == 0, _n.due_at > bindparam("now"))
    .values(tries=0)
)


def _decide(conn: Connection, unit: Ask) -> bool:
    conn.execute(_LOCK[conn.dialect.name], unit.pair)
    known = conn.execute(select(_t.gathered_id).where(_t.notice_id == unit.notice_id)).first()
    if known is not None:  # tried again: it does not count again
        return known.gathered_id is None
    now, most = clock.now(), unit.account.terms.replies_per_hour
    pace = conn.execute(select(reply_pace).filter_by(**unit.pair)).one()
    _forget(conn, unit, now)
    slowed = pace.until > now and most <= pace.most  # a raised cap counts at once
    if not slowed and _mailed(conn, unit, now) < most:
        _note(conn, unit, now, None)
        return True
    gathered_id = pace.gathered_id if slowed and _is_open(conn, pace, now) else None
    if gathered_id is None:
        gathered_id = _open(conn, unit, pace.until if slowed else now + HOUR)
    if not slowed:
        notices.owe(conn, unit.ids, _alarms(unit, gathered_id, now + HOUR))
    _note(conn, unit, now, gathered_id)
    words = f"too many for this hour; mailed with others as {ids.show('n', gathered_id)}"
    notices.end(conn, [Ended(unit.notice_id, "DONE", now, words)])
    return False


def _mailed(conn: Connection, unit: Ask, now: int) -> int:
    """Answers that were mailed by themselves in the hour before now."""
    recent = select(func.count()).select_from(reply_turn).filter_by(**unit.pair)
    return conn.execute(recent.where(_t.at > now - HOUR, _t.gathered_id.is_(None))).scalar_one()


def _note(conn: Connection, unit: Ask, now: int, gathered_id: int | None) -> None:
    row = {"notice_id": unit.notice_id, "at": now, "gathered_id": gathered_id, **unit.pair}
    conn.execute(insert(reply_turn), row)


def _is_open(conn: Connection, pace: Row[Any], now: int) -> bool:
    """Whether what is gathered can take one more; then it stays so until the commit."""
    return conn.execute(_JOIN, {"notice": pace.gathered_id, "now": now}).rowcount == 1


def _open(conn: Connection, unit: Ask, due_at: int) -> int:
    """A notice that gathers until it is due; another hour after it answers are gathered again, if any come."""
    most, gathered_id = unit.account.terms.replies_per_hour, unit.ids.new()
    facts = {"mailbox": unit.to, "most": most}
    key = f"gathered:{gathered_id}"
    notices.owe(
        conn,
        unit.ids,
        [Notice(unit.account.id, key, "gathered", facts, id=gathered_id, due_at=due_at)],
    )
    changed = {"most": most, "until": due_at + HOUR, "gathered_id": gathered_id}
    conn.execute(update(reply_pace).filter_by(**unit.pair).values(**changed))
    return gathered_id


def _alarms(unit: Ask, gathered_id: int, until: int) -> list[Notice]:
    """To the account's people; where it names none, to the operator."""
    account = unit.account
    facts = {
        "about": "replies",
        "account": account.name,
        "handset": numbers.display(unit.handset),
        "mailbox": unit.to,
        "most": account.terms.replies_per_hour,
        "until": letters.shown(until, account.terms.timezone),
    }
    targets = [f"mailto:{address}" for address in account.terms.alarm_to] or [""]
    return [Notice(account.id, f"pace:{gathered_id}:{target}", "alarm", facts, target) for target in targets]


def _forget(conn: Connection, unit: Ask, now: int) -> None:
    """Turns of this pair that count no more. One whose notice is still to be mailed is asked for again."""
    due = select(_n.id).where(_n.state == "DUE", or_(_n.id == _t.notice_id, _n.id == _t.gathered_id))
    old = and_(_t.at <= now - HOUR, ~due.exists())
    conn.execute(delete(reply_turn).filter_by(**unit.pair).where(old))


def gathered(conn: Connection, gathered_id: int) -> Sequence[Row[Any]]:
    """The notices of answers that this one owes, in order; at least one."""
    joined = select(tables.notice).join(reply_turn, _t.notice_id == _n.id)
    return conn.execute(joined.where(_t.gathered_id == gathered_id).order_by(_n.id)).all()
