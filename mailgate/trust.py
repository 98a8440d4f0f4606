"""Who may submit by mail: sender rules. An address proves nothing; the source of the mail must fit it too.

The most specific rule wins: address, then domain, then `*`. Its refusal is final; no other rule is tried. An
address whose domain appears in any rule is never covered by `*`.
"""

import contextlib
import functools
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, select

from gateway_core.directory import Snapshot
from gateway_core.gateway import Gateway
from mailgate import tables

ANYBODY = "*"


@dataclass(frozen=True, slots=True)
class Rule:
    address: str
    account_id: int
    ips: tuple[str, ...]
    accept: str
    monitoring: bool
    lists: bool


def normal(address: str) -> str:
    """The one form in which addresses are compared: lower case, the domain as an IDNA A-label."""
    local, at, domain = address.strip().rpartition("@")
    with contextlib.suppress(
        UnicodeError
    ):  # not a name of the DNS: compared as it stands, and no rule has it
        domain = domain.rstrip(".").encode("idna").decode()
    return f"{local.lower()}{at}{domain.lower()}"


@dataclass(frozen=True, slots=True)
class Rules:
    """All sender rules, as of one revision."""

    revision: int
    by_address: dict[str, Rule]
    domains: frozenset[str]

    def covering(self, address: str) -> Rule | None:
        address = normal(address)
        _, at, domain = address.rpartition("@")
        domain = domain if at else ""
        exact = self.by_address.get(address) or self.by_address.get(f"@{domain}")
        if exact or domain in self.domains:
            return exact
        return self.by_address.get(ANYBODY)


def fits(rule: Rule, peer: str) -> bool:
    """Whether mail from this peer address proves the sender, as the rule demands it. Fails closed."""
    return rule.accept == "ip" and inside(peer, rule.ips)


def inside(peer: str, networks: Iterable[str]) -> bool:
    """Whether an IP address is in one of the networks; an IPv4 address in IPv6 clothes counts as itself."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in _networks(tuple(networks)))


@functools.lru_cache(maxsize=4096)
def _networks(texts: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


class Book:
    """The rules and contacts as they are now: read again when the gateway's snapshot has moved."""

    def __init__(self, gateway: Gateway, *, loopback_only: bool) -> None:
        self._gateway = gateway
        self._loopback_only = loopback_only
        self._rules = Rules(-1, {}, frozenset())
        self._contacts: dict[tuple[int, str], tuple[str, ...]] = {}

    def rules(self) -> Rules:
        self._refresh()
        return self._rules

    def contact(self, account_id: int, name: str) -> tuple[str, ...] | None:
        """The numbers behind a name of this account; None when it has no such name."""
        self._refresh()
        return self._contacts.get((account_id, name.lower()))

    def _refresh(self) -> None:
        snapshot = self._gateway.snapshot
        if self._rules.revision != snapshot.revision:
            with self._gateway.reader.connect() as conn:
                self._contacts = _load_contacts(conn)
                self._rules = load(conn, snapshot, loopback_only=self._loopback_only)


def load(conn: Connection, snapshot: Snapshot, *, loopback_only: bool) -> Rules:
    """The rules of a database. The rule for anybody is dead outside the embedded default's small world."""
    s = tables.sender.c
    small_world = loopback_only and all(route.simulated for route in snapshot.routes)
    rules = {
        row.address: Rule(row.address, row.account_id, tuple(row.ips), row.accept, row.monitoring, row.lists)
        for row in conn.execute(select(tables.sender).order_by(s.address))
        if row.account_id in snapshot.accounts and (row.address != ANYBODY or small_world)
    }
    domains = frozenset(address.rpartition("@")[2] for address in rules if address != ANYBODY)
    return Rules(snapshot.revision, rules, domains)


def _load_contacts(conn: Connection) -> dict[tuple[int, str], tuple[str, ...]]:
    rows = conn.execute(select(tables.contact))
    return {(row.account_id, row.name.lower()): tuple(row.numbers) for row in rows}
