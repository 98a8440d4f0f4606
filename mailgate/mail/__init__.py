"""A mail as the rest of the program sees it: decoded headers, who it is from, and its parts. No I/O."""

import re
from typing import NamedTuple

from mailgate.mail import attachments, lines, mime
from mailgate.mail.address import mailboxes
from mailgate.mail.fields import Fields, unfold, words
from mailgate.mail.mime import Part

__all__ = ["Mail", "Part", "parse"]

_ID = re.compile(r"<([^<>]*)>")
_MAX_REFERENCES = 1000


class Mail(NamedTuple):
    """`from_` lists every mailbox of every From field; only `from_clean` says that there is exactly one and
    that no parser could read it differently. All of it is of the outermost header, whatever is signed inside.
    `attachments` are names for people; the last one may be "and 5 more".
    """

    message_id: str | None
    subject: str
    from_: tuple[str, ...]
    from_count: int
    from_clean: bool
    from_display: str
    reply_to: tuple[str, ...]
    date: str
    references: tuple[str, ...]
    in_reply_to: str | None
    attachments: tuple[str, ...]
    root: Part

    def header(self, name: str) -> str:
        return self.root.header(name.lower())

    def headers(self, name: str) -> tuple[str, ...]:
        return tuple(unfold(value) for value in self.root.fields.get(name.lower(), ()))


def parse(raw: bytes, charset: str = "") -> Mail:
    """Raises MailTooLarge (header over 128 KiB, 200 parts, 20 levels, 1 MiB of headers) and nothing else.

    `charset` is what bytes beyond ASCII are, where the mail declares nothing and they are not UTF-8.
    """
    root = mime.split(lines.unix(raw), charset)
    fields = root.fields
    senders = [unfold(value) for value in fields.get("from", ())]
    from_, from_clean = mailboxes(*senders)
    identifiers = _ids(fields, "message-id")
    answered = _ids(fields, "in-reply-to")
    return Mail(
        message_id=identifiers[0] if identifiers else None,
        subject=words(root.header("subject")),
        from_=from_,
        from_count=len(senders),
        from_clean=from_clean,
        from_display=words(senders[0]) if senders else "",
        reply_to=mailboxes(*[unfold(value) for value in fields.get("reply-to", ())])[0],
        date=root.header("date"),
        references=_ids(fields, "references"),
        in_reply_to=answered[0] if answered else None,
        attachments=attachments.names(root) if root.children or root.type != "text/plain" else (),
        root=root,
    )


def _ids(fields: Fields, name: str) -> tuple[str, ...]:
    """Message ids without their brackets (RFC 5322, section 3.6.4); devices forget the brackets, Exchange
    separates by commas.
    """
    values = fields.get(name)
    if not values:
        return ()
    value = unfold(values[0])
    found = _ID.findall(value) or value.replace(",", " ").split()
    stripped = ("".join(one.split()) for one in found[:_MAX_REFERENCES])
    return tuple(one for one in stripped if one)
