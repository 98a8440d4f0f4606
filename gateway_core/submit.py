"""The door in, from people: the only place that creates a Message, and takes the money for it.

`submit` decides without I/O (drafts.decide), then hands one unit to the writer, which folds it with others
(accepting.accept). The future holds an Outcome after the commit, never before.
"""

import json
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial

from gateway_core.accepting import accept
from gateway_core.drafts import Draft, Submission, decide
from gateway_core.errors import Refused
from gateway_core.gateway import Gateway
from gateway_core.jobs.queue import DISPATCH, NOTICES, Queue
from gateway_core.storage.ids import Ids
from gateway_core.storage.storable import storable
from gateway_core.units import Accepted, Outcome, Text, Unit

__all__ = ["Accepted", "Outcome", "submit"]


def submit(gateway: Gateway, submission: Submission) -> "Future[Outcome]":
    """Accept or refuse. The future raises NotKept when the commit failed: ask again later."""
    gateway.submits += 1
    text, drafts, refused = decide(gateway.snapshot, submission)
    if not drafts or (submission.whole and refused):
        done: Future[Outcome] = Future()
        done.set_result(Outcome(0, tuple(refused)))
        return done
    future = gateway.writer.put(accept, _unit(gateway.ids, submission, text, drafts, refused))
    if submission.owed:
        future.add_done_callback(lambda _written: gateway.queue.hint(NOTICES))
    for route_id in {draft.route.id for draft in drafts if not draft.route.paused}:
        future.add_done_callback(partial(_hint, gateway.queue, route_id))
    return future


def _hint(queue: Queue, route_id: int, _written: "Future[Outcome]") -> None:
    """Also when nothing was written: to look costs more than a hint too many."""
    queue.hint(DISPATCH, route_id)


def _unit(
    ids: Ids, asked: Submission, text: str, drafts: Sequence[Draft], refused: Sequence[tuple[str, Refused]]
) -> Unit:
    return Unit(
        ids,
        asked.account,
        text,
        json.dumps(asked.origin or {}),
        storable(asked.sender),
        asked.key,
        asked.cap and asked.cap._replace(key=storable(asked.cap.key)),
        asked.client_ref and storable(asked.client_ref),
        asked.notify,
        asked.whole,
        asked.service,
        asked.validity_minutes,
        asked.send_at,
        asked.owed,
        tuple([_text(draft, asked) for draft in drafts]),
        tuple(refused),
    )


def _text(draft: Draft, asked: Submission) -> Text:
    to, segments = draft.to, draft.segments
    encoding, count = str(segments.encoding), len(segments.parts)
    flash, urgent = asked.flash or to in asked.flash_to, asked.urgent or to in asked.urgent_to
    price, pool = draft.price, draft.pool
    told, warn = _told(asked, to)
    return Text(
        *(to, draft.sender_id, draft.route, encoding, count, price),
        *(draft.number, flash, urgent, pool, told, warn),
    )


def _told(asked: Submission, to: str) -> tuple[str, bool]:
    """Of which ends the submitter is told, and whether of a delay; a digest says itself what still waits."""
    if not asked.notify:
        return "none", False
    terms = asked.account.terms
    told = (asked.receipts or {}).get(to) or terms.receipts
    if asked.warn is not None:
        return told, to in asked.warn
    return told, told not in {"none", "digest"}
