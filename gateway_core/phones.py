"""The simulated handsets: what arrived, what they sent, what their network still owes. Never merged, never lost."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, case, func, insert, select, update

from gateway_core.carriers.base import Arrival, OwedReceipt
from gateway_core.carriers.simulator import carrier_ref
from gateway_core.encoding import Segments
from gateway_core.storage import clock, tables
from gateway_core.storage.ids import Ids
from gateway_core.storage.writer import Writer

MOST_RECEIPTS = 500  # a batch

_p = tables.phone_segment.c
_OWED = (
    select(_p.id, _p.carrier_ref, _p.receipt_state, _p.at)
    .where(_p.route_id == bindparam("route"), _p.receipt_at <= bindparam("now"))
    .order_by(_p.receipt_at)
    .limit(MOST_RECEIPTS)
)
_GIVEN = (
    update(tables.phone_segment)
    .where(_p.id == bindparam("segment"), _p.receipts_left > 0)
    .values(
        receipts_left=_p.receipts_left - 1,
        receipt_at=case((_p.receipts_left > 1, bindparam("again_at")), else_=None),
    )
)


class RoutePhones:
    """The phones as one route's simulator sees them (carriers.base.Phones)."""

    def __init__(self, reader: Engine, writer: Writer, ids: Ids, route_id: int) -> None:
        self._reader = reader
        self._writer = writer
        self._ids = ids
        self._route_id = route_id

    def arrive(self, arrivals: Sequence[Arrival]) -> None:
        at = clock.now()
        rows = [self._row(arrival, at) for arrival in arrivals]
        self._writer.put(keep, rows).result()

    def _row(self, arrival: Arrival, at: int) -> dict[str, Any]:
        mt = arrival.mt
        return {
            "id": self._ids.new(),
            "phone": mt.to,
            "direction": "in",
            "peer": mt.sender_id,
            "text": mt.text,
            "encoding": mt.encoding,
            "ref": mt.ref if mt.total == 1 else mt.concat_ref,
            "number": mt.number,
            "total": mt.total,
            "possible_duplicate": mt.possible_duplicate,
            "flash": mt.flash,
            "at": at,
            "carrier_ref": carrier_ref(mt.ref),
            "receipt_at": at if arrival.receipts else None,
            "receipt_state": arrival.receipt_state,
            "receipts_left": arrival.receipts,
            "route_id": self._route_id,
        }

    def owed(self) -> list[OwedReceipt]:
        with self._reader.connect() as conn:
            rows = conn.execute(_OWED, {"route": self._route_id, "now": clock.now()})
            return [OwedReceipt(row.id, row.carrier_ref, row.receipt_state, row.at) for row in rows]

    def given(self, receipts: Sequence[OwedReceipt], *, again_after_ms: int) -> None:
        again_at = clock.now() + again_after_ms
        self._writer.put(
            _settle, [{"segment": r.segment_id, "again_at": again_at} for r in receipts]
        ).result()


def keep(conn: Connection, units: Sequence[list[dict[str, Any]]]) -> list[None]:
    """Fold: rows that arrived at or left phones."""
    conn.execute(insert(tables.phone_segment), [row for rows in units for row in rows])
    return [None] * len(units)


def _settle(conn: Connection, units: Sequence[list[dict[str, Any]]]) -> list[None]:
    conn.execute(_GIVEN, [row for rows in units for row in rows])
    return [None] * len(units)


def sent_row(ids: Ids, route_id: int, phone: str, to: str, segments: Segments) -> dict[str, Any]:
    """The row of a text that a person wrote on the phone; its carrier_ref is the MO's."""
    segment_id = ids.new()
    return {
        "id": segment_id,
        "phone": phone,
        "direction": "out",
        "peer": to,
        "text": "".join(segments.parts),
        "encoding": segments.encoding,
        "ref": segment_id,
        "number": 1,
        "total": 1,
        "possible_duplicate": False,
        "flash": False,
        "at": clock.now(),
        "carrier_ref": f"phone-{segment_id}",
        "receipt_at": None,
        "receipt_state": "",
        "receipts_left": 0,
        "route_id": route_id,
    }


# --- what a phone shows -----------------------------------------------------------------------------------


@dataclass(slots=True)
class Entry:
    """One text on a phone. A text that arrived twice is two entries."""

    id: int
    direction: str
    peer: str
    encoding: str
    at: int
    possible_duplicate: bool
    flash: bool
    parts: dict[int, str]
    segments: int

    @property
    def text(self) -> str:
        """All parts in order; one that has not arrived shows as […]."""
        return "".join(self.parts.get(number, "[…]") for number in range(1, self.segments + 1))


def assemble(rows: Iterable[Any]) -> list[Entry]:
    """Segments in order of arrival to texts, as a handset does it: by peer, reference and part number.

    A part that is already there begins another entry (3GPP TS 23.040 §9.2.3.24.1).
    """
    entries: list[Entry] = []
    still_open: dict[tuple[str, int, int], Entry] = {}
    for row in rows:
        key = (row.peer, row.ref, row.total)
        entry = still_open.get(key)
        if entry is None or row.number in entry.parts:
            entry = Entry(
                *(row.id, row.direction, row.peer, row.encoding, row.at, row.possible_duplicate, row.flash),
                parts={},
                segments=row.total,
            )
            entries.append(entry)
            still_open[key] = entry
        entry.parts[row.number] = row.text
        entry.possible_duplicate |= row.possible_duplicate
        if len(entry.parts) == row.total:
            del still_open[key]
    return entries


def of_phone(conn: Connection, phone: str) -> list[Entry]:
    return assemble(conn.execute(select(tables.phone_segment).where(_p.phone == phone).order_by(_p.id)))


def all_phones(conn: Connection, limit: int = 200) -> list[tuple[str, int, int]]:
    """(phone, texts, newest at), newest first."""
    newest, texts = func.max(_p.at), func.count().filter(_p.number == 1)
    rows = conn.execute(
        select(_p.phone, texts, newest).group_by(_p.phone).order_by(newest.desc()).limit(limit)
    )
    return [(phone, count, at) for phone, count, at in rows]
