"""The accepting transaction: a decided submission becomes rows, or is refused after all.

What only the transaction can know (keys, caps, credit) is decided here again, in order, with the accounts locked.
`submit` is the only caller.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, insert

from gateway_core import alarms, caps, conversations, keys, ledger, moves, notices
from gateway_core.accounts import Account
from gateway_core.errors import NoCredit, Refused
from gateway_core.messages import Actor, State
from gateway_core.notices import Notice
from gateway_core.routing import Route
from gateway_core.storage import clock, tables
from gateway_core.storage.ids import Ids
from gateway_core.storage.prepared import Prepared, Values


class Accepted(NamedTuple):
    message_id: int
    state: State
    segments: int
    encoding: str
    price: int
    repeat: bool = False  # it had been accepted before: nothing was stored or charged now


class Outcome(NamedTuple):
    """`submission_id` is 0 when nothing was accepted; of a repeat it is the first one's."""

    submission_id: int
    results: tuple[tuple[str, Accepted | Refused], ...]

    @property
    def refused(self) -> list[Refused]:
        return [result for _, result in self.results if isinstance(result, Refused)]


class Text(NamedTuple):
    """A draft, as far as its row needs it."""

    to: str
    sender_id: str
    route: Route
    encoding: str
    segments: int
    price: int
    number: str | None
    flash: bool
    urgent: bool


class Unit(NamedTuple):
    """A decided submission: what its rows need and no more, since it may cross to another process."""

    ids: Ids
    account: Account
    text: str
    origin: str  # JSON
    sender: str
    key: keys.Key | None
    cap: caps.Cap | None
    client_ref: str | None
    notify: bool
    validity_minutes: int | None
    send_at: int | None
    owed: tuple[Notice, ...]
    texts: tuple[Text, ...]
    refused: tuple[tuple[str, Refused], ...]


_SUBMISSION = Prepared(
    insert(tables.submission), "id", "account_id", "text", "client_ref", "origin", "created_at", "sender"
)
_MESSAGE = Prepared(
    insert(tables.message),
    *("id", "submission_id", "account_id", "route_id", "to", "sender_id"),
    *("encoding", "segments", "concat_ref", "price"),
    *("state", "reason", "due_at", "expires_at", "final_by"),
    *("fence", "owner_id", "retries", "resends", "possible_duplicate"),
    *("notify", "flash", "urgent", "created_at", "state_at"),
)


class _Rows:
    """What one folded commit inserts."""

    def __init__(self, ids: Ids) -> None:
        self.ids = ids
        self.at = clock.now()
        self.submissions: list[Values] = []
        self.messages: list[Values] = []
        self.entries: list[ledger.Entry] = []
        self.events: list[tuple[int, str, str, str, str]] = []
        self.said: list[conversations.Said] = []
        self.owed: list[Notice] = []


def accept(conn: Connection, units: Sequence[Unit]) -> list[Outcome]:
    """Fold: units in order, each with what those before it left."""
    ids = units[0].ids
    spendable = ledger.lock(conn, [unit.account.id for unit in units])
    before = dict(spendable)
    known = keys.Known(conn, [(unit.key, [one.to for one in unit.texts]) for unit in units if unit.key])
    spent = caps.Spent(conn, [unit.cap for unit in units if unit.cap])
    rows = _Rows(ids)
    outcomes = [_decide_again(unit, spendable, known, spent, rows) for unit in units]
    _SUBMISSION.many(conn, rows.submissions)
    _MESSAGE.many(conn, rows.messages)
    known.write(conn)
    spent.write(conn)
    ledger.record(conn, ids, rows.entries)
    moves.record(conn, ids, rows.events)
    conversations.texted(conn, ids, rows.said)
    notices.owe(conn, ids, rows.owed)
    alarms.owe_credit_alarms(conn, ids, [unit.account for unit in units], before, spendable)
    return outcomes


def _decide_again(
    unit: Unit, spendable: dict[int, int], known: keys.Known, spent: caps.Spent, rows: _Rows
) -> Outcome:
    account_id, new = unit.account.id, unit.texts
    try:
        repeats = known.repeats(account_id, unit.key, [one.to for one in new])
    except Refused as error:
        return Outcome(0, tuple([(to, error) for to in (*dict(unit.refused), *[one.to for one in new])]))
    results: dict[str, Accepted | Refused] = dict(unit.refused)
    submission_id = 0
    if repeats:
        new = tuple([one for one in new if one.to not in repeats])
        submission_id = next(first.submission_id for first in repeats.values())
    for to, first in repeats.items():
        results[to] = Accepted(
            first.message_id, first.state, first.segments, first.encoding, first.price, repeat=True
        )
        rows.events.append((first.message_id, Actor.SUBMIT, first.state, first.state, "repeat suppressed"))
    cost = sum([one.price for one in new])
    try:
        if new:
            _take(unit, cost, len(new), spendable, spent)
            submission_id = _store(unit, new, known, results, rows)
    except Refused as error:
        results.update({one.to: error for one in new})
    else:
        rows.owed += (
            unit.owed
        )  # also of a repeat: another part of a mail that a relay split may have owed less
    return Outcome(submission_id, tuple(results.items()))


def _take(unit: Unit, cost: int, count: int, spendable: dict[int, int], spent: caps.Spent) -> None:
    """Of the cap and of the credit, both or neither. Raises QuotaExceeded, NoCredit."""
    cap, account = unit.cap, unit.account
    if cap:
        spent.require(cap, cost, account.currency)
    if cost > spendable[account.id]:
        raise NoCredit(f"the account's credit does not cover this ({count} recipients)")
    if cap:
        spent.take(cap, cost)
    spendable[account.id] -= cost


def _store(
    unit: Unit,
    new: Sequence[Text],
    known: keys.Known,
    results: dict[str, Accepted | Refused],
    rows: _Rows,
) -> int:
    account, at = unit.account, rows.at
    submission_id = rows.ids.new()
    rows.submissions.append(
        (submission_id, account.id, unit.text, unit.client_ref, unit.origin, at, unit.sender)
    )
    for one in new:
        to, sender_id, route, encoding, segments, price, number, flash, urgent = one
        message_id = rows.ids.new()
        state, reason, due_at = _first_state(unit, route, at)
        expires_at = _expires_at(unit, at)
        rows.messages.append(
            (
                *(message_id, submission_id, account.id, route.id, to, sender_id),
                *(encoding, segments, message_id % 255 + 1, price),
                *(str(state), reason, due_at, expires_at, _final_by(account, expires_at)),
                *(0, None, 0, 0, False),
                *(unit.notify, flash, urgent, at, at),
            )
        )
        rows.entries.append(ledger.Entry(account.id, "submit", -price, message_id=message_id))
        rows.events.append((message_id, Actor.SUBMIT, "", state, reason))
        if number:
            rows.said.append(conversations.Said(account.id, number, to, message_id))
        first = keys.First(message_id, submission_id, state, segments, encoding, price)
        known.add(account.id, unit.key, to, first)
        results[to] = Accepted(message_id, state, segments, encoding, price)
    return submission_id


def _expires_at(unit: Unit, at: int) -> int:
    minutes = unit.validity_minutes or unit.account.terms.validity_minutes
    return max(unit.send_at or at, at) + minutes * clock.MINUTE


def _final_by(account: Account, expires_at: int) -> int:
    return expires_at + account.terms.receipt_grace_minutes * clock.MINUTE


def _first_state(unit: Unit, route: Route, at: int) -> tuple[State, str, int | None]:
    if unit.send_at and unit.send_at > at:
        return State.HELD, "send_at", unit.send_at
    if route.paused:
        return State.HELD, "route_paused", None
    return State.QUEUED, "", at
