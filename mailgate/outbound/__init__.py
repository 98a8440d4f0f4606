"""The door out, to people: the only place that opens a connection to a mail server of theirs.

To a smarthost or straight to the mail exchanges of each domain, over connections that are kept open; or, while none
is set, into var/outbox, a Maildir that the pages show.
"""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any

from mailgate.outbound.batch import Letter, deliver
from mailgate.outbound.destinations import Destinations
from mailgate.outbound.outbox import keep, outbox
from mailgate.outbound.sent import Sent, Times, Unreachable
from mailgate.outbound.signing import signer
from mailgate.outbound.way import MX
from mailgate.outgoing import Outgoing
from mailgate.proof.names import Names
from mailgate.settings import Settings

__all__ = ["MX", "Outbound", "Sent", "Times", "Unreachable", "outbox"]

_THREADS = 16  # that wait for the DNS and for token servers, and sign
_TIMES = Times()
_GOODBYE_SECONDS = 3


class Outbound:
    """One for each process; may be shared by threads. Raises SettingsError.

    Nothing runs before the first mail that leaves this machine.
    """

    def __init__(
        self,
        settings: Settings,
        names: Names | None = None,
        *,
        times: Times = _TIMES,
        mx_port: int = 25,
    ) -> None:
        self._settings = settings
        self._times = times
        self._signer = signer(settings.outbound)
        self._destinations = Destinations(settings, names, times, mx_port)
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._threads = ThreadPoolExecutor(_THREADS, "outbound")
        self.closed = False
        self._tidying: Future[None] | None = None

    def send(self, mails: Sequence[Outgoing]) -> list[Sent]:
        """Send each; results in the same order. Never raises for what a server or a disk does."""
        results: list[Sent | list[Letter]] = [self._begun(mail) for mail in mails]
        letters = [letter for one in results if isinstance(one, list) for letter in one]
        if letters:
            self._deliver(letters)
        return [one if isinstance(one, Sent) else _together(one) for one in results]

    def reach(self) -> str:
        """Log in at the smarthost, and tell where it is. Raises Unreachable, and OSError when nobody answers there."""
        where = self._destinations.reach()
        running = self._submit(self._destinations.try_out())
        if running is not None:
            running.result()
        return where

    def close(self) -> None:
        """End all connections. What is being sent then is to be tried again."""
        with self._lock:
            self.closed = True
            loop, thread = self._loop, self._thread
        if loop is None or thread is None or not thread.is_alive():
            return
        asyncio.run_coroutine_threadsafe(self._end(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _begun(self, mail: Outgoing) -> Sent | list[Letter]:
        """What became of it here, or what has to leave: one letter for each destination."""
        if mail.local or not self._settings.outbound.smarthost:
            return keep(outbox(self._settings), mail)
        if not mail.to:
            return Sent(gone=False, words="it is to nobody")
        return [Letter(mail, to, destination) for destination, to in self._destinations.of(mail.to)]

    def _deliver(self, letters: Sequence[Letter]) -> None:
        most = self._settings.outbound.connections
        pool = self._destinations.pool
        running = self._submit(deliver(letters, pool, self._signer, self._times, most))
        if running is not None:
            with contextlib.suppress(CancelledError):
                running.result()

    def _submit(self, work: Coroutine[Any, Any, None]) -> "Future[None] | None":
        """To the event loop, which begins with the first work; None once it is closed."""
        with self._lock:
            if self.closed:
                work.close()
                return None
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._loop.set_default_executor(self._threads)
                self._thread = threading.Thread(target=self._loop.run_forever, name="outbound", daemon=True)
                self._thread.start()
                self._tidying = asyncio.run_coroutine_threadsafe(self._tidy(), self._loop)
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(self._times.kept / 4)
            await self._destinations.tidy(self._times.kept)

    async def _end(self) -> None:
        if self._tidying is not None:
            self._tidying.cancel()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:  # what is on its way may arrive
            await asyncio.wait(others, timeout=_GOODBYE_SECONDS)
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._destinations.tidy(0, _GOODBYE_SECONDS)
        await asyncio.sleep(0)  # transports close at the next turn of the loop


def _together(letters: Sequence[Letter]) -> Sent:
    """Of one mail. To try again for one of several would mail the others twice: somebody was told, and that counts."""
    if len(letters) == 1:
        return letters[0].sent
    failed = [letter for letter in letters if not letter.sent.gone]
    if len(failed) == len(letters):
        retried = next((letter for letter in failed if letter.sent.retry), failed[0])
        return Sent(gone=False, retry=retried.sent.retry, words=retried.sent.words)
    words = [letter.sent.words for letter in letters if letter.sent.gone and letter.sent.words]
    words += [f"not to {', '.join(letter.to)}: {letter.sent.words}" for letter in failed]
    return Sent(gone=True, words="; ".join(words))
