"""From one route to the next: while no network can have any part of a text.

A text that was refused for now goes to the next route of its order. Once a segment of it was accepted, or may have
been, it stays where it is: half of it would come twice, or from two senders.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, select

from gateway_core import routing
from gateway_core.accounts import Account
from gateway_core.messages import Current
from gateway_core.routing import Route, Wanted
from gateway_core.storage import tables


@dataclass(frozen=True, slots=True)
class Routes:
    """What there is to choose from."""

    all: tuple[Route, ...]
    accounts: Mapping[int, Account]


class Next(NamedTuple):
    """`route` is another than the one that failed; `new_round`: each was tried as often, so there is no hurry."""

    route: Route
    new_round: bool


def choose(routes: Sequence[Route], failed: int, tried: Mapping[int, int], wanted: Wanted) -> Next | None:
    """The route that was tried least, in the order in which they take the text; None: the one that failed again.

    `tried`: how often each route was, by id. Routes of equal rank keep their order here, so that a round ends.
    """
    running = [route for route in routing.order(routes, wanted, lambda: 0.0) if not route.paused]
    if not running:
        return None
    best = min(running, key=lambda route: tried.get(route.id, 0))
    if best.id == failed:
        return None
    return Next(best, tried.get(best.id, 0) >= tried.get(failed, 0))


_a, _m = tables.attempt.c, tables.message.c


def find(conn: Connection, routes: Routes, failed: Sequence[Current]) -> dict[int, Next]:
    """By message id: where those go that may go elsewhere."""
    if len(routes.all) < 2 or not failed:
        return {}
    ids = [was.id for was in failed]
    attempts = conn.execute(
        select(_a.message_id, _a.route_id, _a.fence, _a.outcome).where(_a.message_id.in_(ids))
    ).all()
    pinned = {row.message_id for row in attempts if row.outcome in {None, "accepted"}}
    tried: dict[int, set[tuple[int, int]]] = {}
    for row in attempts:
        tried.setdefault(row.message_id, set()).add((row.route_id, row.fence))
    sender_ids = dict(conn.execute(select(_m.id, _m.sender_id).where(_m.id.in_(ids))).all())
    found = {}
    for was in failed:
        if was.id in pinned:
            continue
        counts: dict[int, int] = {}
        for route_id, _ in tried.get(was.id, ()):
            counts[route_id] = counts.get(route_id, 0) + 1
        account = routes.accounts[was.account_id]
        wanted = Wanted(was.to, account.name, sender_ids[was.id], account.terms.test)
        if chosen := choose(routes.all, was.route_id, counts, wanted):
            found[was.id] = chosen
    return found
