"""The door in, from the network: the only place that changes a message because of a carrier, or stores an MO."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from gateway_core import matching, numbers, receipts, replies
from gateway_core.directory import Snapshot
from gateway_core.errors import BadNumber
from gateway_core.gateway import Gateway
from gateway_core.jobs.queue import NOTICES
from gateway_core.moves import Context
from gateway_core.sms import DLR, MO
from gateway_core.storage.storable import storable


@dataclass(frozen=True, slots=True)
class _Event:
    context: Context
    snapshot: Snapshot
    route_id: int
    event: DLR | MO


def deliver(gateway: Gateway, route_id: int, events: Sequence[DLR | MO]) -> None:
    """Store and apply receipts and replies. Returns after the commit: only then may the carrier acknowledge them.

    Raises NotKept when they are not stored.
    """
    context, snapshot = gateway.context, gateway.snapshot
    futures: list[Future[None]] = [
        gateway.writer.put(_take_receipts if isinstance(event, DLR) else _take_replies, unit)
        for event in events
        if (unit := _Event(context, snapshot, route_id, _storable(snapshot, route_id, event)))
    ]
    for future in futures:
        future.result()
    gateway.queue.hint(NOTICES)


def _storable(snapshot: Snapshot, route_id: int, event: DLR | MO) -> DLR | MO:
    if isinstance(event, DLR):
        return _receipt(snapshot, route_id, event)
    number = snapshot.spelled.get(event.number, event.number)
    return replace(event, text=storable(event.text), number=number, handset=_handset(event.handset, number))


def _receipt(snapshot: Snapshot, route_id: int, dlr: DLR) -> DLR:
    """With the id in its normal form; without one, it is told from others by what else it names."""
    route = snapshot.route(route_id)
    form = route.settings.get("receipt_ids", "text") if route else "text"
    handset = _handset(dlr.handset, "") if dlr.handset else ""
    ref = matching.normal(storable(dlr.carrier_ref), form) or f"ref:{dlr.ref}:{handset}"
    return replace(
        dlr,
        words=storable(dlr.words),
        carrier_ref=ref,
        raw_ref=storable(dlr.carrier_ref),
        handset=storable(handset),
    )


def _handset(written: str, number: str) -> str:
    """In E.164, whether its network writes it with + or 00 or as in its own country; else as it came."""
    if written.startswith("+"):
        return written
    try:
        return numbers.parse_e164(written if written.startswith("00") else "+" + written)
    except BadNumber:
        pass
    try:
        return numbers.parse(written, numbers.region_of(number) or "GB")
    except BadNumber:
        return written


def _take_receipts(conn: Connection, units: Sequence[_Event]) -> list[None]:
    pairs = [(unit.route_id, unit.event) for unit in units if isinstance(unit.event, DLR)]
    receipts.store(conn, units[0].context, pairs)
    return [None] * len(units)


def _take_replies(conn: Connection, units: Sequence[_Event]) -> list[None]:
    pairs = [(unit.route_id, unit.event) for unit in units if isinstance(unit.event, MO)]
    replies.take(conn, units[0].context, units[0].snapshot, pairs)
    return [None] * len(units)
