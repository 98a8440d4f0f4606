"""How commands print: tables, JSON, one line on stderr."""

import json
import sys
from collections.abc import Sequence
from typing import Any


def as_json(value: Any) -> None:
    """One line, for every terminal and every reader: a text may hold U+2028, or half a surrogate pair."""
    print(json.dumps(value))


def table(titles: Sequence[str], lines: Sequence[Sequence[Any]]) -> None:
    """Left-aligned columns; nothing when there are no lines but the titles."""
    cells = [titles, *([str(cell) for cell in line] for line in lines)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(titles))]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def complain(words: str) -> None:
    """One line on stderr."""
    print(f"mailgate: {words}", file=sys.stderr)
