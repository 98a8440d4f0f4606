"""How many connections a peer may have: at once, and within a minute. Pure; one instance for each process.

A peer is an IPv4 address, or the /64 of an IPv6 address: that is what one host is given (RFC 6177 §2), so one
address of it costs a stranger nothing.
"""

import ipaddress
import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable

from mailgate import trust

_MOST = 100_000  # peers that are remembered; a stranger who has more of them has to open that many within a minute
_MINUTE = 60.0


class Peers:
    """Counts connections of peers. A limit of 0 is no limit; loopback and `exempt` networks (CIDRs) have none.

    What is remembered: a number for each peer that is connected, and the times of the connections that were admitted
    within the last minute, of 100,000 peers at most.
    """

    def __init__(
        self,
        connections: int,
        per_minute: int,
        exempt: Iterable[str] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connections = connections
        self._per_minute = per_minute
        self._exempt = tuple(ipaddress.ip_network(network) for network in (*trust.LOOPBACK, *exempt))
        self._clock = clock
        self._open: dict[bytes, int] = {}
        self._times: OrderedDict[bytes, list[float]] = OrderedDict()  # whoever came last is last

    def admit(self, ip: str) -> bool:
        """Count a new connection. False: it is one too many, was not counted, and must not `leave`."""
        peer = self._peer(ip)
        if peer is None:
            return True
        count = self._open.get(peer, 0)
        if self._connections and count >= self._connections:
            return False
        if self._per_minute and not self._in_pace(peer):
            return False
        self._open[peer] = count + 1
        return True

    def leave(self, ip: str) -> None:
        """An admitted connection has ended."""
        peer = self._peer(ip)
        if peer is None:
            return
        count = self._open.pop(peer, 0) - 1
        if count > 0:
            self._open[peer] = count

    def _in_pace(self, peer: bytes) -> bool:
        now = self._clock()
        self._forget(now)
        times = self._times.setdefault(peer, [])
        del times[: bisect_right(times, now - _MINUTE)]
        if len(times) >= self._per_minute:
            return False
        times.append(now)
        self._times.move_to_end(peer)
        return True

    def _forget(self, now: float) -> None:
        """Drop peers of whom nothing counts any more: two at most, while each call adds one."""
        for _ in range(2):
            times = next(iter(self._times.values()), [now])
            if times[-1] <= now - _MINUTE or len(self._times) >= _MOST:
                self._times.popitem(last=False)

    def _peer(self, ip: str) -> bytes | None:
        """None: no limit applies."""
        address = trust.ip_of(ip)
        if address and any(address in network for network in self._exempt):
            return None
        return trust.counted_as(ip)
