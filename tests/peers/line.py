"""Lines between two mail servers that break, wait or move: what networks do to a mail on its way."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

_END = b"\r\n.\r\n"


class Line:
    """Everything that comes in at `port` goes on to `upstream`, and back."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.connections = 0  # so far
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        _start(self._accept)

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def up(self, data: bytes, gateway: socket.socket) -> bool:
        """Pass on what the client says; whether the line holds."""
        gateway.sendall(data)
        return True

    def down(self, data: bytes, client: socket.socket) -> bool:
        client.sendall(data)
        return True

    def broken(self) -> None:
        """A connection has ended, or will in a moment."""

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                self.connections += 1
                try:
                    gateway = socket.create_connection(("127.0.0.1", self.upstream))
                except OSError:  # nobody there, for now
                    client.close()
                    continue
                _start(self._pass, client, gateway, self.up)
                _start(self._pass, gateway, client, self.down)

    def _pass(
        self, source: socket.socket, to: socket.socket, send: Callable[[bytes, socket.socket], bool]
    ) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if not send(data, to):
                    break
        self.broken()
        for end in (source, to):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Cut(Line):
    """Breaks once, at the worst moment: after the final dot, before the 250 gets back."""

    def __init__(self, upstream: int, *, after_the_reply: bool) -> None:
        self._after_the_reply = after_the_reply  # False: the gateway may still be at work
        self._tail = b""
        self._ended = False  # the final dot has gone to the gateway
        self.cut = False
        super().__init__(upstream)

    def up(self, data: bytes, gateway: socket.socket) -> bool:
        self._tail = (self._tail + data)[-256:]
        if not self.cut and _END in self._tail:
            self._ended = True
        gateway.sendall(data)
        return self.cut or self._after_the_reply or not self._ended

    def down(self, data: bytes, client: socket.socket) -> bool:
        if self._ended and not self.cut:
            return False
        client.sendall(data)
        return True

    def broken(self) -> None:
        self.cut |= self._ended


class Held(Line):
    """The first command of a mail stands still until it may go on."""

    def __init__(self, upstream: int) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()
        super().__init__(upstream)

    def up(self, data: bytes, gateway: socket.socket) -> bool:
        if b"MAIL FROM" in data:
            self.reached.set()
            self.go_on.wait(20)
        gateway.sendall(data)
        return True


AnyLine = TypeVar("AnyLine", bound=Line)


@contextmanager
def over(line: AnyLine) -> Iterator[AnyLine]:
    try:
        yield line
    finally:
        line.close()


def _start(work: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=work, args=arguments, daemon=True).start()
