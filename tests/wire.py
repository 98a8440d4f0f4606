"""An SMTP client that says whatever it likes, byte by byte."""

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from typing import Any, Self

from peers_support import require_peer


class Wire:
    """One connection; `reply` is a whole reply, with its code and lines."""

    def __init__(self, port: int, host: str = "127.0.0.1", *, greeted: bool = True) -> None:
        source = None if host == "127.0.0.1" else (host, 0)
        self.socket: socket.socket = socket.create_connection((host, port), timeout=20, source_address=source)
        self._stream: Any = self.socket.makefile("rb")
        self.greeting = self.reply() if greeted else b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stream.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def reply(self) -> bytes:
        """b"" when the line was closed."""
        lines = []
        with contextlib.suppress(ConnectionResetError):
            while line := self._stream.readline():
                lines.append(line)
                if line[3:4] != b"-":
                    break
        return b"".join(lines).rstrip(b"\r\n")

    def say(self, line: bytes) -> bytes:
        """One command; its reply."""
        self.send(line + b"\r\n")
        return self.reply()

    def begin(
        self, sender: bytes = b"alice@acme.example", to: bytes = b"447700900123@sms.localhost"
    ) -> bytes:
        """Up to DATA; the reply to it."""
        self.say(b"EHLO client.example")
        self.say(b"MAIL FROM:<" + sender + b">")
        self.say(b"RCPT TO:<" + to + b">")
        return self.say(b"DATA")

    def mail(self, raw: bytes) -> bytes:
        """A whole mail, as it stands, and the final dot."""
        self.begin()
        return self.say(raw.removesuffix(b"\r\n") + b"\r\n.")

    def start_tls(self, *, trusted: str = "", **options: Any) -> None:
        """Without a certificate to trust, none is asked for."""
        context = ssl.create_default_context(cafile=trusted or None)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED if trusted else ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket, **options)
        self._stream = self.socket.makefile("rb")

    def closed(self, seconds: float = 10) -> bool:
        """Whether the other side closes, with nothing more to say."""
        self.socket.settimeout(seconds)
        with contextlib.suppress(ConnectionResetError):
            try:
                return self._stream.read() == b""
            except TimeoutError:
                return False
        return True


@contextlib.contextmanager
def elsewhere() -> Iterator[str]:
    """An address of this machine that is not loopback, of RFC 5737's range: limits for strangers apply to it."""
    able = shutil.which("ip") is not None and os.getuid() == 0
    require_peer("an address that is not loopback (iproute2, as root)", able)
    address = f"192.0.2.{os.getpid() % 250 + 1}"  # two runs of the suite at once do not meet
    add, remove = (["ip", "addr", verb, f"{address}/32", "dev", "lo"] for verb in ("add", "del"))
    subprocess.run(add, check=True, timeout=20)
    try:
        yield address
    finally:
        subprocess.run(remove, check=True, timeout=20)


def until(condition: Any, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())
