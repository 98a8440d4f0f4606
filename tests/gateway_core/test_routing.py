"""Which route takes a number, at which price, and how often it may try again."""

from typing import Any

import pytest

from gateway_core import routing
from gateway_core.routing import Price, Route


def route(name: str, **changes: Any) -> Route:
    values: dict[str, Any] = {
        "id": 1,
        "name": name,
        "carrier": "c",
        "settings": {},
        "prefixes": ("*",),
        "priority": 10,
        "weight": 1,
        "segments_per_second": 0,
        "resend": "once",
    }
    return Route(**{**values, **changes})


@pytest.mark.parametrize(
    ("routes", "simulated", "chosen"),
    [
        ([], True, None),
        ([route("a")], False, "a"),
        ([route("a", priority=2), route("b", priority=1)], False, "b"),
        ([route("a", priority=1, prefixes=("+33",)), route("b", priority=9)], False, "b"),
        ([route("a", prefixes=("+33",))], False, None),
        ([route("a", simulated=True)], False, None),
        ([route("a", simulated=True)], True, "a"),
        ([route("a", priority=1, simulated=True), route("b")], False, "b"),
        ([route("a", priority=1, paused=True), route("b")], False, "a"),
    ],
)
def test_choose(routes: list[Route], simulated: bool, chosen: str | None) -> None:
    found = routing.choose(routes, "+447700900123", simulated=simulated)
    assert (found.name if found else None) == chosen


def test_equal_routes_share_by_weight() -> None:
    routes = [route("a", weight=1), route("b", weight=0), route("c", weight=3)]
    shares = [
        routing.choose(routes, "+44", simulated=False, roll=lambda at=at: at / 100) for at in range(100)
    ]
    names = [found.name for found in shares if found]
    assert (names.count("a"), names.count("b"), names.count("c")) == (25, 0, 75)


@pytest.mark.parametrize(
    ("to", "currency", "price"),
    [
        ("+447700900123", "GBP", 500),
        ("+33612345678", "GBP", 700),
        ("+33712345678", "GBP", 900),
        ("+33612345678", "EUR", None),
        ("+491701234567", "GBP", 300),
    ],
)
def test_the_longest_prefix_in_the_accounts_currency(to: str, currency: str, price: int | None) -> None:
    prices = [
        Price("+44", "GBP", 500),
        Price("+33", "GBP", 700),
        Price("+337", "GBP", 900),
        Price("*", "GBP", 300),
    ]
    assert routing.price(prices, to, currency) == price


@pytest.mark.parametrize(("resend", "budget"), [("never", 0), ("once", 1), ("0", 0), ("3", 3)])
def test_budget(resend: str, budget: int) -> None:
    assert routing.resend_budget(resend) == budget


def test_an_idempotent_carrier_has_no_bound_but_the_validity() -> None:
    assert routing.resend_budget("idempotent") > 10_000
