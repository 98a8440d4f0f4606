"""What a mail says: the one text that goes to the phone, and everything that was left out of it.

Order: choose a part, decode, unwrap format=flowed or walk the HTML, obey markers, cut what is quoted, tidy.
Mail of monitoring systems is never guessed at: a line such as `Address: 10.0.0.5` looks like a signature.
"""

from typing import NamedTuple

from mailgate.body import armour, flowed, html, invitation, lines, markers, parts, quotes
from mailgate.mail import Mail, Part
from mailgate.mail.attachments import CALENDAR

__all__ = ["Removed", "Text", "text"]


_LONGEST = 262_144  # characters; 255 segments hold 39,015
_SHOWN = 1000
_MOST_READ = 1_048_576  # bytes of all the parts that are tried, so that none of a mail's 200 costs as much as the first


class Removed(NamedTuple):
    """A piece that is not texted, and why in a stable word or two."""

    text: str
    why: str


class Text(NamedTuple):
    """`source` says where the text came from: body, subject, both, or nowhere."""

    text: str
    removed: tuple[Removed, ...]
    source: str


def text(mail: Mail, *, text_from: str = "auto", monitoring: bool = False) -> Text:
    """`text_from` is body, subject, both or auto (body, else subject). `monitoring` obeys only the first pair
    of markers and removes nothing else; so does mail that says that a machine wrote it (RFC 3834, 5.2).
    """
    subject = mail.subject
    if text_from == "subject":
        return Text(subject, (), "subject" if subject else "")
    body, removed = _body(mail, whole=monitoring or _is_generated(mail))
    if text_from == "both" and body and subject:
        return Text(f"{subject}\n{body}", removed, "both")
    if text_from == "body" or body:
        return Text(body, removed, "body" if body else "")
    return Text(subject, removed, "subject" if subject else "")


def _is_generated(mail: Mail) -> bool:
    return mail.header("Auto-Submitted").lower().startswith("auto-generated")


def _body(mail: Mail, *, whole: bool) -> tuple[str, tuple[Removed, ...]]:
    """The first part that is not blank."""
    removed: list[Removed] = []
    left = _MOST_READ
    for part in parts.choose(mail.root):
        if left <= 0:
            break
        left -= part.end - part.start
        removed = []
        found = _written(lines.unify(_read(part, removed, whole=whole)), removed, whole=whole)
        if found:
            return found, tuple(removed)
    return "", tuple(removed)


def _read(part: Part, removed: list[Removed], *, whole: bool) -> str:
    if part.type == "text/html":
        content = part.content()
        shown, hidden, attributions = html.convert(
            part.decoded(content, html.declared(content)), cut=not whole
        )
        removed += [Removed(one, "hidden") for one in hidden if one]
        removed += [Removed(one, "quote") for one in attributions if one]
        return _unarmoured(_shortened(shown, removed), removed, whole=whole)
    source = _unarmoured(_shortened(part.text(), removed), removed, whole=whole)
    if part.type in CALENDAR:
        return invitation.told(source)
    if part.parameters.get("format", "").lower() == "flowed":
        return flowed.unwrap(source, delsp=part.parameters.get("delsp", "").lower() == "yes")
    return source


def _unarmoured(source: str, removed: list[Removed], *, whole: bool) -> str:
    """Before lines are joined (RFC 3676): a signed `-- ` is `- -- `, which would be joined with the next one."""
    if whole or armour.SIGNED not in source:
        return source
    source, gone = armour.opened(source)
    _note(removed, "signature armour", *gone)
    return source


def _shortened(source: str, removed: list[Removed]) -> str:
    if len(source) <= _LONGEST:
        return source
    removed.append(Removed(source[_LONGEST : _LONGEST + _SHOWN], "too long to be read"))
    return source[:_LONGEST]


def _written(source: str, removed: list[Removed], *, whole: bool) -> str:
    found = markers.pair(source)
    if found:
        before, inside, after = found
        _note(removed, "outside markers", before, after)
        return lines.tidy(inside)
    if whole:
        return lines.tidy(source)
    return lines.tidy(_guessed(source, removed))


def _guessed(source: str, removed: list[Removed]) -> str:
    ended = markers.end(source)
    explicit = False
    if ended:
        source, after, explicit = ended
    kept = quotes.cut(source, guess_trailing=not explicit)
    _note(removed, "quote", *kept.removed)
    if ended:
        _note(removed, "after end marker" if explicit else "signature", after)
    return kept.kept


def _note(removed: list[Removed], why: str, *pieces: str) -> None:
    removed += [Removed(tidied, why) for piece in pieces if (tidied := lines.tidy(piece))]
