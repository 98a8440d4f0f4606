"""Line ends of a raw mail."""

import re

_PIECE = 1_048_576  # bytes changed in one call: a call into C holds everything else in the process
_BARE = re.compile(rb"\r(?!\n)")


def unix(raw: bytes) -> bytes:
    """CRLF and bare CR to LF."""
    if b"\r" not in raw:
        return raw
    if len(raw) <= _PIECE:
        return _piece(raw)
    pieces = []
    begin = 0
    while begin < len(raw):
        end = begin + _PIECE
        end += raw[end - 1 : end] == b"\r"
        pieces.append(_piece(raw[begin:end]))
        begin = end
    return b"".join(pieces)


def _piece(raw: bytes) -> bytes:
    """Removing one letter is much faster than exchanging two, and right when each CR has its LF."""
    if _BARE.search(raw):
        return raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return raw.replace(b"\r", b"")
