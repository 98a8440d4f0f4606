"""Load: Postfix' smtp-source where it can do it, else sessions of our own. Both wait for each reply in turn."""

import asyncio
import random
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import mails
import uvloop

SOURCE = "/usr/sbin/smtp-source"
SESSIONS = 32
SECONDS = 300  # no load takes longer


class Broken(Exception):
    """A figure that would not be true: a server refused or died, or counts differ."""


def smtp_source(port: int, count: int, mail: tuple[str, str], *, keep: bool = True) -> float:
    """Mails a second; `keep`: many mails a session, as a mail server does it, or a connection for each."""
    envelope = ("-f", mails.SENDER, "-t", mails.RECIPIENT)
    command = [SOURCE, "-s", str(SESSIONS), "-m", str(count), *envelope, *mail]
    if keep:
        command.append("-d")
    began = time.perf_counter()
    done = subprocess.run(
        [*command, f"127.0.0.1:{port}"], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if done.returncode:
        raise Broken(f"smtp-source: {done.stderr.strip()}")
    return count / (time.perf_counter() - began)


@dataclass(frozen=True)
class Mail:
    due: float  # seconds after the start; 0: at once
    recipients: list[str]
    content: bytes  # with the final dot


def send(port: int, count: int, *, recipients: int = 1) -> float:
    """Short mails to numbers that vary, as many recipients each. Returns texts a second."""
    began = time.perf_counter()
    uvloop.run(_send(port, (_mail(recipients) for _ in range(count))))
    return count * recipients / (time.perf_counter() - began)


def waits(port: int, count: int, *, a_second: float) -> list[float]:
    """Seconds from the final dot to the reply, sorted; mails come at random moments (Poisson)."""
    chance, due, planned = random.Random(1), 0.0, []
    for _ in range(count):
        due += chance.expovariate(a_second)
        planned.append(_mail(1, due))
    return sorted(uvloop.run(_send(port, iter(planned))))


def _mail(recipients: int, due: float = 0.0) -> Mail:
    number, content = mails.short()
    return Mail(due, [mails.phone(number * recipients + i) for i in range(recipients)], content)


async def _send(port: int, work: Iterator[Mail]) -> list[float]:
    """All sessions take from the same pile; how long each final dot waited."""
    waited: list[float] = []
    began = time.perf_counter()
    async with asyncio.timeout(SECONDS):
        await asyncio.gather(*(_session(port, work, began, waited) for _ in range(SESSIONS)))
    return waited


async def _session(port: int, work: Iterator[Mail], began: float, waited: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def say(line: bytes, wanted: bytes) -> None:
        writer.write(line)
        reply = await reader.readline()
        if not reply.startswith(wanted + b" "):
            raise Broken(f"{line[:60]!r} was answered {reply!r}")

    await say(b"", b"220")
    await say(b"HELO load.example\r\n", b"250")
    for mail in work:
        if mail.due:
            await asyncio.sleep(began + mail.due - time.perf_counter())
        await say(f"MAIL FROM:<{mails.SENDER}>\r\n".encode(), b"250")
        for recipient in mail.recipients:
            await say(f"RCPT TO:<{recipient}>\r\n".encode(), b"250")
        await say(b"DATA\r\n", b"354")
        dotted = time.perf_counter()
        await say(mail.content, b"250")
        waited.append(time.perf_counter() - dotted)
    await say(b"QUIT\r\n", b"221")
    writer.close()
