"""Which submit a receipt is of: by our reference where it is echoed, by the carrier's id, else by inference.

Carriers write one id in two ways, say so late, use ids again, or leave them out. What settles it is literal: the
settings of the route (`submit_ids`, `receipt_ids`) and the handset.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from gateway_core.storage import clock, ids, tables

_LONGEST = (
    64  # characters of an id that is read as a number; the octets of SMPP's message_id (SMPP 3.4 §5.2.23)
)
_INFER_MS = 30 * clock.MINUTE  # between a submit without an answer and a receipt that can only be its
_SKEW_MS = 5 * clock.SECOND  # between the clocks of two machines of ours, where all depends on the order
_AHEAD_MS = 10 * clock.MINUTE  # where the id is right: an orphan that is older is of a text before it
_LATEST_MS = 7 * clock.DAY  # after validity and grace; an id in a receipt still later is of another text
_OLDEST_MS = 7 * clock.DAY  # texts that wait longer than this for their submit are not looked for
_SAME_DIGITS = 7  # of a handset, from its end: networks write what is before them in several ways


def normal(value: str, form: str) -> str:
    """An id in the form in which the answer's and the receipt's are compared.

    `form` is how the carrier writes it: `decimal`, `hex` (of whatever size; leading zeros do not count), or `text`,
    which is compared without case and blanks. What is no such number is compared as text.
    """
    bare = value.strip().casefold()
    base = {"decimal": 10, "hex": 16}.get(form)
    if base is None or not bare or len(bare) > _LONGEST:
        return bare
    digits = bare.removeprefix("0x") if base == 16 else bare
    allowed = "0123456789abcdef"[:base]
    if not digits or digits.strip(allowed):
        return bare
    return str(int(digits, base))


class Seen(NamedTuple):
    """A receipt, as far as it tells whose it is."""

    route_id: int
    carrier_ref: str
    state: str
    words: str
    echoed_ref: int | None
    handset: str
    received_at: int


class Found(NamedTuple):
    attempt_id: int
    message_id: int
    inferred: bool = False


_a, _m = tables.attempt.c, tables.message.c
_OF = select(_a.id, _a.message_id, _a.carrier_ref, _a.route_id, _a.written_at, _m.to, _m.final_by).join_from(
    tables.attempt, tables.message, _a.message_id == _m.id
)


def find(conn: Connection, seen: Sequence[Seen]) -> list[Found | None]:
    """The attempt of each that names it; None: nobody's yet."""
    echoed = _by_echo(conn, seen)
    by_id = _by_id(conn, [one for one in seen if one.echoed_ref not in echoed])
    return [echoed.get(one.echoed_ref or 0) or _newest(by_id, one) for one in seen]


def _by_echo(conn: Connection, seen: Sequence[Seen]) -> dict[int, Found]:
    refs = {one.echoed_ref: one.route_id for one in seen if one.echoed_ref}
    if not refs:
        return {}
    rows = conn.execute(select(_a.id, _a.message_id, _a.route_id).where(_a.id.in_(list(refs))))
    return {row.id: Found(row.id, row.message_id) for row in rows if refs[row.id] == row.route_id}


def _by_id(conn: Connection, seen: Sequence[Seen]) -> dict[tuple[str, int], list[Any]]:
    """Attempts of each (carrier_ref, route), oldest first."""
    refs = {one.carrier_ref for one in seen}
    if not refs:
        return {}
    found: dict[tuple[str, int], list[Any]] = {}
    for row in conn.execute(_OF.where(_a.carrier_ref.in_(refs)).order_by(_a.id)):
        found.setdefault((row.carrier_ref, row.route_id), []).append(row)
    return found


def _newest(by_id: dict[tuple[str, int], list[Any]], one: Seen) -> Found | None:
    """Carriers use their ids again: the newest one counts that went to this handset and may still get a receipt."""
    for row in reversed(by_id.get((one.carrier_ref, one.route_id), [])):
        in_time = row.written_at - _AHEAD_MS <= one.received_at <= row.final_by + _LATEST_MS
        if in_time and _is_to(row, one):
            return Found(row.id, row.message_id)
    return None


def _is_to(row: Any, one: Seen) -> bool:
    """Whether the submit went to the handset, as far as the receipt names one."""
    return not one.handset or _end(row.to) == _end(one.handset)


def _end(handset: str) -> str:
    return handset[-_SAME_DIGITS:]


# --- by inference -------------------------------------------------------------------------------------------


def infer(conn: Connection, seen: Sequence[Seen]) -> list[Found | None]:
    """Of receipts that nobody knew for a while: the one text to the handset whose answer never came.

    None where another text of that route to that handset has no answer yet, or two unknown receipts may be its.
    """
    refs: dict[tuple[int, str], set[str]] = {}
    for one in seen:
        refs.setdefault((one.route_id, _end(one.handset)), set()).add(one.carrier_ref)
    alone = [one for one in seen if one.handset and len(refs[one.route_id, _end(one.handset)]) == 1]
    rows = _unanswered(conn, alone)
    return [_only(conn, rows, one) if one in alone else None for one in seen]


def _unanswered(conn: Connection, seen: Sequence[Seen]) -> list[Any]:
    """The submits of UNCERTAIN messages that have no answer."""
    if not seen:
        return []
    times = [one.received_at for one in seen]
    return list(
        conn.execute(
            select(_a.id, _a.message_id, _a.segment, _a.route_id, _a.written_at, _m.to)
            .join_from(tables.message, tables.attempt, _a.message_id == _m.id)
            .where(
                tables.WAITING,
                _m.state == "UNCERTAIN",
                _a.outcome.is_(None),
                _a.written_at.between(min(times) - _INFER_MS, max(times) + _SKEW_MS),
            )
            .order_by(_a.id)
        )
    )


def _only(conn: Connection, rows: Sequence[Any], one: Seen) -> Found | None:
    fitting = [
        row
        for row in rows
        if row.route_id == one.route_id
        and _is_to(row, one)
        and one.received_at - _INFER_MS <= row.written_at <= one.received_at + _SKEW_MS
    ]
    if len({(row.message_id, row.segment) for row in fitting}) != 1 or _has_rival(conn, fitting[-1], one):
        return None
    return Found(fitting[-1].id, fitting[-1].message_id, inferred=True)


def _has_rival(conn: Connection, row: Any, one: Seen) -> bool:
    """Whether another text to the handset has an unanswered submit too, whatever became of that text meanwhile."""
    accounts = select(tables.account.c.id)  # for the index, which begins with the account
    since = (one.received_at - _INFER_MS - _OLDEST_MS - ids.EPOCH) << 22
    rival = (
        select(_a.id)
        .join_from(tables.message, tables.attempt, _a.message_id == _m.id)
        .where(_m.account_id.in_(accounts), _m.to == row.to, _m.id > since, _m.id != row.message_id)
        .where(_a.route_id == one.route_id, _a.outcome.is_(None))
        .where(_a.written_at.between(one.received_at - _INFER_MS, one.received_at + _SKEW_MS))
    )
    return conn.execute(rival.limit(1)).first() is not None
