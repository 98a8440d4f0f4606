"""Secrets of senders that can prove themselves in no other way: in the recipient's address, or first in the subject.

They are kept as argon2 and tried a few at a time. What fitted once is known again by a digest under a key of this
process, so that a device's storm does not cost 20 ms a mail.
"""

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence

from mailgate import passwords
from mailgate.guesses import Guesses
from mailgate.trust import Rule

_AT_ONCE = 2  # argon2 takes 19 MiB and 20 ms each, on purpose
_MOST_CANDIDATES = 3  # of one mail
_MOST_KNOWN = 10_000
_LENGTH = range(8, 41)  # as rows.SenderRow allows it


def form(secret: str) -> str:
    """The one form in which secrets are compared: mail programs change the case of addresses."""
    return secret.lower()


class Secrets:
    """Tries secrets. Thread-safe; blocks for up to three argon2 hashes."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._lock = threading.Lock()
        self._hashing = threading.BoundedSemaphore(_AT_ONCE)
        self._guesses = Guesses()

    def fitting(self, rule: Rule, candidates: Sequence[str], source: bytes) -> str:
        """The candidate that is the rule's secret; "" when none is, or when its source has guessed too often."""
        worth = [one for one in dict.fromkeys(candidates) if len(one) in _LENGTH][:_MOST_CANDIDATES]
        for candidate in worth:
            if self._is_known(rule, candidate):
                return candidate
        if not worth or not rule.secret_hash or self._guesses.too_many(source, rule.address):
            return ""
        for candidate in worth:
            with self._hashing:
                fits = passwords.verify(rule.secret_hash, form(candidate))
            if fits:
                self._guesses.passed(source, rule.address)
                self._keep(rule, candidate)
                return candidate
        self._guesses.failed(source, rule.address)
        return ""

    def _digest(self, rule: Rule, candidate: str) -> bytes:
        """Of the hash too: another secret makes another digest."""
        said = f"{rule.address}\0{rule.secret_hash}\0{form(candidate)}"
        return hmac.digest(self._key, said.encode("utf-8", "surrogatepass"), hashlib.sha256)

    def _is_known(self, rule: Rule, candidate: str) -> bool:
        """Looked up by a keyed digest: how long that takes tells nothing about the secret."""
        with self._lock:
            return self._digest(rule, candidate) in self._known

    def _keep(self, rule: Rule, candidate: str) -> None:
        with self._lock:
            self._known[self._digest(rule, candidate)] = None
            while len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
