"""Passwords of senders that log in: argon2id, so that a stolen database is not a list of passwords."""

import functools
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

# OWASP's Password Storage Cheat Sheet, argon2id: 19 MiB, 2 passes, 1 lane. RFC 9106 §4 would take 64 MiB; a device
# logs in for each of its mails, and strangers may try.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


def make_hash(password: str) -> str:
    """With parameters and salt in it, about 100 characters; some 20 ms and 19 MiB."""
    return _HASHER.hash(_prepared(password))


def verify(password_hash: str, password: str) -> bool:
    """Whether this is the password; some 20 ms and 19 MiB. A hash that is none fits nothing."""
    try:
        return _HASHER.verify(password_hash, _prepared(password))
    except (Argon2Error, InvalidHashError):
        return False


@functools.cache
def nobodys() -> str:
    """A hash for users that do not exist, so that they take as long as the others."""
    return make_hash("")


def _prepared(password: str) -> bytes:
    """One form for what keyboards write in several ways (RFC 8265 §4.2.2, step 3)."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
