"""Sessions with the smarthost: TLS as the settings want it, and a login."""

import asyncio

from aiosmtplib import SMTPAuthenticationError, SMTPException

from mailgate.outbound.client import Client, greet
from mailgate.outbound.sent import Times, Unreachable, words_of
from mailgate.outbound.tokens import Tokens
from mailgate.outbound.way import Smarthost


async def connect(way: Smarthost, tokens: Tokens | None, own_name: str, times: Times) -> Client:
    """A session that takes mail. Raises Unreachable."""
    client = Client(
        hostname=way.host,
        port=way.port,
        use_tls=way.tls,
        start_tls=False,  # done below, where it may be required
        tls_context=way.context,
        timeout=times.command,
        local_hostname=own_name,
    )
    try:
        async with asyncio.timeout(times.connect):
            await client.connect(timeout=times.connect)
            await _secure(client, way)
            await _log_in(client, way, tokens)
    except (SMTPException, OSError, ValueError) as error:
        client.close()
        raise Unreachable(words_of(error)) from error
    except BaseException:
        client.close()
        raise
    return client


async def _secure(client: Client, way: Smarthost) -> None:
    await greet(client)
    if way.tls:
        return
    if client.supports_extension("starttls"):
        await client.starttls()
        await greet(client)  # what was offered in the clear counts no more (RFC 3207 §4.2)
    elif way.needs_tls:
        raise SMTPException(f"{way.host} offers no STARTTLS, and nothing is sent to it in the clear")


async def _log_in(client: Client, way: Smarthost, tokens: Tokens | None) -> None:
    if not way.user:
        return
    if tokens is None:
        await client.login(way.user, way.password)
        return
    if "xoauth2" not in client.server_auth_methods:
        raise SMTPException(f"{way.host} offers no login by XOAUTH2")
    token, fresh = await tokens.get()
    try:
        await client.auth_xoauth2(way.user, token)
    except SMTPAuthenticationError:
        tokens.forget(token)
        if fresh:
            raise
        token, _ = await tokens.get()
        await client.auth_xoauth2(way.user, token)
