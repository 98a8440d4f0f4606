"""What a mail says: the one text that goes to the phone, and everything that was left out of it.

Order: choose a part, decode, unwrap format=flowed or walk the HTML, obey markers, cut what is quoted and what programs
and servers added, tidy. Mail of monitoring systems is never guessed at: a line such as `Address: 10.0.0.5` looks like
a signature.
"""

from typing import NamedTuple

from mailgate.body import armour, banners, flowed, html, invitation, lines, machines, parts, written
from mailgate.body.markers import NO_MARKS, Marks
from mailgate.body.traits import Why
from mailgate.body.written import Removed
from mailgate.mail import Mail, Part
from mailgate.mail.attachments import CALENDAR

__all__ = ["NO_MARKS", "UNREAD", "Marks", "Removed", "Text", "text"]


_LONGEST = 262_144  # characters; 255 segments hold 39,015
_SHOWN = 1000
UNREAD = str(Why.UNREAD)
_MOST_READ = 1_048_576  # bytes of all the parts that are tried, so that none of a mail's 200 costs as much as the first


class Text(NamedTuple):
    """`source` says where the text came from: body, subject, both, or nowhere."""

    text: str
    removed: tuple[Removed, ...]
    source: str


class _Body(NamedTuple):
    """What is left of the body; where nothing is, `best` is what it says all the same."""

    text: str = ""
    removed: tuple[Removed, ...] = ()
    best: str = ""


def text(
    mail: Mail,
    *,
    text_from: str = "auto",
    monitoring: bool = False,
    marks: Marks = NO_MARKS,
    instead: str | None = None,
) -> Text:
    """`text_from` is body, subject, both or auto (body, else subject). `monitoring` obeys only the first pair
    of markers and removes nothing else; so does mail that says that a machine wrote it (RFC 3834, 5.2).

    A body of which nothing would be left (a forwarded mail, a lone tagline) gives its best part, unless the subject
    says something and may be texted. `instead`: what counts as the body, where the mail itself says it (`listed`).
    """
    whole = monitoring or _is_generated(mail)
    subject = mail.subject if whole else banners.without_tag(mail.subject)
    if text_from == "subject":
        return Text(subject, (), "subject" if subject else "")
    author = written.Author(_name(mail), is_machine=whole or machines.wrote(mail))
    if instead is None:
        body = _body(mail, marks, author, whole=whole)
    else:
        body = _cut(lines.unify(instead), [], marks, author, whole=whole)
    if text_from == "both" and body.text and subject:
        return Text(f"{subject}\n{body.text}", body.removed, "both")
    if body.text or text_from == "body" or not subject:
        found = body.text or body.best
        return Text(found, body.removed if body.text or not body.best else (), "body" if found else "")
    return Text(subject, body.removed, "subject")


def _is_generated(mail: Mail) -> bool:
    return mail.header("Auto-Submitted").lower().startswith("auto-generated")


def _body(mail: Mail, marks: Marks, author: written.Author, *, whole: bool) -> _Body:
    """Of the first part that is not blank."""
    found = _Body()
    left = _MOST_READ
    for part in parts.choose(mail.root):
        if left <= 0:
            break
        left -= part.end - part.start
        found = _written(part, marks, author, whole=whole)
        if found.text or found.best:
            break
    return found


def _name(mail: Mail) -> str:
    """What From shows besides the address."""
    return mail.from_display.partition("<")[0]


def _written(part: Part, marks: Marks, author: written.Author, *, whole: bool) -> _Body:
    removed: list[Removed] = []
    source = lines.unify(_read(part, removed, whole=whole))
    found = _cut(source, removed, marks, author, whole=whole)
    if not found.text and any(piece.why == "signature" for piece in removed):
        # the author may have written inside what the page marks as a signature
        source = lines.unify(_read(part, [], whole=whole, cut_signatures=False))
        return found._replace(best=lines.tidy(source))
    return found


def _cut(source: str, removed: list[Removed], marks: Marks, author: written.Author, *, whole: bool) -> _Body:
    marked = written.marked(source, marks, removed)
    if marked is not None:
        return _Body(marked, tuple(removed))
    if whole:
        return _Body(lines.tidy(source), tuple(removed))
    kept = written.guessed(source, marks, author, removed)
    if kept or all(piece.why == "quote" for piece in removed):  # or nobody wrote anything
        return _Body(kept, tuple(removed))
    return _Body("", tuple(removed), lines.tidy(source))


def _read(part: Part, removed: list[Removed], *, whole: bool, cut_signatures: bool = True) -> str:
    if part.type == "text/html":
        content = part.content()
        page = html.convert(
            part.decoded(content, html.declared(content)), cut=not whole, cut_signatures=cut_signatures
        )
        removed += [Removed(piece, why) for piece, why in page.removed]
        return _unarmoured(_shortened(page.text, removed), removed, whole=whole)
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
    written.note(removed, "signature armour", *gone)
    return source


def _shortened(source: str, removed: list[Removed]) -> str:
    if len(source) <= _LONGEST:
        return source
    removed.append(Removed(source[_LONGEST : _LONGEST + _SHOWN], UNREAD))
    return source[:_LONGEST]
