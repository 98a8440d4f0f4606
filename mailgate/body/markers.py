"""Marks by which an author says what to text. They win over guessing."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from mailgate.body import signatures

# only a whole line counts, so that `## heading` or a price of `$$` inside a line is text
_ENDS = ("##", "$$", "{end sms}")
_PAIRS = (("#startsms#", "#endsms#"),)
_FEWEST = 4  # number signs in a whole pair
_SIGNATURE = "--"
_VALUE = re.compile(r"[^\W\d_][\w ]{1,30}: \S")
_MAX_SIGNATURE = 10
_MAX_LOOK = 4000
_MAX_TRIES = 20
_MOST_RULES = 2  # as often as this a separator stands in a mail with a signature and a list's footer


class Marks(NamedTuple):
    """An account's own, besides those that everybody has. All compare without regard to case."""

    pairs: tuple[tuple[str, str], ...] = ()  # what stands before the text and behind it
    ends: tuple[str, ...] = ()  # whole lines
    footers: tuple[str, ...] = ()  # begins of lines; from there on all is cut


NO_MARKS = Marks()


def pair(text: str, own: Sequence[tuple[str, str]] = ()) -> tuple[str, str, str] | None:
    """Before, inside and after the first pair of marks with anything inside: #STARTSMS#…#ENDSMS#, or the account's."""
    if not own and text.count("#") < _FEWEST:
        return None
    folded = text.lower()
    if len(folded) != len(text):  # a few letters grow in lower case; the marks are found by those that do not
        folded = "".join(one if len(one := char.lower()) == 1 else char for char in text)
    found = [place for marks in (*_PAIRS, *own) if (place := _place(text, folded, *marks))]
    if not found:
        return None
    start, begin, end, stop = min(found)
    return text[:start], text[begin:end], text[stop:]


def _place(text: str, folded: str, opening: str, closing: str) -> tuple[int, int, int, int] | None:
    start = folded.find(opening.lower())
    begin = start + len(opening)
    end = folded.find(closing.lower(), begin) if start >= 0 else -1
    if end < 0 or not text[begin:end].strip():
        return None
    return start, begin, end, end + len(closing)


@lru_cache(maxsize=256)  # one for each account that has its own
def _pattern(own: tuple[str, ...]) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """The pattern, and begins of marks without which there is nothing to look for."""
    marks = (*_ENDS, _SIGNATURE, *own)
    words = "|".join(re.escape(mark) for mark in sorted(marks, key=len, reverse=True))
    pattern = re.compile(rf"^[ \t]*({words}) ?[ \t]*$", re.MULTILINE | re.IGNORECASE)
    return pattern, ("",) if own else ("##", "$$", "{", "--")


def end(text: str, own: tuple[str, ...] = (), *, guess: bool = True) -> tuple[str, str, bool] | None:
    """Text before and after the first end marker that has text before it; True if the author set it for us,
    False for the signature separator of RFC 3676 (section 4.3). `guess`: also one that lost its blank on the way.
    """
    pattern, openings = _pattern(own)
    if not any(opening in text for opening in openings):
        return None
    first = len(text) - len(text.lstrip())
    tried = 0
    for found in pattern.finditer(text):
        if found.start() <= first:
            continue
        signature = found[1] == _SIGNATURE
        if signature and not found[0].endswith(" "):
            tried += 1
            if (
                not guess
                or tried > _MAX_TRIES
                or text.count("\n--\n") > _MOST_RULES
                or text.count("```", 0, found.start()) % 2  # inside a block of code
                or not _is_signature(text[found.end() : found.end() + _MAX_LOOK])
            ):
                continue
        return text[: found.start()], text[found.end() :], not signature
    return None


def _is_signature(rest: str) -> bool:
    """Whether a `--` that lost its blank on the way is meant so: little follows, but for quoted lines, and nothing
    that lists values, as a report does.
    """
    following = [line.strip() for line in rest.split("\n") if line.strip() and not line.startswith(">")]
    if len(following) > _MAX_SIGNATURE or (following and following[0].endswith(":")):
        return False
    return not any(_VALUE.match(line) and not signatures.is_contact(line) for line in following)
