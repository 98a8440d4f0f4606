"""Which submit a receipt is of: by our reference where it is echoed, by the carrier's id, else by inference.

Carriers write one id in two ways, say so late, use ids again, or leave them out. What settles it is literal: the
settings of the route (`submit_ids`, `receipt_ids`) and the handset.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from gateway_core.storage import clock, tables

_LONGEST = (
    64  # characters of an id that is read as a number; the octets of SMPP's message_id (SMPP 3.4 §5.2.23)
)
_INFER_MS = 30 * clock.MINUTE  # between a submit without an answer and a receipt that can only be its
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
_OF = select(_a.id, _a.message_id, _a.carrier_ref, _a.route_id, _m.to).join_from(
    tables.attempt, tables.message, _a.message_id == _m.id
)


def find(conn: Connection, seen: Sequence[Seen]) -> list[Found | None]:
    """The attempt of each; None: nobody's yet."""
    echoed = _by_echo(conn, seen)
    by_id = _by_id(conn, [one for one in seen if one.echoed_ref not in echoed])
    found = [echoed.get(one.echoed_ref or 0) or _newest(by_id, one) for one in seen]
    left = [one for one, known in zip(seen, found, strict=True) if known is None and one.handset]
    inferred = _inferred(conn, left)
    return [
        known or inferred.get((one.route_id, one.handset)) for one, known in zip(seen, found, strict=True)
    ]


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
    """Carriers use their ids again: the newest one counts that went to this handset."""
    for row in reversed(by_id.get((one.carrier_ref, one.route_id), [])):
        if not one.handset or row.to[-_SAME_DIGITS:] == one.handset[-_SAME_DIGITS:]:
            return Found(row.id, row.message_id)
    return None


def _inferred(conn: Connection, seen: Sequence[Seen]) -> dict[tuple[int, str], Found]:
    """By route and handset: the one submit to it whose answer never came, where there is exactly one."""
    if not seen:
        return {}
    rows = conn.execute(
        select(_a.id, _a.message_id, _a.route_id, _a.written_at, _m.to)
        .join_from(tables.message, tables.attempt, _a.message_id == _m.id)
        .where(
            tables.WAITING,
            _m.state == "UNCERTAIN",
            _m.to.in_({one.handset for one in seen}),
            _a.outcome.is_(None),
        )
    ).all()
    found = {}
    for one in seen:
        fitting = [
            row
            for row in rows
            if (row.route_id, row.to) == (one.route_id, one.handset)
            and abs(row.written_at - one.received_at) <= _INFER_MS
        ]
        if len(fitting) == 1:
            found[one.route_id, one.handset] = Found(fitting[0].id, fitting[0].message_id, inferred=True)
    return found
