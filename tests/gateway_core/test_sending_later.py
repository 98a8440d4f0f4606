"""Texts for another time: over a restart, past an opt-out and a pause, for as long as they are valid, or taken back."""

from collections.abc import Iterator
from functools import partial

import pytest
import time_machine
from core_support import ACCOUNT, OURS, PHONE, PRICE, SIM, World, account_row, at_once, route_row, world

from gateway_core import cancel, claims, process
from gateway_core.claims import Claim, Claimed
from gateway_core.gateway import Gateway
from gateway_core.messages import Actor, State
from gateway_core.process import Process
from gateway_core.sms import MO
from gateway_core.storage import clock, tables

NOON = 1_772_366_400  # 2026-03-01T12:00:00Z
LATER = 3600


@pytest.fixture
def core(database_url: str) -> Iterator[World]:
    with (
        time_machine.travel(NOON, tick=False),
        world(database_url, route_row(SIM, "simulator"), people=[account_row(ACCOUNT, "demo")]) as made,
    ):
        yield made


def accept(core: World, **more: object) -> int:
    return core.accept(send_at=(NOON + LATER) * clock.SECOND, **more)


def at(core: World, seconds: float) -> None:
    """What the machine does at this time after NOON."""
    with time_machine.travel(NOON + seconds, tick=False):
        core.sweep()
        core.dispatch()


def test_not_before_its_time(core: World) -> None:
    message = accept(core)
    at(core, LATER - 1)
    assert core.path(message) == ["HELD"]
    at(core, LATER)
    assert core.path(message)[:4] == ["HELD", "QUEUED", "CLAIMED", "SUBMITTING"]
    assert core.spent() == PRICE


def test_over_a_restart(database_url: str) -> None:
    with time_machine.travel(NOON, tick=False), world(database_url) as core:
        message = accept(core)
    with time_machine.travel(NOON + 2 * LATER, tick=False):
        again = World(Process(database_url), database_url)
        try:
            again.sweep()
            again.dispatch()
            assert "SUBMITTING" in again.path(message)
        finally:
            again.process.stop()


def test_a_handset_that_opted_out_meanwhile_is_not_texted_and_the_money_is_back(core: World) -> None:
    message = accept(core)
    core.deliver(MO("mo-1", PHONE, OURS, "STOP"))
    at(core, LATER)
    row = core.message(message)
    assert (row["state"], row["reason"]) == (State.FAILED, "opted_out")
    assert core.spent() == 0


def test_on_a_paused_route_it_waits_on_until_its_validity_is_over(core: World) -> None:
    message = accept(core, validity_minutes=10)
    core.change(tables.route, SIM, paused=True)
    core.gateway.directory.refresh()
    at(core, LATER)
    assert core.state(message) == State.HELD
    assert core.message(message)["reason"] == "route_paused"
    at(core, LATER + 599)
    assert core.state(message) == State.HELD
    at(core, LATER + 600)  # valid from its time on, not from when it was accepted
    row = core.message(message)
    assert (row["state"], row["reason"]) == (State.EXPIRED, "in_queue")
    assert core.spent() == 0


def test_taken_back_once_and_never_both_taken_back_and_claimed(core: World, database_url: str) -> None:
    """One process cancels what another one claims, both at the moment when it is due."""
    messages = [accept(core) for _ in range(30)]
    with time_machine.travel(NOON + LATER, tick=False), process.opened(database_url) as second:
        core.sweep()  # due: QUEUED
        assert core.states() == {"QUEUED": 30}
        cancels = [partial(_cancel, second, message) for message in messages]
        claimed = [partial(_claim, core.gateway) for _ in range(6)]
        results = at_once([one for pair in zip(cancels[::5], claimed, strict=True) for one in pair])
        results += at_once([ask for ask in cancels if ask not in cancels[::5]])
    taken = {one.was.id for found in results if isinstance(found, list) for one in found}
    gone = {row.id for row in core.rows(tables.message, state="CANCELLED")}
    assert taken | gone == set(messages)
    assert not taken & gone
    assert core.spent() == PRICE * len(taken)
    for message in messages:
        # as a set: all of it is in one millisecond here
        assert set(core.path(message)) == {"HELD", "QUEUED", "CANCELLED" if message in gone else "CLAIMED"}


def _cancel(gateway: Gateway, message: int) -> State | None:
    return cancel.cancel(gateway, message, Actor.ACCOUNT).result(30)


def _claim(gateway: Gateway) -> list[Claimed]:
    (route,) = gateway.snapshot.routes
    return gateway.writer.put(claims.claim, Claim(gateway.context, route, gateway.owner.id, 3)).result(30)
