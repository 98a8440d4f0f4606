"""Before the first byte of SMTP: the PROXY header of a trusted balancer, and robots that talk first."""

import asyncio
import contextlib
import socket

from mailgate.smtp import proxy

_EARLY = b"554 5.5.1 the server speaks first\r\n"
_LONGEST_HEADER = 8192


async def proxied(accepted: socket.socket) -> str:
    """Take the PROXY header off a socket; the client's address, "" when the balancer speaks for itself.

    Raises proxy.BadHeader, OSError, ConnectionError. What follows the header stays in the socket, for TLS.
    """
    loop = asyncio.get_running_loop()
    seen = 0
    while True:
        await _readable(loop, accepted)
        data = accepted.recv(_LONGEST_HEADER, socket.MSG_PEEK)
        if not data:
            raise ConnectionError("gone before the PROXY header")
        header = proxy.read(data)
        if header is not None:
            accepted.recv(header.length)
            return header.source
        if len(data) == seen:  # nothing new: the socket stays readable while what was peeked at is not taken
            await asyncio.sleep(0.02)
        seen = len(data)


async def _readable(loop: asyncio.AbstractEventLoop, accepted: socket.socket) -> None:
    ready = loop.create_future()

    def readable() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(accepted, readable)
    try:
        await ready
    finally:
        loop.remove_reader(accepted)


def talks_early(accepted: socket.socket) -> bool:
    """Whether the client sent something before the banner, as robots do; then it is told so and parted from."""
    try:
        sent = accepted.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    if sent:
        with contextlib.suppress(OSError):
            accepted.send(_EARLY)
            accepted.recv(65_536)  # else the reset that follows unread bytes overtakes the reply
    return True
