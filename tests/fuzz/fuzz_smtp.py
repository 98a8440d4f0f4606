"""Fuzzes the SMTP protocol: `python tests/fuzz/fuzz_smtp.py --seconds 600`. Exit 1 with a reproducer on a finding.

The real Connection and Session run over a transport in memory; only the decisions behind them are answered at once.
What must hold for any bytes, however they are cut into pieces:
- nothing is raised, and nothing of ours is shown;
- each reply is a whole one (RFC 5321 §4.2), with an enhanced code where one belongs (RFC 2034 §4);
- the same bytes in other pieces give the same replies and the same mails;
- a mail that is taken has no bare CR, LF or NUL, and no end of data inside: nothing was smuggled;
- bytes counted as being in hand are given back.
"""

import argparse
import asyncio
import random
import re
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import structlog

from gateway_core.submit import Outcome
from mailgate import intake
from mailgate.checks import Recipient
from mailgate.errors import UnknownName
from mailgate.settings import Settings
from mailgate.smtp import handler as handling
from mailgate.smtp.connection import Connection
from mailgate.smtp.handler import Handler
from mailgate.smtp.session import Session
from mailgate.smtp.shared import Load, Patience, Shared

_MOST = 2048  # bytes of a mail: small, so that the limit is met
_REPLY = re.compile(rb"(?:\d{3}-[ -~]*\r\n)*(\d{3}) ([ -~]*)\r\n")
_ENHANCED = re.compile(rb"[245]\.\d{1,3}\.\d{1,3} ")
_BARE = re.compile(rb"(?<!\r)\n|\r(?!\n)|\0")
_WITHOUT_ENHANCED = {b"220", b"221", b"250", b"334", b"354"}

_WORDS: Sequence[bytes] = (
    b"EHLO c\r\n",
    b"HELO c\r\n",
    b"MAIL FROM:<a@b.c>\r\n",
    b"MAIL FROM:<>\r\n",
    b"MAIL FROM:<a@b.c> SIZE=99999\r\n",
    b"MAIL FROM:<a@b.c> RET=FULL ENVID=x+2By SMTPUTF8 BODY=8BITMIME AUTH=<>\r\n",
    b"RCPT TO:<1@b.c>\r\n",
    b"RCPT TO:<unknown@b.c>\r\n",
    b"RCPT TO:<1@b.c> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x\r\n",
    b"DATA\r\n",
    b"RSET\r\n",
    b"NOOP\r\n",
    b"QUIT\r\n",
    b"VRFY x\r\n",
    b"HELP\r\n",
    b"EXPN x\r\n",
    b"STARTTLS\r\n",
    b"AUTH PLAIN AGEAYg==\r\n",
    b"AUTH LOGIN\r\n",
    b"BDAT 5 LAST\r\n",
    b"From: a@b.c\r\n\r\ntext\r\n.\r\n",
    b"\r\n.\r\n",
    b".\r\n",
    b"\n.\n",
    b"\r.\r",
    b"\r\n.\n",
    b"\n.\r\n",
    b"\r\n\0.\r\n",
    b"..\r\n",
    b"\r\n..\r\n",
    b"\r",
    b"\n",
    b"\0",
    b"<",
    b">",
    b"=",
    b"x" * 700,
    b"y" * 70_000,
    "ü".encode(),
    b"\xff",
)
_START = (b"EHLO c\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<1@b.c>\r\nDATA\r\n", b"EHLO c\r\n", b"")


class Transport:
    """In memory; takes what is written until it is closed."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading


class Fuzzed:
    """The parts that stay the same for all inputs."""

    def __init__(self) -> None:
        settings = Settings.model_validate({"smtp": {"max_message_bytes": _MOST}})
        state: Any = SimpleNamespace(settings=settings)
        self.shared = Shared(state, Load(10**9), None, Patience())
        self.handler = Handler(state)
        self.logins: Any = SimpleNamespace(usable=lambda: False, password_hash=lambda _: "")
        self.mails: list[bytes] = []
        handling.checks.check = _check  # type: ignore[assignment]
        handling.checks.reads = lambda *_: False
        handling.refused.note = lambda *_: None
        handling.refused.note_spoof = lambda *_: None
        handling.proving.needed = lambda *_: False
        intake.accept = self._accept  # type: ignore[assignment]

    def _accept(
        self, _state: Any, _envelope: Any, _recipients: Any, _mail: Any, raw: bytes, *_more: Any
    ) -> Any:
        self.mails.append(raw)
        done: Future[Outcome] = Future()
        done.set_result(Outcome(1, ()))
        return done

    def run(self, pieces: Sequence[bytes]) -> tuple[bytes, list[bytes]]:
        """What is replied, and the mails that were taken."""
        self.mails = []
        transport: Any = Transport()
        connection = Connection(self.shared, lambda _lost: None)
        connection.session = Session(self.shared, self.handler, self.logins, "127.0.0.1", connection.answered)
        connection.connection_made(transport)
        for piece in pieces:
            if transport.closed:
                break
            connection.data_received(piece)
        connection.connection_lost(None)
        return transport.written, self.mails


def _check(_state: Any, _envelope: Any, address: str) -> Recipient:
    if address.startswith("unknown"):
        raise UnknownName("no such name")
    return Recipient(address)


def check(fuzzed: Fuzzed, data: bytes, rng: random.Random) -> str:
    """What is wrong with how these bytes are treated; "" when nothing is."""
    replies, mails = fuzzed.run([data])
    at = 0
    while at < len(replies):
        found = _REPLY.match(replies, at)
        if found is None:
            return f"not a reply: {replies[at : at + 80]!r}"
        if found[1] not in _WITHOUT_ENHANCED and not _ENHANCED.match(found[2]):
            return f"no enhanced code: {found[0]!r}"
        if len(found[2]) > 508 or found[1] == b"451":
            return f"too long, or a fault of ours: {found[0]!r}"
        at = found.end()
    for mail in mails:
        if _BARE.search(mail) or (
            b"\r\n.\r\n" in mail.replace(b"\r\n..", b"\r\n") and data.count(b"..") == 0
        ):
            return f"smuggled: {mail!r}"
    if fuzzed.shared.load.bytes:
        return f"{fuzzed.shared.load.bytes} bytes are not given back"
    for pieces in (_cut(data, rng), [data[i : i + 1] for i in range(len(data))] if len(data) < 3000 else []):
        if pieces and not _alike(fuzzed.run(pieces), (replies, mails)):
            return f"in pieces {[len(piece) for piece in pieces][:40]} it is treated in another way"
    return ""


def _alike(one: tuple[bytes, list[bytes]], other: tuple[bytes, list[bytes]]) -> bool:
    """Who sends a mail behind a refused DATA without waiting is parted from: the one thing that time decides."""
    hurried = [end for end in (replies.find(b"421 4.7.0 wait") for replies, _ in (one, other)) if end >= 0]
    if hurried:
        return one[0][: min(hurried)] == other[0][: min(hurried)]
    return one == other


def _cut(data: bytes, rng: random.Random) -> list[bytes]:
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(6)))
    return [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if begin < end]


def made(rng: random.Random) -> bytes:
    """A dialogue out of words, some of them spoilt."""
    words = [rng.choice(_START)]
    for _ in range(rng.randrange(1, 12)):
        word = rng.choice(_WORDS)
        if rng.random() < 0.2:
            spoilt = bytearray(word)
            for _ in range(rng.randrange(1, 4)):
                spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
            word = bytes(spoilt)
        words.append(word)
    return b"".join(words)


async def fuzz(seconds: float, seed: int) -> tuple[int, str, bytes]:
    """How many inputs were tried, and the first finding with its input."""
    rng, fuzzed, tried = random.Random(seed), Fuzzed(), 0
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        data = made(rng)
        try:
            fault = check(fuzzed, data, rng)
        except Exception as error:  # noqa: BLE001 - that is a finding
            fault = f"raised {error!r}"
        if fault:
            return tried, fault, data
        tried += 1
    return tried, "", b""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    tried, fault, data = asyncio.run(fuzz(arguments.seconds, arguments.seed))
    if fault:
        path = Path(f"fuzz-smtp-{arguments.seed}-{tried}.bin")
        path.write_bytes(data)
        raise SystemExit(f"{fault}\n{data[:2000]!r}\nkept in {path}")
    print(f"smtp: {tried} dialogues, seed {arguments.seed}, no finding")


if __name__ == "__main__":
    main()
