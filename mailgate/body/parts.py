"""Which part of a mail is the text that its author meant."""

from collections.abc import Iterator

from mailgate.mail import Part
from mailgate.mail.attachments import CALENDAR

_TEXT = frozenset({"text/plain", "text/html", "text/calendar"})
_PLAIN = frozenset({"multipart/mixed", "multipart/alternative", "multipart/related"})


def choose(root: Part) -> Iterator[Part]:
    """Candidates, best first; the caller takes the first that is not blank.

    The first part that is shown decides. If it stands in a multipart/alternative, that one's plain text goes
    before its HTML, and HTML before a calendar part (RFC 2046, section 5.1.4). The others follow in order, and last
    of all an invitation that comes as a file (RFC 6047, section 2.4): in some mails it is all there is.
    """
    found = [part for part in _shown(root) if part.type in _TEXT]
    if not found and root.type in _PLAIN and not root.children:
        yield root  # its boundary is nowhere: all of it is text
    yield from _ranked(root, found)
    shown = {id(part) for part in found}
    yield from (part for part in root.leaves() if part.type in CALENDAR and id(part) not in shown)


def _ranked(root: Part, found: list[Part]) -> Iterator[Part]:
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
