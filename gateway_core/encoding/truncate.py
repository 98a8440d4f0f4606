"""As much of a text as goes into a number of segments."""

from gateway_core.encoding.gsm0338 import whole
from gateway_core.encoding.split import split


def truncate(text: str, most: int) -> str:
    """The beginning of the text that needs at most `most` segments; no pair is cut."""
    text = whole(text)
    parts = split(text).parts
    if len(parts) <= most:
        return text
    kept = "".join(parts[:most])
    # A text of one segment has no header that numbers it: a few more characters go in (160 against 153).
    while most == 1 and len(split(text[: len(kept) + 1])) == 1:
        kept = text[: len(kept) + 1]
    return kept
