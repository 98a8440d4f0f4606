"""The door out, to people: the only place that opens a connection to a mail server of theirs.

To a smarthost, over one kept-open connection a batch; or, while none is set, into var/outbox, a Maildir that
the pages show.
"""

import asyncio
import contextlib
import os
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

import structlog
from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponseException,
)

from gateway_core.errors import SettingsError
from mailgate.outgoing import Outgoing
from mailgate.settings import Settings

_TIMEOUT_SECONDS = 30
_BATCH_SECONDS = 60  # with the time-out of its last mail still within notices.LEASE_SECONDS
PORTS = {"smtp": 25, "smtps": 465}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one mail: gone, to be tried again, or refused for good."""

    gone: bool
    retry: bool = False
    words: str = ""


def send(settings: Settings, mails: Sequence[Outgoing]) -> list[Sent]:
    """Send each; results in the same order. Never raises for what a server or a disk does."""
    url = settings.outbound.smarthost
    kept = {mail.id: _keep(outbox(settings), mail) for mail in mails if mail.local or not url}
    away = [mail for mail in mails if mail.id not in kept]
    if away:
        kept |= dict(zip((mail.id for mail in away), asyncio.run(_relay(smarthost(url), away)), strict=True))
    return [kept[mail.id] for mail in mails]


def smarthost(url: str) -> SplitResult:
    """The checked URL. Raises SettingsError."""
    parsed = urlsplit(url)
    try:
        usable = parsed.scheme in PORTS and parsed.hostname and (parsed.port is None or parsed.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError("outbound.smarthost: must be smtp://user:secret@host:587 or smtps://…")
    return parsed


def reach(url: SplitResult) -> str:
    """Whether the smarthost answers, as `host:port`. Raises OSError."""
    where = (str(url.hostname), url.port or PORTS[url.scheme])
    with contextlib.closing(socket.create_connection(where, timeout=5)):
        return f"{where[0]}:{where[1]}"


# --- the outbox -------------------------------------------------------------------------------------------


def outbox(settings: Settings) -> Path:
    return settings.data / "outbox"


def _keep(maildir: Path, mail: Outgoing) -> Sent:
    """Durable, and the same file for the same mail however often it is sent."""
    try:
        for folder in ("tmp", "new", "cur"):
            (maildir / folder).mkdir(parents=True, exist_ok=True)
        temporary = maildir / "tmp" / mail.id
        with temporary.open("wb") as file:
            file.write(mail.content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(maildir / "new" / mail.id)
        _sync_folder(maildir / "new")
    except OSError as error:
        return Sent(gone=False, retry=True, words=f"outbox: {error.strerror or error}")
    return Sent(gone=True)


def _sync_folder(folder: Path) -> None:
    """The name is durable only with its folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- the smarthost ----------------------------------------------------------------------------------------


async def _relay(url: SplitResult, mails: Sequence[Outgoing]) -> list[Sent]:
    client = SMTP(
        hostname=url.hostname,
        port=url.port or PORTS[url.scheme],
        use_tls=url.scheme == "smtps",
        start_tls=None,  # when it is offered
        username=unquote(url.username) if url.username else None,
        password=unquote(url.password) if url.password else None,
        tls_context=ssl.create_default_context(),
        timeout=_TIMEOUT_SECONDS,
    )
    until = time.monotonic() + _BATCH_SECONDS
    results: list[Sent] = []
    try:
        for mail in mails:
            if time.monotonic() > until:
                break
            results.append(await _relay_one(client, mail))
        if client.is_connected:
            await client.quit()
    except (SMTPException, OSError) as error:
        log.warning("smarthost failed", host=url.hostname, error=str(error))
    finally:
        client.close()
    late = Sent(gone=False, retry=True, words="the smarthost was not reached, or too slow")
    return results + [late] * (len(mails) - len(results))


async def _relay_one(client: SMTP, mail: Outgoing) -> Sent:
    """Raises when no connection can be had; one that breaks over this mail is this mail's trouble only."""
    if not client.is_connected:
        await client.connect()
    try:
        options = [] if all(map(str.isascii, (mail.mail_from, *mail.to))) else ["SMTPUTF8"]
        left, _ = await client.sendmail(mail.mail_from, list(mail.to), mail.content, mail_options=options)
    except SMTPRecipientsRefused as error:  # all of them
        refused = error.recipients[0]
        later = any(one.code < 500 for one in error.recipients)
        return Sent(gone=False, retry=later, words=f"{refused.code} {refused.message}")
    except SMTPResponseException as error:
        return Sent(gone=False, retry=error.code < 500, words=f"{error.code} {error.message}")
    except (SMTPNotSupported, ValueError) as error:  # an address that cannot be said to this server
        return Sent(gone=False, words=str(error))
    except (SMTPException, OSError) as error:
        client.close()
        return Sent(gone=False, retry=True, words=str(error))
    # To try again for one of several would mail the others twice: somebody was told, and that is what counts.
    words = "; ".join(f"not to {to}: {answer.code} {answer.message}" for to, answer in left.items())
    return Sent(gone=True, words=words)
