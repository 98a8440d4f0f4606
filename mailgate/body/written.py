"""What somebody wrote, out of all that a body says: markers first, then what programs and servers added is cut."""

from typing import NamedTuple

from mailgate.body import banners, endings, lines, markers, quotes
from mailgate.body.markers import Marks


class Removed(NamedTuple):
    """A piece that is not texted, and why in a stable word or two."""

    text: str
    why: str


def marked(source: str, marks: Marks, removed: list[Removed]) -> str | None:
    """What stands between a pair of marks; None where there is none."""
    found = markers.pair(source, marks.pairs)
    if found is None:
        return None
    before, inside, after = found
    _note(removed, "outside markers", before, after)
    return lines.tidy(inside)


def guessed(source: str, marks: Marks, name: str, removed: list[Removed]) -> str:
    """The text without what is recognised; "" if that is all of it. `name` is the one that From shows."""
    source = _below_banner(source, removed)
    ended = markers.end(source, marks.ends)
    if ended and ended[2]:  # the author has said where it ends: nothing below is guessed at
        kept = quotes.cut(ended[0], guess_trailing=False)
        _note(removed, "quote", *kept.removed)
        _note(removed, "after end marker", ended[1])
        return lines.tidy(kept.kept)
    if ended:
        source = ended[0]
    above = endings.cut(  # also below a quoted mail
        source.split("\n"), name=name, own=marks.footers, is_below=bool(ended)
    )
    kept = quotes.cut("\n".join(above.kept))
    below = endings.cut(kept.kept.split("\n"), name=name)
    alone = endings.without_taglines(below.kept)
    for piece, why in (*reversed(alone.removed), *reversed(below.removed)):
        _note(removed, why, piece)
    _note(removed, "quote", *kept.removed)
    for piece, why in reversed(above.removed):
        _note(removed, why, piece)
    if ended:
        _note(removed, "signature", ended[1])
    return lines.tidy("\n".join(alone.kept))


def _below_banner(source: str, removed: list[Removed]) -> str:
    found = source.split("\n", banners.MOST_LINES)
    count = banners.height(found)
    if count:
        _note(removed, "banner", "\n".join(found[:count]))
        source = "\n".join(found[count:])
    untagged = banners.without_tag(source.lstrip())
    if len(untagged) < len(source.lstrip()):
        _note(removed, "banner", source.lstrip()[: -len(untagged)])
        return untagged
    return source


def _note(removed: list[Removed], why: str, *pieces: str) -> None:
    removed += [Removed(tidied, why) for piece in pieces if (tidied := lines.tidy(piece))]
