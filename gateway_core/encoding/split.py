"""A text into the parts that travel: 3GPP TS 23.040 §9.2.3.24.1 (concatenation) over TS 23.038.

A short message holds 140 octets: 160 septets or 70 UTF-16 code units. The header that numbers the parts of
a longer text takes six octets of each: 153 septets (one of them for alignment) or 67 units are left.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway_core.encoding import gsm0338

SINGLE_SEPTETS: Final = 160
PART_SEPTETS: Final = 153
SINGLE_UNITS: Final = 70
PART_UNITS: Final = 67


class Encoding(enum.StrEnum):
    GSM7 = "gsm7"
    UCS2 = "ucs2"


@dataclass(frozen=True, slots=True)
class Segments:
    """The parts put together are the text again (with U+FFFD where it held half a character)."""

    encoding: Encoding
    parts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.parts)


def split(text: str) -> Segments:
    """No part cuts an escape pair or a surrogate pair. Grapheme clusters may be cut: phones join the parts.

    An empty text is one empty part, as a phone that sends nothing still sends one message. Whether an empty
    text may be sent at all is for others to say.
    """
    text = gsm0338.whole(text)
    if gsm0338.fits_gsm7(text):
        return Segments(Encoding.GSM7, _parts_gsm7(text))
    return Segments(Encoding.UCS2, _parts_ucs2(text))


def _parts_gsm7(text: str) -> tuple[str, ...]:
    septets = gsm0338.septets(text)
    if septets <= SINGLE_SEPTETS:
        return (text,)
    if septets == len(text):  # none takes two
        return _even(text, PART_SEPTETS)
    return _greedy(text, PART_SEPTETS, gsm0338.is_extended)


def _parts_ucs2(text: str) -> tuple[str, ...]:
    if len(text.encode("utf-16-le")) <= 2 * SINGLE_UNITS:
        return (text,)
    if max(text) <= "\uffff":
        return _even(text, PART_UNITS)
    return _greedy(text, PART_UNITS, _is_pair)


def _is_pair(character: str) -> bool:
    return character > "\uffff"


def _even(text: str, size: int) -> tuple[str, ...]:
    return tuple([text[start : start + size] for start in range(0, len(text), size)])


def _greedy(text: str, size: int, is_double: Callable[[str], bool]) -> tuple[str, ...]:
    """Each part takes as much as goes in; a character of two units goes whole into this part or the next."""
    parts: list[str] = []
    start = used = 0
    for position, character in enumerate(text):
        width = 2 if is_double(character) else 1
        if used + width > size:
            parts.append(text[start:position])
            start, used = position, 0
        used += width
    parts.append(text[start:])
    return tuple(parts)
