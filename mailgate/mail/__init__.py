"""A mail as the rest of the program sees it: decoded headers, who it is from, and its parts. No I/O."""

import re
from dataclasses import dataclass

from mailgate.mail import mime
from mailgate.mail.address import mailboxes
from mailgate.mail.fields import Fields, unfold, words
from mailgate.mail.mime import Part

__all__ = ["Mail", "Part", "parse"]

_ID = re.compile(r"<([^<>]*)>")
_NOT_ATTACHED = frozenset({"text/plain", "text/html", "text/calendar"})
_MAX_REFERENCES = 1000


@dataclass(frozen=True, slots=True)
class Mail:
    """`from_` lists every mailbox of every From field; only `from_clean` says that there is exactly one and
    that no parser could read it differently.
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


def parse(raw: bytes) -> Mail:
    """Raises MailTooLarge (header over 128 KiB, 200 parts, 20 levels) and nothing else."""
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    root = mime.split(raw)
    fields = root.fields
    senders = [mailboxes(unfold(value)) for value in fields.get("from", ())]
    from_ = tuple(address for found, _clean in senders for address in found)
    identifiers = _ids(fields, "message-id")
    answered = _ids(fields, "in-reply-to")
    return Mail(
        message_id=identifiers[0] if identifiers else None,
        subject=words(fields["subject"][0]) if "subject" in fields else "",
        from_=from_,
        from_count=len(senders),
        from_clean=len(senders) == 1 and len(from_) == 1 and senders[0][1],
        from_display=words(fields["from"][0]) if "from" in fields else "",
        reply_to=_reply_to(fields),
        date=unfold(fields["date"][0]) if "date" in fields else "",
        references=_ids(fields, "references"),
        in_reply_to=answered[0] if answered else None,
        attachments=_attachments(root) if root.children or root.type != "text/plain" else (),
        root=root,
    )


def _reply_to(fields: Fields) -> tuple[str, ...]:
    values = fields.get("reply-to", ())
    return tuple(address for value in values for address in mailboxes(unfold(value))[0])


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


def _attachments(root: Part) -> tuple[str, ...]:
    """Names, or types where there is no name, of the parts that cannot be the text."""
    return tuple(
        part.name or part.type
        for part in root.leaves()
        if part.type not in _NOT_ATTACHED or part.disposition == "attachment"
    )
