"""Digests: one notice for all texts of a mail, when the last one has ended or a set time is over.

The first is owed with the submission; the parts of a mail that a relay has split have one together. What ends or is
corrected after it went out makes another one, which waits a while for more of the kind; each says how everything
stands when it is made.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, func, literal_column, select, update

from gateway_core import keys, notices
from gateway_core.accounts import Account
from gateway_core.messages import FINAL, Current
from gateway_core.notices import DIGEST, Notice
from gateway_core.storage import clock, tables
from gateway_core.storage.ids import Ids
from gateway_core.units import Text, Unit

_MOST_WAIT_MINUTES = 10  # of another one, for what else is corrected
_SPLIT_SECONDS = 5  # within which the other parts come of a mail that a relay has split
_MOST = 32  # digests of one mail that are told apart

_m, _n, _s = tables.message.c, tables.notice.c, tables.submission.c
_a, _r = tables.attempt.c, tables.receipt.c
_OF_GROUP = and_(_s.digest == bindparam("group"), _s.digest != literal_column("''"))
_TEXTS = (
    select(_m.id, _m.to, _m.state, _m.reason, _m.expires_at, _s.created_at)
    .join_from(tables.submission, tables.message, _m.submission_id == _s.id)
    .where(_OF_GROUP, _m.notify, _m.receipts == DIGEST)
    .order_by(_m.id)
)
_KNOWN = select(_n.id, _n.event_key)
_HOLD = (  # only before anybody can have begun to compose it; held until the commit, so that nobody begins
    update(tables.notice)
    .where(_n.id == bindparam("notice"), _n.state == "DUE", _n.tries == 0)
    .values(tries=0)
)
_DUE_AT = update(tables.notice).where(_n.id == bindparam("notice")).values(due_at=bindparam("at"))
_REOPEN = (
    update(tables.notice)
    .where(_n.event_key == bindparam("key"), _n.state == "DUE", _n.tries == 0)
    .values(due_at=bindparam("at"))
)


class Begun(NamedTuple):
    """A submission of which a digest tells; `message_id` is any of its messages."""

    account: Account
    group: str
    message_id: int


class Ended(NamedTuple):
    """A text that a digest tells of, at its end."""

    was: Current
    account: Account


def group(unit: Unit, texts: Sequence[Text], submission_id: int, at: int) -> str:
    """The name of what one digest tells of: all parts of a mail that came within the same hour, else a submission.

    "" where no text of it wants one.
    """
    if all(one.receipts != DIGEST for one in texts):
        return ""
    if unit.key is None:
        return f"{submission_id}"
    same = keys.digest(unit.key.value, unit.key.mail_digest)[:32]
    return f"{unit.account.id}.{same}.{at // (60 * clock.MINUTE)}"


def begin(conn: Connection, ids: Ids, begun: Sequence[Begun]) -> None:
    """Owe the first digest of each, in the accepting transaction. One that another part owed waits for this one too."""
    in_order = sorted(begun, key=lambda one: one.group)  # one order: no deadlock
    owed = [
        _notice(one, 1, clock.now() + one.account.terms.digest_minutes * clock.MINUTE) for one in in_order
    ]
    notices.owe(conn, ids, owed)
    if owed:
        conn.execute(_REOPEN, [{"key": one.event_key, "at": one.due_at} for one in owed])


def _notice(begun: Begun, number: int, due_at: int) -> Notice:
    facts = {"number": number, "group": begun.group}
    key = f"digest:{begun.group}:{number}"
    return Notice(begun.account.id, key, DIGEST, facts, message_id=begun.message_id, due_at=due_at)


def end(conn: Connection, ids: Ids, ended: Sequence[Ended]) -> None:
    """These texts have just ended, or their end was corrected: the digest that tells of them is due, or another one."""
    of = {one.was.submission_id for one in ended}
    names = {row.id: row.digest for row in conn.execute(select(_s.id, _s.digest).where(_s.id.in_(of)))}
    by_group: dict[str, list[Ended]] = {}
    for one in ended:
        by_group.setdefault(names[one.was.submission_id], []).append(one)
    # Who ends another text of the same mail waits here, also where its digest is gone and there is none to wait at.
    held = select(_s.id).where(_s.digest.in_(by_group), _s.digest != literal_column("''")).order_by(_s.id)
    conn.execute(held.with_for_update(key_share=True)).all()
    for name in sorted(by_group):
        _end(conn, ids, name, by_group[name])


def _end(conn: Connection, ids: Ids, name: str, ended: Sequence[Ended]) -> None:
    named = [f"digest:{name}:{number}" for number in range(1, _MOST + 1)]
    found = {row.event_key: row.id for row in conn.execute(_KNOWN.where(_n.event_key.in_(named)))}
    known = [found[key] for key in named if key in found]  # in order, whatever clocks made their ids
    is_open = bool(known) and conn.execute(_HOLD, {"notice": known[-1]}).rowcount == 1
    # Behind the lock: who ended another text of it at the same time has committed.
    texts = conn.execute(_TEXTS, {"group": name}).all()
    waits = any(text.state not in FINAL for text in texts)
    corrects = all(one.was.state in FINAL for one in ended)
    now = max([clock.now(), *(text.created_at + _SPLIT_SECONDS * clock.SECOND for text in texts)])
    if is_open:
        if not waits and not (corrects and len(known) > 1):
            conn.execute(_DUE_AT, {"notice": known[-1], "at": now})
        return
    was, account = ended[0]
    minutes = account.terms.digest_minutes
    if corrects:
        minutes = min(minutes, _MOST_WAIT_MINUTES)
    else:  # each waits twice as long as the one before it: texts that end one by one make few digests
        minutes <<= min(len(known), 10)
    due_at = now + minutes * clock.MINUTE if corrects or waits else now
    notices.owe(conn, ids, [_notice(Begun(account, name, was.id), len(known) + 1, due_at)])


# --- what it says -----------------------------------------------------------------------------------------


def rows(conn: Connection, name: str) -> Sequence[Any]:
    """(id, to, state, reason, expires_at, created_at) of the texts that the digests of a group tell of."""
    return conn.execute(_TEXTS, {"group": name}).all()


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
