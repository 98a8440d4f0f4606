"""Monthly statements: on the 1st, in the account's time zone, what became of its money in the month before.

A statement is made once and never changed; what is entered later belongs to the month in which it is entered. The
ledger is read beside the writer, and the row and its notices are written in one commit.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.dialects import postgresql, sqlite

from gateway_core import notices, numbers
from gateway_core.accounts import Account
from gateway_core.notices import Notice
from gateway_core.storage import clock, tables
from gateway_core.storage.ids import Ids
from gateway_core.storage.prepared import Prepared

_PAGE = 5000  # entries that are read at a time
# After a month's end: what is entered in its last moment is committed by then.
_SETTLED_MS = 10 * clock.MINUTE
_e, _s, _m, _a = tables.ledger_entry.c, tables.statement.c, tables.message.c, tables.account.c


class Statement(NamedTuple):
    ids: Ids
    account: Account
    month: str  # YYYY-MM
    facts: dict[str, Any]


def month_before(at: int, timezone: str) -> str:
    """The last month that is over there at this moment (ms)."""
    here = datetime.fromtimestamp(at / 1000, ZoneInfo(timezone))
    return (here.replace(day=1) - timedelta(days=1)).strftime("%Y-%m")


def bounds(month: str, timezone: str) -> tuple[int, int]:
    """First moment of a month and of the next one, there (ms). Raises ValueError."""
    zone = ZoneInfo(timezone)
    first = datetime.strptime(month, "%Y-%m").replace(tzinfo=zone)
    following = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
    return int(first.timestamp() * 1000), int(following.timestamp() * 1000)


def vat(net: int, percent: str) -> int:
    """Of what was charged (1/10,000), rounded half up to the smallest amount that the ledger has."""
    return int((Decimal(net) * Decimal(percent) / 100).quantize(Decimal(1), ROUND_HALF_UP))


def facts(conn: Connection, account: Account, month: str) -> dict[str, Any]:
    """Balances, sums by kind, and texts by country, of one month. Amounts are 1/10,000, as everywhere."""
    since, until = bounds(month, account.terms.timezone)
    before = select(func.coalesce(func.sum(_e.amount), 0)).where(_e.account_id == account.id, _e.at < since)
    opening = int(conn.execute(before).scalar_one())
    kinds: dict[str, int] = {}
    countries: dict[str, list[int]] = {}
    for kind, amount, to, segments in _entries(conn, account.id, since, until):
        kinds[kind] = kinds.get(kind, 0) + amount
        if to is not None:
            of = countries.setdefault(numbers.region_of(to) or "other", [0, 0, 0])
            of[0] += kind == "submit"
            of[1] += segments if kind == "submit" else 0
            of[2] += amount
    charged = -sum(kinds.get(kind, 0) for kind in ("submit", "refund", "correction"))
    found = {
        "account": account.name,
        "currency": account.currency,
        "month": month,
        "opening": opening,
        "kinds": dict(sorted(kinds.items())),
        "countries": {name: countries[name] for name in sorted(countries)},  # texts, segments, amount
        "charged": charged,
        "closing": opening + sum(kinds.values()),
    }
    if account.terms.vat_percent:
        found |= {"vat_percent": account.terms.vat_percent, "vat": vat(charged, account.terms.vat_percent)}
    return found


def _entries(conn: Connection, account_id: int, since: int, until: int) -> Any:
    """In order, a page at a time: a month may have millions."""
    joined = tables.ledger_entry.outerjoin(tables.message, _e.message_id == _m.id)
    wanted = select(_e.at, _e.id, _e.kind, _e.amount, _m.to, _m.segments).select_from(joined)
    at, last = since, 0
    while True:
        rows = conn.execute(
            wanted.where(_e.account_id == account_id, _e.at >= at, _e.at < until)
            .where((_e.at > at) | (_e.id > last))
            .order_by(_e.at, _e.id)
            .limit(_PAGE)
        ).all()
        yield from (row[2:] for row in rows)
        if len(rows) < _PAGE:
            return
        at, last = rows[-1].at, rows[-1].id


def due(reader: Engine, accounts: Sequence[Account]) -> list[tuple[Account, str]]:
    """Accounts whose last month has no statement yet, with that month. None for months before they were made."""
    now = clock.now() - _SETTLED_MS
    months = sorted({month_before(now, account.terms.timezone) for account in accounts})
    with reader.connect() as conn:
        made = set(conn.execute(select(_s.account_id, _s.month).where(_s.month.in_(months))).all())
        created: dict[int, int] = dict(conn.execute(select(_a.id, _a.created_at)).all())
    found = []
    for account in accounts:
        month = month_before(now, account.terms.timezone)
        began = created.get(account.id)
        if began is None or (account.id, month) in made:
            continue
        if began < bounds(month, account.terms.timezone)[1]:
            found.append((account, month))
    return found


_KEEP = Prepared(
    {
        name: dialect.insert(tables.statement).on_conflict_do_nothing(
            index_elements=[_s.account_id, _s.month]
        )
        for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))
    },
    *("id", "account_id", "month", "facts", "created_at"),
)


def make(conn: Connection, units: Sequence[Statement]) -> list[bool]:
    """Fold: keep each, with its notices, unless somebody did; whether it was new."""
    return [_make(conn, unit) for unit in units]


def _make(conn: Connection, unit: Statement) -> bool:
    account = unit.account
    row = (unit.ids.new(), account.id, unit.month, json.dumps(unit.facts), clock.now())
    if _KEEP.change(conn, row) != 1:
        return False
    notices.owe(
        conn,
        unit.ids,
        [
            Notice(
                account.id,
                f"statement:{account.id}:{unit.month}:{address}",
                "statement",
                unit.facts,
                f"mailto:{address}",
            )
            for address in account.terms.statement_to
        ],
    )
    return True


def stored(conn: Connection, account_id: int, month: str | None = None) -> list[dict[str, Any]]:
    """The facts of an account's statements, newest first."""
    wanted = select(_s.facts).where(_s.account_id == account_id).order_by(_s.month.desc())
    return list(conn.execute(wanted.where(_s.month == month) if month else wanted).scalars())
