"""What a sender asks of a mail's texts, behind a + of a recipient's name or first in the subject."""

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

from mailgate.errors import UnknownName


class Options(NamedTuple):
    flash: bool = False  # shown at once, not stored: class 0 (3GPP TS 23.038, section 4)
    urgent: bool = False  # before all that waits on its route
    preview: bool = False  # mail back what would be texted; text nobody

    def __or__(self, other: "Options") -> "Options":
        return Options(*(one or two for one, two in zip(self, other, strict=True)))

    def __str__(self) -> str:
        return ", ".join(name for name, wanted in zip(self._fields, self, strict=True) if wanted)


NO_OPTIONS = Options()
NAMES = Options._fields
_PREVIEW = re.compile(r"\+preview(?:\+[a-z+]{1,60})?@([^\s<>(),;:]{1,255})", re.IGNORECASE)


def of_tag(tag: str) -> Options:
    """`flash+urgent`, in any case. Raises UnknownName for any other word: it may be a slip, and costs money."""
    if not tag:
        return NO_OPTIONS
    found = NO_OPTIONS
    for word in tag.lower().split("+"):
        if word not in NAMES:
            raise UnknownName(f"what stands behind the + is not an option; there are {', '.join(NAMES)}")
        found |= Options(**{word: True})
    return found


def of_subject(subject: str) -> tuple[Options, str]:
    """Options that a subject begins with (`+urgent +flash Pump 7`), and the subject without them. Any other word
    with a + is text.
    """
    found, rest = NO_OPTIONS, subject
    while rest.startswith("+"):
        word, _, behind = rest.partition(" ")
        name = word[1:].lower()
        if name not in NAMES:
            break
        found, rest = found | Options(**{name: True}), behind.lstrip()
    return found, rest


def of_fields(fields: Iterable[str], domains: Collection[str]) -> Options:
    """A preview for somebody in To or Cc is one for all, also in the pieces of a mail that a relay has split."""
    found = (one[1].lower() for field in fields if "+" in field for one in _PREVIEW.finditer(field))
    return Options(preview=True) if any(domain in domains for domain in found) else NO_OPTIONS
