"""Bytes of a mail to text, whatever they claim to be.

Declared charsets lie often, so the order is fixed and never fails: declared, UTF-8 strictly, what the operator
says of the device, Windows-1252, ISO-8859-1. Guessing libraries do badly on texts as short as ours.
"""

import encodings.aliases
import re
from functools import lru_cache

LATIN = frozenset({"ascii", "latin_1", "cp1252"})
# what is written in mails, and the superset that decodes what is meant (WHATWG encoding standard, 4.2)
ALIASES = {
    "unicode_1_1_utf_7": "utf_7",
    "unicode_1_1_utf_8": "utf_8",
    "utf_8x": "utf_8",
    "utf8mb4": "utf_8",
    "x_utf_8": "utf_8",
    "x_unknown": "ascii",
    "unknown": "ascii",
    "unknown_8bit": "ascii",
    "default": "ascii",
    "8bit": "ascii",
    "7bit": "ascii",
    "binary": "ascii",
    "ansi": "cp1252",
    "x_ansi": "cp1252",
    "ansi_x3.4": "ascii",
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_9": "cp1254",
    "iso8859_9": "cp1254",
    "latin5": "cp1254",
    "iso_8859_11": "cp874",
    "tis_620": "cp874",
    "windows_874": "cp874",
    "x_gbk": "gb18030",
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "euc_cn": "gb18030",
    "gb_2312_80": "gb18030",
    "ks_c_5601_1987": "cp949",
    "ks_c_5601": "cp949",
    "ksc5601": "cp949",
    "euc_kr": "cp949",
    "x_windows_949": "cp949",
    "big5": "cp950",
    "x_x_big5": "cp950",
    "shift_jis": "cp932",
    "sjis": "cp932",
    "x_sjis": "cp932",
    "windows_31j": "cp932",
    "iso_2022_jp": "iso2022_jp_ext",  # half-width kana come under the plain name
    "iso2022_jp": "iso2022_jp_ext",
    "cp_850": "cp850",
    "x_mac_roman": "mac_roman",
    "macintosh": "mac_roman",
}
# codecs that are no charsets of mail, or slow on purpose-made input (punycode and idna are quadratic)
_NOT_TEXT = frozenset(
    {
        *("base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "uu_codec", "zlib_codec", "rot_13"),
        *("punycode", "idna", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "oem"),
    }
)
_WITHOUT_ALIAS = frozenset({"koi8_u", "koi8_t", "cp720", "cp737", "cp856", "cp874", "cp1006", "utf_8_sig"})
_KNOWN = _WITHOUT_ALIAS.union(encodings.aliases.aliases, encodings.aliases.aliases.values()) - _NOT_TEXT
_SUFFIX = re.compile(r"[^a-z0-9_.].*|http_equiv.*", re.DOTALL)


@lru_cache(maxsize=256)
def _found(name: str) -> str:
    """The Python codec of a name, "" when it is unknown. The set of names is closed, so no import is tried for
    a name that a stranger made up.
    """
    name = name.lower().replace("-", "_").replace(" ", "_")
    name = _SUFFIX.sub("", name)
    name = ALIASES.get(name, name)
    if name not in _KNOWN:
        return ""
    name = encodings.aliases.aliases.get(name, name)
    return "" if name in _NOT_TEXT else ALIASES.get(name, name)


def codec(declared: str) -> str:
    """The Python codec for a declared charset; `ascii` when it is unknown."""
    return _found(declared.strip(" \t\"'")[:60]) or "ascii"


def known(name: str) -> bool:
    """Whether `name` can be the hint of `decode`: a charset that we read and that has ASCII as a part."""
    printable = bytes(range(0x20, 0x7F))
    found = _found(name.strip()[:60])
    return bool(found) and printable.decode(found, "replace") == printable.decode("ascii")


def decode(data: bytes, declared: str = "", hint: str = "") -> str:
    """`hint` is what bytes beyond ASCII are, if no known charset is declared and they are not UTF-8."""
    if data.isascii() and b"\x1b" not in data and (not declared or codec(declared) in _ASCII_SUPERSETS):
        return data.decode("ascii")
    name = codec(declared) if declared else "ascii"
    if name not in LATIN:
        found = _as_declared(data, name)
        if found is not None:
            return found
    return _by_order(data, name, codec(hint) if hint else "")


_ASCII_SUPERSETS = frozenset({*LATIN, "utf_8", "iso8859_15", "cp1250", "cp1251", "cp932", "gb18030", "cp949"})
_MULTIBYTE = frozenset({"utf_8", "gb18030", "cp949", "cp950", "cp932", "euc_jp", "iso2022_jp_ext"})
_SURROGATE = re.compile("[\ud800-\udfff]")


def _as_declared(data: bytes, name: str) -> str | None:
    """Strictly, or with a few spoilt characters when most of the many-byte ones are sound (cut-off mails)."""
    try:
        text = data.decode(name)
    except (UnicodeError, LookupError, ValueError):
        return _mostly(data, name) if name in _MULTIBYTE else None
    if name == "utf_7" and _SURROGATE.search(text):  # the only codec that lets halves of characters through
        return None
    return text


def _mostly(data: bytes, name: str) -> str | None:
    try:
        text = data.decode(name, "replace")
    except (UnicodeError, LookupError, ValueError):
        return None
    bad = text.count("\ufffd")
    beyond_ascii = len(text) - len(text.encode("ascii", "ignore"))
    return text if beyond_ascii > 2 * bad else None


def _by_order(data: bytes, name: str, hint: str) -> str:
    order = ["utf_8"]
    if name == "ascii" and b"\x1b$" in data:
        order.append("iso2022_jp_ext")  # Japanese without any label is still 7-bit ISO-2022-JP (RFC 1468)
        order.reverse()
    if name == "ascii" and hint:
        order.append(hint)
    for candidate in (*order, "cp1252"):
        try:
            return data.decode(candidate)
        except (UnicodeError, ValueError):
            continue
    return data.decode("latin_1")
