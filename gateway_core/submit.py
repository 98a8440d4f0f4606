"""The door in, from people: the only place that creates a Message, and takes the money for it.

`submit` decides without I/O (drafts.decide), then hands one unit to the writer; `_accept` decides again what only the
transaction can know (keys, credit) and writes. The future holds an Outcome after the commit, never before.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, insert

from gateway_core import alarms, conversations, keys, ledger, moves
from gateway_core.drafts import Draft, Submission, decide
from gateway_core.errors import NoCredit, Refused
from gateway_core.gateway import Gateway
from gateway_core.jobs.queue import DISPATCH
from gateway_core.messages import Actor, State
from gateway_core.storage import clock, tables
from gateway_core.storage.ids import Ids
from gateway_core.storage.storable import storable


@dataclass(frozen=True, slots=True)
class Accepted:
    message_id: int
    state: State
    segments: int
    encoding: str
    price: int
    repeat: bool = False  # it had been accepted before: nothing was stored or charged now


@dataclass(frozen=True, slots=True)
class Outcome:
    """`submission_id` is 0 when nothing was accepted; of a repeat it is the first one's."""

    submission_id: int
    results: tuple[tuple[str, Accepted | Refused], ...]

    @property
    def refused(self) -> list[Refused]:
        return [result for _, result in self.results if isinstance(result, Refused)]


@dataclass(frozen=True, slots=True)
class _Unit:
    ids: Ids
    submission: Submission
    text: str
    drafts: tuple[Draft, ...]
    refused: tuple[tuple[str, Refused], ...]


def submit(gateway: Gateway, submission: Submission) -> "Future[Outcome]":
    """Accept or refuse. The future raises NotKept when the commit failed: ask again later."""
    text, drafts, refused = decide(gateway.snapshot, submission)
    if not drafts or (submission.whole and refused):
        done: Future[Outcome] = Future()
        done.set_result(Outcome(0, tuple(refused)))
        return done
    unit = _Unit(gateway.ids, submission, text, tuple(drafts), tuple(refused))
    future = gateway.writer.put(_accept, unit)
    routes = {draft.route.id for draft in drafts if not draft.route.paused}
    future.add_done_callback(partial(_hint, gateway, routes))
    return future


def _hint(gateway: Gateway, routes: set[int], future: "Future[Outcome]") -> None:
    if not future.exception() and future.result().submission_id:
        for route_id in routes:
            gateway.queue.hint(DISPATCH, route_id)


class _Rows:
    """What one folded commit inserts."""

    def __init__(self) -> None:
        self.submissions: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        self.entries: list[ledger.Entry] = []
        self.events: list[tuple[int, str, str, str, str]] = []
        self.said: list[conversations.Said] = []


def _accept(conn: Connection, units: Sequence[_Unit]) -> list[Outcome]:
    """Fold: keys and credit are decided here, in order, with the accounts locked."""
    spendable = ledger.lock(conn, (unit.submission.account.id for unit in units))
    before = dict(spendable)
    known = keys.Known(
        conn, [(unit.submission.key, [d.to for d in unit.drafts]) for unit in units if unit.submission.key]
    )
    rows = _Rows()
    outcomes = [_decide_again(unit, spendable, known, rows) for unit in units]
    if rows.submissions:
        conn.execute(insert(tables.submission), rows.submissions)
        conn.execute(insert(tables.message), rows.messages)
    ids = units[0].ids
    known.write(conn)
    ledger.record(conn, ids, rows.entries)
    moves.record(conn, ids, rows.events)
    conversations.texted(conn, ids, rows.said)
    alarms.owe_credit_alarms(conn, ids, [unit.submission.account for unit in units], before, spendable)
    return outcomes


def _decide_again(unit: _Unit, spendable: dict[int, int], known: keys.Known, rows: _Rows) -> Outcome:
    asked = unit.submission
    try:
        repeats = known.repeats(asked.account.id, asked.key, [draft.to for draft in unit.drafts])
    except Refused as error:
        return Outcome(0, tuple((to, error) for to in asked.to))
    new = [draft for draft in unit.drafts if draft.to not in repeats]
    cost = sum(draft.price for draft in new)
    results: dict[str, Accepted | Refused] = dict(unit.refused)
    for to, first in repeats.items():
        results[to] = Accepted(
            first.message_id, first.state, first.segments, first.encoding, first.price, repeat=True
        )
        rows.events.append((first.message_id, Actor.SUBMIT, first.state, first.state, "repeat suppressed"))
    if new and cost > spendable[asked.account.id]:
        words = NoCredit(f"the account's credit does not cover this ({len(new)} recipients)")
        results.update({draft.to: words for draft in new})
        new = []
    spendable[asked.account.id] -= sum(draft.price for draft in new)
    submission_id = next((first.submission_id for first in repeats.values()), 0)
    if new:
        submission_id = _store(unit, new, known, results, rows)
    return Outcome(submission_id, tuple(results.items()))


def _store(
    unit: _Unit, new: list[Draft], known: keys.Known, results: dict[str, Accepted | Refused], rows: _Rows
) -> int:
    asked, at = unit.submission, clock.now()
    submission_id = unit.ids.new()
    rows.submissions.append(
        {
            "id": submission_id,
            "account_id": asked.account.id,
            "text": unit.text,
            "client_ref": asked.client_ref and storable(asked.client_ref),
            "origin": asked.origin,
            "created_at": at,
        }
    )
    for draft in new:
        row = _message(unit, draft, submission_id, at)
        rows.messages.append(row)
        rows.entries.append(ledger.Entry(asked.account.id, "submit", -draft.price, message_id=row["id"]))
        rows.events.append((row["id"], Actor.SUBMIT, "", row["state"], row["reason"]))
        if draft.number:
            rows.said.append(conversations.Said(asked.account.id, draft.number, draft.to, row["id"]))
        known.add(asked.account.id, asked.key, draft.to, row)
        results[draft.to] = Accepted(row["id"], row["state"], row["segments"], row["encoding"], draft.price)
    return submission_id


def _message(unit: _Unit, draft: Draft, submission_id: int, at: int) -> dict[str, Any]:
    asked, terms = unit.submission, unit.submission.account.terms
    state, reason, due_at = _first_state(asked, draft, at)
    starts = max(asked.send_at or at, at)
    expires_at = starts + (asked.validity_minutes or terms.validity_minutes) * clock.MINUTE
    message_id = unit.ids.new()
    return {
        "id": message_id,
        "submission_id": submission_id,
        "account_id": asked.account.id,
        "route_id": draft.route.id,
        "to": draft.to,
        "sender_id": draft.sender_id,
        "encoding": draft.segments.encoding,
        "segments": len(draft.segments.parts),
        "concat_ref": message_id % 255 + 1,
        "price": draft.price,
        "state": state,
        "reason": reason,
        "due_at": due_at,
        "expires_at": expires_at,
        "final_by": expires_at + terms.receipt_grace_minutes * clock.MINUTE,
        "fence": 0,
        "owner_id": None,
        "retries": 0,
        "resends": 0,
        "possible_duplicate": False,
        "notify": asked.notify,
        "created_at": at,
        "state_at": at,
    }


def _first_state(asked: Submission, draft: Draft, at: int) -> tuple[State, str, int | None]:
    if asked.send_at and asked.send_at > at:
        return State.HELD, "send_at", asked.send_at
    if draft.route.paused:
        return State.HELD, "route_paused", None
    return State.QUEUED, "", at
