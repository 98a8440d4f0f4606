"""A pool of numbers: several people of one account text one handset, and each gets the answers to their own texts.

An answer names the number that it goes to, and nothing else. So each of them texts a handset from another number, as
far as there are enough: the one from which they did before, else one that nobody uses with it, else the one that has
been quiet for longest.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from gateway_core.storage import clock, tables
from gateway_core.storage.prepared import Parameters, PreparedLists


class Talk(NamedTuple):
    """Who texted a handset from a number last, and when."""

    sender: str
    at: int


def choose(pool: Sequence[str], talks: Mapping[str, Talk], sender: str) -> str:
    """`talks`: with this handset, by number."""
    mine = [number for number in pool if number in talks and talks[number].sender == sender]
    if mine:
        return max(mine, key=lambda number: talks[number].at)
    unused = next((number for number in pool if number not in talks), None)
    return unused or min(pool, key=lambda number: talks[number].at)


_c = tables.conversation.c
_MOST_AT_ONCE = 1000  # values in one IN: databases bound how many parameters a statement has


def _of(handsets: Parameters, numbers: Parameters) -> Any:
    return select(_c.handset, _c.number, _c.sender, _c.changed_at).where(
        _c.handset.in_(handsets), _c.number.in_(numbers)
    )


_TALKS = PreparedLists(_of, lists=2)


class Pools:
    """The conversations of one fold's handsets with the pools that they may be texted from."""

    def __init__(self, conn: Connection, wanted: Sequence[tuple[str, Sequence[str]]]) -> None:
        """`wanted`: handsets, each with its pool. Of a fold whose accounts are locked (ledger.lock)."""
        self._now = clock.now()
        self._talks: dict[str, dict[str, Talk]] = {}
        handsets = sorted({to for to, _ in wanted})
        numbers = sorted({number for _, pool in wanted for number in pool})
        for start in range(0, len(handsets), _MOST_AT_ONCE):
            some = handsets[start : start + _MOST_AT_ONCE]
            for handset, number, sender, at in _TALKS.rows(conn, some, numbers):
                self._talks.setdefault(handset, {})[number] = Talk(sender, at)

    def take(self, to: str, pool: Sequence[str], sender: str) -> str:
        """The number for this text; who comes later in the fold sees it used."""
        talks = self._talks.setdefault(to, {})
        chosen = choose(pool, talks, sender)
        talks[chosen] = Talk(sender, self._now)
        return chosen
