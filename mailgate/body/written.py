"""What somebody wrote, out of all that a body says: markers first, then what programs and servers added is cut."""

from typing import NamedTuple

from mailgate.body import banners, endings, lines, markers, quotes
from mailgate.body.markers import Marks


class Removed(NamedTuple):
    """A piece that is not texted, and why in a stable word or two."""

    text: str
    why: str


class Author(NamedTuple):
    name: str = ""  # what From shows besides the address
    is_machine: bool = False  # then nothing is guessed at but what servers add


def marked(source: str, marks: Marks, removed: list[Removed]) -> str | None:
    """What stands between a pair of marks; None where there is none."""
    found = markers.pair(source, marks.pairs)
    if found is None:
        return None
    before, inside, after = found
    note(removed, "outside markers", before, after)
    return lines.tidy(inside)


def guessed(source: str, marks: Marks, author: Author, removed: list[Removed]) -> str:
    """The text without what is recognised; "" if that is all of it."""
    source = _below_banner(source, removed)
    ended = markers.end(source, marks.ends, guess=not author.is_machine)
    if ended:
        source = ended[0]
    if author.is_machine:
        source = _above_notices(source, marks, removed)
    elif ended and ended[2]:  # the author has said where it ends: nothing below is guessed at
        kept = quotes.cut(source, guess_trailing=False)
        note(removed, "quote", *kept.removed)
        source = kept.kept
    else:
        source = _above_endings(source, marks, author.name, removed, is_below=bool(ended))
    if ended:
        note(removed, "after end marker" if ended[2] else "signature", ended[1])
    return lines.tidy(source)


def _above_notices(source: str, marks: Marks, removed: list[Removed]) -> str:
    kept = endings.notices(source.split("\n"), own=marks.footers)
    for piece, why in reversed(kept.removed):
        note(removed, why, piece)
    return "\n".join(kept.kept)


def _above_endings(source: str, marks: Marks, name: str, removed: list[Removed], *, is_below: bool) -> str:
    """Endings stand below a quoted mail too, and hide there that nothing was written below it: they go first."""
    below = endings.cut(source.split("\n"), name=name, own=marks.footers, is_below=is_below)
    kept = quotes.cut("\n".join(below.kept))
    left = kept.kept.split("\n") if kept.removed else below.kept
    above = endings.cut(left, name=name) if kept.removed else endings.Ending(left, [])
    alone = endings.without_taglines(above.kept)
    for piece, why in (*reversed(alone.removed), *reversed(above.removed)):
        note(removed, why, piece)
    note(removed, "quote", *kept.removed)
    for piece, why in reversed(below.removed):
        note(removed, why, piece)
    return "\n".join(alone.kept)


def _below_banner(source: str, removed: list[Removed]) -> str:
    if banners.may_begin(source):
        found = source.split("\n", banners.MOST_LINES)
        count = banners.height(found)
        if count:
            note(removed, "banner", "\n".join(found[:count]))
            source = "\n".join(found[count:])
    begun = source.lstrip()
    untagged = banners.without_tag(begun) if begun.startswith("[") else begun
    if len(untagged) < len(begun):
        note(removed, "banner", begun[: -len(untagged)])
        return untagged
    return source


def note(removed: list[Removed], why: str, *pieces: str) -> None:
    removed += [Removed(tidied, why) for piece in pieces if (tidied := lines.tidy(piece))]
