"""Forgotten devices: which profile counts, and what is kept of their first contact."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_support import Command, command_in
from mail_support import settings_for
from sqlalchemy import Engine, func, select

from gateway_core.process import opened
from gateway_core.storage.engine import open_engine
from gateway_core.storage.ids import Ids
from mailgate import legacy, tables
from mailgate.legacy import FirstContact

PROFILES: dict[str, Any] = {
    "ups": {"ips": ["192.0.2.1", "2001:db8::/32"], "hide_starttls": True},
    "hall": {"ips": ["192.0.2.0/24"], "charset": "cp437"},
}
# peer, the profile that counts
FOUND = [
    ("192.0.2.1", "ups"),  # the first that holds it
    ("192.0.2.2", "hall"),
    ("::ffff:192.0.2.2", "hall"),
    ("2001:db8::7", "ups"),
    ("192.0.3.1", None),
    ("127.0.0.1", None),
    ("", None),
    ("nonsense", None),
]


@pytest.mark.parametrize(("peer", "name"), FOUND)
def test_the_first_profile_that_holds_the_peer_counts(tmp_path: Path, peer: str, name: str | None) -> None:
    settings = settings_for(tmp_path, legacy=PROFILES)
    assert legacy.profile_for(settings, peer) == (name and (name, settings.legacy[name]))


def test_without_profiles_there_is_none(tmp_path: Path) -> None:
    assert legacy.profile_for(settings_for(tmp_path), "192.0.2.1") is None


# --- first contacts ---------------------------------------------------------------------------------------


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = open_engine(database_url, writes=True)
    tables.first_contact.metadata.create_all(made)
    yield made
    made.dispose()


IDS = Ids(1)


def record(engine: Engine, *contacts: tuple[str, str]) -> None:
    with engine.begin() as conn:
        units = [FirstContact(IDS, peer, "ups", transcript) for peer, transcript in contacts]
        assert legacy.record(conn, units) == [None] * len(units)


def kept(engine: Engine) -> dict[str, str]:
    """Peer: transcript, newest first."""
    with engine.connect() as conn:
        rows = [legacy.of_peer(conn, row["peer"]) for row in legacy.newest(conn)]
    return {row["peer"]: row["transcript"] for row in rows if row}


def test_only_the_first_contact_of_a_peer_is_kept(engine: Engine) -> None:
    record(engine, ("192.0.2.1", "first"), ("192.0.2.2", "other"))
    record(engine, ("192.0.2.1", "second"))
    record(engine, ("192.0.2.3", "one"), ("192.0.2.3", "two"))
    assert kept(engine) == {"192.0.2.3": "one", "192.0.2.2": "other", "192.0.2.1": "first"}


def test_whatever_a_device_said_can_be_stored(engine: Engine) -> None:
    record(engine, ("192.0.2.1", "C: \0\x1b[31m\udc80 ü"), ("192.0.2.2", "x" * 100_000))
    found = kept(engine)
    assert found["192.0.2.1"] == "C: \x1b[31m? ü"
    assert len(found["192.0.2.2"]) == legacy.LONGEST


def test_a_thousand_are_kept_and_the_oldest_go(engine: Engine) -> None:
    for begin in range(0, 1024, 256):
        record(engine, *((f"2001:db8::{number:x}", "x") for number in range(begin, begin + 256)))
    found = kept(engine)
    assert len(found) == legacy.MOST
    assert next(iter(found)) == "2001:db8::3ff"
    assert "2001:db8::0" not in found
    record(engine, ("2001:db8::3ff", "again"))
    with engine.connect() as conn:
        assert conn.execute(select(func.count()).select_from(tables.first_contact)).scalar() == legacy.MOST


# --- commands ---------------------------------------------------------------------------------------------

TRANSCRIPT = "S: 220 sms.localhost\nC: HELO ups\\x00\nC: \x1b[2Jü\x07\r"
PRINTED = "S: 220 sms.localhost\nC: HELO ups\\x00\nC: \\x1b[2Jü\\x07\\r"


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    made = command_in(tmp_path, monkeypatch, capsys)
    assert made("migrate").code == 0
    return made


@pytest.fixture
def met(command: Command) -> Command:
    """Two devices have been here."""
    with opened("sqlite:///var/mailgate.db") as gateway:
        legacy.keep(gateway, "192.0.2.1", "ups", "S: 220\nC: QUIT")
        legacy.keep(gateway, "2001:db8::1", "hall", TRANSCRIPT)
    return command


def test_list(met: Command) -> None:
    lines = met("legacy", "list").out.splitlines()
    assert lines[0].split() == ["at", "peer", "profile"]
    assert [line.split()[1:] for line in lines[1:]] == [["2001:db8::1", "hall"], ["192.0.2.1", "ups"]]
    listed = json.loads(met("legacy", "list", "--json").out)
    assert [set(one) for one in listed] == [{"peer", "profile", "at"}] * 2
    assert listed[0]["at"].endswith("Z")


@pytest.mark.parametrize("peer", ["2001:db8::1", "2001:0DB8:0::1"])
def test_show_prints_what_a_terminal_does_not_obey(met: Command, peer: str) -> None:
    done = met("legacy", "show", peer)
    assert done.out.endswith(f"\n\n{PRINTED}\n")
    assert "profile             hall\n" in done.out
    shown = json.loads(met("legacy", "show", peer, "--json").out)
    assert (shown["peer"], shown["profile"], shown["transcript"]) == ("2001:db8::1", "hall", PRINTED)


@pytest.mark.parametrize("peer", ["192.0.2.9", "nonsense", ""])
def test_show_of_nobody(met: Command, peer: str) -> None:
    assert met("legacy", "show", peer).fault.startswith(f"there is no first contact of {peer!r}; ")


def test_list_of_nothing(command: Command) -> None:
    assert command("legacy", "list").out == "at  peer  profile\n"
    assert command("legacy", "list", "--json").out == "[]\n"


def test_check_says_what_each_profile_does(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "MAILGATE_LEGACY__UPS", "{ips = ['192.0.2.1'], hide_starttls = true, charset = 'cp437'}"
    )
    monkeypatch.setenv("MAILGATE_LEGACY__IDLE", "{ips = ['192.0.2.2']}")
    lines = {line.split("  ")[0]: line.split() for line in command("check").out.splitlines()}
    assert lines["legacy ups"][2:] == ["ok", "192.0.2.1/32:", "hide_starttls,", "charset", "cp437"]
    assert lines["legacy idle"][2:] == ["note", "192.0.2.2/32:", "nothing", "is", "switched", "on"]
