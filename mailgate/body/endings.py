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
_FOOTER_LINES = 12
_SENT = (  # without one of these no line is the tagline of a program
    *(
        "sent",
        "send",
        "from m",
        "outlook",
        "envoy",
        "expédi",
        "provenance",
        "enviad",
        "enviat",
        "inviat",
        "trimis",
    ),
    *(
        "verstuurd",
        "verzonden",
        "gestuurd",
        "skicka",
        "sänt",
        "sendt",
        "odesl",
        "odosl",
        "wysłan",
        "отправлен",
    ),
    *("надісла", "изпрат", "στάλθ", "εστάλη", "poslano", "lähetetty", "gửi", "dikirim", "išsiųsta", "sūtīts"),
    *(
        "saadetud",
        "送信",
        "发",
        "發",
        "寄",
        "傳送",
        "보",
        "küldve",
        "gönderildi",
        "رسل",
        "نשל",
        "נשלח",
        "get ",
        "download",
    ),
    *("geschrieben", "gesendet", "verschickt", "written", "posted", "typed"),
)


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
        begin, why = _last_piece(lines, name, own, is_below=is_below or bool(removed))
        if begin >= len(lines):
            break
        removed.append(("\n".join(lines[begin:]), why))
        lines = lines[:begin]
    return Ending(lines, removed)


def _without_blanks(lines: list[str]) -> list[str]:
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    return lines[:end]


def _last_piece(lines: Sequence[str], name: str, own: Sequence[str], *, is_below: bool) -> tuple[int, str]:
    """Where the last piece begins that is not the author's, and what it is; len(lines) if it is."""
    size = len(lines)
    if not size:
        return size, ""
    begin = _own_footer(lines, own)
    if begin < size:
        return begin, "footer"
    if is_below and footers.is_rule(lines[-1]):
        return size - 1, "footer"
    if is_tagline(lines[-1], last=True):
        return size - 1, "tagline"
    begin = _legal(lines)
    if begin < size:
        return begin, "disclaimer"
    begin = _footer(lines)
    if begin < size:
        return begin, "footer"
    return signatures.begins(lines, name), "signature"


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
        if not legal.hints(lines[at]):
            continue
        tries += 1
        if tries > _TRIES or not legal.is_legal("\n".join(lines[at:end])):
            break
        if legal.begins_legal(lines[at], "\n".join(lines[at:end])):
            return at
    return len(lines)


def _footer(lines: Sequence[str]) -> int:
    end = len(lines)
    for at in range(max(_paragraph(lines, end), end - _FOOTER_LINES), end):
        if footers.begins(lines[at], lines[at + 1 : end]):
            return at
    return end


def without_taglines(lines: list[str]) -> Ending:
    """Without those that stand alone between other text, as above an older mail that was answered below it."""
    found = [at for at in range(1, len(lines) - 1) if _stands_alone(lines, at) and _is_tagline(lines[at])]
    if not found or len(found) > _MOST_PIECES:
        return Ending(lines, [])
    gone = set(found)
    kept = [line for at, line in enumerate(lines) if at not in gone]
    return Ending(kept, [(lines[at], "tagline") for at in reversed(found)])


def _stands_alone(lines: Sequence[str], at: int) -> bool:
    return 7 <= len(lines[at]) <= LONGEST and not lines[at - 1].strip() and not lines[at + 1].strip()


def _is_tagline(line: str) -> bool:
    folded = line.lower()
    return any(word in folded for word in _SENT) and is_tagline(line, last=False)
