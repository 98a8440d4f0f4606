"""The end of what an author wrote and the begin of what is answered.

Cut are: everything from the first separator (an attribution line without `>` after it, `-----Original
Message-----`, a From/Sent/To/Subject block) and the trailing block of `>` lines with its attribution. Answers
between quoted lines keep the lines that they answer. Each line is looked at a bounded number of times.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from mailgate.body import labels, lotus, phrases

_MAX_LINE = 400  # no attribution is longer; longer lines are not examined
_MAX_LINES = 4  # an attribution is wrapped over at most so many
_VERB_WITHIN = 260  # characters of the end
_INITIALS = re.compile(r"[A-Z][A-Za-z]?>(?: |$)")  # `AB> `, as news readers marked who was quoted
_RULES = "-_=*#\u2010"  # what a line is drawn of
_WRAPPED = 60  # a quoted line as long as this may have been wrapped, the rest without its mark


class Cut(NamedTuple):
    kept: str
    removed: tuple[str, ...]


def cut(text: str, *, guess_trailing: bool = True) -> Cut:
    """`guess_trailing` False: the author set an end marker, only separators are obeyed."""
    lines = text.split("\n")
    if not any(map(_may_begin, lines)) and "---" not in text and "：" not in text:
        return Cut(text, ())
    removed: list[str] = []
    lines = _leading(lines, removed)
    lines = _separators(lines, removed)
    if guess_trailing:
        lines = _trailing(lines, removed)
    kept = "\n".join(lines)
    if kept.strip() and not (removed and _only_attributions(kept)):
        return Cut(kept, tuple(part for part in removed if part.strip()))
    if kept.strip() or _only_attributions(text):  # mails that quote each other until no word is left
        return Cut("", (text,))
    return Cut(text, ())


def _only_attributions(text: str) -> bool:
    lines = [line.strip(" >") for line in text.split("\n")]
    return all(len(line) <= _MAX_LINE and is_attribution(line) for line in lines if line)


def _may_begin(line: str) -> bool:
    """Whether a line can be quoted, a rule, the end of an attribution, or a label: most mails have none of these."""
    line = line.strip()
    if not line:
        return False
    return (
        line[0] in ">-_=*#\u2010"
        or "> " in line
        or line[-1] in ":：*-"
        or line.endswith(lotus.ENDS)
        or (":" in line[:40] and bool(labels.kind(line)))
    )


def _leading(lines: list[str], removed: list[str]) -> list[str]:
    """Quoted matter above the text: a separator with nothing before it goes, and so does what it quotes."""
    start = _next_text(lines, 0)
    length = _separator(lines, start)
    if not length:
        return lines
    end = _after_quote(lines, start + length)
    if not any(line.strip() for line in lines[end:]):
        return lines
    if _goes_on(lines, end):  # answers between what they answer: only the attribution goes
        end = start + length
    removed.append("\n".join(lines[:end]))
    return lines[end:]


def _goes_on(lines: Sequence[str], at: int) -> bool:
    """Whether more is quoted, and answered, behind the answer that begins here."""
    quoted = False
    for line in lines[at:]:
        if quoted and line.strip() and not _quoted(line):
            return True
        quoted = quoted or _quoted(line)
    return False


def _separators(lines: list[str], removed: list[str]) -> list[str]:
    kept: list[str] = []
    at = 0
    while at < len(lines):
        length = _separator(lines, at) if kept else 0
        if not length:
            kept.append(lines[at])
            at += 1
            continue
        follows = _next_text(lines, at + length)
        if not (follows < len(lines) and _quoted(lines[follows])) or not _answered(lines, follows):
            removed.append("\n".join(lines[at:]))
            return kept
        removed.append("\n".join(lines[at : at + length]))
        at += length
    return kept


def _trailing(lines: list[str], removed: list[str]) -> list[str]:
    end = len(lines)
    while end and (not lines[end - 1].strip() or _quoted(lines[end - 1]) or _INITIALS.match(lines[end - 1])):
        end -= 1
    if any(line.strip() for line in lines[end:]):
        removed.append("\n".join(lines[end:]))
        return lines[:end]
    return lines


def _quoted(line: str) -> bool:
    return line.lstrip().startswith(">")


def _next_text(lines: Sequence[str], at: int) -> int:
    while at < len(lines) and not lines[at].strip():
        at += 1
    return at


def _after_quote(lines: Sequence[str], at: int) -> int:
    """Behind a block of quoted lines, blank ones between them and wrapped rests included."""
    end = at
    while at < len(lines):
        if _quoted(lines[at]) or _is_rest(lines, at):
            end = at + 1
        elif lines[at].strip():
            break
        at += 1
    return end


def _is_rest(lines: Sequence[str], at: int) -> bool:
    """A lower-case line between two quoted ones, the first of them full: the sender's program wrapped it."""
    return (
        0 < at < len(lines) - 1
        and _quoted(lines[at - 1])
        and len(lines[at - 1]) >= _WRAPPED
        and _quoted(lines[at + 1])
        and lines[at][:1].islower()
    )


def _answered(lines: Sequence[str], at: int) -> bool:
    """Whether the author goes on after the quote that begins here."""
    end = _next_text(lines, _after_quote(lines, at))
    return end < len(lines) and not _separator(lines, end)


def _separator(lines: Sequence[str], at: int) -> int:
    """How many lines the separator at `at` takes; 0 if there is none."""
    line = lines[at].strip() if at < len(lines) else ""
    if not line or len(line) > _MAX_LINE:
        return 0
    if line[0] == ">":
        return int(line.endswith(" >>>") and phrases.GROUPWISE.fullmatch(line) is not None)
    if phrases.RUN.match(line) or ("---" in line and phrases.NOTES.match(line)):
        return 1
    if line[-1] == ":" or (line[0] in _RULES and line[-1] in _RULES and len(line) > 1):
        ruled = _ruled(lines, at)
        if ruled:
            return ruled
    return _header_block(lines, at) or _attribution(lines, at) or lotus.head(lines, at, labels.kind)


def _ruled(lines: Sequence[str], at: int) -> int:
    """`-----Original Message-----`, or a rule above a header block or a list server's footer."""
    line = lines[at].strip()  # the patterns take a time that grows with the square of blanks in a row
    bare = phrases.RULE.match(line)
    original = not bare and phrases.ORIGINAL.match(line)
    if not bare and not original and not phrases.BETWEEN_RULES.match(line):
        return 0
    below = at + 1
    while below < min(at + 4, len(lines)) and not lines[below].strip():
        below += 1
    block = _header_block(lines, below)
    if block or original:
        return below - at + block
    return below - at if below < len(lines) and phrases.LIST_FOOTER in lines[below][:100].lower() else 0


def _header_block(lines: Sequence[str], at: int) -> int:
    """Lines of a From/Sent/To/Subject block in any of our languages: all four kinds of labels, or three and an
    address, one a sender's; a value may run on for a line or two.
    """
    if at >= len(lines) or not labels.kind(lines[at]):
        return 0
    kinds: set[str] = set()
    end = at
    for number in range(at, min(at + 14, len(lines))):
        kind = labels.kind(lines[number])
        if kind:
            kinds.add(kind)
            end = number + 1
        elif number - end >= 2 or not (lines[number].strip() or _is_labelled(lines, number + 1)):
            break
    enough = len(kinds) >= 4 or (len(kinds) == 3 and any("@" in line for line in lines[at:end]))
    return end - at if "from" in kinds and enough else 0


def _is_labelled(lines: Sequence[str], at: int) -> bool:
    return at < len(lines) and bool(labels.kind(lines[at]))


def _attribution(lines: Sequence[str], at: int) -> int:
    joined = lines[at].strip()
    number = at
    if not joined.endswith(phrases.CLOSES):
        number, joined = _wrapped(lines, at)
        if number == at:
            return 0
    return number - at + 1 if is_attribution(joined, weak=_quote_follows(lines, number)) else 0


def _wrapped(lines: Sequence[str], at: int) -> tuple[int, str]:
    """The last line of an attribution that may begin here and goes on below, and all of it; `at` if none does."""
    first = joined = lines[at].strip()
    opens = phrases.OPENS.match(first)
    if not opens and not ("@" in first and phrases.ADDRESS.search(first)):
        return at, ""
    for number in range(at + 1, min(at + _MAX_LINES, len(lines))):
        line = lines[number].strip()
        if not line or len(line) > _MAX_LINE:
            break
        joined = f"{joined} {line}"
        if line.endswith(phrases.CLOSES):
            is_one = (opens or _quote_follows(lines, number)) and not _begins_itself(line, first)
            return (number, joined) if is_one else (at, "")
    return at, ""


def _begins_itself(line: str, above: str) -> bool:
    """Whether a line is an attribution with its date, so that the one above is somebody's text."""
    return bool(
        phrases.DATE.search(line)
        and not phrases.DATE.search(above)
        and not line[0].isdigit()
        and phrases.OPENS.match(line)
        and is_attribution(line, weak=True)
    )


def _quote_follows(lines: Sequence[str], at: int) -> bool:
    return any(_quoted(line) for line in lines[at + 1 : at + 3])


def is_attribution(line: str, *, weak: bool = False) -> bool:
    """`On … Anna wrote:`: a verb of writing at the end, and an address or a date with its time before it. `weak`,
    where quoted lines follow, takes each of them alone, in whatever language.
    """
    if line.endswith("..."):
        return weak and phrases.NEWS in line
    addressed = "@" in line
    dated = bool(phrases.DATE.search(line) and phrases.TIME.search(line))
    if not (weak or addressed or dated or (line.startswith("----") and line.endswith("----"))):
        return False
    line = " ".join(line.split())  # the patterns try blanks in a row in every division
    if weak and (dated or (addressed and phrases.ADDRESS.search(line))):
        return True
    if addressed and phrases.DATED.match(line):
        return True
    return bool(phrases.WROTE.search(phrases.fold(line[-_VERB_WITHIN:])))
