"""Sender rules: the most specific address wins, its refusal is final, and the source must fit."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mail_support import ALICE, World, mail, world
from sqlalchemy import insert, update

from gateway_core.directory import raise_revision
from gateway_core.errors import UnknownSender
from gateway_core.storage import tables
from mailgate import checks, explain, reading, trust
from mailgate import tables as mail_tables
from mailgate.checks import Envelope
from mailgate.errors import FromNotCovered
from mailgate.mail import parse
from mailgate.trust import Rule, Rules, Shown

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


ALICE_ADDRESS = "alice@acme.example"


class Found:
    """Evidence as a mail may give it."""

    words = ("found by the test",)
    signed: frozenset[tuple[str, str]] = frozenset()

    def __init__(self, *, authentic: bool = False, spf: bool = False) -> None:
        self._authentic, self._spf = authentic, spf

    def authentic(self, address: str, recipients: Any) -> bool:
        return self._authentic and address == ALICE_ADDRESS

    def spf_passes(self, address: str) -> bool:
        return self._spf and address == ALICE_ADDRESS


NEAR, FAR = "10.1.2.3", "192.0.2.1"
NOTHING, DKIM, SPF = Found(), Found(authentic=True), Found(spf=True)
NO, PENDING, YES = trust.Standing.NOT_PROVED, trust.Standing.PENDING, trust.Standing.PROVED


@pytest.mark.parametrize(("peer", "wanted"), INSIDE)
def test_networks(peer: str, wanted: bool) -> None:
    assert trust.inside(peer, NETWORKS) is wanted
    standing = trust.judge(rule("x@y.example"), "x@y.example", Shown(peer))
    assert (standing is YES) is wanted


# accept of the rule alice@acme.example, what is shown, whether that proves alice
PROOFS = [
    ("ip", Shown(NEAR), YES),
    ("ip", Shown(NEAR, "bob@acme.example"), YES),
    ("ip", Shown(FAR, ALICE_ADDRESS), NO),  # a login is not what this rule asks for
    ("ip", Shown(FAR, evidence=DKIM), NO),
    ("auth", Shown(NEAR), NO),
    ("auth", Shown(NEAR, ALICE_ADDRESS), YES),
    ("auth", Shown(FAR, ALICE_ADDRESS), YES),  # from anywhere
    ("auth", Shown(NEAR, "bob@acme.example"), NO),
    ("auth", Shown(NEAR, "@acme.example"), NO),
    ("auth", Shown(NEAR, evidence=DKIM), NO),
    ("dmarc", Shown(NEAR), PENDING),
    ("dmarc", Shown(NEAR, ALICE_ADDRESS), PENDING),
    ("dmarc", Shown(FAR, evidence=DKIM), YES),
    ("dmarc", Shown(NEAR, evidence=NOTHING), NO),
    ("dmarc", Shown(NEAR, evidence=SPF), NO),
    ("ip-or-dmarc", Shown(NEAR), YES),
    ("ip-or-dmarc", Shown(FAR), PENDING),
    ("ip-or-dmarc", Shown(FAR, evidence=DKIM), YES),
    ("ip-or-dmarc", Shown(FAR, evidence=NOTHING), NO),
    ("ip-and-dmarc", Shown(NEAR), PENDING),
    ("ip-and-dmarc", Shown(FAR), NO),
    ("ip-and-dmarc", Shown(FAR, evidence=DKIM), NO),
    ("ip-and-dmarc", Shown(NEAR, evidence=DKIM), YES),
    ("ip-and-dmarc", Shown(NEAR, evidence=NOTHING), NO),
    ("spf", Shown(NEAR), PENDING),
    ("spf", Shown(FAR, evidence=SPF), YES),
    ("spf", Shown(FAR, evidence=DKIM), NO),
    ("secret", Shown(NEAR, ALICE_ADDRESS), PENDING),
    ("secret", Shown(FAR, secret_of=frozenset({ALICE_ADDRESS}), evidence=NOTHING), YES),
    ("secret", Shown(FAR, secret_of=frozenset({"@acme.example"}), evidence=NOTHING), NO),
    ("secret", Shown(FAR, evidence=DKIM), NO),
    ("", Shown(NEAR, evidence=DKIM), NO),
    ("ipx", Shown(NEAR), PENDING),  # no such value; it proves nothing, whatever is found
    ("ipx", Shown(NEAR, ALICE_ADDRESS, frozenset({ALICE_ADDRESS}), DKIM), NO),
]


@pytest.mark.parametrize(("accept", "shown", "wanted"), PROOFS)
def test_a_rule_says_what_proves_its_sender(accept: str, shown: Shown, wanted: trust.Standing) -> None:
    assert trust.judge(rule(ALICE_ADDRESS, accept=accept), ALICE_ADDRESS, shown) is wanted


def test_a_rule_without_an_address_is_proved_by_no_login() -> None:
    assert trust.judge(rule("", accept="auth"), "", Shown("10.1.2.3")) is NO


@pytest.mark.parametrize(("accept", "shown", "wanted"), [one for one in PROOFS if one[0] not in {"", "ipx"}])
def test_why_names_the_rule_and_what_is_missing(accept: str, shown: Shown, wanted: trust.Standing) -> None:
    words = trust.why(rule(ALICE_ADDRESS, accept=accept), ALICE_ADDRESS, shown)
    assert words.startswith(f"the rule for {ALICE_ADDRESS} (accept = {accept}) ")
    assert ("covers" in words) is (wanted is YES)
    if wanted is NO and shown.evidence:
        assert "found by the test" in words


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
    assert trust.judge(found, "x@y.example", Shown("127.0.0.1")) is not YES
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
    assert reading.read(w.state, envelope, recipient, parse(mail("Hello"))).text.text == "Hello"
    for sender in ("nagios@acme.example", "far@acme.example"):  # proved by another login, and another place
        with pytest.raises(FromNotCovered):
            reading.read(w.state, envelope, recipient, parse(mail("Hello", sender=sender)))
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
        "detail": "the rule for alice@acme.example (accept = auth) needs a login by SMTP AUTH",
    }
