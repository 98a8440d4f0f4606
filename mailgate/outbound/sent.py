"""What becomes of mail, as values and as the two errors of a connection."""

import ssl
from dataclasses import dataclass
from typing import NamedTuple

from aiosmtplib import SMTPResponseException

_LONGEST_WORDS = 500


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one mail: gone, to be tried again, or refused for good."""

    gone: bool
    retry: bool = False
    words: str = ""


class Times(NamedTuple):
    """Seconds. `batch`: no mail of a batch is begun later; `end`: then its last one is cut off. The end must lie
    within notices.LEASE_SECONDS, or somebody else would send the same mails.
    """

    connect: float = 30  # with TLS and login
    command: float = 30  # until the reply to one
    batch: float = 60
    end: float = 100
    kept: float = 30  # how long an idle connection stays open


class Unreachable(Exception):
    """No connection that takes mail can be had. `retry`: later it may."""

    def __init__(self, words: str, *, retry: bool = True) -> None:
        super().__init__(words)
        self.retry = retry


class Lost(Exception):
    """The connection ended before it took anything of this mail."""


def plain(words: str) -> str:
    """What a server said, as one line that can be stored: its octets may be no text at all."""
    return " ".join(words.encode("utf-8", "replace").decode().split())[:_LONGEST_WORDS]


def words_of(error: BaseException) -> str:
    """What went wrong, for the operator."""
    if isinstance(error, SMTPResponseException):
        return plain(f"{error.code} {error.message}")
    cause = error if isinstance(error, ssl.SSLError) else error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {cause.verify_message}"
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time"
    return plain(str(error)) or type(error).__name__
