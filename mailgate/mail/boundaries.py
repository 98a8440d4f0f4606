"""Delimiter lines between the parts of a multipart (RFC 2046, section 5.1.1)."""

import re
from collections.abc import Iterator

_LARGE = 65_536  # bytes; from here on a pattern of its own for the boundary is worth its price
_WINDOW = 1_048_576  # bytes searched in one call: a call into C holds everything else in the process
_LOOK = 4096  # bytes of a multipart without a boundary in which a first delimiter is sought
_LOST = re.compile(rb"^--([^\s-].{0,66}|-+[^\s-].{0,60})$", re.MULTILINE)
_MAY_FOLLOW = frozenset(b"\n\r\t\v\f -")


def lost(raw: bytes, start: int, end: int) -> bytes:
    """The boundary that was not declared, as the first line that looks like a delimiter says; or b""."""
    found = _LOST.search(raw, start, min(end, start + _LOOK))
    return found[1].rstrip() if found else b""


def between(raw: bytes, boundary: bytes, start: int, end: int, most: int) -> list[tuple[int, int]]:
    """Where the first `most` parts lie; a lost last delimiter is forgiven. `start` is the begin of a line."""
    found: list[tuple[int, int]] = []
    begin = -1
    search = _simply if end - start < _LARGE else _in_windows
    for at, stop, last in search(raw, b"--" + boundary, start, end):
        if begin >= 0:
            found.append((begin, max(begin, at)))
        if last or len(found) >= most:
            return found
        begin = min(stop + 1, end)
    if begin >= 0:
        found.append((begin, end))
    return found


def _simply(raw: bytes, mark: bytes, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
    """Delimiter lines: where the line before ends, where they end, and whether it is the last one."""
    mark = b"\n" + mark
    at = raw.find(mark, max(start - 1, 0), end)
    while at >= 0:
        after = at + len(mark)
        if after >= end or raw[after] in _MAY_FOLLOW:
            stop = raw.find(b"\n", after, end)
            stop = end if stop < 0 else stop
            rest = raw[after:stop].rstrip()
            if rest in {b"", b"--"}:
                yield at, stop, bool(rest)
        at = raw.find(mark, after, end)


def _in_windows(raw: bytes, mark: bytes, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
    """The same for many lines, of which many may begin like delimiters."""
    line = re.compile(rb"\n" + re.escape(mark) + rb"(--)?[ \t\r\v\f]*(?=\n|\Z)")
    begin = max(start - 1, 0)
    while begin < end:
        stop = raw.find(b"\n", begin + _WINDOW, end)
        stop = end if stop < 0 else stop
        for found in line.finditer(raw, begin, stop):
            yield found.start(), found.end(), bool(found[1])
        begin = stop
