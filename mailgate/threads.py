"""Where in its reader's mail client a mail of ours belongs (RFC 5322 §3.6.4). Pure.

Under the mail that began it, with its subject, and that subject never changes: Gmail begins a new conversation where
it does. What a phone began has a root of its own, the same for each number and reader.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from gateway_core import numbers
from mailgate import headers

_MOST_REFERENCES = 20  # the first and the last ones; RFC 5322 §3.6.4 lets them grow for ever


class Thread(NamedTuple):
    """`references`: Message-IDs without brackets, the last one is answered."""

    to: tuple[str, ...]
    subject: str
    references: tuple[str, ...]


def of(origin: Mapping[str, Any], to: tuple[str, ...], number: str) -> Thread:
    """Of what `origin` began (submission.of_mail), or the phone with this number where it is {}; "": neither."""
    subject = origin.get("subject", "").strip() or f"SMS {numbers.display(number) if number else ''}".strip()
    subject = subject if subject.lower().startswith("re:") else f"Re: {subject}"
    message_id = origin.get("message_id", "")
    if not headers.is_usable_id(message_id):
        return Thread(to, subject, (_root(to[0], number),) if number else ())
    chain = [*filter(headers.is_usable_id, origin.get("references", ())), message_id]
    if len(chain) > _MOST_REFERENCES:
        chain = [chain[0], *chain[1 - _MOST_REFERENCES :]]
    return Thread(to, subject, tuple(chain))


def _root(reader: str, number: str) -> str:
    domain = reader.rpartition("@")[2]
    if not headers.is_usable_id(domain):
        domain = hashlib.sha256(domain.encode("utf-8", "replace")).hexdigest()
    return f"sms.{number.removeprefix('+')}.{domain}@mailgate.invalid"
