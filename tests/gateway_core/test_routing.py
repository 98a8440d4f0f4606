"""Which route takes a number, at which price, and how often it may try again."""

import re
from typing import Any

import pytest

from gateway_core import routing
from gateway_core.errors import SenderIDNotAllowed
from gateway_core.routing import Price, Route, SenderIDRule, Wanted


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


GB = "+447700900123"
A, B, C = route("a"), route("b"), route("c")
LONG, SHORT, NAMED = "+447700900900", "+4484433", "Acme"


@pytest.mark.parametrize(
    ("routes", "wanted", "names"),
    [
        ([], Wanted(GB), ""),
        ([A], Wanted(GB), "a"),
        # prefixes: whether it takes it, never how well
        ([route("a", prefixes=("+33",))], Wanted(GB), ""),
        ([route("a", prefixes=("+33", "+44"))], Wanted(GB), "a"),
        ([route("a", priority=1, prefixes=("+33",)), B], Wanted(GB), "b"),
        ([route("a", priority=2, prefixes=("+4477",)), route("b", priority=1)], Wanted(GB), "ba"),
        # priority
        ([route("a", priority=2), route("b", priority=1)], Wanted(GB), "ba"),
        ([route("a", priority=3), route("b", priority=1), route("c", priority=2)], Wanted(GB), "bca"),
        # simulated routes
        ([route("a", simulated=True)], Wanted(GB), ""),
        ([route("a", simulated=True)], Wanted(GB, simulated=True), "a"),
        ([route("a", priority=1, simulated=True), B], Wanted(GB), "b"),
        # paused ones last: their messages would be held
        ([route("a", paused=True)], Wanted(GB), "a"),
        ([route("a", priority=1, paused=True), B], Wanted(GB), "ba"),
        ([route("a", priority=2, paused=True), route("b", priority=1, paused=True)], Wanted(GB), "ba"),
        # least cost among equal priorities
        ([route("a", costs={"+44": 300}), route("b", costs={"+44": 200})], Wanted(GB), "ba"),
        ([route("a", costs={"+44": 300, "+4477": 100}), route("b", costs={"+44": 200})], Wanted(GB), "ab"),
        ([route("a", costs={"*": 100}), route("b", costs={"+44": 200})], Wanted(GB), "ab"),
        ([A, route("b", costs={"+44": 900})], Wanted(GB), "ba"),  # who does not say what it costs comes after
        ([A, route("b", costs={"+33": 900})], Wanted(GB), "ab"),
        ([route("a", costs={"+44": 0}), route("b", costs={"+44": 1})], Wanted(GB), "ab"),
        ([route("a", priority=1, costs={"+44": 900}), route("b", costs={"+44": 1})], Wanted(GB), "ab"),
        # accounts
        ([route("a", accounts=("acme",))], Wanted(GB, "globex"), ""),
        ([route("a", accounts=("acme",))], Wanted(GB, "acme"), "a"),
        ([route("a", priority=1, accounts=("acme",)), B], Wanted(GB, "globex"), "b"),
        ([route("a", priority=1, accounts=("acme", "globex")), B], Wanted(GB, "globex"), "ab"),
        # sender IDs and their kinds
        ([route("a", sender_ids=("long",))], Wanted(GB, sender_id=LONG), "a"),
        ([route("a", sender_ids=("long",))], Wanted(GB, sender_id=SHORT), ""),
        ([route("a", sender_ids=("short",))], Wanted(GB, sender_id=SHORT), "a"),
        ([route("a", sender_ids=("short",))], Wanted(GB, sender_id="84433"), "a"),
        ([route("a", sender_ids=("alphanumeric",))], Wanted(GB, sender_id=NAMED), "a"),
        ([route("a", sender_ids=("alphanumeric",))], Wanted(GB, sender_id=LONG), ""),
        ([route("a", sender_ids=(NAMED,))], Wanted(GB, sender_id=NAMED), "a"),
        ([route("a", sender_ids=(NAMED,))], Wanted(GB, sender_id="Other"), ""),
        ([route("a", sender_ids=(NAMED, "long"))], Wanted(GB, sender_id=LONG), "a"),
        ([route("a", sender_ids=("short",)), B], Wanted(GB), "ab"),  # not known yet
        # weight 0 is for when the others fail
        ([route("a", weight=0), B], Wanted(GB), "ba"),
        ([route("a", weight=0), route("b", weight=0)], Wanted(GB), "ab"),
    ],
)
def test_the_order_in_which_routes_are_tried(routes: list[Route], wanted: Wanted, names: str) -> None:
    found = routing.order(routes, wanted, lambda: 0.0)
    assert "".join(one.name for one in found) == names
    chosen = routing.choose(routes, wanted, lambda: 0.0)
    assert (chosen.name if chosen else "") == names[:1]


def test_equal_routes_share_by_weight() -> None:
    routes = [route("a", weight=1), route("b", weight=0), route("c", weight=3)]
    shares = [routing.order(routes, Wanted("+44"), lambda at=at: at / 100) for at in range(100)]
    names = [found[0].name for found in shares]
    assert (names.count("a"), names.count("b"), names.count("c")) == (25, 0, 75)
    assert {found[-1].name for found in shares} == {"b"}
    assert all({one.name for one in found} == {"a", "b", "c"} for found in shares)


RULES = [
    SenderIDRule("+1", ("long", "short"), "+12025550100"),
    SenderIDRule("+33", ("alphanumeric",), ""),
    SenderIDRule("+337", (NAMED,), "ACME"),
]


@pytest.mark.parametrize(
    ("to", "sender_id", "shown"),
    [
        (GB, NAMED, NAMED),  # no rule
        ("+12025550199", LONG, LONG),
        ("+12025550199", SHORT, SHORT),
        ("+12025550199", NAMED, "+12025550100"),
        ("+33612345678", NAMED, NAMED),
        ("+33612345678", LONG, None),
        ("+33712345678", NAMED, NAMED),  # the longest prefix counts
        ("+33712345678", "Other", "ACME"),
    ],
)
def test_what_a_destination_takes(to: str, sender_id: str, shown: str | None) -> None:
    if shown is None:
        with pytest.raises(SenderIDNotAllowed, match=re.escape("+33 takes no texts from")):
            routing.sender_id_at(RULES, to, sender_id)
    else:
        assert routing.sender_id_at(RULES, to, sender_id) == shown


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
