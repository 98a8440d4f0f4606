"""The only place that changes a message's state: one conditional UPDATE, an event, and what an end entails."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, update

from gateway_core import alarms, digests, ledger, notices, refunds
from gateway_core.accounts import Account, Terms
from gateway_core.digests import Ended
from gateway_core.messages import FINAL, Actor, Current, State, may_move
from gateway_core.notices import DIGEST
from gateway_core.refunds import End
from gateway_core.storage import clock, tables
from gateway_core.storage.ids import Ids
from gateway_core.storage.prepared import Prepared


@dataclass(frozen=True, slots=True)
class Move:
    """One message to its next state. What is None stays as it is."""

    was: Current
    new: State
    actor: Actor
    reason: str = ""
    due_at: int | None = None  # when the machine looks again; never kept from the old state
    fence: int | None = None
    owner_id: int | None = None
    retries: int | None = None
    resends: int | None = None
    possible_duplicate: bool | None = None
    route_id: int | None = None
    words: str = ""  # the carrier's own, for the notice


@dataclass(frozen=True, slots=True)
class Context:
    """What a move needs besides the transaction."""

    ids: Ids
    accounts: Mapping[int, Account]
    shared: frozenset[str] = frozenset()  # our numbers that several accounts text from
    opted_out: frozenset[str] = frozenset()  # scopes that ever had an opt-out (optouts)
    one_receipt: frozenset[int] = frozenset()  # routes where the receipt of one segment decides for all


_m = tables.message.c
_MOVE = (
    update(tables.message)
    .where(_m.id == bindparam("message"), _m.state == bindparam("old"), _m.fence == bindparam("old_fence"))
    .values(
        state=bindparam("new"),
        reason=bindparam("why"),
        due_at=bindparam("due"),
        fence=bindparam("new_fence"),
        owner_id=bindparam("owner"),
        retries=bindparam("tried"),
        resends=bindparam("resent"),
        possible_duplicate=bindparam("doubled"),
        route_id=bindparam("route"),
        state_at=bindparam("at"),
    )
)
_EVENT = Prepared(insert(tables.event), "id", "message_id", "at", "actor", "old", "new", "reason")


class Overtaken(Exception):
    """Somebody else moved a message of this fold first: roll back, and redo each unit alone."""


def make(conn: Connection, context: Context, moves: Sequence[Move]) -> None:
    """Make all of these moves, with their events, refunds and notices.

    Raises Overtaken when one of them is not possible any more, AssertionError for a move not in the table.
    """
    if not moves:
        return
    for move in moves:
        if not may_move(move.was.state, move.new, move.actor):
            raise AssertionError(f"{move.was.state} -> {move.new} by {move.actor} is not in the table")
    at = clock.now()
    if conn.execute(_MOVE, [_parameters(move, at) for move in moves]).rowcount != len(moves):
        raise Overtaken
    record(conn, context.ids, [(m.was.id, m.actor, m.was.state, m.new, m.reason) for m in moves])
    ended = [move for move in moves if move.new in FINAL]
    if ended:
        ends = [End(move.was, move.new) for move in ended]
        _record_money(conn, context, refunds.entries(conn, context.accounts, ends))
        notices.owe(conn, context.ids, _receipts(context, ended))
        told = [move.was for move in ended if move.was.notify and move.was.receipts == DIGEST]
        if told:
            digests.end(conn, context.ids, [Ended(was, context.accounts[was.account_id]) for was in told])


def _record_money(conn: Connection, context: Context, entries: Sequence[ledger.Entry]) -> None:
    """With an alarm where what is charged again takes a balance down to its level."""
    taken = sorted({entry.account_id for entry in entries if entry.amount < 0})
    before = ledger.lock(conn, taken) if taken else {}
    ledger.record(conn, context.ids, entries)
    if taken:
        after = {
            one: left + sum(entry.amount for entry in entries if entry.account_id == one)
            for one, left in before.items()
        }
        accounts = [context.accounts[one] for one in taken]
        alarms.owe_credit_alarms(conn, context.ids, accounts, before, after)


def record(conn: Connection, ids: Ids, events: Sequence[tuple[int, str, str, str, str]]) -> None:
    """Rows of the trail: (message, actor, old state, new state, reason)."""
    at = clock.now()
    # str(): the drivers take longer for an enumeration
    rows = [(ids.new(), of, at, str(actor), str(old), str(new), why) for of, actor, old, new, why in events]
    _EVENT.many(conn, rows)


def _parameters(move: Move, at: int) -> dict[str, object]:
    was = move.was
    return {
        "message": was.id,
        "old": was.state,
        "old_fence": was.fence,
        "new": move.new,
        "why": move.reason,
        "due": move.due_at,
        "new_fence": was.fence if move.fence is None else move.fence,
        "owner": was.owner_id if move.owner_id is None else move.owner_id,
        "tried": was.retries if move.retries is None else move.retries,
        "resent": was.resends if move.resends is None else move.resends,
        "route": was.route_id if move.route_id is None else move.route_id,
        "doubled": was.possible_duplicate if move.possible_duplicate is None else move.possible_duplicate,
        "at": at,
    }


def _wanted(was: Current, terms: Terms) -> frozenset[State]:
    """The ends that its submitter is told of. No digest was begun for a text from before there were any."""
    before = "failures" if terms.receipts == DIGEST else terms.receipts
    return notices.WANTED[was.receipts or before]


def _receipts(context: Context, ended: Sequence[Move]) -> list[notices.Notice]:
    owed = []
    for move in ended:
        was = move.was
        wanted = _wanted(was, context.accounts[was.account_id].terms)
        corrects = was.state in FINAL and was.state in wanted
        if was.notify and (move.new in wanted or corrects):
            facts = {"to": was.to, "state": move.new, "reason": move.reason, "words": move.words}
            if corrects:
                facts["before"] = was.state
            key = f"receipt:{was.id}:{move.new}"
            owed.append(notices.Notice(was.account_id, key, "receipt", facts, message_id=was.id))
    return owed
