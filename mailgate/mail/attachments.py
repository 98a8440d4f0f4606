"""What came with a mail and is not its text, by names that a receipt can show.

What only carries the mail is no attachment: signatures, the frame of encryption, the calendar form of an invitation
(RFC 6047), and the small pictures of an HTML page. Whoever attached something should read its name.
"""

import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

from mailgate.mail import fields
from mailgate.mail.mime import IDENTITY, Part

CALENDAR = frozenset({"text/calendar", "application/ics"})
_MOST_NAMED = 20
_LONGEST_NAME = 100  # characters
_DECORATION = 32_768  # bytes of a picture that belongs to its page; pasted photographs are larger
_READ = 65_536  # bytes of a part that are looked at; base64 makes 44 KiB of as many as decoration has
_READ_AHEAD = 8192  # bytes of an attached mail in which its Subject is sought
_SHOWN = frozenset({"text/plain", "text/html"})
_FRAME = frozenset(
    {
        *("application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature"),
        *("application/pgp-encrypted", "application/applefile"),  # RFC 3156, section 4; RFC 1740
    }
)
_FRAME_NAMES = frozenset({"smime.p7s", "signature.asc"})  # lists and scanners make other types of them
_METHOD = re.compile(rb"^METHOD:(?!PUBLISH)[A-Z]", re.MULTILINE | re.IGNORECASE)
_CID = re.compile(rb"""cid:([^"'\s<>)]{1,500})""", re.IGNORECASE)


def names(root: Part) -> tuple[str, ...]:
    """In their order; after twenty of them the last one is how many more there are."""
    attached = list(_attached(root))
    shown = tuple(_line(_name(part))[:_LONGEST_NAME] for part in attached[:_MOST_NAMED])
    more = len(attached) - len(shown)
    return (*shown, f"and {more} more") if more else shown


def _attached(root: Part) -> Iterator[Part]:
    """Leaves that are meant to be kept or opened; of a mail without parts none, if it is a text."""
    waiting: list[tuple[Part, Part, Part | None]] = [(root, root, None)]
    pages: dict[int, frozenset[str]] = {}
    while waiting:
        part, parent, page = waiting.pop()
        if part.children and not part.type.startswith("message/"):
            page = part if part.type == "multipart/related" else page
            waiting.extend((child, part, page) for child in reversed(part.children))
        elif not (_is_frame(part) or _is_text(part, parent) or (page and _is_decoration(part, page, pages))):
            yield part


def _is_frame(part: Part) -> bool:
    return part.type in _FRAME or part.type.startswith("multipart/") or part.name.lower() in _FRAME_NAMES


def _is_text(part: Part, parent: Part) -> bool:
    """Text that a mail program shows, in one of the forms that it may choose from (RFC 2046, section 5.1.4)."""
    if part.type in CALENDAR:
        return part is parent or parent.type == "multipart/alternative" or _is_invitation(part)
    if part is parent:
        return part.type in _SHOWN
    if part.name or part.disposition == "attachment":
        return False
    return part.type in _SHOWN or (part.type.startswith("text/") and parent.type == "multipart/alternative")


def _is_invitation(part: Part) -> bool:
    """The text beside it says the same (RFC 6047, section 2.4); a calendar without a method is a file."""
    return "method" in part.parameters or bool(_METHOD.search(part.content()[:_READ]))


def _is_decoration(part: Part, page: Part, pages: dict[int, frozenset[str]]) -> bool:
    """A small picture that the HTML beside it shows (RFC 2392), such as the logo of a signature."""
    if not part.type.startswith("image/") or part.end - part.start > _READ:
        return False
    identifier = part.header("content-id").strip("<> ").lower()
    if not identifier or len(part.content()) >= _DECORATION:
        return False
    if id(page) not in pages:
        pages[id(page)] = frozenset(_shown_by(page))
    return identifier in pages[id(page)]


def _shown_by(page: Part) -> Iterator[str]:
    for part in page.leaves():
        if part.type == "text/html":
            for found in _CID.findall(part.content()):
                yield unquote(found.decode("latin-1")).lower()


def _name(part: Part) -> str:
    return (_subject(part) if part.type == "message/rfc822" else "") or part.name or part.type


def _subject(part: Part) -> str:
    """Of an attached mail."""
    if part.header("content-transfer-encoding").lower() not in IDENTITY:
        return ""
    found, _ = fields.split(
        part.raw, part.start, min(part.end, part.start + _READ_AHEAD), charset=part.charset
    )
    return fields.words(fields.unfold(found["subject"][0])) if "subject" in found else ""


def _line(name: str) -> str:
    """One clean line: no controls, nothing that cannot be seen or that turns the direction (Unicode, UAX 9)."""
    name = " ".join(name.split())
    if not name.isprintable():
        name = "".join(letter for letter in name if unicodedata.category(letter)[0] != "C")
    return name or "attachment"
