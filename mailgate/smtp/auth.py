"""SMTP AUTH (RFC 4954): the exchanges of PLAIN (RFC 4616) and LOGIN, and who may try how often."""

import asyncio
import base64
import binascii
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

from mailgate import login, trust
from mailgate.guesses import Guesses
from mailgate.trust import Book

_HASHES_AT_ONCE = 2  # argon2 takes 19 MiB and 20 ms each, on purpose
_WAITING = 32  # logins in hand; more are told to come back

_LATER = "454 4.7.0 too many logins; try again later"
_FAILED = "535 5.7.8 user and password do not fit"
_BAD_BASE64 = "501 5.5.2 that is not base64"

log = structlog.get_logger(__name__)


class Exchange:
    """One AUTH command. A step returns a challenge (334), a refusal, or "" when user and password are complete."""

    def __init__(self) -> None:
        self.user = ""
        self.password = ""
        self._next: Callable[[bytes], str] = self._plain

    def begin(self, line: bytes) -> str:
        words = line.split(b" ")[1:]
        mechanism, initial = (words[0].upper() if words else b""), b" ".join(words[1:]).strip()
        if mechanism == b"PLAIN":
            return self.answer(initial) if initial else "334 "
        if mechanism == b"LOGIN":
            self._next = self._login_user
            return self.answer(initial) if initial else "334 VXNlcm5hbWU6"
        return "504 5.5.4 PLAIN and LOGIN are known here"

    def answer(self, line: bytes) -> str:
        if line.strip() == b"*":
            return "501 5.0.0 cancelled"
        try:
            decoded = base64.b64decode(b"" if line == b"=" else line, validate=True)
        except (binascii.Error, ValueError):
            return _BAD_BASE64
        return self._next(decoded)

    def _plain(self, decoded: bytes) -> str:
        parts = decoded.split(b"\0")
        if len(parts) != 3:
            return "501 5.5.2 PLAIN is identity NUL user NUL password"
        if parts[0] not in {b"", parts[1]}:  # nobody may act for another (RFC 4616 §2)
            return _FAILED
        return self._user(parts[1]) or self._password(parts[2])

    def _login_user(self, decoded: bytes) -> str:
        self._next = self._password
        return self._user(decoded) or "334 UGFzc3dvcmQ6"

    def _user(self, decoded: bytes) -> str:
        self.user = decoded.decode("utf-8", "replace")
        return "" if self.user else "501 5.5.2 a user is needed"

    def _password(self, decoded: bytes) -> str:
        self.password = decoded.decode("utf-8", "surrogateescape")
        return ""


class Logins:
    """Tries passwords in threads, a few at a time, and slows down who guesses."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._pool = ThreadPoolExecutor(_HASHES_AT_ONCE, thread_name_prefix="login")
        self._waiting = 0
        self._guesses = Guesses()

    def usable(self) -> bool:
        return login.usable(self._book.rules())

    def password_hash(self, address: str) -> str:
        """Of the rule with this address, as it is now; "" for none."""
        rule = self._book.rules().by_address.get(address)
        return rule.password_hash if rule else ""

    def check(self, peer: str, user: str, password: str, answer: Callable[[str, str], None]) -> None:
        """Calls answer(sender rule, reply) in the loop, later; the rule is "" when the login failed."""
        loop = asyncio.get_running_loop()
        rules = self._book.rules()
        known = login.guessed(rules, user)
        if self._waiting >= _WAITING or self._guesses.too_many(trust.counted_as(peer), known):
            loop.call_soon(answer, "", _LATER)
            return
        self._waiting += 1
        trying = loop.run_in_executor(self._pool, login.check, rules, user, password)
        trying.add_done_callback(lambda done: self._tried(peer, user, known, done, answer))

    def _tried(
        self,
        peer: str,
        user: str,
        known: str,
        done: "asyncio.Future[str]",
        answer: Callable[[str, str], None],
    ) -> None:
        self._waiting -= 1
        if done.cancelled() or done.exception():
            log.error("login not tried", peer=peer, exc_info=None if done.cancelled() else done.exception())
            answer("", _LATER)
        elif done.result():
            self._guesses.passed(trust.counted_as(peer), known)
            answer(done.result(), "235 2.7.0 welcome")
        else:
            self._guesses.failed(trust.counted_as(peer), known)
            log.warning("login failed", peer=peer, user=user)
            answer("", _FAILED)

    def forget(self) -> None:
        self._guesses.forget()

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
