"""Who may submit by mail: sender rules. An address proves nothing; the source of the mail must fit it too.

The most specific rule wins: address, then domain, then `*`. Its refusal is final; no other rule is tried. An
address whose domain appears in any rule is never covered by `*`.
"""

import contextlib
import functools
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from gateway_core.directory import Snapshot
from gateway_core.gateway import Gateway
from mailgate import tables

ANYBODY = "*"
_LONGEST_KEPT = 320  # characters; RFC 5321 §4.5.3.1 allows 64 + 1 + 255


@dataclass(frozen=True, slots=True)
class Rule:
    address: str
    account_id: int
    ips: tuple[str, ...]
    accept: str
    monitoring: bool
    lists: bool
    password_hash: str = field(default="", repr=False)


def normal(address: str) -> str:
    """The one form in which addresses are compared: lower case, the domain as an IDNA A-label."""
    return _normal(address) if len(address) <= _LONGEST_KEPT else _normal.__wrapped__(address)


@functools.lru_cache(maxsize=8192)
def _normal(address: str) -> str:
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
    has_logins: bool = field(init=False)  # asked at each EHLO

    def __post_init__(self) -> None:
        logins = any(rule.accept == "auth" for rule in self.by_address.values())
        object.__setattr__(self, "has_logins", logins)

    def covering(self, address: str) -> Rule | None:
        address = normal(address)
        _, at, domain = address.rpartition("@")
        domain = domain if at else ""
        exact = self.by_address.get(address) or self.by_address.get(f"@{domain}")
        if exact or domain in self.domains:
            return exact
        return self.by_address.get(ANYBODY)


def fits(rule: Rule, peer: str, auth: str = "") -> bool:
    """Whether the sender is proved as the rule demands it: by the peer's address, or by a login. Fails closed.

    `auth` is the address of the rule that a login proved; "" when nobody logged in.
    """
    if rule.accept == "auth":
        return bool(auth) and auth == rule.address
    return rule.accept == "ip" and inside(peer, rule.ips)


def inside(peer: str, networks: Iterable[str]) -> bool:
    """Whether an IP address is in one of the networks; an IPv4 address in IPv6 clothes counts as itself."""
    return _inside(peer, tuple(networks))


@functools.lru_cache(maxsize=8192)  # a peer is asked about several times a mail
def _inside(peer: str, networks: tuple[str, ...]) -> bool:
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in _networks(networks))


@functools.lru_cache(maxsize=4096)
def _networks(texts: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


class Book:
    """The rules and contacts as they are now. Asking reads no rows: they come with the gateway's snapshot."""

    def __init__(self, gateway: Gateway, *, loopback_only: bool) -> None:
        self._loopback_only = loopback_only
        self._rules = Rules(-1, {}, frozenset())
        self._contacts: dict[tuple[int, str], tuple[str, ...]] = {}
        gateway.directory.follow(self._read)

    def rules(self) -> Rules:
        return self._rules

    def contact(self, account_id: int, name: str) -> tuple[str, ...] | None:
        """The numbers behind a name of this account; None when it has no such name."""
        return self._contacts.get((account_id, name.lower()))

    def _read(self, conn: Connection, snapshot: Snapshot) -> None:
        self._contacts = _load_contacts(conn)
        self._rules = load(conn, snapshot, loopback_only=self._loopback_only)


def load(conn: Connection, snapshot: Snapshot, *, loopback_only: bool) -> Rules:
    """The rules of a database. The rule for anybody is dead outside the embedded default's small world."""
    s = tables.sender.c
    small_world = loopback_only and all(route.simulated for route in snapshot.routes)
    rules = {
        row.address: Rule(
            row.address,
            row.account_id,
            tuple(row.ips),
            row.accept,
            row.monitoring,
            row.lists,
            row.password_hash or "",
        )
        for row in conn.execute(select(tables.sender).order_by(s.address))
        if row.account_id in snapshot.accounts and (row.address != ANYBODY or small_world)
    }
    domains = frozenset(address.rpartition("@")[2] for address in rules if address != ANYBODY)
    return Rules(snapshot.revision, rules, domains)


def _load_contacts(conn: Connection) -> dict[tuple[int, str], tuple[str, ...]]:
    rows = conn.execute(select(tables.contact))
    return {(row.account_id, row.name.lower()): tuple(row.numbers) for row in rows}
