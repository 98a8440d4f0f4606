"""Routes and prices: which carrier takes a message, with which sender ID, and what it costs."""

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from gateway_core import numbers
from gateway_core.errors import SenderIDNotAllowed
from gateway_core.storage import tables

KINDS = ("alphanumeric", "short", "long")  # of sender IDs
_LONGEST_SHORT = 7  # digits of a short code, with its country code where it has one (+4484433)


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
    accounts: tuple[str, ...] = ()  # names of those that may use it; none: all
    sender_ids: tuple[str, ...] = ()  # sender IDs or KINDS that it takes; none: all
    costs: Mapping[str, int] = field(default_factory=dict, hash=False)  # 1/10,000 a segment, by prefix


@dataclass(frozen=True, slots=True)
class Price:
    prefix: str
    currency: str
    per_segment: int


@dataclass(frozen=True, slots=True)
class SenderIDRule:
    """Which sender IDs a destination takes."""

    prefix: str
    allowed: tuple[str, ...]  # sender IDs or KINDS
    instead: str  # goes out for one that is not allowed; "": that one is refused


class Wanted(NamedTuple):
    """A text that looks for a route."""

    to: str
    account: str = ""  # its name
    sender_id: str = ""  # "": not known yet, any will do
    simulated: bool = False  # whether the account may use simulated routes


def order(routes: Sequence[Route], wanted: Wanted, roll: Callable[[], float] = random.random) -> list[Route]:
    """The routes that take a text, in the order in which they are tried.

    Running ones before paused ones, then the lowest priority number, then the least cost (a route that does not say
    what it costs comes after those that do); equal ones share by weight, and a weight of 0 is for when the others fail.
    """
    fitting = [route for route in routes if takes(route, wanted)]
    if len(fitting) < 2:
        return fitting
    ranked: dict[tuple[bool, int, bool, int], list[Route]] = {}
    for route in fitting:
        cost = cost_of(route, wanted.to)
        ranked.setdefault((route.paused, route.priority, cost is None, cost or 0), []).append(route)
    return [route for rank in sorted(ranked) for route in _by_weight(ranked[rank], roll)]


def choose(
    routes: Sequence[Route], wanted: Wanted, roll: Callable[[], float] = random.random
) -> Route | None:
    """The route that a text takes first; None when none takes it. Of a paused one its messages are held."""
    found = order(routes, wanted, roll)
    return found[0] if found else None


def takes(route: Route, wanted: Wanted) -> bool:
    return (
        numbers.longest_prefix(wanted.to, route.prefixes) is not None
        and (wanted.simulated or not route.simulated)
        and (not route.accounts or wanted.account in route.accounts)
        and (not route.sender_ids or not wanted.sender_id or is_among(wanted.sender_id, route.sender_ids))
    )


def cost_of(route: Route, to: str) -> int | None:
    """What a segment costs the operator, by longest prefix; None when the route does not say."""
    prefix = numbers.longest_prefix(to, route.costs) if route.costs else None
    return None if prefix is None else route.costs[prefix]


def kind(sender_id: str) -> str:
    """Of KINDS: as 3GPP TS 23.040 §9.1.2.5 types the address, and networks tell codes from numbers by their length."""
    digits = sender_id.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        return "alphanumeric"
    return "short" if len(digits) <= _LONGEST_SHORT else "long"


def is_among(sender_id: str, allowed: Collection[str]) -> bool:
    return sender_id in allowed or kind(sender_id) in allowed


def sender_id_at(rules: Sequence[SenderIDRule], to: str, sender_id: str) -> str:
    """What the handset shows there: the sender ID, or what its destination wants instead. Raises SenderIDNotAllowed."""
    rule = _rule_at(rules, to)
    if rule is None or is_among(sender_id, rule.allowed):
        return sender_id
    if rule.instead:
        return rule.instead
    raise SenderIDNotAllowed(f"{rule.prefix} takes no texts from {sender_id}")


def passes(rules: Sequence[SenderIDRule], to: str, sender_id: str) -> bool:
    """Whether its destination shows the sender ID as it is."""
    rule = _rule_at(rules, to)
    return rule is None or is_among(sender_id, rule.allowed)


def _rule_at(rules: Sequence[SenderIDRule], to: str) -> SenderIDRule | None:
    by_prefix = {rule.prefix: rule for rule in rules}
    prefix = numbers.longest_prefix(to, by_prefix) if by_prefix else None
    return None if prefix is None else by_prefix[prefix]


def _by_weight(routes: Sequence[Route], roll: Callable[[], float]) -> list[Route]:
    """In random order, each place drawn by weight."""
    left, found = list(routes), []
    while len(left) > 1:
        share = roll() * sum(route.weight for route in left)
        for route in left:
            share -= route.weight
            if share < 0:
                break
        else:
            route = left[0]  # nothing but weights of 0
        left.remove(route)
        found.append(route)
    return found + left


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
            tuple(row.accounts),
            tuple(row.sender_ids),
            row.costs,
        )
        for row in rows
    )


def load_prices(conn: Connection) -> tuple[Price, ...]:
    p = tables.price.c
    rows = conn.execute(select(p.prefix, p.currency, p.per_segment))
    return tuple(Price(row.prefix, row.currency, row.per_segment) for row in rows)


def load_rules(conn: Connection) -> tuple[SenderIDRule, ...]:
    r = tables.sender_id_rule.c
    rows = conn.execute(select(r.prefix, r.allowed, r.instead))
    return tuple(SenderIDRule(row.prefix, tuple(row.allowed), row.instead) for row in rows)
