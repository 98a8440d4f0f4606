"""`mailgate route`: what waits where, and holding it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_support import Command, command_in
from core_support import wait_for
from mail_support import World, mail, world

TO, PHONE = "447700900123@sms.localhost", "+447700900123"


@pytest.fixture
def w(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "var") as running:
        yield running


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return command_in(tmp_path, monkeypatch, capsys)


def test_what_is_for_a_paused_route_waits_until_it_is_resumed(w: World, command: Command) -> None:
    (route,) = json.loads(command("route", "list", "--json").out)
    assert (route["paused"], route["waiting"]) == (False, 0)
    assert command("route", "pause", route["name"]).out == f"{route['name']} is paused\n"
    wait_for(lambda: w.gateway.snapshot.routes[0].paused)
    w.send(mail("wait for it"), TO)
    (route,) = json.loads(command("route", "list", "--json").out)
    assert (route["paused"], route["waiting"]) == (True, 1)
    assert w.texts(PHONE) == []
    command("route", "resume", route["name"])
    wait_for(lambda: "wait for it" in w.texts(PHONE))
    assert "simulator" in command("route", "list").out


@pytest.mark.parametrize("action", ["pause", "resume"])
def test_a_route_that_is_not_there(w: World, command: Command, action: str) -> None:
    assert command("route", action, "nowhere").fault == "NAME: there is no route 'nowhere'"
