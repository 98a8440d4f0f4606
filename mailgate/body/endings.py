"""What stands below the text and is not part of it: taglines, scanners' reports, legal notices, address blocks.

It is taken off from the last line up, a piece at a time, each with its reason; what is looked at for one piece has a
bounded length, and the number of pieces too.
"""

from collections.abc import Sequence
from typing import NamedTuple

from mailgate.body import footers, legal, signatures
from mailgate.body.taglines import LONGEST, is_tagline

_MOST_PIECES = 60
_PARAGRAPHS = 12  # from the end up, in which a legal notice may begin
_LINES = 40  # of a paragraph that are looked at
_TRIES = 10


class Ending(NamedTuple):
    kept: list[str]
    removed: list[tuple[str, str]]  # piece and why, from the last one up


def cut(lines: list[str], *, name: str = "", own: Sequence[str] = (), is_below: bool = False) -> Ending:
    """`name` is the one that From shows; `own` are begins of lines with which an account's own footers begin.
    `is_below`: something was cut below already.
    """
    removed: list[tuple[str, str]] = []
    while len(removed) < _MOST_PIECES:
        lines = _without_blanks(lines)
        begin, end, why = _last_piece(lines, name, own, is_below=is_below or bool(removed))
        if begin >= end:
            break
        removed.append(("\n".join(lines[begin:end]), why))
        lines = lines[:begin] + lines[end:]
    return Ending(lines, removed)


def _without_blanks(lines: list[str]) -> list[str]:
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    return lines[:end]


def _last_piece(
    lines: Sequence[str], name: str, own: Sequence[str], *, is_below: bool
) -> tuple[int, int, str]:
    """Where the last piece stands that is not the author's, and what it is; an empty stretch if there is none."""
    size = len(lines)
    if not size:
        return 0, 0, ""
    begin = _own_footer(lines, own)
    if begin < size:
        return begin, size, "footer"
    begin = _legal(lines)
    if begin < size:
        return begin, size, "disclaimer"
    if is_below and (footers.is_rule(lines[-1]) or footers.is_link(lines[-1])):
        return size - 1, size, "footer"
    if is_tagline(lines[-1], last=True):
        return size - 1, size, "tagline"
    begin = _footer(lines)
    if begin < size:
        return begin, size, "footer"
    return *signatures.find(lines, name), "signature"


def notices(lines: list[str], *, own: Sequence[str] = ()) -> Ending:
    """Of a machine's mail: without the account's own footers, and without legal notices that are its last paragraphs.
    What stands below a notice is the machine's: a report may hold one.
    """
    begin = _own_footer(lines, own)
    removed = [("\n".join(lines[begin:]), "footer")] if begin < len(lines) else []
    lines = _without_blanks(lines[:begin])
    for _ in range(_PARAGRAPHS):
        begin = _legal_in(lines, _paragraph(lines, len(lines)), len(lines))
        if begin >= len(lines):
            break
        removed.append(("\n".join(lines[begin:]), "disclaimer"))
        lines = _without_blanks(lines[:begin])
    return Ending(lines, removed)


def _own_footer(lines: Sequence[str], own: Sequence[str]) -> int:
    """The first line that begins like one of the account's footers, if there is text before it."""
    if not own:
        return len(lines)
    wanted = tuple(footer.casefold() for footer in own)
    found = (at for at, line in enumerate(lines) if at and line.strip()[:400].casefold().startswith(wanted))
    return next(found, len(lines))


def _paragraph(lines: Sequence[str], end: int) -> int:
    """Where the paragraph begins that ends before `end`."""
    at = end
    while at and end - at < _LINES and lines[at - 1].strip():
        at -= 1
    return at


def _legal(lines: Sequence[str]) -> int:
    """The first of the last paragraphs in which a legal notice begins; what follows belongs to it."""
    found = end = len(lines)
    if not legal.hints("\n".join(lines[-_LINES * _PARAGRAPHS :]).lower()):
        return found
    for _ in range(_PARAGRAPHS):
        begin = _paragraph(lines, end)
        if begin < end and not lines[begin].lstrip().startswith(">"):
            found = min(found, _legal_in(lines, begin, end))
        while begin and not lines[begin - 1].strip():
            begin -= 1
        if not begin:
            break
        end = begin
    return found


def _legal_in(lines: Sequence[str], begin: int, end: int) -> int:
    tries = 0
    for at in range(begin, end):
        if not legal.hints(lines[at].lower()):
            continue
        tries += 1
        if tries > _TRIES or not legal.is_legal("\n".join(lines[at:end])):
            break
        if legal.begins_legal(lines[at], "\n".join(lines[at:end])):
            return at
    return len(lines)


def _footer(lines: Sequence[str]) -> int:
    last = lines[max(_paragraph(lines, len(lines)), len(lines) - footers.MOST_LINES) :]
    return len(lines) - len(last) + footers.begin(last)


def without_taglines(lines: list[str]) -> Ending:
    """Without those that stand alone between other text, as above an older mail that was answered below it."""
    found = [
        at
        for at in range(1, len(lines) - 1)
        if _stands_alone(lines, at) and is_tagline(lines[at], last=False)
    ]
    if not found or len(found) > _MOST_PIECES:
        return Ending(lines, [])
    gone = set(found)
    kept = [line for at, line in enumerate(lines) if at not in gone]
    return Ending(kept, [(lines[at], "tagline") for at in reversed(found)])


def _stands_alone(lines: Sequence[str], at: int) -> bool:
    return 7 <= len(lines[at]) <= LONGEST and not lines[at - 1].strip() and not lines[at + 1].strip()
