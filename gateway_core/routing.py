"""Routes and prices: which carrier takes a message, and what it costs."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from gateway_core import numbers
from gateway_core.storage import tables


@dataclass(frozen=True, slots=True)
class Route:
    id: int
    name: str
    carrier: str
    settings: dict[str, Any] = field(hash=False)
    prefixes: tuple[str, ...]
    priority: int
    weight: int
    segments_per_second: int
    resend: str  # never, once, a number, idempotent
    paused: bool = False
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Price:
    prefix: str
    currency: str
    per_segment: int


def choose(
    routes: Sequence[Route], to: str, *, simulated: bool, roll: Callable[[], float] = random.random
) -> Route | None:
    """The route for a number: lowest priority first, equal ones share by weight; None when none takes it.

    `simulated`: whether the account may use simulated routes. A paused route is still chosen: its messages are
    held until it is resumed.
    """
    fitting = [
        route
        for route in routes
        if numbers.longest_prefix(to, route.prefixes) is not None and (simulated or not route.simulated)
    ]
    if not fitting:
        return None
    best = min(route.priority for route in fitting)
    first = [route for route in fitting if route.priority == best]
    return first[0] if len(first) == 1 else _by_weight(first, roll())


def _by_weight(routes: Sequence[Route], share: float) -> Route:
    left = share * sum(route.weight for route in routes)
    for route in routes:
        left -= route.weight
        if left < 0:
            return route
    return routes[-1]


def price(prices: Sequence[Price], to: str, currency: str) -> int | None:
    """Of one segment, by longest prefix in the account's currency; None means not allowed, never free."""
    fitting = {price.prefix: price.per_segment for price in prices if price.currency == currency}
    prefix = numbers.longest_prefix(to, fitting)
    return None if prefix is None else fitting[prefix]


def resend_budget(resend: str) -> int:
    """How often an UNCERTAIN submit may be written again. `idempotent`: as often as its validity lasts."""
    named = {"never": 0, "once": 1, "idempotent": 1_000_000}
    return named[resend] if resend in named else int(resend)


def load_routes(conn: Connection, simulated: Callable[[str], bool]) -> tuple[Route, ...]:
    rows = conn.execute(select(tables.route).order_by(tables.route.c.priority, tables.route.c.name))
    return tuple(
        Route(
            row.id,
            row.name,
            row.carrier,
            row.settings,
            tuple(row.prefixes),
            row.priority,
            row.weight,
            row.segments_per_second,
            row.resend,
            row.paused,
            simulated(row.carrier),
        )
        for row in rows
    )


def load_prices(conn: Connection) -> tuple[Price, ...]:
    p = tables.price.c
    rows = conn.execute(select(p.prefix, p.currency, p.per_segment))
    return tuple(Price(row.prefix, row.currency, row.per_segment) for row in rows)
