"""Frames between a process and its child: four octets of length, then one pickle.

Pickle trusts whoever made it. So frames are spoken only over a socketpair that a child inherits from the process
that started it: nobody else can write into that. What both sides have, and what only one of them may use, crosses
as a name and a key: see References.
"""

import asyncio
import contextlib
import copyreg
import io
import pickle
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

_LENGTH = struct.Struct(">I")
_BUFFERED = 1 << 20  # bytes that may wait for the other side, before who writes is asked to pause

# Objects of a type cross as (name, key of the object).
References = Mapping[type, tuple[str, Callable[[Any], Any]]]
# What a name and a key stand for on the other side. Raises LookupError for what is not there.
Finds = Mapping[str, Callable[[Any], Any]]
Note = tuple[str, Any]  # what the two processes tell each other: its name, and a value


class Packer:
    """Values into frames."""

    def __init__(self, references: References | None = None) -> None:
        self._table: dict[type, Callable[[Any], Any]] = dict(copyreg.dispatch_table)
        for kind, (name, key) in (references or {}).items():
            self._table[kind] = partial(_reference, name, key)

    def pack(self, value: Any) -> bytes:
        """Raises what the value raises when it cannot be pickled: PicklingError, TypeError, AttributeError …"""
        buffer = io.BytesIO()
        buffer.write(bytes(_LENGTH.size))
        pickler = pickle.Pickler(buffer, pickle.HIGHEST_PROTOCOL)
        pickler.dispatch_table = self._table
        pickler.dump(value)
        frame = buffer.getbuffer()
        _LENGTH.pack_into(frame, 0, len(frame) - _LENGTH.size)
        return bytes(frame)


def _reference(name: str, key: Callable[[Any], Any], found: Any) -> tuple[Any, ...]:
    return refer, (name, key(found))


def refer(name: str, key: Any) -> Any:
    """Stands in a frame for an object that did not cross."""
    raise LookupError(f"{name} {key} is known only where the frame is read")


class Unpacker:
    """Frames into values. `missing` is what the last frame named and `finds` has not got: None stands in its place."""

    def __init__(self, finds: Finds | None = None) -> None:
        self.missing: list[tuple[str, Any]] = []
        self._finds = finds or {}
        self._globals: dict[tuple[str, str], Any] = {(__name__, refer.__name__): self._find}

    def _find(self, name: str, key: Any) -> Any:
        try:
            return self._finds[name](key)
        except LookupError:
            self.missing.append((name, key))
            return None

    def unpack(self, frame: bytes) -> Any:
        self.missing = []
        reading = _Unpickler(io.BytesIO(frame))
        reading.globals = self._globals
        return reading.load()


class _Unpickler(pickle.Unpickler):
    globals: dict[tuple[str, str], Any]

    def find_class(self, module: str, name: str, /) -> Any:
        found = self.globals.get((module, name))
        if found is None:
            found = self.globals[module, name] = super().find_class(module, name)
        return found


class Link(asyncio.Protocol):
    """One end of a link, in the running event loop. Subclasses say what a frame means, and what is to be said.

    What is to be said is gathered, and said once in a turn of the loop.
    """

    def __init__(self, packer: Packer, unpacker: Unpacker) -> None:
        self._packer, self._unpacker = packer, unpacker
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._paused = False  # the other side does not read
        self._lost = False
        self._called = False
        self._notes: deque[Note] = deque()
        self._once: dict[Note, None] = {}
        self.on_note: Callable[[str, Any], None] = lambda _name, _value: None
        self.on_lost: Callable[[], None] = lambda: None

    async def connect(self, link: socket.socket) -> None:
        await self._loop.create_unix_connection(lambda: self, sock=link)

    def tell(self, name: str, value: Any = None, *, once: bool = False) -> None:
        """Say something to the other side. May be called from any thread; nobody hears it when the link is lost.

        `once`: the same note (hashable) is said once in a turn of the loop.
        """
        if once:
            self._once[name, value] = None
        else:
            self._notes.append((name, value))
        self._soon()

    # --- for subclasses ---------------------------------------------------------------------------------

    def received(self, frame: bytes) -> None:
        raise NotImplementedError

    def flush(self) -> None:
        """Say what is to be said. Sets `_called` to False first."""
        raise NotImplementedError

    def _soon(self) -> None:
        if self._called:
            return
        self._called = True
        if threading.get_ident() == self._thread:
            self._loop.call_soon(self.flush)
        else:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and so has the link
                self._loop.call_soon_threadsafe(self.flush)

    def _taken_notes(self) -> list[Note]:
        notes = [self._notes.popleft() for _ in range(len(self._notes))]
        while self._once:
            notes.append(self._once.popitem()[0])
        return notes

    def _heard(self, notes: list[Note]) -> None:
        for name, value in notes:
            self.on_note(name, value)

    # --- what asyncio calls -----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(_BUFFERED)
        self.flush()

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        self._lost = True
        self.on_lost()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self.flush()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        start, end = 0, len(buffer)
        while end - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, start)
            if end - start - _LENGTH.size < length:
                break
            start += _LENGTH.size
            self.received(bytes(buffer[start : start + length]))
            start += length
        del buffer[:start]
