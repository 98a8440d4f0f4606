"""The accepting transaction: a decided submission becomes rows, or is refused after all.

What only the transaction can know (keys, caps, credit) is decided here again, in order, with the accounts locked.
`submit` is the only caller.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, insert

from gateway_core import (
    alarms,
    caps,
    conversations,
    digests,
    duplicates,
    keys,
    ledger,
    limits,
    moves,
    notices,
    optouts,
    pools,
)
from gateway_core.digests import Begun
from gateway_core.errors import NoCredit, OptedOut, Refused
from gateway_core.messages import Actor, Current, State
from gateway_core.moves import Context, Move
from gateway_core.notices import Notice
from gateway_core.routing import Route
from gateway_core.storage import clock, tables
from gateway_core.storage.ids import Ids
from gateway_core.storage.prepared import Prepared, Values
from gateway_core.units import Accepted, Outcome, Text, Unit

_SUBMISSION = Prepared(
    insert(tables.submission),
    *("id", "account_id", "text", "client_ref", "origin", "created_at", "sender", "digest"),
)
_MESSAGE = Prepared(
    insert(tables.message),
    *("id", "submission_id", "account_id", "route_id", "to", "sender_id"),
    *("encoding", "segments", "concat_ref", "price"),
    *("state", "reason", "due_at", "expires_at", "final_by"),
    *("fence", "owner_id", "retries", "resends", "possible_duplicate"),
    *("notify", "flash", "urgent", "service", "receipts", "warn", "created_at", "state_at"),
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
        self.barred: list[Current] = []  # opted out since they were decided: stored, and ended at once
        self.owed: list[Notice] = []
        self.begun: list[Begun] = []  # what digests tell of


class _Known:
    """What the transaction knows of its units, with their accounts locked; each unit sees what those before it took."""

    def __init__(self, conn: Connection, units: Sequence[Unit]) -> None:
        self.spendable = ledger.lock(conn, [unit.account.id for unit in units])
        self.keys = keys.Known(
            conn, [(unit.key, [one.to for one in unit.texts]) for unit in units if unit.key]
        )
        self.spent = caps.Spent(conn, [unit.cap for unit in units if unit.cap])
        self.limits = limits.Used(
            conn, [_segments(unit, unit.texts) for unit in units if unit.account.limited]
        )
        told_apart = [unit for unit in units if _has_duplicates(unit)]
        self.recent = duplicates.Recent(conn, [_said(unit, unit.texts) for unit in told_apart])
        asked = [_text(unit, one) for unit in units if not unit.service for one in unit.texts]
        self._opted_out = optouts.forbidden(conn, asked)
        drawn = [(one.to, one.pool) for unit in units for one in unit.texts if one.pool]
        self._pools = pools.Pools(conn, drawn) if drawn else None

    def numbered(self, unit: Unit, text: Text) -> Text:
        """With the number of the account's pool that its sender texts this handset from."""
        if not text.pool or self._pools is None:
            return text
        number = self._pools.take(text.to, text.pool, unit.sender)
        return text._replace(sender_id=number, number=number)

    def bars(self, unit: Unit, text: Text) -> bool:
        """Whether the handset has opted out of it; a text that we owe it passes."""
        return bool(self._opted_out) and not unit.service and _text(unit, text) in self._opted_out

    def write(self, conn: Connection) -> None:
        self.keys.write(conn)
        self.spent.write(conn)
        self.limits.write(conn)


def accept(conn: Connection, units: Sequence[Unit]) -> list[Outcome]:
    """Fold: units in order, each with what those before it left."""
    ids = units[0].ids
    known = _Known(conn, units)
    before = dict(known.spendable)
    rows = _Rows(ids)
    outcomes = [_decide_again(unit, known, rows) for unit in units]
    _SUBMISSION.many(conn, rows.submissions)
    _MESSAGE.many(conn, rows.messages)
    digests.begin(conn, ids, rows.begun)
    known.write(conn)
    ledger.record(conn, ids, rows.entries)
    moves.record(conn, ids, rows.events)
    if rows.barred:
        context = Context(ids, {unit.account.id: unit.account for unit in units})
        failed = [Move(was, State.FAILED, Actor.SUBMIT, "opted_out") for was in rows.barred]
        moves.make(conn, context, failed)
    conversations.texted(conn, ids, rows.said)
    notices.owe(conn, ids, rows.owed)
    alarms.owe_credit_alarms(conn, ids, [unit.account for unit in units], before, known.spendable)
    return outcomes


def _decide_again(unit: Unit, known: _Known, rows: _Rows) -> Outcome:
    account_id, new = unit.account.id, unit.texts
    try:
        repeats = known.keys.repeats(account_id, unit.key, [one.to for one in new])
    except Refused as error:
        return Outcome(0, tuple([(to, error) for to in (*dict(unit.refused), *[one.to for one in new])]))
    results: dict[str, Accepted | Refused] = dict(unit.refused)
    new = _without(repeats, "repeat suppressed", new, results, rows)
    said = known.recent.of(_said(unit, new)) if new and _has_duplicates(unit) else {}
    new = _without(said, "duplicate suppressed", new, results, rows)
    for to, first in said.items():
        known.keys.add(account_id, unit.key, to, first)
    submission_id = next((first.submission_id for first in (*repeats.values(), *said.values())), 0)
    barred = {one.to for one in new if known.bars(unit, one)}
    if barred and not unit.whole:
        results.update({to: OptedOut(f"{to} has asked not to be texted") for to in barred})
        new = tuple([one for one in new if one.to not in barred])
    try:
        if new:
            new = tuple([known.numbered(unit, one) for one in new])
            _take(unit, [one for one in new if one.to not in barred], known)
            submission_id = _store(unit, new, known, results, rows, barred)
    except Refused as error:
        results.update({one.to: error for one in new})
    else:
        if name := digests.group(unit, new, submission_id, rows.at):
            rows.begun.append(Begun(unit.account, name, rows.messages[-1][0]))
        # also of a repeat: another part of a mail that a relay split may have owed less
        rows.owed += unit.owed
    return Outcome(submission_id, tuple(results.items()))


def _without(
    firsts: dict[str, keys.First],
    why: str,
    texts: Sequence[Text],
    results: dict[str, Accepted | Refused],
    rows: _Rows,
) -> tuple[Text, ...]:
    """The texts that were not accepted before; the others are answered with the first one, whose trail says so."""
    for to, (message_id, _, state, segments, encoding, price) in firsts.items():
        results[to] = Accepted(message_id, state, segments, encoding, price, repeat=True)
        rows.events.append((message_id, Actor.SUBMIT, state, state, why))
    return tuple([one for one in texts if one.to not in firsts]) if firsts else tuple(texts)


def _segments(unit: Unit, texts: Sequence[Text]) -> limits.Asked:
    return limits.Asked(unit.account, unit.sender, [(one.to, one.segments) for one in texts])


def _has_duplicates(unit: Unit) -> bool:
    """Whether its account has a window; what we owe a handset, and what is for a time of its own, is nobody's."""
    window = unit.account.terms.duplicate_window_minutes
    return bool(window) and not unit.service and unit.send_at is None


def _said(unit: Unit, texts: Sequence[Text]) -> duplicates.Said:
    return duplicates.Said(unit.account, unit.sender, unit.text, [one.to for one in texts])


def _text(unit: Unit, text: Text) -> optouts.Text:
    return optouts.Text(unit.account.id, text.sender_id, text.to)


def _take(unit: Unit, new: Sequence[Text], known: _Known) -> None:
    """Of the limits, of the cap and of the credit: all or nothing.

    Raises RateLimited, QuotaExceeded, TooLong, NoCredit.
    """
    if unit.service or not new:
        return
    cap, account, cost = unit.cap, unit.account, sum([one.price for one in new])
    segments = _segments(unit, new) if account.limited else None
    if segments:
        known.limits.require(segments)
    if cap:
        known.spent.require(cap, cost, account.currency)
    if cost > known.spendable[account.id]:
        raise NoCredit(f"the account's credit does not cover this ({len(new)} recipients)")
    if segments:
        known.limits.take(segments)
    if cap:
        known.spent.take(cap, cost)
    known.spendable[account.id] -= cost


def _store(
    unit: Unit,
    new: Sequence[Text],
    known: _Known,
    results: dict[str, Accepted | Refused],
    rows: _Rows,
    barred: Collection[str],
) -> int:
    account, at, submission_id = unit.account, rows.at, rows.ids.new()
    said = _said(unit, ()) if _has_duplicates(unit) else None
    expires_at, final_by = _ends(unit, at)
    told = digests.group(unit, new, submission_id, at)
    of_all = (unit.text, unit.client_ref, unit.origin, at, unit.sender, told)
    rows.submissions.append((submission_id, account.id, *of_all))
    for one in new:
        to, sender_id, route, encoding, segments, price, number, flash, urgent, _, told, warn = one
        message_id = rows.ids.new()
        state, reason, due_at = _first_state(unit, route, at)
        if to in barred:
            state, reason, due_at, price = State.QUEUED, "", at, 0
            rows.barred.append(_current(unit, submission_id, message_id, one, at, expires_at, final_by))
        rows.messages.append(
            (
                *(message_id, submission_id, account.id, route.id, to, sender_id),
                *(encoding, segments, message_id % 255 + 1, price),
                *(str(state), reason, due_at, expires_at, final_by),
                *(0, None, 0, 0, False),
                *(unit.notify, flash, urgent, unit.service, told, warn, at, at),
            )
        )
        if to not in barred:
            rows.entries.append(ledger.Entry(account.id, "submit", -price, message_id=message_id))
        rows.events.append((message_id, Actor.SUBMIT, "", state, reason))
        if number:
            rows.said.append(conversations.Said(account.id, number, to, message_id, unit.sender))
        first = keys.First(message_id, submission_id, state, segments, encoding, price)
        known.keys.add(account.id, unit.key, to, first)
        known.recent.add(said, to, first)
        results[to] = Accepted(message_id, state, segments, encoding, price)
    return submission_id


def _current(
    unit: Unit, submission_id: int, message_id: int, text: Text, due_at: int, expires_at: int, final_by: int
) -> Current:
    """The row of a text that waits, without a price, as it is written now."""
    return Current(
        message_id,
        unit.account.id,
        submission_id,
        text.route.id,
        text.to,
        State.QUEUED,
        fence=0,
        owner_id=None,
        segments=text.segments,
        price=0,
        retries=0,
        resends=0,
        possible_duplicate=False,
        notify=unit.notify,
        receipts=text.receipts,
        due_at=due_at,
        expires_at=expires_at,
        final_by=final_by,
    )


def _ends(unit: Unit, at: int) -> tuple[int, int]:
    """When its validity is over, and its receipt grace."""
    terms = unit.account.terms
    expires_at = (
        max(unit.send_at or at, at) + (unit.validity_minutes or terms.validity_minutes) * clock.MINUTE
    )
    return expires_at, expires_at + terms.receipt_grace_minutes * clock.MINUTE


def _first_state(unit: Unit, route: Route, at: int) -> tuple[State, str, int | None]:
    if unit.send_at and unit.send_at > at:
        return State.HELD, "send_at", unit.send_at
    if route.paused:
        return State.HELD, "route_paused", None
    return State.QUEUED, "", at
