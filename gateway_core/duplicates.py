"""Duplicates: the same text of the same sender to the same handset again, within the account's window.

Devices that report a fault every minute send another mail each time: no key tells that it is the same. Where the
account's term `duplicate_window_minutes` says so, the repeat is answered with the first one's message, is not texted
and costs nothing. A text that did not reach the handset is no first one: what is said again then is not lost. Neither
is one for another time (`send_at`), nor one that we owe the handset.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, exists, literal_column, select

from gateway_core.accounts import Account
from gateway_core.keys import First
from gateway_core.messages import State
from gateway_core.storage import clock, ids, tables

# A text that ended like this may be said again.
LOST = frozenset({State.FAILED, State.UNDELIVERED, State.EXPIRED, State.CANCELLED})
_m, _s = tables.message.c, tables.submission.c


_LOST: list[Any] = [literal_column(f"'{state}'") for state in sorted(LOST)]
# Said for later: no first of what is said now. Its event when it was accepted says so, also once it is due.
_NOT_LATER = ~exists().where(
    tables.event.c.message_id == _m.id, tables.event.c.old == "", tables.event.c.reason == "send_at"
)
_RECENT = (
    select(
        *(_m.account_id, _m.to, _s.sender, _s.text, _m.created_at),
        *(_m.id, _m.submission_id, _m.state, _m.segments, _m.encoding, _m.price),
    )
    .join_from(tables.message, tables.submission, _m.submission_id == _s.id)
    .where(
        _m.account_id.in_(bindparam("accounts", expanding=True)),
        _m.to.in_(bindparam("handsets", expanding=True)),
        _m.id > bindparam("since"),
        _m.state.not_in(_LOST),
        *(_m.service == literal_column("false"), _NOT_LATER),
    )
    .order_by(_m.id)
)
_MOST_AT_ONCE = 1000  # values in one IN: databases bound how many parameters a statement has


class Said(NamedTuple):
    """A text as it is told from others."""

    account: Account
    sender: str
    text: str
    handsets: Sequence[str]


class Recent:
    """What was said within the windows of the accounts that one fold meets, and what it says itself."""

    def __init__(self, conn: Connection, said: Sequence[Said]) -> None:
        """Of a fold whose accounts are locked (ledger.lock): nobody else says the same until the commit."""
        self._now = clock.now()
        self._found: dict[tuple[int, str, str, str], tuple[int, First]] = {}
        asked = [one for one in said if one.account.terms.duplicate_window_minutes]
        handsets = sorted({to for one in asked for to in one.handsets})
        if not handsets:
            return
        longest = max(one.account.terms.duplicate_window_minutes for one in asked)
        since = (self._now - longest * clock.MINUTE - ids.EPOCH) << 22
        accounts = sorted({one.account.id for one in asked})
        for start in range(0, len(handsets), _MOST_AT_ONCE):
            some = handsets[start : start + _MOST_AT_ONCE]
            values = {"accounts": accounts, "handsets": some, "since": since}
            for account_id, to, sender, text, at, *first in conn.execute(_RECENT, values):
                self._found[account_id, sender, text, to] = at, _first(*first)

    def of(self, said: Said) -> dict[str, First]:
        """The handsets to which this was said within the account's window."""
        account, sender, text, handsets = said
        since = self._now - account.terms.duplicate_window_minutes * clock.MINUTE
        if since == self._now:
            return {}
        found = ((to, self._found.get((account.id, sender, text, to))) for to in handsets)
        return {to: known[1] for to, known in found if known and known[0] > since}

    def add(self, said: Said | None, handset: str, first: First) -> None:
        """One that this fold accepts; None: its account has no window."""
        if said is not None:
            self._found[said.account.id, said.sender, said.text, handset] = self._now, first


def _first(
    message_id: int, submission_id: int, state: str, segments: int, encoding: str, price: int
) -> First:
    return First(message_id, submission_id, State(state), segments, encoding, price)
