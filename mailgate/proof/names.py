"""Answers of the DNS, cached, with an end to waiting. The only place that asks it for proofs of origin."""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import dns.exception
import dns.message
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

_ENTRIES = 4096
_SHORTEST, _LONGEST = 5, 300  # seconds that an answer is kept, whatever its TTL
_TRY = 1.5  # seconds before the next server, or the same one again
_PAYLOAD = 1232  # octets of a UDP answer that pass everywhere unfragmented
_KINDS = frozenset({"TXT", "A", "AAAA", "MX", "PTR"})


class DnsTrouble(Exception):
    """The DNS did not answer, answered with a failure, or the time is over: ask again later (451 4.4.3)."""


class _Kept(NamedTuple):
    until: float  # time.monotonic()
    values: tuple[Any, ...]


class Names:
    """Lookups through the given servers ("192.0.2.53", "127.0.0.1:5353", "[::1]:53"), or the system's. May be
    shared by threads. Raises ValueError for a server that is no IP address.
    """

    def __init__(self, servers: Sequence[str] = ()) -> None:
        self._resolver = _resolver(servers)
        self._lock = threading.Lock()
        self._cache: OrderedDict[tuple[str, str], _Kept] = OrderedDict()

    def lookup(self, name: str, kind: str, deadline: float) -> list[Any]:
        """TXT: the records as bytes, their strings joined; A, AAAA: addresses as text; MX: (preference, host);
        PTR: hosts. [] when there are none, or `name` cannot be a name of the DNS.

        `deadline` is a moment of time.monotonic(). Raises DnsTrouble.
        """
        labels = _labels(name)
        if not labels or kind not in _KINDS:
            return []
        key = (".".join(labels), kind)
        with self._lock:
            kept = self._cache.get(key)
        if kept and kept.until > time.monotonic():
            return list(kept.values)
        values, seconds = self._ask(labels, kind, deadline)
        self._keep(key, _Kept(time.monotonic() + min(max(seconds, _SHORTEST), _LONGEST), values))
        return list(values)

    def _keep(self, key: tuple[str, str], kept: _Kept) -> None:
        with self._lock:
            self._cache[key] = kept
            self._cache.move_to_end(key)
            while len(self._cache) > _ENTRIES:
                self._cache.popitem(last=False)

    def _ask(self, labels: list[str], kind: str, deadline: float) -> tuple[tuple[Any, ...], float]:
        """The values and their TTL in seconds."""
        left = deadline - time.monotonic()
        if self._resolver is None:
            raise DnsTrouble("no DNS server is configured")
        if left <= 0:
            raise DnsTrouble(f"no time was left to ask for {kind} of {'.'.join(labels)}")
        # made of labels, not of text: a backslash in a name is no escape
        name = dns.name.Name([*(label.encode() for label in labels), b""])
        try:
            answer = self._resolver.resolve(name, kind, lifetime=left, search=False, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN as error:
            return (), _ttl(error.response(name))  # type: ignore[no-untyped-call]
        except (dns.exception.DNSException, OSError, EOFError, ValueError) as error:
            raise DnsTrouble(f"{kind} of {'.'.join(labels)}: {type(error).__name__}") from error
        return tuple(_value(kind, data) for data in answer.rrset or ()), _ttl(answer.response)


def _resolver(servers: Sequence[str]) -> dns.resolver.Resolver | None:
    try:
        resolver = dns.resolver.Resolver(configure=not servers)
    except dns.resolver.NoResolverConfiguration:
        return None
    if servers:
        resolver.nameservers = [dns.nameserver.Do53Nameserver(*_server(text)) for text in servers]
    resolver.timeout = _TRY
    resolver.use_edns(0, 0, _PAYLOAD)
    return resolver


def _server(text: str) -> tuple[str, int]:
    """(address, port) of "192.0.2.53", "192.0.2.53:53", "::1" or "[::1]:53". Raises ValueError."""
    host, port = text, "53"
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":") or "53"
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    return str(ipaddress.ip_address(host)), int(port)


def _labels(name: str) -> list[str]:
    """Lower-cased labels; none when `name` is empty, not ASCII, or against RFC 1035, section 2.3.4."""
    name = name.removesuffix(".").lower()
    labels = name.split(".")
    if not name.isascii() or len(name) > 253 or not all(0 < len(label) < 64 for label in labels):
        return []
    return labels


def _ttl(response: dns.message.Message) -> float:
    """Seconds; 0 for a denial without SOA, which must not be kept for long (RFC 2308, section 5)."""
    assert isinstance(response, dns.message.QueryMessage)
    try:
        ttl = response.resolve_chaining().minimum_ttl
    except dns.exception.DNSException:
        return 0
    return ttl if ttl < 2**31 - 1 else 0


def _value(kind: str, data: Any) -> Any:
    if kind == "TXT":
        return b"".join(data.strings)
    if kind == "MX":
        return data.preference, data.exchange.to_text(omit_final_dot=True)
    if kind == "PTR":
        return data.target.to_text(omit_final_dot=True)
    return data.address
