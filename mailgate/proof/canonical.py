"""The two forms of a body that is signed (RFC 6376, section 3.4), piece by piece.

One call over 25 MB would hold every other session up, and a copy of it would cost as much memory again. So there is
never more of the form than one piece.
"""

from collections.abc import Iterator

_PIECE = 65_536  # octets
_ENDS = b"\r\n"
_BLANKS = b" \t\r\n"


def pieces(raw: bytes, start: int, algorithm: bytes) -> Iterator[bytes]:
    """The form of the body that begins at `start`; `algorithm` is b"simple" or b"relaxed". Together they are the
    same, however long the lines are and wherever a piece ends.
    """
    relaxed = algorithm == b"relaxed"
    end = filled(raw, start, _BLANKS if relaxed else _ENDS)
    cut = (raw[begin : min(begin + _PIECE, end)] for begin in range(start, end, _PIECE))
    yield from _relaxed(cut) if relaxed else cut
    if end > start or not relaxed:
        yield b"\r\n"


def filled(raw: bytes, start: int, blanks: bytes = _BLANKS) -> int:
    """Where `raw` from `start` on ends without the `blanks` at its end."""
    end = len(raw)
    while end > start:
        begin = max(start, end - _PIECE)
        kept = len(raw[begin:end].rstrip(blanks))
        if kept:
            return begin + kept
        end = begin
    return start


def _relaxed(cut: Iterator[bytes]) -> Iterator[bytes]:
    """Runs of blanks as one space, none before a line end (section 3.4.4).

    Replacing is much faster than an expression, which would stop at each word; a run halves with each round.
    """
    rest = b""
    for one in cut:
        piece = rest + one.replace(b"\t", b" ")
        while b"  " in piece:
            piece = piece.replace(b"  ", b" ")
        piece = piece.replace(b" \r\n", b"\r\n")
        # what the next piece decides: whether a blank goes on, or stands before a line end
        kept = len(piece.removesuffix(b"\r").removesuffix(b" "))
        rest = piece[kept:]
        yield piece[:kept]
    yield rest
