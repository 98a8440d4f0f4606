"""What `mailgate check` finds between rows that are right each by itself: prices, routes, sender IDs."""

import statistics
from collections.abc import Iterator

from gateway_core import money, routing
from gateway_core.accounts import Account
from gateway_core.directory import Snapshot

_DEAR = 10  # times the median price: what fraud by expensive destinations looks for


def find(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """(what it is about, words)."""
    for price in snapshot.prices:
        if not any(_meet(price.prefix, prefix) for route in snapshot.routes for prefix in route.prefixes):
            yield f"price {price.prefix}", "no route takes what it prices"
    for route in snapshot.routes:
        for prefix in route.prefixes:
            if not any(_meet(price.prefix, prefix) for price in snapshot.prices):
                yield f"route {route.name}", f"there is no price for {prefix}: nothing can be texted there"
    for rule in snapshot.sender_id_rules:
        if rule.instead and not any(_takes(route, rule.instead) for route in snapshot.routes):
            yield f"sender_id_rule {rule.prefix}", f"no route takes {rule.instead}"
    for account in snapshot.accounts.values():
        yield from ((f"account {account.name}", words) for words in _of_account(snapshot, account))


def _of_account(snapshot: Snapshot, account: Account) -> Iterator[str]:
    shown = account.terms.sender_id or snapshot.default_number(account.id)
    mine = [route for route in snapshot.routes if not route.accounts or account.name in route.accounts]
    if shown and snapshot.routes and not any(_takes(route, shown) for route in mine):
        yield f"no route that it may use takes its sender ID {shown}"
    prices = [price.per_segment for price in snapshot.prices if price.currency == account.currency]
    if "*" in account.terms.destinations and account.terms.max_price is None and prices:
        dearest, median = max(prices), statistics.median(prices)
        if dearest > _DEAR * median:
            most = money.show(dearest, account.currency)
            words = f"may text everywhere, for up to {most} {account.currency} a segment"
            yield f"{words}; max_price or destinations bound that"


def _takes(route: routing.Route, sender_id: str) -> bool:
    return not route.sender_ids or routing.is_among(sender_id, route.sender_ids)


def _meet(one: str, other: str) -> bool:
    """Whether two prefixes have numbers in common."""
    return "*" in {one, other} or one.startswith(other) or other.startswith(one)
