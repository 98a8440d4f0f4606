"""Sessions with the mail exchanges of a domain (RFC 5321 §5.1), encrypted where they can be (RFC 7435)."""

import asyncio
import ipaddress
import random
import ssl
import time

from aiosmtplib import SMTPException

from mailgate.outbound.client import Client, greet
from mailgate.outbound.sent import Times, Unreachable, words_of
from mailgate.proof.names import DnsTrouble, Names

_MOST_PLACES = 6  # addresses that are tried
_DNS_SECONDS = 10
_PLACE_SECONDS = 25  # until one address has greeted us; some servers let strangers wait


class Exchanges:
    """`needs_tls`: nothing is sent in the clear, though whom it is encrypted for is not proved."""

    def __init__(self, names: Names, times: Times, *, needs_tls: bool, port: int) -> None:
        self._names = names
        self._times = times
        self._needs_tls = needs_tls
        self._port = port
        self._context = ssl.create_default_context()
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE

    async def connect(self, domain: str, own_name: str) -> Client:
        """A session that takes mail for this domain. Raises Unreachable."""
        try:
            async with asyncio.timeout(self._times.connect):
                places = await asyncio.to_thread(self.places, domain)
                return await self._first(domain, places, own_name)
        except TimeoutError:
            raise Unreachable(f"no mail exchange of {domain} answers in time") from None

    async def _first(self, domain: str, places: list[tuple[str, str]], own_name: str) -> Client:
        """The first that answers. One that refuses the session says nothing about the others."""
        words = ""
        for host, address in places:
            try:
                async with asyncio.timeout(_PLACE_SECONDS):
                    return await self._open(host, address, own_name)
            except (SMTPException, OSError, ValueError) as error:
                words = words or f"{host}: {words_of(error)}"
        raise Unreachable(words or f"{domain} has no mail exchange")

    async def _open(self, host: str, address: str, own_name: str, *, tls: bool = True) -> Client:
        client = Client(
            hostname=address,
            port=self._port,
            start_tls=False,
            tls_context=self._context,
            timeout=self._times.command,
            local_hostname=own_name,
        )
        try:
            await client.connect()
            await greet(client)
            if not tls or await self._is_secured(client, host):
                return client
            client.close()
            return await self._open(host, address, own_name, tls=False)
        except BaseException:
            client.close()
            raise

    async def _is_secured(self, client: Client, host: str) -> bool:
        """As far as it can be. False when the handshake failed, and another session in the clear may do."""
        if not client.supports_extension("starttls"):
            if self._needs_tls:
                raise SMTPException("offers no STARTTLS, and nothing is sent in the clear")
            return True
        try:
            await client.starttls(server_hostname=host)
            await greet(client)
        except (SMTPException, OSError, ValueError):
            if self._needs_tls:
                raise
            return False
        return True

    def places(self, domain: str) -> list[tuple[str, str]]:
        """(host, address) in the order in which to try them. Waits for the DNS. Raises Unreachable."""
        if domain.startswith("["):
            address = _literal(domain)
            return [(address, address)]
        try:
            name = domain.encode("idna").decode()
        except UnicodeError:
            raise Unreachable(f"{domain} is no domain", retry=False) from None
        deadline = time.monotonic() + _DNS_SECONDS
        try:
            hosts = self._hosts(name, deadline)
        except DnsTrouble as trouble:
            raise Unreachable(str(trouble)) from None
        found, silent = self._found(hosts, deadline)
        if not found:
            if silent:
                raise Unreachable(str(silent))
            raise Unreachable(f"{name}: no such domain, or it has no mail exchange", retry=False)
        return found[:_MOST_PLACES]

    def _found(self, hosts: list[str], deadline: float) -> tuple[list[tuple[str, str]], DnsTrouble | None]:
        """(host, address), and what kept the DNS from telling more."""
        found: list[tuple[str, str]] = []
        silent: DnsTrouble | None = None
        for host in hosts:
            for kind in ("A", "AAAA"):
                try:
                    found += [(host, address) for address in self._names.lookup(host, kind, deadline)]
                except DnsTrouble as trouble:
                    silent = silent or trouble
            if len(found) >= _MOST_PLACES:
                break
        return found, silent

    def _hosts(self, name: str, deadline: float) -> list[str]:
        """By preference, equal ones in any order. Raises DnsTrouble, and Unreachable for a null MX (RFC 7505)."""
        records = self._names.lookup(name, "MX", deadline)
        if not records:
            return [name]
        hosts = [(preference, host.rstrip(".")) for preference, host in records]
        if not any(host for _, host in hosts):
            raise Unreachable(f"{name} takes no mail (null MX)", retry=False)
        random.shuffle(hosts)
        return [host for _, host in sorted(hosts, key=lambda one: one[0]) if host]


def _literal(domain: str) -> str:
    """The address in [192.0.2.1] or [IPv6:2001:db8::1] (RFC 5321 §4.1.3). Raises Unreachable."""
    text = domain.removeprefix("[").removesuffix("]")
    try:
        if text.lower().startswith("ipv6:"):
            return str(ipaddress.IPv6Address(text[5:]))
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise Unreachable(f"{domain} is no address", retry=False) from None
