"""Telephone numbers: what people type, what rows hold, and E.164 in between (ITU-T E.164: at most 15 digits).

A number is admitted when it is *possible* (its length fits its country), not only when it is *valid* (its
range is assigned): ranges open faster than metadata is read, and Ofcom's numbers for drama, +44 7700 900000
to 900999, are in no range at all.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

import phonenumbers as pn

from gateway_core.errors import BadNumber

_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_SHORT: Final = re.compile(r"[0-9]{3,6}")
# What is left of a typed number once blanks and punctuation are gone.
_TYPED: Final = re.compile(r"(\+|00|[pP])?([0-9]+)")

_COUNTRY_CODES: Final = frozenset(map(str, pn.COUNTRY_CODE_TO_REGION_CODE))

_MAX_TYPED: Final = 100
_MAX_DIGITS: Final = 15
_CACHED: Final = 16384

_PLUS: Final = frozenset("+＋﹢")
# Punctuation that means something when dialled (service codes, pauses, extensions, lists) or in a mail
# address: to ignore it would join what was typed as two things into one number.
_MEANINGFUL: Final = frozenset("*#,;&%@!")
_IGNORED_CATEGORIES: Final = frozenset("PZ")
# Tabs, and the minus sign; phones' address books add invisible direction marks (category Cf) when copied.
_IGNORED: Final = frozenset("\t\u2212")

_NOT_A_NUMBER: Final = "not a telephone number"
_NOT_POSSIBLE: Final = "not a possible telephone number"
_TOO_LONG: Final = f"a telephone number has at most {_MAX_DIGITS} digits"
_IS_SHORT: Final = "a short code cannot be texted from here; give a full telephone number"
_NEEDS_PLUS: Final = "write the number internationally, beginning with +"


def parse(typed: str, region: str) -> str:
    """What somebody typed, as E.164. The words of BadNumber repeat nothing but digits of what was typed.

    With +, 00 or p: international. Else, if possible in the account's region: national. Else international.
    Valid as both, and not the same number: refused, asking for the +.
    """
    if len(typed) > _MAX_TYPED:
        raise BadNumber(_NOT_A_NUMBER)
    return _parse(typed, region)


def parse_e164(text: str) -> str:
    """A number of rows and of the API: international, with + or 00."""
    if len(text) > _MAX_TYPED:
        raise BadNumber(_NOT_A_NUMBER)
    return _parse_e164(text)


def is_short_code(text: str) -> bool:
    return _SHORT.fullmatch(text) is not None


def parse_own(text: str) -> str:
    """A number of ours in rows: E.164, or a short code behind the country it belongs to, as +4484433."""
    try:
        return parse_e164(text)
    except BadNumber:
        prefix, digits = _read(text)
        code = _country_code(digits) if prefix in ("+", "00") else ""
        if code and is_short_code(digits.removeprefix(code)):
            return "+" + digits
        raise


@lru_cache(maxsize=_CACHED)
def national(e164: str) -> tuple[str, ...]:
    """How networks of its own country write a number of ours: 07700900900 for +447700900900, 84433 for +4484433."""
    code = _country_code(e164.removeprefix("+"))
    rest = e164.removeprefix("+").removeprefix(code)
    if is_short_code(rest):
        return (rest,)
    try:
        parsed = pn.parse(e164)
    except pn.NumberParseException:
        return ()
    written = pn.format_number(parsed, pn.PhoneNumberFormat.NATIONAL)
    return ("".join(letter for letter in written if letter.isdigit()),)


@lru_cache(maxsize=_CACHED)
def region_of(e164: str) -> str:
    """The ISO 3166 region, or "" where there is none (satellites, freephone) or it cannot be told.

    A possible number in no assigned range counts to the main region of its country code.
    """
    code = _country_code(e164.removeprefix("+"))
    if not code:
        return ""
    regions: Sequence[str] = pn.COUNTRY_CODE_TO_REGION_CODE[int(code)]
    region = regions[0]
    if len(regions) > 1:
        region = _region_by_range(e164) or region
    return "" if region == pn.REGION_CODE_FOR_NON_GEO_ENTITY else region


@lru_cache(maxsize=_CACHED)
def display(e164: str) -> str:
    """For people: +44 7700 900123. What is no number is shown as it is."""
    try:
        number = pn.parse(e164, None)
    except pn.NumberParseException:
        return e164
    return pn.format_number(number, pn.PhoneNumberFormat.INTERNATIONAL)


def matches(e164: str, patterns: Sequence[str]) -> bool:
    """Whether a destination is among "*", prefixes as "+44", and regions as "GB"."""
    for pattern in patterns:
        if pattern == "*" or (pattern.startswith("+") and e164.startswith(pattern)):
            return True
        if pattern.isalpha() and pattern.upper() == region_of(e164):
            return True
    return False


def longest_prefix(e164: str, prefixes: Iterable[str]) -> str | None:
    """The most specific prefix of a number; "*" is the shortest of all."""
    best: str | None = None
    for prefix in prefixes:
        if prefix == "*":
            best = best or prefix
        elif e164.startswith(prefix) and (best is None or best == "*" or len(prefix) > len(best)):
            best = prefix
    return best


@lru_cache(maxsize=_CACHED)
def _parse(typed: str, region: str) -> str:
    prefix, digits = _read(typed)
    if prefix:
        return _required(_international(digits))
    if is_short_code(digits):
        raise BadNumber(_IS_SHORT)
    national, abroad = _national(digits, region), _international(digits)
    if national is None or abroad is None or _same(national, abroad):
        return _required(national or abroad)
    national_valid, abroad_valid = pn.is_valid_number(national), pn.is_valid_number(abroad)
    if national_valid and abroad_valid:
        raise BadNumber(f"{_e164(national)} or {_e164(abroad)}? {_NEEDS_PLUS}")
    # 393471234567 of an Italian account: Italian numbers may be that long, so it is possible after +39 too,
    # but the country's own code followed by a valid number is no accident.
    if abroad_valid and abroad.country_code == national.country_code:
        return _e164(abroad)
    return _e164(national)


@lru_cache(maxsize=_CACHED)
def _parse_e164(text: str) -> str:
    prefix, digits = _read(text)
    if prefix not in ("+", "00"):
        raise BadNumber(_NEEDS_PLUS)
    return _required(_international(digits))


def _read(typed: str) -> tuple[str, str]:
    """(+, 00, p or nothing; the digits behind it) of a typed number. Letters are never turned into digits."""
    found = _TYPED.fullmatch("".join(map(_plain, typed)))
    if found is None:
        raise BadNumber(_NOT_A_NUMBER)
    prefix, digits = (found[1] or "").lower(), found[2]
    # One more than E.164 has: people keep the trunk 0 in "+44 (0)7700 900123".
    if len(digits) > _MAX_DIGITS + 1:
        raise BadNumber(_TOO_LONG)
    return prefix, digits


def _plain(character: str) -> str:
    """A digit of any script as an ASCII digit, nothing for what is ignored, else the character itself."""
    if character.isascii() and character.isalnum():
        return character
    if character in _PLUS:
        return "+"
    if character in _IGNORED:
        return ""
    if unicodedata.normalize("NFKC", character) in _MEANINGFUL:
        raise BadNumber(_NOT_A_NUMBER)
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    return "" if category[0] in _IGNORED_CATEGORIES or category == "Cf" else character


def _national(digits: str, region: str) -> pn.PhoneNumber | None:
    """The number as dialled inside the region, or None if it cannot be that.

    The library takes a leading country code for what it is, even without a +; that reading is not national,
    and the one wanted is had by putting the country code before all that was typed.
    """
    code = pn.country_code_for_region(region)
    if not code:
        return None
    try:
        number = pn.parse(digits, region, keep_raw_input=True)
    except pn.NumberParseException:
        return None
    if number.country_code_source != pn.CountryCodeSource.FROM_DEFAULT_COUNTRY:
        return _international(f"{code}{digits}")
    return _possible(number)


def _international(digits: str) -> pn.PhoneNumber | None:
    try:
        number = pn.parse(f"+{digits}", None)
    except pn.NumberParseException:
        return None
    return _possible(number)


def _possible(number: pn.PhoneNumber) -> pn.PhoneNumber | None:
    """None unless it is possible to reach from anywhere, and its E.164 form reads as itself again.

    The second is not given: of two trunk prefixes typed, one is left, and would come off at the next reading.
    """
    if pn.is_possible_number_with_reason(number) != pn.ValidationResult.IS_POSSIBLE:
        return None
    text = _e164(number)
    if _E164.fullmatch(text) is None or _e164(pn.parse(text, None)) != text:
        return None
    return number


def _required(number: pn.PhoneNumber | None) -> str:
    if number is None:
        raise BadNumber(_NOT_POSSIBLE)
    return _e164(number)


def _same(one: pn.PhoneNumber, other: pn.PhoneNumber) -> bool:
    return _e164(one) == _e164(other)


def _e164(number: pn.PhoneNumber) -> str:
    return pn.format_number(number, pn.PhoneNumberFormat.E164)


def _country_code(digits: str) -> str:
    """The country code a number begins with, or "". No code is the beginning of another."""
    codes = (digits[:length] for length in (1, 2, 3))
    return next((code for code in codes if code in _COUNTRY_CODES), "")


def _region_by_range(e164: str) -> str:
    try:
        return pn.region_code_for_number(pn.parse(e164, None)) or ""
    except pn.NumberParseException:
        return ""
