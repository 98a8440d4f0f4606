"""The door in, from the network: the only place that changes a message because of a carrier, or stores an MO."""

from collections.abc import Callable, Sequence
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
    handset = _international(dlr.handset)
    ref = matching.normal(storable(dlr.carrier_ref), form) or f"ref:{dlr.ref}:{handset}"
    return replace(
        dlr,
        words=storable(dlr.words),
        carrier_ref=ref,
        raw_ref=storable(dlr.carrier_ref),
        handset=storable(handset),
    )


def _international(written: str) -> str:
    """In E.164 where it says so itself: a receipt names no number of ours whose country could be meant."""
    try:
        return numbers.parse_e164(written)
    except BadNumber:
        return written


def _handset(written: str, number: str) -> str:
    """In E.164, whether its network writes it as in its own country, with or without the country's code, or with + or
    00; else as it came.

    Its own country comes first: many a national number begins like some country's code (2025550123 in the United
    States is not Egyptian), while an international one of another country is no possible national number there.
    """
    if written.startswith("+"):
        return written
    own = numbers.region_of(number) or "GB"
    readings: list[Callable[[], str]] = (
        [lambda: numbers.parse_e164(written)]
        if written.startswith("00")
        else [lambda: numbers.parse(written, own), lambda: numbers.parse_e164("+" + written)]
    )
    for read in readings:
        try:
            return read()
        except BadNumber:
            continue
    return written


def _take_receipts(conn: Connection, units: Sequence[_Event]) -> list[None]:
    pairs = [(unit.route_id, unit.event) for unit in units if isinstance(unit.event, DLR)]
    receipts.store(conn, units[0].context, pairs)
    return [None] * len(units)


def _take_replies(conn: Connection, units: Sequence[_Event]) -> list[None]:
    pairs = [(unit.route_id, unit.event) for unit in units if isinstance(unit.event, MO)]
    replies.take(conn, units[0].context, units[0].snapshot, pairs)
    return [None] * len(units)
