"""Who may submit by mail: sender rules. An address proves nothing; the source of the mail must fit it too.

The most specific rule wins: address, then domain, then `*`. Its refusal is final; no other rule is tried. An
address whose domain appears in any rule is never covered by `*`.
"""

import contextlib
import enum
import functools
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from sqlalchemy import Connection, select

from gateway_core.directory import Snapshot
from gateway_core.gateway import Gateway
from mailgate import tables

ANYBODY = "*"
LOOPBACK = ("127.0.0.0/8", "::1/128")
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
    secret_hash: str = field(default="", repr=False)
    destinations: tuple[str, ...] = ("*",)
    sender_ids: tuple[str, ...] = ()  # the first is what its texts carry; none: the account's
    hours: str = ""  # gateway_core.hours, in the account's time zone
    daily_spend: int | None = None  # 1/10,000
    recipients: str = "envelope"  # where those of sms@domain stand: also body, subject
    receipts: str = ""  # what its authors are told; "": what the account says


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
    # A letter beyond ASCII may have one of ASCII as its lower case (KELVIN SIGN): it stays itself.
    lower = (
        local.lower() if local.isascii() else "".join(one.lower() if one.isascii() else one for one in local)
    )
    return f"{lower}{at}{domain.lower()}"


@dataclass(frozen=True, slots=True)
class Rules:
    """All sender rules, as of one revision."""

    revision: int
    by_address: dict[str, Rule]
    domains: frozenset[str]
    has_logins: bool = field(init=False)  # asked at each EHLO
    only_known: bool = field(init=False)  # no rule asks more than RCPT knows; asked at each mail

    def __post_init__(self) -> None:
        accepts = {rule.accept for rule in self.by_address.values()}
        object.__setattr__(self, "has_logins", "auth" in accepts)
        object.__setattr__(self, "only_known", accepts <= {"ip", "auth"})

    def has_secret(self, account_id: int) -> bool:
        """Whether mails of this account may carry one."""
        return any(
            one.accept == "secret" and one.account_id == account_id for one in self.by_address.values()
        )

    def covering(self, address: str) -> Rule | None:
        address = normal(address)
        _, at, domain = address.rpartition("@")
        domain = domain if at else ""
        exact = self.by_address.get(address) or self.by_address.get(f"@{domain}")
        if exact or domain in self.domains:
            return exact
        return self.by_address.get(ANYBODY)


class Evidence(Protocol):
    """What mailgate.proof found out about a mail."""

    @property
    def words(self) -> tuple[str, ...]: ...

    @property
    def signed(self) -> frozenset[tuple[str, str]]:
        """Not empty when a signature proves something."""

    def authentic(self, address: str, recipients: Sequence[str]) -> bool: ...

    def spf_passes(self, address: str) -> bool: ...


class Shown(NamedTuple):
    """What a sender has shown of itself so far."""

    peer: str
    auth: str = ""  # address of the rule that a login proved
    secret_of: frozenset[str] = frozenset()  # addresses of the rules whose secret the mail has
    evidence: Evidence | None = None  # None: the mail was not looked at yet
    recipients: tuple[str, ...] = ()  # of the envelope: a DKIM signature must have been made for them


class Standing(enum.Enum):
    NOT_PROVED = enum.auto()
    PENDING = enum.auto()  # the mail itself may prove it
    PROVED = enum.auto()


def judge(rule: Rule, address: str, shown: Shown) -> Standing:
    """Whether an address that the rule covers is proved as the rule demands it. Fails closed."""
    accept = rule.accept
    if accept == "auth":
        return _proved(bool(shown.auth) and shown.auth == rule.address)
    if accept.startswith("ip"):
        near = inside(shown.peer, rule.ips)
        if accept == "ip" or (near and accept == "ip-or-dmarc") or (not near and accept == "ip-and-dmarc"):
            return _proved(near)
    if shown.evidence is None:
        return Standing.PENDING
    if accept == "secret":
        return _proved(rule.address in shown.secret_of)
    if accept == "spf":
        return _proved(shown.evidence.spf_passes(normal(address)))
    if accept in {"dmarc", "ip-or-dmarc", "ip-and-dmarc"}:
        return _proved(shown.evidence.authentic(normal(address), shown.recipients))
    return Standing.NOT_PROVED


def _proved(yes: bool) -> Standing:
    return Standing.PROVED if yes else Standing.NOT_PROVED


def why(rule: Rule, address: str, shown: Shown) -> str:
    """The rule that decided, what it asks for, and what would have to change. For operators, never for a peer."""
    name = f"the rule for {rule.address} (accept = {rule.accept})"
    if judge(rule, address, shown) is Standing.PROVED:
        return f"{name} covers {address} from {shown.peer}"
    found = "; ".join(shown.evidence.words) if shown.evidence else ""
    asks = {
        "ip": f"takes mail from {', '.join(rule.ips) or 'nowhere'}, not from {shown.peer}",
        "auth": "needs a login by SMTP AUTH",
        "secret": "needs the secret, behind a + of the recipient's name or as first word of the subject",
        "spf": f"needs an SPF pass for the domain of {address}",
        "dmarc": f"needs a DKIM signature or an SPF pass that is aligned with the domain of {address}",
    }
    asks["ip-or-dmarc"] = f"{asks['ip']}; else it {asks['dmarc']}"
    near = inside(shown.peer, rule.ips)
    asks["ip-and-dmarc"] = f"also {asks['dmarc']}" if near else asks["ip"]
    return f"{name} {asks[rule.accept]}" + (f"; found: {found}" if found else "")


def inside(peer: str, networks: Iterable[str]) -> bool:
    """Whether an IP address is in one of the networks; an IPv4 address in IPv6 clothes counts as itself."""
    return _inside(peer, tuple(networks))


@functools.lru_cache(maxsize=8192)  # a peer is asked about several times a mail
def _inside(peer: str, networks: tuple[str, ...]) -> bool:
    address = ip_of(peer)
    return address is not None and any(address in network for network in _networks(networks))


def ip_of(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """None when it is no address, as that of a Unix socket."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped) or address


def counted_as(ip: str) -> bytes:
    """Peers that count as one: an IPv4 address, or the /64 of an IPv6 one, which is what a subscriber gets."""
    address = ip_of(ip)
    return address.packed[:8] if address else ip.encode()  # "" of a Unix socket: one peer of its own


@functools.lru_cache(maxsize=4096)
def _networks(texts: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


class Book:
    """The rules and contacts as they are now. Asking reads no rows: they come with the gateway's snapshot."""

    def __init__(self, gateway: Gateway, *, loopback_only: bool) -> None:
        self._loopback_only = loopback_only
        self._rules = Rules(-1, {}, frozenset())
        self._contacts: dict[tuple[int, str], tuple[str, ...]] = {}
        self.dead: frozenset[str] = frozenset()  # addresses that nothing is mailed to (bounces)
        gateway.directory.follow(self._read)

    def rules(self) -> Rules:
        return self._rules

    def contact(self, account_id: int, name: str) -> tuple[str, ...] | None:
        """The numbers behind a name of this account; None when it has no such name."""
        return self._contacts.get((account_id, name.lower()))

    def _read(self, conn: Connection, snapshot: Snapshot) -> None:
        self._contacts = _load_contacts(conn)
        self._rules = load(conn, snapshot, loopback_only=self._loopback_only)
        self.dead = frozenset(conn.execute(select(tables.dead_address.c.address)).scalars())


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
            row.secret_hash or "",
            tuple(row.destinations),
            tuple(row.sender_ids),
            row.hours,
            row.daily_spend,
            row.recipients,
            row.receipts,
        )
        for row in conn.execute(select(tables.sender).order_by(s.address))
        if row.account_id in snapshot.accounts and (row.address != ANYBODY or small_world)
    }
    domains = frozenset(address.rpartition("@")[2] for address in rules if address != ANYBODY)
    return Rules(snapshot.revision, rules, domains)


def _load_contacts(conn: Connection) -> dict[tuple[int, str], tuple[str, ...]]:
    rows = conn.execute(select(tables.contact))
    return {(row.account_id, row.name.lower()): tuple(row.numbers) for row in rows}
