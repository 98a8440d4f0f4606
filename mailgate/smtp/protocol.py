"""aiosmtpd's SMTP protocol, with what it lacks: strict addresses, DATA in one read, no inside words to a peer.

Parts of aiosmtpd 1.4 that are not public are overridden here, in one place; the version is pinned to 1.4.x.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import structlog
from aiosmtpd.smtp import SMTP

from gateway_core.errors import GatewayError
from mailgate import smtp_replies
from mailgate.errors import BadLine, MailTooLarge

LONGEST_LINE = 65_536  # RFC 5321 §4.5.3.1.6 says 998; devices and scripts do not know
_END = b"\r\n.\r\n"
_BARE = re.compile(r"(\d{3}) (?!\d\.\d+\.\d+)(.*)", re.DOTALL)
_ENHANCED = {
    "221": "2.0.0",
    "252": "2.5.2",
    "500": "5.5.2",
    "501": "5.5.4",
    "502": "5.5.1",
    "503": "5.5.1",
    "552": "5.3.4",
    "555": "5.5.4",
}
_PATH = re.compile(
    r"\s*<(?:@[^:<>]*:)?([^<>]*)>(?:\s+(.*))?", re.DOTALL
)  # RFC 5321 §4.1.2, a source route ignored

log = structlog.get_logger(__name__)


class Protocol(SMTP):
    """One connection."""

    line_length_limit = LONGEST_LINE  # also the reader's limit between commands

    def __init__(self, handler: Any, *, draining: asyncio.Event, **options: Any) -> None:
        self._draining = draining
        self.on_lost: Callable[[Protocol], None] = lambda _: None
        super().__init__(handler, **options)

    # --- the end ----------------------------------------------------------------------------------------

    def connection_lost(self, error: Exception | None) -> None:
        self.on_lost(self)
        super().connection_lost(error)

    def dismiss_if_idle(self) -> None:
        """Say goodbye now, unless a mail is under way: then its own end says it."""
        if self.transport is not None and not (self.envelope and self.envelope.mail_from):
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        self._writer.write(smtp_replies.DRAINING.encode() + b"\r\n")
        self._writer.close()

    def abort(self) -> None:
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    # --- words ------------------------------------------------------------------------------------------

    async def push(self, status: str | bytes) -> None:
        """Aiosmtpd's own replies get the enhanced code that we offer (RFC 2034 §4)."""
        if isinstance(status, str):
            found = _BARE.fullmatch(status)
            if found and found[1] in _ENHANCED:
                status = f"{found[1]} {_ENHANCED[found[1]]} {found[2]}"
        await super().push(status.encode() if isinstance(status, str) else status)

    async def handle_exception(self, error: Exception) -> str:
        """Nothing of ours is shown to a peer, and nothing that went wrong here is final (RFC 5321 §4.2.1)."""
        if isinstance(error, GatewayError):
            return smtp_replies.reply(error)
        trace_id = f"{id(error):x}"
        log.error(
            "smtp command failed", trace=trace_id, peer=self.session and self.session.peer, exc_info=error
        )
        return smtp_replies.unexpected(trace_id)

    # --- addresses --------------------------------------------------------------------------------------

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """`<path> parameters`; the null path stays `<>`. Without angle brackets there is no address."""
        found = _PATH.fullmatch(arg)
        if found is None:
            return None, None
        return (found[1].strip() or "<>"), (found[2] or "").strip()

    # --- data -------------------------------------------------------------------------------------------

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd finds it by name
        if await self.check_helo_needed():
            return
        envelope: Any = self.envelope
        if not envelope.rcpt_tos:
            await self.push("503 5.5.1 need RCPT command")
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        try:
            envelope.content = envelope.original_content = await self._read_data()
            status = await self._call_handler_hook("DATA")
        except GatewayError as error:  # what was read is no mail
            status = self.event_handler.refuse(envelope.transaction, error)
        self._set_post_data_state()  # type: ignore[no-untyped-call]
        await self.push(status)
        if self._draining.is_set():
            self._say_goodbye()

    async def _read_data(self) -> bytes:
        """The mail, dots unstuffed (RFC 5321 §4.5.2). Raises MailTooLarge, BadLine, once all of it was read."""
        reader: Any = self._reader
        most = self.data_size_limit or 0
        # The CRLF that ended the DATA line belongs to the terminator (RFC 5321 §4.1.1.4): an empty mail is `.CRLF`.
        reader._buffer[0:0] = b"\r\n"  # noqa: SLF001
        reader._limit = most + len(_END)  # noqa: SLF001
        try:
            read = await reader.readuntil(_END)
        except asyncio.LimitOverrunError:
            await _skip(reader)
            raise MailTooLarge(f"the mail has more than {most} bytes") from None
        finally:
            reader._limit = self.line_length_limit  # noqa: SLF001
        content: bytes = read[2:-3]
        if b"\r\n." in read[:-3]:
            content = read[:-3].replace(b"\r\n.", b"\r\n")[2:]
        check_lines(content)
        return content


async def _skip(reader: Any) -> None:
    """Read and forget up to the end of the mail, so that the reply is read as an answer to it."""
    while True:
        try:
            await reader.readuntil(_END)
        except asyncio.LimitOverrunError as error:
            await reader.readexactly(max(1, error.consumed))
        else:
            return


def check_lines(content: bytes) -> None:
    """Raises BadLine for a bare CR or LF or a NUL (smuggling: RFC 5321 §2.3.8, CVE-2023-51764), or a long line."""
    ends = content.count(b"\r\n")
    if content.count(b"\n") != ends or content.count(b"\r") != ends or b"\0" in content:
        raise BadLine("the mail has a bare CR, a bare LF or a NUL")
    if len(content) > LONGEST_LINE and max(map(len, content.split(b"\r\n"))) > LONGEST_LINE:
        raise BadLine("the mail has a line over 64 KiB")
