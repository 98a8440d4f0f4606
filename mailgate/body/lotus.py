"""The head of an older mail as Lotus Notes writes it: name, date, then To, cc and Subject; in lines or as a table."""

import re
from collections.abc import Callable, Sequence

_LINES = 16  # of a table
_BELOW = 5  # lines in which the next field of one in lines stands
_WIDEST = 200
_DATE = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4},? +\d{1,2}[:.]\d\d(?:[:.]\d\d)?(?: ?[AaPp][Mm])?")
_FAR = " " * 12  # what stands before a field's name in the table
_TO = frozenset({"to", "an", "à", "a", "para", "til", "till", "aan", "do", "per", "vastaanottaja"})
_SUBJECT = frozenset(
    {"subject", "thema", "betreff", "objet", "asunto", "emne", "ämne", "onderwerp", "oggetto", "temat"}
)
ENDS = (
    " To",
    " An",
    " Subject",
    " Thema",
    " Betreff",
    " Objet",
    " Asunto",
    " Emne",
    " Onderwerp",
    " Oggetto",
)


def head(lines: Sequence[str], at: int, kind: Callable[[str], str]) -> int:
    """How many lines it takes, if it begins at `at`; 0 if it does not. `kind` says what a label is of."""
    return _in_lines(lines, at, kind) or _as_table(lines, at)


def _in_lines(lines: Sequence[str], at: int, kind: Callable[[str], str]) -> int:
    if at + 1 >= len(lines) or not lines[at + 1].strip()[:1].isdigit() or len(lines[at]) > _WIDEST:
        return 0
    if not _DATE.fullmatch(lines[at + 1].strip()[:40]):
        return 0
    to = _next(lines, at + 2, "to", kind)
    subject = _next(lines, to + 1, "subject", kind) if to else 0
    return subject + 1 - at if subject else 0


def _next(lines: Sequence[str], at: int, wanted: str, kind: Callable[[str], str]) -> int:
    found = (here for here in range(at, min(at + _BELOW, len(lines))) if kind(lines[here]) == wanted)
    return next(found, 0)


def _as_table(lines: Sequence[str], at: int) -> int:
    """Names of the fields stand right-aligned far from the margin, what they say to the left or below."""
    if not lines[at].startswith("    "):
        return 0
    to = subject = 0
    for here in range(at, min(at + _LINES, len(lines))):
        line = lines[here].rstrip()
        if line and not line.startswith(" "):
            break
        word = line.rpartition("  ")[2].strip().lower()
        far = _FAR in line
        to = to or (here if far and word in _TO else 0)
        subject = subject or (here if far and to and word in _SUBJECT else 0)
    if not subject:
        return 0
    below = subject + 1  # what it says
    return (below + 1 if below < len(lines) and lines[below].strip() else below) - at
