"""Marks by which an author says what to text. They win over guessing."""

import re

# only a whole line counts, so that `## heading` or a price of `$$` inside a line is text
_END = re.compile(r"^[ \t]*(##|\$\$|\{end sms\}|--) ?[ \t]*$", re.MULTILINE | re.IGNORECASE)
_OPENINGS = ("##", "$$", "{", "--")  # of the marks: without one there is nothing to look for
_MAX_SIGNATURE = 10
_MAX_LOOK = 4000
_MAX_TRIES = 20
_START_MARK = "#startsms#"
_END_MARK = "#endsms#"


def pair(text: str) -> tuple[str, str, str] | None:
    """Before, inside and after the first #STARTSMS#…#ENDSMS#, if there is anything inside."""
    folded = text.lower()
    if len(folded) != len(text):  # a few letters grow in lower case; the marks are ASCII
        folded = "".join(char.lower() if char.isascii() else char for char in text)
    start = folded.find(_START_MARK)
    end = folded.find(_END_MARK, start + len(_START_MARK)) if start >= 0 else -1
    if end < 0 or not text[start + len(_START_MARK) : end].strip():
        return None
    return text[:start], text[start + len(_START_MARK) : end], text[end + len(_END_MARK) :]


def end(text: str) -> tuple[str, str, bool] | None:
    """Text before and after the first end marker that has text before it; True if the author set it for us,
    False for the signature separator of RFC 3676 (section 4.3).
    """
    if not any(opening in text for opening in _OPENINGS):
        return None
    first = len(text) - len(text.lstrip())
    tried = 0
    for found in _END.finditer(text):
        if found.start() <= first:
            continue
        signature = found[1] == "--"
        if signature and not found[0].endswith(" "):
            tried += 1
            if tried > _MAX_TRIES or not _is_signature(text[found.end() : found.end() + _MAX_LOOK]):
                continue
        return text[: found.start()], text[found.end() :], not signature
    return None


def _is_signature(rest: str) -> bool:
    """Whether a `--` that lost its blank on the way is meant so: little follows, but for quoted lines."""
    following = [line for line in rest.split("\n") if line.strip() and not line.startswith(">")]
    return len(following) <= _MAX_SIGNATURE
