"""Digests: one notice for all texts of a submission, when the last one has ended or a set time is over.

The first is owed with the submission. What ends or is corrected after it went out makes another one, which waits a
while for more of the kind; each says how everything stands when it is made.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, func, select, update

from gateway_core import notices
from gateway_core.accounts import Account
from gateway_core.messages import FINAL, Current
from gateway_core.notices import DIGEST, Notice
from gateway_core.storage import clock, tables
from gateway_core.storage.ids import Ids

_MOST_WAIT_MINUTES = 10  # of another one, for what else is corrected

_m, _n = tables.message.c, tables.notice.c
_a, _r = tables.attempt.c, tables.receipt.c
_OF_SUBMISSION = select(_n.id).join_from(tables.notice, tables.message, _n.message_id == _m.id)
_TOLD = and_(_m.notify, _m.receipts == DIGEST)
_HOLD = (  # only before anybody can have begun to compose it; held until the commit, so that nobody begins
    update(tables.notice)
    .where(_n.id == bindparam("notice"), _n.state == "DUE", _n.tries == 0)
    .values(tries=0)
)
_HASTEN = update(tables.notice).where(_n.id == bindparam("notice")).values(due_at=bindparam("at"))


class Ended(NamedTuple):
    """A text that a digest tells of, at its end."""

    was: Current
    account: Account


def first(account: Account, submission_id: int, message_id: int, at: int) -> Notice:
    """Owed with the submission; `message_id` is any of its messages."""
    due_at = at + account.terms.digest_minutes * clock.MINUTE
    return _notice(account, submission_id, message_id, 1, due_at)


def _notice(account: Account, submission_id: int, message_id: int, number: int, due_at: int) -> Notice:
    key, facts = f"digest:{submission_id}:{number}", {"number": number}
    return Notice(account.id, key, DIGEST, facts, message_id=message_id, due_at=due_at)


def end(conn: Connection, ids: Ids, ended: Sequence[Ended]) -> None:
    """These texts have just ended, or their end was corrected: their submissions' digests are due, or another one."""
    by_submission: dict[int, list[Ended]] = {}
    for one in sorted(ended, key=lambda one: one.was.id):  # one order: no deadlock
        by_submission.setdefault(one.was.submission_id, []).append(one)
    for submission_id, group in by_submission.items():
        _end(conn, ids, submission_id, group)


def _end(conn: Connection, ids: Ids, submission_id: int, group: Sequence[Ended]) -> None:
    of_submission = _OF_SUBMISSION.where(_m.submission_id == submission_id, _n.kind == DIGEST)
    known = sorted(conn.execute(of_submission).scalars())
    is_open = bool(known) and conn.execute(_HOLD, {"notice": known[-1]}).rowcount == 1
    waits = _waits(
        conn, submission_id
    )  # behind the lock: who ended another text of it at the same time has committed
    corrects = all(one.was.state in FINAL for one in group)
    now = clock.now()
    if is_open:
        if not waits and not (corrects and len(known) > 1):
            conn.execute(_HASTEN, {"notice": known[-1], "at": now})
        return
    was, account = group[0]
    minutes = account.terms.digest_minutes
    if corrects:
        due_at = now + min(minutes, _MOST_WAIT_MINUTES) * clock.MINUTE
    else:
        due_at = now + minutes * clock.MINUTE if waits else now
    notices.owe(conn, ids, [_notice(account, submission_id, was.id, len(known) + 1, due_at)])


def _waits(conn: Connection, submission_id: int) -> bool:
    """Whether a text of it has not ended."""
    open_ones = select(_m.id).where(_m.submission_id == submission_id, _TOLD, _m.state.not_in(FINAL))
    return conn.execute(open_ones.limit(1)).first() is not None


# --- what it says -----------------------------------------------------------------------------------------


def rows(conn: Connection, message_id: int) -> Sequence[Any]:
    """(id, to, state, reason, expires_at) of the texts that a digest about this message's submission tells of."""
    submission = select(_m.submission_id).where(_m.id == message_id).scalar_subquery()
    wanted = select(_m.id, _m.to, _m.state, _m.reason, _m.expires_at)
    return conn.execute(wanted.where(_m.submission_id == submission, _TOLD).order_by(_m.id)).all()


def words(conn: Connection, message_ids: Iterable[int]) -> dict[int, str]:
    """What the network last said of each: of its receipts, else of its answers."""
    receipts = and_(_r.carrier_ref == _a.carrier_ref, _r.route_id == _a.route_id, _r.attempt_id == _a.id)
    said = (
        select(_a.message_id, func.coalesce(func.nullif(_r.words, ""), _a.words))
        .join_from(tables.attempt, tables.receipt, receipts, isouter=True)
        .where(_a.message_id.in_(list(message_ids)))
        .order_by(_a.id, _r.received_at, _r.id)
    )
    return {of: text for of, text in conn.execute(said) if text}
