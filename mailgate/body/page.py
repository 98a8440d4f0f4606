"""What a reader sees of a page, as it is written from begin to end."""

import re

BLANK = re.compile(r"[ \t\r\n\f]+")
Mark = tuple[int, int, bool]
_MAX_CITED = 8


class Page:
    """Line breaks are owed, not written, so that nested blocks give one break."""

    __slots__ = ("_last", "blank", "depth", "out", "owed", "preformatted")

    def __init__(self) -> None:
        self.out: list[str] = []
        self.owed = 1
        self.blank = False
        self.depth = 0  # of citations
        self._last = 0  # that of the line before
        self.preformatted = 0

    def need(self, breaks: int) -> None:
        self.owed = max(self.owed, breaks)
        self.blank = False

    def end_line(self) -> None:
        self.owed += 1
        self.blank = False

    def next_cell(self) -> None:
        self.blank = not self.owed and bool(self.out)

    def add(self, text: str) -> None:
        if not text:
            return
        if self.owed:
            if self.depth:
                self._cite()
            else:
                self.out.append("\n" * self.owed if self.out else "")
                self._last = 0
            self.owed = 0
        elif self.blank and text[0] != " ":
            self.out.append(" ")
        self.blank = False
        self.out.append(text)

    def _cite(self) -> None:
        """The line breaks that are owed; an empty line between two depths belongs to the outer one."""
        depth = min(self.depth, _MAX_CITED)
        gap = "\n" + "> " * min(depth, self._last)
        self.out.append((gap * (self.owed - 1) + "\n" if self.out else "") + "> " * depth)
        self._last = depth

    def words(self, text: str) -> None:
        """Running text: white space is one blank, none at the start of a line."""
        if self.preformatted:
            self._preserved(text)
            return
        text = BLANK.sub(" ", text)
        if self.owed or not self.out:
            text = text.removeprefix(" ")
        self.add(text.removesuffix(" ") if text != " " else "")
        self.blank = self.blank or (text.endswith(" ") and not self.owed)

    def _preserved(self, text: str) -> None:
        for number, line in enumerate(text.split("\n")):
            if number:
                self.owed += 1
            self.add(line)

    def mark(self) -> Mark:
        """Where the page stands now, for `back`."""
        return len(self.out), self.owed, self.blank

    def since(self, mark: Mark) -> str:
        return "".join(self.out[mark[0] :])

    def back(self, mark: Mark) -> None:
        """Forget what was written since."""
        length, self.owed, self.blank = mark
        del self.out[length:]
