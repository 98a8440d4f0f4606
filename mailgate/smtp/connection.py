"""One SMTP connection: bytes in and out, time limits, TLS. What is said is decided by its Session."""

import asyncio
from collections.abc import Callable
from typing import cast

import structlog

from gateway_core.errors import GatewayError, NoSpace
from mailgate import smtp_replies
from mailgate.smtp.framing import Input, LongCommand
from mailgate.smtp.recorder import Recorder
from mailgate.smtp.session import Mode, Session
from mailgate.smtp.shared import Shared
from mailgate.smtp.watch import Watch

_AHEAD = 65_536  # bytes that a peer may send while an answer is being made
_COMMANDS_AT_ONCE = 500
_SHUTDOWN_SECONDS = 5.0

log = structlog.get_logger(__name__)


class Connection(asyncio.Protocol):
    """`session` is made by the listener, with `answered` of this connection as its answer."""

    session: Session

    def __init__(
        self,
        shared: Shared,
        on_lost: "Callable[[Connection], None]",
        *,
        repair: bool = False,
        recorder: Recorder | None = None,
    ) -> None:
        self._shared = shared
        self._on_lost = on_lost
        self._recorder = recorder
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._input = Input(repair=repair)
        self._most = shared.state.settings.smtp.max_message_bytes
        self._out: list[str] = []
        self._busy = False  # an answer is being made
        self.blocked = False  # the peer does not take its replies
        self._held_back = False  # reading is paused
        self._half_closed = False
        self._closing = False
        self._taken = 0  # bytes counted in the load
        self._later = False  # the rest of the input has its turn soon
        self._upgrading: asyncio.Task[None] | None = None
        self._watch = Watch(shared.patience, self._loop.time())

    # --- what asyncio calls -----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self._shared.draining:
            self._part(smtp_replies.DRAINING)
        else:
            self._out.append(self.session.greeting())
        self._flush()

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        if not self.blocked:  # who takes no replies is not heard either
            self._watch.touched = self._loop.time()
        self._input.feed(data)
        if not (self._busy or self.blocked or self._later):
            self._work()
        elif self._input.waiting > _AHEAD and self._transport:
            self._held_back = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """A client may close its half after the final dot and still wait for the answer."""
        self._half_closed = True
        unfinished = self._busy or self._later or self.blocked
        return unfinished and not self.session.tls  # TLS knows no half

    def pause_writing(self) -> None:
        self.blocked = True
        self._watch.touched = self._loop.time()

    def resume_writing(self) -> None:
        self.blocked = False
        self._watch.touched = self._loop.time()
        if not self._busy:
            self._work()

    def connection_lost(self, _error: Exception | None) -> None:
        """May be called twice."""
        self._closing = True
        self._transport = None
        if not self._busy:  # else the mail is in memory still, until its answer
            self._give_back()
        if self._recorder:
            self._recorder.finish()
        self._on_lost(self)

    # --- work -------------------------------------------------------------------------------------------

    def _work(self) -> None:
        """As far as the input goes; replies of one round leave in one write (RFC 2920 §3.2)."""
        self._later = False
        for _ in range(_COMMANDS_AT_ONCE):
            if self._busy or self._closing or self.blocked:
                break
            if not (self._take_mail() if self.session.mode is Mode.DATA else self._take_line()):
                break
        else:  # the others get their turn
            self._later = True
            self._loop.call_soon(self._work)
        self._flush()
        if self._busy or self._later or self.blocked:
            return
        if self._half_closed:
            self._close()
        elif self._held_back and self._transport:
            self._held_back = False
            self._transport.resume_reading()

    def _take_line(self) -> bool:
        try:
            line = self._input.line()
        except LongCommand:
            self._part("500 5.5.2 the line is too long")
            return False
        if line is None:
            return False
        if self._recorder:
            self._recorder.command(line)
        self._busy = True
        reply = self.session.command(line)
        if reply is None:
            return False
        self._busy = False
        self._say(reply)
        if self.session.mode is Mode.DATA:
            self._begin_mail()
        elif self._input.waiting and line[:4].upper() == b"DATA":
            # It did not wait for the 354, so what follows is a mail: not to be taken for commands.
            self._part("421 4.7.0 wait for the reply to DATA")
        return True

    def _begin_mail(self) -> None:
        self._watch.begin_mail()
        self._input.begin_mail(self._most)

    def _take_mail(self) -> bool:
        try:
            raw = self._input.mail()
        except GatewayError as error:
            self._give_back()
            self._say(self.session.no_mail(error))
            return True
        if raw is None:
            self._take_load(self._input.held)
            return False
        self._take_load(len(raw))
        if self._recorder:
            self._recorder.mail(raw)
        self._busy = True
        reply = self.session.mail(raw)
        if reply is None:
            return False
        self._busy = False
        self._give_back()
        self._say(reply)
        return True

    def _take_load(self, held: int) -> None:
        """Count what is in memory; a mail that does not fit beside the others is dropped while it comes in."""
        room = self._shared.load.take(held - self._taken)
        self._taken = held
        if not room and self._input.held:
            self._input.drop_mail(NoSpace("too much mail at once; try again in a minute"))
            self._give_back()

    def _give_back(self) -> None:
        self._shared.load.give_back(self._taken)
        self._taken = 0

    def answered(self, reply: str) -> None:
        """The answer that was being made."""
        self._give_back()
        self._busy = False
        self._watch.touched = self._loop.time()
        if self._transport is None:
            return
        try:
            self._say(reply)
            self._work()
        except Exception:  # the edge of a late answer: nobody else ends this connection
            log.exception("connection failed", peer=self.session.peer)
            self.abort()

    # --- replies ----------------------------------------------------------------------------------------

    def _say(self, reply: str) -> None:
        self._out.append(reply)
        mode = self.session.mode
        if mode is Mode.COMMAND:
            if self._shared.draining and self.session.transaction is None:
                self._part(smtp_replies.DRAINING)
        elif mode is Mode.CLOSE:
            self._closing = True
        elif mode is Mode.STARTTLS:
            self._busy = True
            self._input.clear()
            if self._transport:
                self._transport.pause_reading()  # what comes now is for TLS
            self._upgrading = self._loop.create_task(self._upgrade())

    def _part(self, reply: str) -> None:
        self._out.append(reply)
        self._closing = True

    def _flush(self) -> None:
        if self._transport is None:
            return
        if self._out:
            if self._recorder:
                self._recorder.replies(self._out)
            self._transport.write("\r\n".join([*self._out, ""]).encode("ascii", "replace"))
            self._out.clear()
        if self._closing:
            self._close()

    def _close(self) -> None:
        self._closing = True
        if self._transport:
            self._transport.close()

    def abort(self) -> None:
        if self._transport:
            self._transport.abort()

    # --- TLS --------------------------------------------------------------------------------------------

    async def _upgrade(self) -> None:
        certificates, patience = self._shared.certificates, self._shared.patience
        if certificates is None or self._transport is None:
            return
        try:
            secured = await self._loop.start_tls(
                self._transport,
                self,
                certificates.context,
                server_side=True,
                ssl_handshake_timeout=patience.handshake,
                ssl_shutdown_timeout=_SHUTDOWN_SECONDS,
            )
        except (
            OSError,
            RuntimeError,
        ) as error:  # ssl.SSLError is an OSError; uvloop raises RuntimeError when closed
            log.info("no TLS handshake", peer=self.session.peer, why=str(error))
            self.abort()
            self.connection_lost(error)  # which the failed handshake keeps to itself
            return
        if secured is None or self._closing:
            self.connection_lost(None)
            return
        self._transport, self.blocked = secured, False
        self._watch.touched = self._loop.time()
        self._input.clear()
        self.session.secured()
        self._busy = False
        self._work()

    # --- time -------------------------------------------------------------------------------------------

    def look_at(self, now: float) -> None:
        """Called every second: who takes too long is told so and parted from."""
        if self._closing or self.blocked:
            if self._watch.takes_no_replies(now):
                self.abort()
        elif not self._busy and self._overdue(now):
            log.info("peer took too long", peer=self.session.peer)
            self._part(smtp_replies.TOO_SLOW)
            self._flush()

    def _overdue(self, now: float) -> bool:
        if self.session.mode is Mode.DATA:
            return self._watch.mail_overdue(now, self._input.received)
        return self._watch.overdue(now, self.session.accepted)

    def dismiss(self) -> None:
        """Say goodbye now, unless a mail is under way: then its own end says it."""
        if not self._busy and self.session.transaction is None and not self._closing:
            self._part(smtp_replies.DRAINING)
            self._flush()
