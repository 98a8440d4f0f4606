"""Sender rules: the most specific address wins, its refusal is final, and the source must fit."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mail_support import ALICE, World, mail, world
from sqlalchemy import insert, update

from gateway_core.directory import raise_revision
from gateway_core.errors import UnknownSender
from gateway_core.storage import tables
from mailgate import checks, explain, trust
from mailgate import tables as mail_tables
from mailgate.checks import Envelope
from mailgate.errors import FromNotCovered
from mailgate.mail import parse
from mailgate.trust import Rule, Rules

NETWORKS = ("10.0.0.0/8", "2001:db8::/32")


def rule(address: str, account_id: int = 1, accept: str = "ip") -> Rule:
    return Rule(address, account_id, NETWORKS, accept, monitoring=False, lists=False)


def rules(*given: str) -> Rules:
    by_address = {address: rule(address) for address in given}
    domains = frozenset(address.rpartition("@")[2] for address in given if address != trust.ANYBODY)
    return Rules(1, by_address, domains)


ALL = ("alice@acme.example", "@acme.example", "bob@other.example", "@xn--bcher-kva.example", "*")

# rules, address: the rule that covers it
COVERING = [
    (ALL, "alice@acme.example", "alice@acme.example"),
    (ALL, "ALICE@ACME.EXAMPLE", "alice@acme.example"),
    (ALL, "alice@acme.example.", "alice@acme.example"),
    (ALL, "carol@acme.example", "@acme.example"),
    (ALL, "bob@other.example", "bob@other.example"),
    (ALL, "eve@other.example", None),  # its domain is somebody's: never covered by *
    (ALL, "eve@bücher.example", "@xn--bcher-kva.example"),
    (ALL, "eve@sub.acme.example", "*"),
    (ALL, "eve@elsewhere.example", "*"),
    (ALL, "root", "*"),
    (ALL, "a@b@acme.example", "@acme.example"),
    (ALL[:-1], "eve@elsewhere.example", None),
    (ALL[:-1], "", None),
    (ALL[:-1], "acme.example", None),
    (ALL[:-1], "@acme.example", "@acme.example"),
    (ALL[:-1], "eve@acme.example.evil.example", None),
    (ALL[:-1], "eve@evilacme.example", None),
]


@pytest.mark.parametrize(("given", "address", "wanted"), COVERING)
def test_which_rule_covers(given: tuple[str, ...], address: str, wanted: str | None) -> None:
    found = rules(*given).covering(address)
    assert (found.address if found else None) == wanted


INSIDE = [
    ("10.1.2.3", True),
    ("11.0.0.1", False),
    ("::ffff:10.1.2.3", True),  # IPv4 in IPv6 clothes
    ("::ffff:11.0.0.1", False),
    ("2001:db8::1", True),
    ("2001:db9::1", False),
    ("fe80::1%eth0", False),
    ("", False),
    ("localhost", False),
    ("10.1.2", False),
]


@pytest.mark.parametrize(("peer", "wanted"), INSIDE)
def test_networks(peer: str, wanted: bool) -> None:
    assert trust.inside(peer, NETWORKS) is wanted
    assert trust.fits(rule("x@y.example"), peer) is wanted


# accept of the rule alice@acme.example, where the mail came from, who logged in, whether that proves alice
PROOFS = [
    ("ip", "10.1.2.3", "", True),
    ("ip", "10.1.2.3", "bob@acme.example", True),
    ("ip", "192.0.2.1", "alice@acme.example", False),  # a login is not what this rule asks for
    ("auth", "10.1.2.3", "", False),
    ("auth", "10.1.2.3", "alice@acme.example", True),
    ("auth", "192.0.2.1", "alice@acme.example", True),  # from anywhere
    ("auth", "10.1.2.3", "bob@acme.example", False),
    ("auth", "10.1.2.3", "@acme.example", False),
    ("secret", "10.1.2.3", "alice@acme.example", False),
]


@pytest.mark.parametrize(("accept", "peer", "auth", "wanted"), PROOFS)
def test_a_rule_says_what_proves_its_sender(accept: str, peer: str, auth: str, wanted: bool) -> None:
    assert trust.fits(rule("alice@acme.example", accept=accept), peer, auth) is wanted


def test_a_rule_without_an_address_is_proved_by_no_login() -> None:
    assert not trust.fits(rule("", accept="auth"), "10.1.2.3", "")


@pytest.mark.parametrize("accept", ["dmarc", "ip-or-dmarc", "auth", "secret", "spf", ""])
def test_what_cannot_be_proved_yet_fits_nobody(accept: str) -> None:
    assert not trust.fits(replace(rule("x@y.example"), accept=accept), "10.1.2.3")


# --- as it is stored --------------------------------------------------------------------------------------


@pytest.fixture
def w(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as running:
        yield running


def anybody(w: World) -> None:
    """The rule that only the embedded default makes."""
    account_id = next(iter(w.gateway.snapshot.accounts))
    row = {"id": 1, "account_id": account_id, "address": "*", "ips": ["127.0.0.0/8"], "accept": "ip"}
    with w.gateway.reader.begin() as conn:
        conn.execute(insert(mail_tables.sender), {**row, "monitoring": False, "lists": False})
        raise_revision(conn)
    w.gateway.directory.refresh()


def covers_anybody(w: World, *, loopback_only: bool = True) -> bool:
    with w.gateway.reader.connect() as conn:
        found = trust.load(conn, w.gateway.snapshot, loopback_only=loopback_only)
    return found.covering("eve@elsewhere.example") is not None


def test_anybody_is_dead_outside_the_small_world(w: World) -> None:
    assert not covers_anybody(w)
    anybody(w)
    assert covers_anybody(w)
    assert not covers_anybody(w, loopback_only=False)
    w.gateway.directory.current = replace(
        w.gateway.snapshot, routes=tuple(replace(one, simulated=False) for one in w.gateway.snapshot.routes)
    )
    assert not covers_anybody(w)


def test_a_change_of_the_rows_is_seen_at_the_next_look(w: World) -> None:
    book = w.state.book
    assert book.contact(next(iter(w.gateway.snapshot.accounts)), "ONCALL") == ("+447700900123",)
    with w.gateway.reader.begin() as conn:
        conn.execute(update(mail_tables.sender).values(ips=["192.0.2.0/24"]))
        raise_revision(conn)
    w.gateway.directory.refresh()
    found = book.rules().covering("alice@acme.example")
    assert found is not None
    assert found.ips == ("192.0.2.0/24",)
    assert not trust.fits(found, "127.0.0.1")
    assert tables.account.name == "account"


def test_a_login_is_of_use_as_soon_as_a_row_takes_it(w: World) -> None:
    assert not w.state.book.rules().has_logins
    with w.gateway.reader.begin() as conn:
        conn.execute(update(mail_tables.sender).values(accept="auth", password_hash="$argon2id$"))
        raise_revision(conn)
    w.gateway.directory.refresh()
    found = w.state.book.rules()
    assert found.has_logins
    assert {one.password_hash for one in found.by_address.values()} == {"$argon2id$"}


# --- logins -----------------------------------------------------------------------------------------------


def login_needed(w: World, *addresses: str) -> None:
    with w.gateway.reader.begin() as conn:
        change = update(mail_tables.sender).where(mail_tables.sender.c.address.in_(addresses))
        conn.execute(change.values(accept="auth", password_hash="$argon2id$"))
        raise_revision(conn)
    w.gateway.directory.refresh()


def test_a_login_proves_the_envelope_sender_and_from(w: World) -> None:
    login_needed(w, "alice@acme.example", "nagios@acme.example")
    to, envelope = "447700900123@sms.localhost", Envelope(ALICE, "198.51.100.9", auth=ALICE)
    recipient = checks.check(w.state, envelope, to)
    assert checks.read(w.state, envelope, recipient, parse(mail("Hello"))).text.text == "Hello"
    for sender in ("nagios@acme.example", "far@acme.example"):  # proved by another login, and another place
        with pytest.raises(FromNotCovered):
            checks.read(w.state, envelope, recipient, parse(mail("Hello", sender=sender)))
    for wrong in (Envelope(ALICE, "127.0.0.1"), replace(envelope, auth="nagios@acme.example")):
        with pytest.raises(UnknownSender, match=checks.NOT_ALLOWED):
            checks.check(w.state, wrong, to)


def test_explain_says_that_a_login_is_needed(w: World) -> None:
    login_needed(w, ALICE)
    found = explain.whocan(w.state, ALICE, "127.0.0.1", "07700900123")
    assert found["reason"].startswith("unknown_sender: ")
    assert found["checks"][0] == {
        "name": "sender",
        "verdict": "refused",
        "detail": "the rule for alice@acme.example needs a login",
    }
