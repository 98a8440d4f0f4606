"""Logins: which rule a user and a password prove, what is kept of a password, and what a stranger can learn."""

import statistics
import time

import pytest
from argon2 import PasswordHasher
from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate import login, passwords
from mailgate.trust import Rule, Rules

PASSWORD, OTHER = "correct horse", "battery staple"
HASH, OTHER_HASH = passwords.make_hash(PASSWORD), passwords.make_hash(OTHER)


def rule(address: str, accept: str = "auth", password_hash: str = HASH) -> Rule:
    return Rule(
        address, 1, ("0.0.0.0/0",), accept, monitoring=False, lists=False, password_hash=password_hash
    )


def rules(*given: Rule) -> Rules:
    domains = frozenset(one.address.rpartition("@")[2] for one in given if one.address != "*")
    return Rules(1, {one.address: one for one in given}, domains)


ALL = rules(
    rule("alice@acme.example"),
    rule("@acme.example", password_hash=OTHER_HASH),
    rule("printer@acme.example", accept="ip", password_hash=""),
    rule("jürgen@xn--bcher-kva.example"),
    rule("nohash@acme.example", password_hash=""),
    rule("*", accept="ip", password_hash=""),
)

# user, password, the rule that is proved
LOGINS = [
    ("alice@acme.example", PASSWORD, "alice@acme.example"),
    ("ALICE@Acme.Example", PASSWORD, "alice@acme.example"),
    (" alice@acme.example ", PASSWORD, "alice@acme.example"),
    ("alice@acme.example", OTHER, ""),  # the password of the domain is not hers
    ("alice@acme.example", "", ""),
    ("alice@acme.example", PASSWORD + " ", ""),
    ("alice@acme.example", PASSWORD.upper(), ""),
    ("alice@acme.example", HASH, ""),
    ("bob@acme.example", OTHER, "@acme.example"),
    ("@acme.example", OTHER, "@acme.example"),
    ("bob@acme.example", PASSWORD, ""),
    ("acme.example", OTHER, ""),
    ("alice", PASSWORD, ""),
    ("printer@acme.example", OTHER, ""),  # it has a rule of its own, which takes no login
    ("printer@acme.example", "", ""),
    ("nohash@acme.example", "", ""),
    ("jürgen@bücher.example", PASSWORD, "jürgen@xn--bcher-kva.example"),
    ("eve@elsewhere.example", "", ""),
    ("*", "", ""),
    ("", "", ""),
    ("alice@acme.example\0", PASSWORD, ""),
    ("\udc80@acme.example", PASSWORD, ""),
    ("alice@acme.example", "\udc80\ud800", ""),
]


@pytest.mark.parametrize(("user", "password", "proved"), LOGINS)
def test_which_rule_a_login_proves(user: str, password: str, proved: str) -> None:
    assert login.check(ALL, user, password) == proved


def test_without_rules_nobody_logs_in() -> None:
    assert login.check(rules(), "alice@acme.example", PASSWORD) == ""


def test_nobodys_password_is_no_way_in() -> None:
    """The hash that is checked for unknown users is that of an empty password."""
    assert passwords.verify(passwords.nobodys(), "")
    assert login.check(rules(), "alice@acme.example", "") == ""


@given(st.text(), st.text())
@settings(max_examples=25, deadline=None)
def test_whatever_a_stranger_sends_is_refused(user: str, password: str) -> None:
    assert login.check(ALL, user, password) == ""


def test_an_unknown_user_takes_as_long_as_a_wrong_password() -> None:
    def milliseconds(user: str) -> float:
        began = time.perf_counter()
        login.check(ALL, user, "wrong")
        return (time.perf_counter() - began) * 1000

    milliseconds("warm@up.example")
    pairs = [(milliseconds("alice@acme.example"), milliseconds("eve@elsewhere.example")) for _ in range(9)]
    known, unknown = (statistics.median(times) for times in zip(*pairs, strict=True))
    assert 0.4 < known / unknown < 2.5
    assert unknown > 1  # a hash was computed


@pytest.mark.parametrize(
    ("given_rules", "wanted"),
    [
        (rules(), False),
        (rules(rule("a@b.example", accept="ip")), False),
        (rules(rule("a@b.example", accept="ip"), rule("c@b.example")), True),
    ],
)
def test_auth_is_of_use_when_a_rule_takes_it(given_rules: Rules, wanted: bool) -> None:
    assert login.usable(given_rules) is wanted


# --- passwords --------------------------------------------------------------------------------------------


def test_a_password_is_kept_as_argon2id_with_a_salt_of_its_own() -> None:
    again = passwords.make_hash(PASSWORD)
    assert again != HASH
    assert again.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert PASSWORD not in again
    assert passwords.verify(again, PASSWORD)
    assert not passwords.verify(again, OTHER)


@pytest.mark.parametrize(
    "spoilt", ["", "x", HASH[:-1], HASH[:40], HASH.replace("argon2id", "argon2x"), PASSWORD]
)
def test_a_spoilt_hash_fits_nothing(spoilt: str) -> None:
    assert not passwords.verify(spoilt, PASSWORD)


def test_a_hash_made_with_other_parameters_still_fits() -> None:
    """They are in the hash: what is stored survives a change of ours."""
    other = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    assert other.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert passwords.verify(other, PASSWORD)


@pytest.mark.parametrize(("one", "other"), [("é", "e\u0301"), ("Å", "\u212b"), ("ü", "u\u0308")])
def test_one_character_is_one_however_the_keyboard_writes_it(one: str, other: str) -> None:
    assert one != other
    assert passwords.verify(passwords.make_hash(one), other)


def test_a_rule_does_not_show_its_hash() -> None:
    assert HASH not in repr(rule("alice@acme.example"))
