"""What a reader takes for a character that the GSM alphabet lacks, where neither Unicode nor a library knows better."""

from typing import Final

# What stands instead: each of these characters. What is here goes before any decomposition.
_ROWS: Final = {
    # --- typography
    "'": "‘’‚‛‹›′‵`´ʹʻʼʽʾʿˈˊˋ",
    '"': "“”„‟«»″‶〃ʺˮ〝〞❝❞ﾞﾟ",
    "-": "‐‑‒–—―−⁃﹘〜～ー־",  # the last two make a Japanese vowel long, and join Hebrew words
    "...": "…⋯",
    "*": "•‣◦▪▫◾◽●○∙",
    ".": "·",
    "/": "⁄∕÷",  # the fraction slash: ½ decomposes into 1⁄2
    "\n": "\v\x85\u2028\u2029",
    "": "\ufffc",  # where an attachment was
    " ": "\t\u115f\u1160\u3164",  # Hangul fillers are letters by category, and blanks by look
    # --- symbols whose look or base alone would say something else
    "->": "→➔➜➡⟶",
    "<-": "←⬅⟵",
    "<->": "↔⟷",
    "=>": "⇒⟹",
    "+/-": "±",
    "x": "×",
    "Δ": "∆",
    "Σ": "∑",
    "Π": "∏",
    "u": "\u00b5ੳ",  # the micro sign first; it decomposes into the Greek letter, which is M here, and so mega
    "o/oo": "‰",
    "OK": "✓✔✅☑",
    "X": "✗✘✖❌❎",
    "(!)": "⚠",
    # --- ISO 4217, as people write an amount without the sign
    "RUB": "₽",
    "INR": "₹",
    "KRW": "₩",
    "ILS": "₪",
    "VND": "₫",
    "PHP": "₱",
    "UAH": "₴",
    "TRY": "₺",
    "NGN": "₦",
    "KZT": "₸",
    "GEL": "₾",
    "BTC": "₿",
    "THB": "฿",
    # --- faces: older than emoji, and shorter than their names
    ":-)": "🙂☺😊",
    ":-D": "😀😃😄😁",
    ";-)": "😉",
    ":-(": "🙁☹😞",
    ":'-(": "😢😭",
    ":-P": "😛😜😝",
    ":-*": "😘",
    "<3": "❤♥",
    # --- Latin: the long vowels of Hungarian have their short ones in the alphabet; ẞ stands among capitals only
    "ö": "ő",
    "Ö": "Ő",
    "ü": "ű",
    "Ü": "Ű",
    "SS": "ẞ",
    # --- letters that the library takes for silent, so that they would vanish
    "a": "اأٱཨๅ",
    "i": "إੲ",
    "o": "ອㅇ\u110b",
    "_": "ـ",
    "'a": "އ",
}

# The capitals that phones of Greece send: 3GPP TS 23.038 §6.2.1 has those that Latin has no look-alike for.
_GREEK: Final = (
    ("ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ", "ABΓΔEZHΘIKΛMNΞOΠPΣTYΦXΨΩ"),
    ("αβγδεζηθικλμνξοπρστυφχψως", "ABΓΔEZHΘIKΛMNΞOΠPΣTYΦXΨΩΣ"),
)

REPLACEMENTS: Final = {
    **{character: instead for instead, characters in _ROWS.items() for character in characters},
    **{character: instead for letters in _GREEK for character, instead in zip(*letters, strict=True)},
}
