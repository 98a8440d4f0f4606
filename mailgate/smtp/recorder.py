"""What a forgotten device really says at its first contact: the dialogue as it was, without passwords."""

from collections.abc import Callable, Sequence

LONGEST = 65_536  # characters of a record
_VERBS = frozenset(
    {b"EHLO", b"HELO", b"MAIL", b"RCPT", b"DATA", b"RSET", b"NOOP", b"QUIT", b"VRFY", b"HELP", b"STAR"}
)


class Recorder:
    """Collects one session up to the end of its first mail; `keep` gets the transcript, once."""

    def __init__(self, keep: Callable[[str], None], has_secret: Callable[[bytes], bool]) -> None:
        """`has_secret` says of a MAIL line whether mails of this sender carry a secret: then nothing is kept."""
        self._keep: Callable[[str], None] | None = keep
        self._has_secret = has_secret
        self._lines: list[str] = []
        self._size = 0
        self._had_auth = False
        self._told_something = False
        self._had_mail = False

    def command(self, line: bytes) -> None:
        verb = line[:4].upper()
        if verb == b"AUTH":
            self._had_auth, line = True, line[:4] + b" [not recorded]"
        elif self._had_auth and verb not in _VERBS:  # an answer to AUTH, or what was meant to be one
            line = b"[not recorded]"
        self._told_something |= verb == b"MAIL"
        if verb == b"MAIL" and self._has_secret(line):
            self._keep = None
        self._add("C", line)

    def mail(self, raw: bytes) -> None:
        """As it came over the wire; its line ends are shown as they were."""
        self._had_mail = True
        for line in raw[:LONGEST].splitlines(keepends=True):
            self._add("C", line)

    def replies(self, replies: Sequence[str]) -> None:
        for reply in replies:
            self._add("S", reply.encode())
        if self._had_mail:
            self.finish()

    def finish(self) -> None:
        """A session that never came to MAIL tells nothing about a device; the next one may."""
        if self._keep and self._told_something:
            keep, self._keep = self._keep, None
            keep("\n".join(self._lines))

    def _add(self, side: str, line: bytes) -> None:
        shown = line.removesuffix(b"\r\n").decode("latin-1").encode("unicode_escape").decode()
        if self._keep and self._size < LONGEST:
            self._lines.append(f"{side}: {shown}")
            self._size += len(shown) + 4
