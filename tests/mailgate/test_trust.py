"""Sender rules: the most specific address wins, its refusal is final, and the source must fit."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mail_support import World, world
from sqlalchemy import insert, update

from gateway_core.directory import raise_revision
from gateway_core.storage import tables
from mailgate import tables as mail_tables
from mailgate import trust
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
