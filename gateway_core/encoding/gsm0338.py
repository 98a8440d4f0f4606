"""The GSM 7 bit default alphabet and its extension table: 3GPP TS 23.038 §6.2.1, §6.2.1.1 (once GSM 03.38).

National language shift tables (annex A) are not used: both ends would have to agree on them first.
"""

import re
from typing import Final

ESCAPE: Final = 0x1B

# §6.2.1, in order of code. The escape at 0x1B is no character: NUL keeps its place and is taken out below.
_BASIC_ROWS: Final = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ\0ÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
BASIC: Final = {code: character for code, character in enumerate(_BASIC_ROWS) if code != ESCAPE}

# §6.2.1.1: what the septet after an escape stands for.
EXTENSION: Final = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}

_EXTENDED: Final = re.compile("[" + re.escape("".join(EXTENSION.values())) + "]")
_FOREIGN: Final = re.compile("[^" + re.escape("".join(BASIC.values()) + "".join(EXTENSION.values())) + "]")
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")

# Septets as latin-1 text, so that str.translate does a whole text in one call.
_TO_SEPTETS: Final = str.maketrans(
    {character: chr(code) for code, character in BASIC.items()}
    | {character: chr(ESCAPE) + chr(code) for code, character in EXTENSION.items()}
)
# One septet by itself. A lone escape is shown as a space (§6.2.1 note 1); an octet that is no septet is
# damage, and U+FFFD says so.
_FROM_SEPTET: Final = dict.fromkeys(range(0x80, 0x100), "\ufffd") | BASIC | {ESCAPE: " "}
# A septet after an escape: without an entry in the extension table, the character of the basic table
# (§6.2.1.1); a second escape is one space, until another extension table is defined (§6.2.1.1 note 1).
_FROM_ESCAPED: Final = _FROM_SEPTET | EXTENSION
_UNIT: Final = re.compile("(?s)\x1b(.)|.")


def whole(text: str) -> str:
    """The same text without lone surrogates: U+FFFD in their place, proper pairs joined.

    Every function of this package that takes a text passes it through here first. Half a character comes
    from JSON escapes and from undecodable bytes in mail, and no carrier, page or database can take it.
    """
    if text.isascii() or _LONE_SURROGATE.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def fits_gsm7(text: str) -> bool:
    return _FOREIGN.search(text) is None


def foreign(text: str) -> tuple[str, ...]:
    """The characters outside the alphabet, each once, in order of first appearance."""
    return tuple(dict.fromkeys(_FOREIGN.findall(whole(text))))


def without_foreign(text: str) -> str:
    return _FOREIGN.sub("", text)


def septets(text: str) -> int:
    """How many septets a text takes that fits: two for each character of the extension table."""
    return len(text) + len(_EXTENDED.findall(text))


def is_extended(character: str) -> bool:
    return _EXTENDED.match(character) is not None


def encode_gsm7(text: str) -> bytes:
    """Unpacked septets, one an octet. UnicodeEncodeError (a ValueError) for a text that does not fit."""
    text = whole(text)
    if (found := _FOREIGN.search(text)) is not None:
        raise UnicodeEncodeError("gsm0338", text, found.start(), found.end(), "not in the GSM 7 bit alphabet")
    return text.translate(_TO_SEPTETS).encode("latin-1")


def decode_gsm7(septets: bytes) -> str:
    """What a phone shows for unpacked septets. Nothing is refused: a reply that came is a reply to show."""
    text = septets.decode("latin-1")
    if ESCAPE not in septets:
        return text.translate(_FROM_SEPTET)
    return _UNIT.sub(_shown, text)


def _shown(unit: re.Match[str]) -> str:
    escaped: str | None = unit[1]
    return _FROM_SEPTET[ord(unit[0])] if escaped is None else _FROM_ESCAPED[ord(escaped)]
