"""Where mail goes, and the connections that are kept to each place. For one event loop, but for `of` and `reach`."""

import asyncio
import contextlib
import functools
import socket
from collections.abc import Iterable, Sequence

from mailgate.outbound import relay, way
from mailgate.outbound.client import Client
from mailgate.outbound.exchanges import Exchanges
from mailgate.outbound.pool import Pool
from mailgate.outbound.sent import Times
from mailgate.outbound.tokens import Tokens
from mailgate.proof.names import Names
from mailgate.settings import Settings

_ASK_SECONDS = 5


class Destinations:
    """Raises SettingsError."""

    def __init__(self, settings: Settings, names: Names | None, times: Times, mx_port: int) -> None:
        outbound = settings.outbound
        self._smarthost = way.read(outbound)
        self._tokens = Tokens(outbound) if outbound.oauth2_token_url else None
        self._exchanges: Exchanges | None = None
        if outbound.smarthost == way.MX:
            names = names or Names(settings.mail.dns_servers)
            self._exchanges = Exchanges(names, times, needs_tls=outbound.require_tls, port=mx_port)
        self._times = times
        self._most = outbound.connections
        self._fallback_name = settings.mail.domains[0]
        self._own_name = ""
        self._pools: dict[str, Pool] = {}

    def of(self, recipients: Sequence[str]) -> Iterable[tuple[str, tuple[str, ...]]]:
        """(destination, those who are behind it): the domains, or "" for the smarthost."""
        if self._exchanges is None:
            return [("", tuple(recipients))]
        domains: dict[str, list[str]] = {}
        for address in recipients:
            domains.setdefault(address.rpartition("@")[2].lower(), []).append(address)
        return [(domain, tuple(people)) for domain, people in domains.items()]

    def reach(self) -> str:
        """Whether somebody listens at the smarthost, as `host:port`. Raises OSError."""
        assert self._smarthost is not None
        where = (self._smarthost.host, self._smarthost.port)
        with contextlib.closing(socket.create_connection(where, timeout=_ASK_SECONDS)):
            return f"{where[0]}:{where[1]}"

    async def try_out(self) -> None:
        """A session that ends at once. Raises Unreachable."""
        pool = self.pool("")
        pool.give(await pool.take())

    def pool(self, destination: str) -> Pool:
        if destination not in self._pools:
            self._pools[destination] = Pool(functools.partial(self._connect, destination), self._most)
        return self._pools[destination]

    async def tidy(self, kept_seconds: float, ask_seconds: float = _ASK_SECONDS) -> None:
        """End connections that have been idle for so long; forget places that nobody mails to."""
        await asyncio.gather(*(pool.tidy(kept_seconds, ask_seconds) for pool in self._pools.values()))
        for destination in [name for name, pool in self._pools.items() if pool.is_empty()]:
            del self._pools[destination]

    async def _connect(self, destination: str) -> Client:
        if not self._own_name:
            name = await asyncio.to_thread(socket.getfqdn)
            # RFC 5321 §4.1.4: who has no name in the DNS is refused by many
            self._own_name = name if "." in name and name.isascii() else self._fallback_name
        if self._exchanges is not None:
            return await self._exchanges.connect(destination, self._own_name)
        assert self._smarthost is not None
        return await relay.connect(self._smarthost, self._tokens, self._own_name, self._times)
