"""Sessions with the smarthost: TLS as the settings want it, and a login."""

import asyncio

from aiosmtplib import SMTPException

from mailgate.outbound.client import Client, greet
from mailgate.outbound.sent import Times, Unreachable, words_of
from mailgate.outbound.way import Smarthost


async def connect(way: Smarthost, own_name: str, times: Times) -> Client:
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
            if way.user:
                await client.login(way.user, way.password)
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
