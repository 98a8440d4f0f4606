"""A text in the GSM alphabet, as a reader of its language would accept it. No letter and no digit is lost."""

import re
import unicodedata
from collections.abc import Callable
from typing import Final

from gateway_core.encoding.gsm0338 import fits_gsm7, whole
from gateway_core.encoding.replacements import REPLACEMENTS

# Context that a character alone does not have: (where, what stands there instead).
_IN_CONTEXT: Final[tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]] = (
    # μg, μΩ: no Greek word has a Latin letter or a capital behind a small one.
    (re.compile("(?<![\u0370-\u03ff\u1f00-\u1fff])\u03bc(?=[A-Za-zΩ])"), "u"),
    (re.compile("(?<=[0-9])(?=[⁺⁻]?[¹²³⁰⁴-⁹])"), "^"),  # 10² is not 102
    (re.compile("(?<=[0-9])(?=[¼-¾⅐-⅞])"), " "),  # 1½ is not 11/2
    # A vowel of Bulgarian. The hard sign of Russian is silent, and stands before these four letters.
    (re.compile(r"[ъЪ](?=[^\W\d_])(?![еёюяЕЁЮЯ])"), lambda found: "a" if found[0] == "ъ" else "A"),
    # Katakana of half width have their voice mark behind them: ｶﾞ is ga.
    (re.compile("[ｦ-ﾝ][ﾞﾟ]"), lambda found: unicodedata.normalize("NFKC", found[0])),
)
# UAX #15 §13: after 30 marks U+034F, over which none is moved. Sorting a longer run takes the square of its length.
_LONG_RUN: Final = re.compile(r"[^\w\s\x00-\x7f]{30}")
_NEGATION: Final = "\u0338"  # not an accent: ≠ without it is =
# Skin and hair of the emoji before.
_MODIFIERS: Final = re.compile("[\U0001f3fb-\U0001f3ff\U0001f9b0-\U0001f9b3]")
# No letter will be assigned here: pictographs (emoji-data.txt), noncharacters (Unicode §23.7).
_NEVER_LETTERS: Final = re.compile("[\U0001f000-\U0001faff\ufdd0-\ufdef]")
_MOST_KEPT: Final = 20_000  # replacements that are remembered: the letters of all living scripts but Han


def transliterate(text: str) -> str:
    """The text in the GSM alphabet; unchanged when it fits, or when a letter of it cannot be expressed.

    All or nothing, since one letter outside the alphabet makes the whole text UCS-2 (3GPP TS 23.038 §4): a text of
    which only a part were replaced would cost as much and be worse to read. Takes time linear in the text.
    """
    text = whole(text)
    if fits_gsm7(text):
        return text
    composed = unicodedata.normalize("NFC", _LONG_RUN.sub("\\g<0>\u034f", text))
    for where, instead in _IN_CONTEXT:
        composed = where.sub(instead, composed)
    replaced = composed.translate(_KNOWN)
    return replaced if fits_gsm7(replaced) else text


def in_place_of(character: str) -> str:
    """What one character becomes, looked at alone; itself, when it cannot be expressed.

    "" is for what shows nothing by itself: accents, joiners, variation selectors, skin tones.
    """
    return _KNOWN[ord(character)]


class _Known(dict[int, str]):
    """What was asked before, for str.translate."""

    def __missing__(self, code: int) -> str:
        if len(self) >= _MOST_KEPT:
            self.clear()
        self[code] = found = _replaced(chr(code))
        return found


def _replaced(character: str) -> str:
    plain = _plain(character)
    if plain is not None:
        return plain
    from anyascii import anyascii  # noqa: PLC0415 - slow to import, and only some accounts need it

    # The backtick alone of all ASCII that can be seen is not in the alphabet. A question mark is no reading.
    known = "" if character.isascii() else anyascii(character).replace("`", "'")
    return _inexpressible(character) if known in {"", "?"} else known


def _plain(character: str) -> str | None:
    """By the alphabet, our table, and decomposition as long as that leads into the alphabet. None: by none of them."""
    if fits_gsm7(character):
        return character
    if (known := REPLACEMENTS.get(character)) is not None:
        return known
    kind, parts = _decomposed(character)
    if parts[1:] == [_NEGATION]:
        return "!" + in_place_of(parts[0])
    if not parts or (
        parts[0] == " " and len(parts) > 1
    ):  # an accent that stands alone has a space for its base
        return None
    bases = [_plain(part) for part in parts if not unicodedata.combining(part)]
    if not bases or None in bases:
        return None
    found = "".join([base for base in bases if base])
    return f"({found})" if kind == "<circle>" else found  # ①② would be 12


def _decomposed(character: str) -> tuple[str, list[str]]:
    """One step (UnicodeData.txt, field 5), so that ǖ becomes ü and not u."""
    fields = unicodedata.decomposition(character).split()
    kind = fields.pop(0) if fields and fields[0].startswith("<") else ""
    return kind, [chr(int(code, 16)) for code in fields]


def _inexpressible(character: str) -> str:
    """What no table knows. A letter or digit stays; a picture or a symbol leaves a trace; the rest shows nothing."""
    category = unicodedata.category(character)
    if category[0] in "LN":
        return character
    if category[0] == "M" or category in {"Cc", "Cf"} or _MODIFIERS.match(character):
        return ""
    may_be = not _NEVER_LETTERS.match(character) and ord(character) & 0xFFFE != 0xFFFE
    if (
        category == "Cn" and may_be
    ):  # not assigned in the Unicode of this Python; a newer one may have a letter there
        return character
    return "?"


_KNOWN: Final = _Known()
