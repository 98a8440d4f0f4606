"""Bytes of a connection to command lines and mails. Pure: no sockets, no decisions.

Only CRLF.CRLF ends a mail (RFC 5321 §2.3.8, §4.1.1.4): whoever takes less lets one of two servers see a mail that the
other did not (CVE-2023-51764). A command line that a bare LF ended is given out as it is, to be refused. A legacy
profile may take a bare LF as line end.
"""

import re
from collections.abc import Iterator

from gateway_core.errors import GatewayError
from mailgate.errors import BadLine, MailTooLarge

LONGEST_LINE = (
    65_536  # bytes of a line of a mail; RFC 5321 §4.5.3.1.6 says 998, devices and scripts do not know
)
LONGEST_COMMAND = (
    12_288  # bytes with CRLF: a base64 line of AUTH (RFC 4954 §4); 512 for the rest of the world
)
_END = b"\r\n.\r\n"
_ANY_END = re.compile(rb"\r?\n\.\r?\n")
_TAIL = len(_END) - 1
_PIECE = 1 << 20  # bytes
_DOT = ord(".")


class LongCommand(Exception):
    """A command line without an end."""


class Input:
    """What has arrived and was not consumed. `feed`, then ask for lines or, after `begin_mail`, for the mail."""

    def __init__(self, *, repair: bool = False) -> None:
        self._repair = repair
        self._rest = b""
        self._mail = bytearray()
        self._most = 0
        self._tail = b""
        self._fault: GatewayError | None = None
        self.received = 0  # bytes of the mail that is coming in

    def feed(self, data: bytes) -> None:
        self._rest = self._rest + data if self._rest else data

    def clear(self) -> None:
        """Forget what was sent in the clear before TLS began (RFC 3207 §4.2, CVE-2024-34083)."""
        self._rest = b""

    @property
    def held(self) -> int:
        """Bytes of the mail that are kept."""
        return len(self._mail)

    @property
    def waiting(self) -> int:
        """Bytes that were not consumed."""
        return len(self._rest)

    # --- command lines ----------------------------------------------------------------------------------

    def line(self) -> bytes | None:
        """The next command line without its CRLF; None while it has no end.

        A line that a bare LF ended keeps it, so that it can be refused. Raises LongCommand.
        """
        end = self._rest.find(b"\n")
        if end < 0 or end > LONGEST_COMMAND:
            if len(self._rest) > LONGEST_COMMAND:
                raise LongCommand
            return None
        line, self._rest = self._rest[: end + 1], self._rest[end + 1 :]
        if line.endswith(b"\r\n"):
            return line[:-2]
        return line[:-1] if self._repair else line

    # --- mails ------------------------------------------------------------------------------------------

    def begin_mail(self, most: int) -> None:
        """What follows is a mail of up to `most` bytes; the CRLF of the DATA line belongs to its terminator."""
        self._mail, self._most, self._fault, self.received = bytearray(), most, None, 0
        self._tail = b"\r\n"

    def drop_mail(self, fault: GatewayError) -> None:
        """Read on to its end, but keep nothing; then this is what was wrong."""
        self._mail, self._fault = bytearray(), fault

    def mail(self) -> bytes | None:
        """The whole mail as it came, dots still stuffed; None until its end is there.

        Raises MailTooLarge then, or for what it was dropped.
        """
        data, self._rest = self._rest, b""
        if not data:
            return None
        window = self._tail + data
        end = self._end(window)
        if end is None:
            self._keep(data)
            self._tail = window[-_TAIL:]
            return None
        begins, ends = end
        mine = ends - len(self._tail)
        self._keep(data[:mine])
        self._rest = data[mine:]
        if self._fault:
            raise self._fault
        dot = ends - begins - self._line_end(window, begins)
        mail, self._mail = self._mail, bytearray()
        return bytes(memoryview(mail)[: len(mail) - dot])

    def _end(self, window: bytes) -> tuple[int, int] | None:
        if self._repair:
            found = _ANY_END.search(window)
            return found.span() if found else None
        begins = window.find(_END)
        return (begins, begins + len(_END)) if begins >= 0 else None

    @staticmethod
    def _line_end(window: bytes, begins: int) -> int:
        """Length of the line end before the final dot: it belongs to the mail."""
        return 2 if window[begins : begins + 1] == b"\r" else 1

    def _keep(self, data: bytes) -> None:
        self.received += len(data)
        if self._fault is None:
            self._mail += data
            if self.received > self._most + len(b".\r\n"):
                self.drop_mail(MailTooLarge(f"the mail has more than {self._most} bytes"))


# What is done to a whole mail is done piece by piece: one call over 25 MB would hold every other session up.


def unstuffed(raw: bytes) -> bytes:
    """The mail without what made it transparent (RFC 5321 §4.5.2)."""
    if not any(raw[begin] == _DOT or raw.find(b"\r\n.", begin, end) >= 0 for begin, end in _pieces(raw)):
        return raw
    return b"".join(
        [raw[begin:end].removeprefix(b".").replace(b"\r\n.", b"\r\n") for begin, end in _pieces(raw)]
    )


def repaired(raw: bytes) -> bytes:
    """Every line end as CRLF, NULs gone: for devices that know no better (legacy profile)."""
    return b"".join([_repaired(raw[begin:end]) for begin, end in _pieces(raw)])


def _repaired(piece: bytes) -> bytes:
    unix = piece.replace(b"\0", b"").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return unix.replace(b"\n", b"\r\n")


def check_lines(raw: bytes) -> None:
    """Raises BadLine for a bare CR or LF or a NUL (RFC 5321 §2.3.8, §4.5.2), or a line over 64 KiB."""
    for begin, end in _pieces(raw):
        ends = raw.count(b"\r\n", begin, end)
        if raw.count(b"\n", begin, end) != ends or raw.count(b"\r", begin, end) != ends:
            raise BadLine("the mail has a bare CR, a bare LF or a NUL")
    if b"\0" in raw:
        raise BadLine("the mail has a bare CR, a bare LF or a NUL")
    begins = 0
    while len(raw) - begins > LONGEST_LINE + 2:
        end = raw.rfind(b"\r\n", begins, begins + LONGEST_LINE + 2)
        if end < 0:
            raise BadLine("the mail has a line over 64 KiB")
        begins = end + 2


def _pieces(raw: bytes) -> Iterator[tuple[int, int]]:
    """Begin and end of each: behind a line end where there is one, never inside of one."""
    begin = 0
    while begin < len(raw):
        end = begin + _PIECE
        if end < len(raw):
            end = raw.rfind(b"\n", begin, end) + 1 or end - (raw[end - 1] == 13)
        yield begin, end
        begin = end
