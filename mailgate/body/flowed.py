"""format=flowed (RFC 3676): soft line breaks are the mail program's, not the author's."""


def unwrap(text: str, *, delsp: bool) -> str:
    """Lines that end in a blank go on in the next one of the same quote depth; with DelSp the blank goes too.

    `-- ` is a signature separator and never flows (section 4.3). Quoting is written back as `> ` a level.
    """
    done: list[str] = []
    pieces: list[str] = []
    open_depth = -1
    for raw in text.split("\n"):
        depth, line = _read(raw)
        if pieces and (depth != open_depth or line == "-- "):
            done.append(_write(open_depth, pieces))
            pieces = []
        open_depth = depth
        if line.endswith(" ") and line != "-- ":
            pieces.append(line[:-1] if delsp else line)
            continue
        done.append(_write(depth, [*pieces, line]))
        pieces = []
    if pieces:
        done.append(_write(open_depth, pieces))
    return "\n".join(done)


def _read(raw: str) -> tuple[int, str]:
    """Quote depth and the line without quote marks and space-stuffing (sections 4.4 and 4.5)."""
    line = raw.lstrip(">")
    return len(raw) - len(line), line.removeprefix(" ")


def _write(depth: int, pieces: list[str]) -> str:
    line = "".join(pieces)
    return f"{'>' * depth} {line}" if depth else line
