"""What every text goes through: one kind of line end, no invisible characters, no empty space for money."""

import re

_BLANKS = re.compile("[\u00a0\u2007\u202f\t\f\v]")
_INVISIBLE = re.compile("[\x00-\x08\x0e-\x1f\x7f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
# a joiner between two emoji or two letters of a script that needs it carries meaning; elsewhere it is padding
_JOINER = re.compile(
    "(?<![\u0600-\u0dff\u200d\ufe0e\ufe0f\u2190-\u3299\U0001f000-\U0001faff])[\u200c\u200d]+"
)
_TRAILING = re.compile(r"(?<! ) +$", re.MULTILINE)
_GAP = re.compile(r"\n{3,}")


def unify(text: str) -> str:
    """Line ends to LF, odd blanks to a space, what cannot be seen dropped."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.replace("\n", "").isprintable():  # nothing of what follows is
        return text
    text = text.replace("\u2028", "\n").replace("\u2029", "\n")
    text = _BLANKS.sub(" ", text)
    return _INVISIBLE.sub("", _JOINER.sub("", text))


def tidy(text: str) -> str:
    """Trailing blanks of lines go, more than one empty line in a row becomes one, the ends are stripped."""
    if " \n" in text:
        text = _TRAILING.sub("", text)
    if "\n\n\n" in text:
        text = _GAP.sub("\n\n", text)
    return text.strip()
