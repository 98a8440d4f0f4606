"""Mails made to hurt: each gets its reply, and none keeps the other sessions of the listener waiting."""

import asyncio
import gc
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hostile import BAD_LINE, HOSTILE, NOT_ALLOWED, SENDER, TAKEN, TOO_LARGE, header, small
from mail_support import ROWS, World, world
from wire import Wire, until

from mailgate.cli.running import calm_collector

LONGEST_HOLD = 0.1  # seconds in which the event loop does nothing else
TRIES = 3  # this machine has other work to do as well: the best of these counts
SMALL = 30_000  # bytes, in CRLF; read in the event loop
LARGE = 2_500_000
HUGE = 12_500_000  # most grow in CRLF: about the 25 MB of smtp.max_message_bytes; some need more

# 25 MB: one call into C over all of it holds every thread up, whichever thread makes it
AT_FULL_SIZE = (
    "multiparts in multiparts",
    "parts",
    "nearly delimiters",
    "delimiters inside a line",
    "boundaries that begin alike",
    "boundary of dashes, one line of dashes",
    "header lines",
    "one header line",
    "blank lines first",
    "lost continuation lines first",
    "base64 of one letter a line",
    "quoted soft breaks",
    "uuencoded in many parts",
    "html: closed inside table",
    "flowed: soft ends",
    "text: figures",
    "smime: pieces",
    "smime: empty pieces",
)


def _levels(size: int) -> bytes:
    """As deep as asked, whatever `size` says: 2,000 levels."""
    del size
    levels = (b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(2000))
    return SENDER + b"".join(levels) + b"\nx"


def _addresses(field: bytes, sender: bytes = SENDER) -> Callable[[int], bytes]:
    return header(b"a@b.example,\n ", field + b": ", b"\n", sender)


# figures that are asked for by name: how to make it, of how many bytes, the reply
COUNTED: dict[str, tuple[Callable[[int], bytes], int, str]] = {
    "2,000 levels": (_levels, 0, TOO_LARGE),
    "20,000 parts": (HOSTILE["parts"].make, 20_000 * 8, TOO_LARGE),
    "5,000 addresses in To": (_addresses(b"To"), 70_000, TAKEN),
    "5,000 addresses in Cc": (_addresses(b"Cc"), 70_000, TAKEN),
    "5,000 addresses in From": (_addresses(b"From", b""), 70_000, NOT_ALLOWED),
    "20,000 ( in From": (HOSTILE["open comments in From"].make, 20_100, NOT_ALLOWED),
    "over 64 KiB of ( in From": (HOSTILE["open comments in From"].make, 70_000, BAD_LINE),
    "5,000 encoded words in Subject": (HOSTILE["encoded words in Subject"].make, 70_000, TAKEN),
    "20,000 encoded words in Subject": (HOSTILE["encoded words in Subject"].make, 280_000, TOO_LARGE),
    "8,000 parameters": (HOSTILE["parameters"].make, 70_000, TAKEN),
    "a header of 127 KiB": (header(b"a: b\n", b""), 127 * 1024, TAKEN),
    "a header of 129 KiB": (header(b"a: b\n", b""), 129 * 1024, TOO_LARGE),
}


class Probe:
    """Sleeps 2 ms again and again in the listener's loop, and knows by how much it overslept at most.

    No more counts than the CPU time that this process took meanwhile: what another process takes is not our hold.
    """

    _NAP = 0.002

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.worst = 0.0
        self._running = asyncio.run_coroutine_threadsafe(self._nap(), loop)

    async def _nap(self) -> None:
        while True:
            began, used = time.perf_counter(), time.process_time()
            await asyncio.sleep(self._NAP)
            over = time.perf_counter() - began - self._NAP
            self.worst = max(self.worst, min(over, time.process_time() - used))

    def stop(self) -> None:
        self._running.cancel()


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Probe]]:
    given: dict[str, Any] = ROWS | {"account": [{**ROWS["account"][0], "opening_credit": "1000.00"}]}
    given["number"] = ROWS["number"][:1]
    with world(tmp_path_factory.mktemp("hostile"), given, smtp={"max_message_bytes": 50_000_000}) as w:
        probe = Probe(w.listener._loop)
        before = gc.get_threshold()
        calm_collector()  # as `serve` does: else the collector looks through all that this suite has made
        yield w, probe
        gc.unfreeze()
        gc.set_threshold(*before)
        probe.stop()


def sent(listening: tuple[World, Probe], raw: bytes, wanted: str) -> float:
    """The longest hold while the mail is taken in, decided and answered; the least of some tries."""
    w, probe = listening
    raw = (raw.removesuffix(b"\n") + b"\n.\n").replace(b"\n", b"\r\n")
    holds = []
    for _ in range(TRIES):
        with Wire(w.port) as wire:
            assert wire.begin().startswith(b"354")
            time.sleep(0.005)
            probe.worst = 0.0
            wire.send(raw)
            reply = wire.reply().decode()
            time.sleep(0.005)  # for the nap that the reply fell into
            holds.append(probe.worst)
        assert reply.startswith(wanted), reply
        if holds[-1] < LONGEST_HOLD:
            break
    return min(holds)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_small_one(listening, name):
    assert sent(listening, small(name, SMALL), HOSTILE[name].small) < LONGEST_HOLD


@pytest.mark.parametrize("name", HOSTILE)
def test_a_large_one(listening, name):
    assert sent(listening, HOSTILE[name].make(LARGE), HOSTILE[name].large) < LONGEST_HOLD


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("SOAK") != "1", reason="mails of the largest size run in make soak")
@pytest.mark.parametrize("name", AT_FULL_SIZE)
def test_one_of_full_size(listening, name):
    assert sent(listening, HOSTILE[name].make(HUGE), HOSTILE[name].large) < LONGEST_HOLD


@pytest.mark.parametrize("name", COUNTED)
def test_a_counted_one(listening, name):
    make, size, reply = COUNTED[name]
    assert sent(listening, make(size), reply) < LONGEST_HOLD


def _spin(seconds: float) -> None:
    ends = time.thread_time() + seconds
    while time.thread_time() < ends:
        pass


def test_the_probe_sees_who_holds_the_loop(listening):
    w, probe = listening
    probe.worst = 0.0
    w.listener._loop.call_soon_threadsafe(_spin, 0.15)
    until(lambda: probe.worst > LONGEST_HOLD, 5)
    assert probe.worst > LONGEST_HOLD
