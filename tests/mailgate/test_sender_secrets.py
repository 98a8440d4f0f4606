"""Secrets of senders: which candidate fits, what trying costs, and who may try no more."""

import threading
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType

import pytest
from core_support import wait_for

from mailgate import passwords, sender_secrets
from mailgate.sender_secrets import Secrets
from mailgate.trust import Rule

SECRET, OTHER = "Hush-Hush.42", "Another_1"
SECRET_HASH, OTHER_HASH = (passwords.make_hash(sender_secrets.form(one)) for one in (SECRET, OTHER))
RULE = Rule(
    "plc@acme.example", 1, ("0.0.0.0/0",), "secret", monitoring=False, lists=False, secret_hash=SECRET_HASH
)
HERE, THERE = b"here", b"ther"


def source(number: int) -> bytes:
    return number.to_bytes(4, "big")


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The candidates that cost a hash, in order."""
    hashed: list[str] = []
    verify = passwords.verify

    def counted(secret_hash: str, secret: str) -> bool:
        hashed.append(secret)
        return verify(secret_hash, secret)

    monkeypatch.setattr(passwords, "verify", counted)
    return hashed


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The same where nothing fits, without the time that argon2 takes."""
    hashed: list[str] = []

    def nothing_fits(_hash: str, secret: str) -> bool:
        hashed.append(secret)
        return False

    monkeypatch.setattr(passwords, "verify", nothing_fits)
    return hashed


FITTING = {
    "as it was set": ([SECRET], SECRET),
    "in lower case": (["hush-hush.42"], "hush-hush.42"),
    "in upper case": (["HUSH-HUSH.42"], "HUSH-HUSH.42"),
    "the second": (["oncall-team", SECRET], SECRET),
    "the third": (["oncall-team", "disk-is-full", SECRET], SECRET),
    "among short words": (["a", "disk", "is", "full", "x" * 41, SECRET], SECRET),
    "after one word again and again": (["oncall-team"] * 5 + [SECRET], SECRET),
    "the first that fits": ([SECRET.upper(), SECRET], SECRET.upper()),
    "another": ([OTHER], ""),
    "part of it": ([SECRET[:-1]], ""),
    "more than it": ([SECRET + "x"], ""),
    "with a space": ([SECRET + " "], ""),
    "its hash": ([SECRET_HASH], ""),
    "the fourth": (["oncall-team", "disk-is-full", "server-42", SECRET], ""),
    "not to be encoded": (["\udc80\ud800-hush-hush"], ""),
    "empty": ([""], ""),
    "none": ([], ""),
}


@pytest.mark.parametrize(("candidates", "wanted"), FITTING.values(), ids=FITTING)
def test_which_candidate_is_the_secret(candidates: list[str], wanted: str) -> None:
    assert Secrets().fitting(RULE, candidates, HERE) == wanted


def test_a_rule_without_a_secret_is_fitted_by_nothing(tried: list[str]) -> None:
    assert Secrets().fitting(replace(RULE, secret_hash=""), [SECRET, "none-at-all"], HERE) == ""
    assert tried == []


# --- what it costs ----------------------------------------------------------------------------------------

# candidates: those that are hashed
HASHED = {
    "nothing": ([], []),
    "too short": (["", "1234567"], []),
    "short enough": (["12345678"], ["12345678"]),
    "long enough": (["x" * 40], ["x" * 40]),
    "too long": (["x" * 41, "y" * 100_000], []),
    "at most three": (
        ["word-one", "word-two", "word-three", "word-four"],
        ["word-one", "word-two", "word-three"],
    ),
    "one only once": (["word-one"] * 3 + ["word-two"], ["word-one", "word-two"]),
    "those of another length do not count": (
        ["a", "word-one", "b", "word-two", "x" * 41, "word-three"],
        ["word-one", "word-two", "word-three"],
    ),
    "in lower case": (["Word-ONE"], ["word-one"]),
}


@pytest.mark.parametrize(("candidates", "hashed"), HASHED.values(), ids=HASHED)
def test_what_costs_a_hash(quick: list[str], candidates: list[str], hashed: list[str]) -> None:
    assert Secrets().fitting(RULE, candidates, HERE) == ""
    assert quick == hashed


def test_nothing_is_hashed_after_the_secret(tried: list[str]) -> None:
    assert Secrets().fitting(RULE, ["word-one", SECRET, "word-two"], HERE) == SECRET
    assert tried == ["word-one", SECRET.lower()]


def test_a_known_secret_costs_no_hash(tried: list[str]) -> None:
    known = Secrets()
    assert known.fitting(RULE, [SECRET], HERE) == SECRET
    del tried[:]
    for again in ([SECRET], [SECRET.upper()], ["word-one", "word-two", SECRET]):
        assert known.fitting(RULE, again, THERE) == again[-1]
    assert tried == []
    assert (
        known.fitting(RULE, ["word-one", "word-two", "word-four", SECRET], HERE) == ""
    )  # still three at most
    assert len(tried) == 3


def test_what_did_not_fit_is_not_known(tried: list[str]) -> None:
    known = Secrets()
    assert [known.fitting(RULE, [OTHER], HERE) for _ in range(2)] == ["", ""]
    assert len(tried) == 2


def test_a_secret_that_was_changed_is_not_known_any_more(tried: list[str]) -> None:
    known, changed = Secrets(), replace(RULE, secret_hash=OTHER_HASH)
    assert known.fitting(RULE, [SECRET], HERE) == SECRET
    assert known.fitting(changed, [SECRET], HERE) == ""
    assert known.fitting(changed, [OTHER], HERE) == OTHER
    assert len(tried) == 3
    again = replace(RULE, secret_hash=passwords.make_hash(sender_secrets.form(SECRET)))
    assert known.fitting(again, [SECRET], HERE) == SECRET
    assert len(tried) == 4  # the same secret, set again, is another hash


def test_a_secret_that_was_taken_away_fits_no_more() -> None:
    known = Secrets()
    assert known.fitting(RULE, [SECRET], HERE) == SECRET
    assert known.fitting(replace(RULE, secret_hash=""), [SECRET], HERE) == ""


def test_a_secret_is_known_for_its_rule_only(tried: list[str]) -> None:
    known = Secrets()
    assert known.fitting(RULE, [SECRET], HERE) == SECRET
    assert known.fitting(replace(RULE, address="plc@globex.example"), [SECRET], HERE) == SECRET
    assert len(tried) == 2


def test_what_is_known_has_a_bound(monkeypatch: pytest.MonkeyPatch, tried: list[str]) -> None:
    monkeypatch.setattr(sender_secrets, "_MOST_KNOWN", 2)
    known = Secrets()
    devices = [replace(RULE, address=f"plc{number}@acme.example") for number in range(3)]
    for device in devices:
        assert known.fitting(device, [SECRET], HERE) == SECRET
    del tried[:]
    assert [known.fitting(device, [SECRET], HERE) for device in reversed(devices)] == [SECRET] * 3
    assert len(tried) == 1  # the oldest


# --- guessing ---------------------------------------------------------------------------------------------


def guess(known: Secrets, mails: int, where: Callable[[int], bytes] = lambda _: HERE) -> None:
    for number in range(mails):
        assert known.fitting(RULE, [f"guess-{number}-{word}" for word in "abc"], where(number)) == ""


def test_a_source_has_ten_mails_to_guess(quick: list[str]) -> None:
    known = Secrets()
    guess(known, 20)
    assert len(quick) == 10 * 3


def test_who_has_guessed_too_often_is_not_told_that_it_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Secrets()
    with monkeypatch.context() as patched:
        patched.setattr(passwords, "verify", lambda *_: False)
        guess(known, 10)
    assert known.fitting(RULE, [SECRET], HERE) == ""
    assert known.fitting(RULE, [SECRET], THERE) == SECRET


def test_mail_without_candidates_is_no_guess(quick: list[str]) -> None:
    known = Secrets()
    for _ in range(20):
        assert known.fitting(RULE, ["short", ""], HERE) == ""
    guess(known, 1)
    assert len(quick) == 3


def test_a_known_secret_is_taken_from_where_somebody_guesses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else one careless device would silence all others behind its address."""
    known = Secrets()
    assert known.fitting(RULE, [SECRET], HERE) == SECRET
    monkeypatch.setattr(passwords, "verify", lambda *_: False)
    guess(known, 20)
    assert known.fitting(RULE, [SECRET], HERE) == SECRET


def test_many_sources_have_a_hundred_mails_for_one_rule(quick: list[str]) -> None:
    known = Secrets()
    guess(known, 150, source)
    assert len(quick) == 100 * 3
    assert known.fitting(replace(RULE, address="door@acme.example"), ["word-one"], HERE) == ""
    assert len(quick) == 100 * 3 + 1  # another rule's secret may be tried


def test_a_device_under_attack_may_change_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    known, changed = Secrets(), replace(RULE, secret_hash=OTHER_HASH)
    assert known.fitting(RULE, [SECRET], HERE) == SECRET
    with monkeypatch.context() as patched:
        patched.setattr(passwords, "verify", lambda *_: False)
        guess(known, 100, source)
    assert known.fitting(changed, [OTHER], THERE) == ""
    assert known.fitting(changed, [OTHER], HERE) == OTHER  # from where it got in before


# --- threads ----------------------------------------------------------------------------------------------


class Queue:
    """A semaphore that counts who has come to it."""

    def __init__(self, real: threading.Semaphore) -> None:
        self._real, self._lock, self.came = real, threading.Lock(), 0

    def __enter__(self) -> None:
        with self._lock:
            self.came += 1
        self._real.acquire()

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._real.release()


def test_two_hashes_at_once_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    known, hashing, everybody_came = Secrets(), threading.Semaphore(0), threading.Event()
    lock, now, most = threading.Lock(), 0, 0

    def slow(_hash: str, _secret: str) -> bool:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        hashing.release()
        assert everybody_came.wait(10)
        with lock:
            now -= 1
        return True

    monkeypatch.setattr(passwords, "verify", slow)
    queue = Queue(known._hashing)
    monkeypatch.setattr(known, "_hashing", queue)
    fitted: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: fitted.append(known.fitting(RULE, [f"secret-{n}"], source(n))))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    assert hashing.acquire(timeout=10)
    assert hashing.acquire(timeout=10)  # two of them are at it
    wait_for(lambda: queue.came == 8)
    everybody_came.set()
    for thread in threads:
        thread.join(10)
    assert sorted(fitted) == [f"secret-{n}" for n in range(8)]
    assert most == 2


def test_a_hash_that_fails_leaves_room_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: str) -> bool:
        raise MemoryError

    known = Secrets()
    with monkeypatch.context() as patched:
        patched.setattr(passwords, "verify", broken)
        for _ in range(3):
            with pytest.raises(MemoryError):
                known.fitting(RULE, [SECRET], HERE)
    assert known.fitting(RULE, [SECRET], HERE) == SECRET
