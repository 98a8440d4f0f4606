"""Warnings of delay: each text that has not ended by then, once; nothing that ended, waits on purpose, or is old."""

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from core_support import ACCOUNT, OTHER, PHONE, SHARED, World, account_row, at_once, world

from gateway_core import delays
from gateway_core.messages import State
from gateway_core.process import opened
from gateway_core.storage import clock, tables

SILENT = "+447700900005"  # no receipt ever
HOUR = 60 * 60 + 1  # an id is made within a millisecond


@pytest.fixture
def core(database_url: str) -> Iterator[World]:
    people = [
        account_row(ACCOUNT, "demo", delay_warning_minutes=60),
        account_row(OTHER, "other", delay_warning_minutes=0),
    ]
    with world(database_url, people=people) as made:
        yield made


@pytest.fixture
def at(core: World) -> Iterator[Any]:
    with time_machine.travel("2026-03-01T10:00:00Z", tick=False) as clock_at:
        delays.warn(core.gateway)  # from now on
        clock_at.shift(1)
        yield clock_at


def warned(core: World) -> list[tuple[str, str]]:
    return [(row.facts["to"], row.facts["state"]) for row in core.rows(tables.notice, kind="delay")]


def test_what_has_not_ended_is_told_of_once(core: World, at: Any) -> None:
    silent, queued, done = core.accept(SILENT), core.accept(PHONE), core.accept("+447700900124")
    core.until(silent, State.SUBMITTED)
    core.until(done)
    core.change(tables.message, queued, state="QUEUED")
    at.shift(HOUR - 2)
    assert delays.warn(core.gateway) == 0
    at.shift(2)
    assert delays.warn(core.gateway) == 2
    assert warned(core) == [(SILENT, "SUBMITTED"), (PHONE, "QUEUED")]
    (first, _) = core.rows(tables.notice, kind="delay")
    assert first.facts["until"] == core.message(silent)["expires_at"]
    at.shift(HOUR)
    assert delays.warn(core.gateway) == 0


def test_more_than_one_fold(core: World, at: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delays, "MOST", 2)
    for _ in range(5):
        core.accept()
    at.shift(HOUR)
    assert delays.warn(core.gateway) == 5
    assert len(warned(core)) == 5


def test_two_processes_tell_it_once(core: World, at: Any) -> None:
    for _ in range(3):
        core.accept()
    at.shift(HOUR)
    with opened(core.url) as other:
        assert sum(at_once([lambda: delays.warn(core.gateway), lambda: delays.warn(other)])) == 3
    assert len(warned(core)) == 3


def test_who_is_not_warned(core: World, at: Any) -> None:
    core.accept(receipts={PHONE: "none"})
    core.accept(warn=())
    core.accept(notify=False)
    core.accept(receipts={PHONE: "digest"})  # it says itself what still waits
    core.accept(account=OTHER, sender_id=SHARED)
    core.accept(send_at=clock.now() + 3 * HOUR * 1000)
    at.shift(HOUR)
    assert delays.warn(core.gateway) == 0
    at.shift(1)
    core.accept(receipts={PHONE: "none"}, warn=(PHONE,))  # NOTIFY=DELAY
    at.shift(HOUR)
    assert delays.warn(core.gateway) == 1


def test_nothing_of_before_anybody_looked(core: World) -> None:
    with time_machine.travel("2026-03-01T10:00:00Z", tick=False) as clock_at:
        core.accept()
        clock_at.shift(2 * HOUR)
        assert delays.warn(core.gateway) == 0
        clock_at.shift(1)
        core.accept()
        clock_at.shift(HOUR)
        assert delays.warn(core.gateway) == 1
