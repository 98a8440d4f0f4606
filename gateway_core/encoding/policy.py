"""An account's `unsupported`: what becomes of characters that the GSM alphabet does not hold."""

import unicodedata
from typing import Final

from gateway_core.encoding.gsm0338 import foreign, whole, without_foreign
from gateway_core.encoding.transliterate import transliterate
from gateway_core.errors import UnsupportedCharacter

POLICIES: Final = ("unicode", "transliterate", "remove", "refuse")

# A reply line is short; three names are enough to find the culprit.
_NAMED: Final = 3


def apply_policy(text: str, policy: str) -> str:
    """The text as it may be sent. ValueError for a policy that is not offered."""
    if policy not in POLICIES:
        raise ValueError(f"unsupported = {policy!r}: not one of {', '.join(POLICIES)}")
    text = whole(text)
    if policy == "unicode":
        return text
    if policy == "transliterate":
        return transliterate(text)
    if policy == "remove":
        return without_foreign(text)
    if found := foreign(text):
        raise UnsupportedCharacter(_words(found))
    return text


def _words(found: tuple[str, ...]) -> str:
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f"not in the GSM alphabet: {', '.join(map(_name, found[:_NAMED]))}{more}"


def _name(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".rstrip()
