"""One batch of mail over the connections of its destinations, within the time that it has."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from mailgate.outbound.client import transfer
from mailgate.outbound.pool import Connection, Pool
from mailgate.outbound.sent import Lost, Sent, Times, Unreachable
from mailgate.outbound.signing import Signer
from mailgate.outgoing import Outgoing

_LATE = Sent(gone=False, retry=True, words="the mail server was too slow")

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Letter:
    """A mail to those of its recipients who are behind one destination: a domain, or "" for the smarthost."""

    mail: Outgoing
    to: tuple[str, ...]
    destination: str = ""
    sent: Sent = _LATE


async def deliver(
    letters: Sequence[Letter],
    pool_of: Callable[[str], Pool],
    signer: Signer | None,
    times: Times,
    most: int,
) -> None:
    """Try each letter, and note what became of it. Raises nothing."""
    waiting: dict[str, deque[Letter]] = {}
    for letter in letters:
        waiting.setdefault(letter.destination, deque()).append(letter)
    begun = time.monotonic()
    lines = [
        _Line(pool_of(destination), queue, signer, begun + times.batch).work(most)
        for destination, queue in waiting.items()
    ]
    try:
        async with asyncio.timeout(times.end):
            await asyncio.gather(*lines)
    except TimeoutError:
        log.warning("a mail server was too slow: a batch is cut off")


class _Line:
    """The letters to one destination, and those who work on them."""

    def __init__(self, pool: Pool, waiting: deque[Letter], signer: Signer | None, until: float) -> None:
        self._pool = pool
        self._waiting = waiting
        self._signer = signer
        self._until = until
        self._failure: Unreachable | None = None
        self._led = asyncio.Event()

    async def work(self, most: int) -> None:
        """Over several connections at once, as soon as there is one: a server that is gone, or refuses the login, is
        asked once and not for each letter. Later, whoever gets none leaves the rest to the others.
        """
        destination = self._waiting[0].destination
        with self._pool.in_use():
            done = await asyncio.gather(
                self._lead(),
                *(self._follow() for _ in range(1, min(most, len(self._waiting)))),
                return_exceptions=True,
            )
        for error in done:
            if isinstance(error, Exception):
                log.error("sending failed", exc_info=error)
        if self._failure is not None and self._waiting:
            log.warning("no connection", to=destination or "smarthost", words=str(self._failure))
            for letter in self._waiting:
                letter.sent = Sent(gone=False, retry=self._failure.retry, words=str(self._failure))

    async def _lead(self) -> None:
        try:
            await self._work()
        finally:
            self._led.set()

    async def _follow(self) -> None:
        await self._led.wait()
        if self._failure is None:
            await self._work()

    async def _work(self) -> None:
        while self._waiting and time.monotonic() < self._until:
            try:
                connection = await self._pool.take()
            except Unreachable as failure:
                self._failure = failure
                return
            self._led.set()
            try:
                if self._waiting:
                    await self._try(connection, self._waiting.popleft())
            finally:
                self._pool.give(connection)

    async def _try(self, connection: Connection, letter: Letter) -> None:
        try:
            await self._hand_over(connection, letter)
        except Exception:  # one mail must not keep its neighbours
            log.exception("a mail cannot be sent", mail=letter.mail.id)
            connection.client.close()
            letter.sent = Sent(gone=False, retry=True, words="it cannot be sent: see the log")

    async def _hand_over(self, connection: Connection, letter: Letter) -> None:
        """A kept connection may end just now; then the next one takes the letter, of which nothing was sent."""
        mail = letter.mail
        content = await asyncio.to_thread(self._signer.sign, mail) if self._signer else mail.content
        try:
            letter.sent = await transfer(connection.client, mail.mail_from, letter.to, content)
        except Lost as lost:
            if connection.used:
                self._waiting.appendleft(letter)
            else:
                letter.sent = Sent(gone=False, retry=True, words=str(lost))
        connection.used = True
        connection.clean = letter.sent.gone
