"""Which characters of a text cost more than one septet, and what the text would cost without them."""

import enum
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import Final

from gateway_core.encoding.gsm0338 import fits_gsm7, is_extended, whole
from gateway_core.encoding.split import split
from gateway_core.encoding.transliterate import in_place_of, transliterate

# What Unicode has no name for, and mails have.
_CONTROLS: Final = {"\t": "tab", "\x85": "next line", "\x7f": "delete"}


class Why(enum.StrEnum):
    """What a character makes dear."""

    UCS2 = "ucs2"  # the whole text: outside the GSM alphabet, so 70 characters a segment instead of 160
    EXTENSION = "extension"  # itself: two septets (3GPP TS 23.038 §6.2.1.1)


@dataclass(frozen=True, slots=True)
class Costly:
    """One character of a text, however often it is there."""

    character: str
    why: Why
    count: int
    instead: str  # what transliteration puts there when it looks at nothing else; the same: it stays

    @property
    def code(self) -> str:
        """As Unicode writes it: U+2019."""
        return f"U+{ord(self.character):04X}"

    @property
    def name(self) -> str:
        """As people read it: right single quotation mark. The code where there is no name."""
        name = unicodedata.name(self.character, "").lower().replace("cjk", "CJK")
        return name or _CONTROLS.get(self.character, self.code)


@dataclass(frozen=True, slots=True)
class Costs:
    """The costly characters, those that make the text UCS-2 first, else in order of appearance."""

    characters: tuple[Costly, ...]
    segments_transliterated: int  # as many as now, when nothing would change or nothing can


def costs(text: str) -> Costs:
    """Takes time linear in the text."""
    text = whole(text)
    counts = Counter(text)
    foreign = [
        Costly(one, Why.UCS2, count, in_place_of(one)) for one, count in counts.items() if not fits_gsm7(one)
    ]
    extended = [Costly(one, Why.EXTENSION, count, one) for one, count in counts.items() if is_extended(one)]
    return Costs((*foreign, *extended), len(split(transliterate(text))))
