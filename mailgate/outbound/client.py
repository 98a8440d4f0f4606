"""One SMTP session toward somebody's server: greeting, TLS, and one mail after the other (RFC 5321)."""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPHeloError,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponse,
    SMTPResponseException,
    SMTPSenderRefused,
)

from mailgate import headers
from mailgate.outbound.sent import Lost, Sent, plain, words_of

CLOSING = 421  # at any command: the server ends the session (RFC 5321 §3.8)


class Client(SMTP):
    """aiosmtplib's, which also knows how far a mail came.

    After the final dot it waits for as long as the caller does: who gives up there mails twice (RFC 1047).
    """

    said = b""  # the last command but DATA

    async def execute_command(self, *args: bytes, **options: Any) -> SMTPResponse:
        self.said = args[0]
        return await super().execute_command(*args, **options)

    async def data(self, message: str | bytes, /, **_options: Any) -> SMTPResponse:
        self.said = b"DATA"
        return await super().data(message, timeout=None)

    def close(self) -> None:
        """At once: half a mail must not follow, and TLS would wait for the other side's goodbye."""
        transport = self.transport
        super().close()
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()


async def greet(client: SMTP) -> None:
    """EHLO, or HELO to a server that knows nothing newer."""
    try:
        await client.ehlo()
    except SMTPHeloError:
        await client.helo()


async def is_alive(client: SMTP, seconds: float) -> bool:
    """Whether a session that was idle still takes mail."""
    try:
        await client.rset(timeout=seconds)
    except (SMTPException, OSError):
        client.close()
    return client.is_connected


async def end(client: SMTP, seconds: float) -> None:
    """Say QUIT. The server may be gone."""
    try:
        await client.quit(timeout=seconds)
    except (SMTPException, OSError):
        pass
    finally:
        client.close()


async def transfer(client: Client, mail_from: str, to: Sequence[str], content: bytes) -> Sent:
    """Hand over one mail. Raises Lost when the session ended before the server took even its sender.

    A session that breaks later is this mail's trouble: the next one gets another.
    """
    try:
        to = [headers.routable(one) for one in to]
        options = _options(client, (mail_from, *to), content)
        left, _ = await client.sendmail(mail_from, to, content, mail_options=options)
    except SMTPRecipientsRefused as error:  # all of them
        refused = error.recipients[0]
        later = any(one.code < 500 for one in error.recipients)
        return Sent(gone=False, retry=later, words=plain(f"{refused.code} {refused.message}"))
    except SMTPResponseException as error:
        if error.code == CLOSING:
            client.close()
            if isinstance(error, SMTPSenderRefused):
                raise Lost(words_of(error)) from error
        return Sent(gone=False, retry=error.code < 500, words=words_of(error))
    except SMTPNotSupported as error:  # an address that cannot be said to this server
        return Sent(gone=False, words=plain(str(error)))
    except ValueError as error:  # one that cannot be said at all
        client.close()  # the server may wait for the rest of the envelope
        return Sent(gone=False, words=plain(str(error)))
    except (SMTPException, OSError) as error:
        client.close()
        if client.said == b"MAIL" and not isinstance(error, TimeoutError):
            raise Lost(words_of(error)) from error
        return Sent(gone=False, retry=True, words=words_of(error))
    except BaseException:  # cut off: the next reply would be that to this mail
        client.close()
        raise
    # To try again for one of several would mail the others twice: somebody was told, and that is what counts.
    words = "; ".join(f"not to {to}: {answer.code} {answer.message}" for to, answer in left.items())
    return Sent(gone=True, words=plain(words))


def _options(client: Client, addresses: Sequence[str], content: bytes) -> list[str]:
    """Of MAIL (RFC 6531, RFC 6152)."""
    options = [] if all(map(str.isascii, addresses)) else ["SMTPUTF8"]
    if not content.isascii() and client.supports_extension("8bitmime"):
        options.append("BODY=8BITMIME")
    return options
