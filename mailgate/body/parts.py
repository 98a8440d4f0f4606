"""Which part of a mail is the text that its author meant."""

import re
from collections.abc import Iterator

from mailgate.mail import Part

_TEXT = frozenset({"text/plain", "text/html", "text/calendar"})
_UNFOLD = re.compile(r"\r?\n[ \t]")
_EVENT = re.compile(r"^(SUMMARY|DTSTART|LOCATION)[^:\n]*:(.*)$", re.MULTILINE)
_WHEN = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)\d*(Z?))?")
_ESCAPED = re.compile(r"\\([\\;,nN])")


def choose(root: Part) -> Iterator[Part]:
    """Candidates, best first; the caller takes the first that is not blank.

    The first part that is shown decides. If it stands in a multipart/alternative, that one's plain text goes
    before its HTML, and HTML before a calendar part (RFC 2046, section 5.1.4). The others follow in order.
    """
    found = [part for part in _shown(root) if part.type in _TEXT]
    alternative = _alternative(root, found[0]) if found else None
    if not alternative:
        yield from found
        return
    inside = {id(leaf) for leaf in alternative.leaves()}
    yield from sorted((part for part in found if id(part) in inside), key=lambda part: _RANK[part.type])
    yield from (part for part in found if id(part) not in inside)


_RANK = {"text/plain": 0, "text/html": 1, "text/calendar": 2}


def _shown(root: Part) -> Iterator[Part]:
    """Leaves that a mail program would show: no attachments; one without a parent is always shown."""
    for part in root.leaves():
        if part is root or (part.disposition != "attachment" and not part.name):
            yield part


def _alternative(root: Part, leaf: Part) -> Part | None:
    """The outermost alternative around a leaf that is the first one shown."""
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if part.type == "multipart/alternative" and any(one is leaf for one in part.leaves()):
            return part
        if not part.type.startswith("message/"):
            waiting.extend(reversed(part.children))
    return None


def calendar(content: str) -> str:
    """Summary, time and place of the first event (RFC 5545, section 3.6.1)."""
    event = _UNFOLD.sub("", content).partition("BEGIN:VEVENT")[2].partition("END:VEVENT")[0]
    found = {name: value.strip() for name, value in reversed(_EVENT.findall(event))}
    when = _WHEN.match(found.get("DTSTART", ""))
    lines = (found.get("SUMMARY", ""), _time(when) if when else "", found.get("LOCATION", ""))
    return "\n".join(_ESCAPED.sub(_unescape, line) for line in lines if line)


def _time(when: re.Match[str]) -> str:
    year, month, day, hour, minute, zulu = when.groups()
    date = f"{year}-{month}-{day}"
    return f"{date} {hour}:{minute}{' UTC' if zulu else ''}" if hour else date


def _unescape(found: re.Match[str]) -> str:
    return "\n" if found[1] in "nN" else found[1]
