"""From one route to the next: at once, once each a round, and never while a network may have a part of the text."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from core_support import CREDIT, FAKE, PHONE, PRICE, World, route_row, world
from fake_carriers import FakeCarrier, Plan, accept_all, fake_carriers, say_nothing
from sqlalchemy import insert

from gateway_core import directory, failover
from gateway_core.errors import CarrierError, CarrierRejected, CarrierThrottled, CarrierUnavailable
from gateway_core.messages import State
from gateway_core.routing import Route, Wanted
from gateway_core.sms import MT, Answer
from gateway_core.storage import tables

FIRST, SECOND = FAKE, FAKE + 1


@pytest.fixture
def core(database_url: str) -> Iterator[World]:
    routes = [
        route_row(FIRST, "fake", name="first", priority=1),
        route_row(SECOND, "fake", name="second", priority=2),
    ]
    with fake_carriers(), world(database_url, *routes) as made:
        yield made


def carrier(core: World, route_id: int) -> FakeCarrier:
    window = core.gateway.window(route_id)
    assert window
    assert isinstance(window.carrier, FakeCarrier)
    return window.carrier


def says(error: CarrierError, *parts: int) -> Plan:
    """To these segments, or to all; the others are accepted."""

    def plan(one: FakeCarrier, mts: Sequence[MT]) -> None:
        one.host.answered(
            [
                Answer(mt.ref, error=error)
                if mt.number in parts or not parts
                else Answer(mt.ref, carrier_ref=f"f-{mt.ref}")
                for mt in mts
            ]
        )

    return plan


def route_of(core: World, message: int) -> int:
    return int(core.message(message)["route_id"])


BUSY = CarrierUnavailable("busy")


def test_what_is_refused_for_now_goes_to_the_next_route_at_once(core: World) -> None:
    carrier(core, FIRST).plans = [says(BUSY)]
    message = core.accept()
    core.dispatch(FIRST)
    assert (core.state(message), route_of(core, message)) == (State.QUEUED, SECOND)
    core.dispatch(SECOND)
    assert core.state(message) == State.SUBMITTED
    assert core.spent() == PRICE  # once, at the price at which it was accepted
    reasons = [row.reason for row in core.rows(tables.event, message_id=message)]
    assert "busy; from first to second" in reasons


def test_a_link_that_is_not_there_is_no_end_either(core: World) -> None:
    def not_there(_carrier: FakeCarrier, _mts: Sequence[MT]) -> None:
        raise CarrierUnavailable("no link")

    carrier(core, FIRST).plans = [not_there]
    message = core.accept()
    core.dispatch(FIRST)
    core.dispatch(SECOND)
    assert core.state(message) == State.SUBMITTED


def test_each_route_is_tried_once_a_round_and_then_it_waits(core: World) -> None:
    for route_id in (FIRST, SECOND):
        carrier(core, route_id).plans = [says(BUSY)]
    message = core.accept()
    core.dispatch(FIRST)
    core.dispatch(SECOND)
    row = core.message(message)
    assert (row["state"], row["route_id"]) == ("QUEUED", FIRST)
    assert row["due_at"] > row["state_at"] + 5000
    core.dispatch(FIRST)
    assert [len(carrier(core, route_id).written) for route_id in (FIRST, SECOND)] == [1, 1]


@pytest.mark.parametrize("parts", [(1,), (2,), (3,), (1, 2)])
def test_a_text_of_which_a_part_was_accepted_stays(core: World, parts: tuple[int, ...]) -> None:
    carrier(core, FIRST).plans = [says(BUSY, *parts), accept_all]
    message = core.accept(body="x" * 400)
    core.dispatch(FIRST)
    assert (core.state(message), route_of(core, message)) == (State.QUEUED, FIRST)
    core.change(tables.message, message, due_at=0)
    core.dispatch(FIRST)
    assert core.state(message) == State.SUBMITTED
    assert [mt.number for mt in carrier(core, FIRST).written[1]] == list(parts)


def test_a_text_that_may_have_arrived_stays(core: World) -> None:
    """UNCERTAIN, sent again on the same route, and refused there for now: the first one may have arrived."""
    carrier(core, FIRST).plans = [say_nothing, says(BUSY), accept_all]
    message = core.accept()
    core.dispatch(FIRST)
    core.until(message, State.UNCERTAIN)
    core.until(message, State.QUEUED)
    core.dispatch(FIRST)
    assert (core.state(message), route_of(core, message)) == (State.QUEUED, FIRST)
    assert carrier(core, SECOND).written == []


@pytest.mark.parametrize(
    ("error", "state"),
    [(CarrierRejected("11", "no such subscriber"), State.FAILED), (CarrierThrottled("slow"), State.QUEUED)],
    ids=["rejected", "throttled"],
)
def test_a_final_no_is_final_and_who_asks_for_less_keeps_it(
    core: World, error: CarrierError, state: State
) -> None:
    carrier(core, FIRST).plans = [says(error)]
    message = core.accept()
    core.dispatch(FIRST)
    assert (core.state(message), route_of(core, message)) == (state, FIRST)


def test_a_late_answer_of_the_route_before_changes_nothing(core: World) -> None:
    """The first route refuses it and accepts it after all: the second one has it by then."""
    carrier(core, FIRST).plans = [says(BUSY)]
    message = core.accept()
    core.dispatch(FIRST)
    core.dispatch(SECOND)
    (mt,) = carrier(core, FIRST).written[0]
    carrier(core, FIRST).host.answered([Answer(mt.ref, carrier_ref="late")])
    core.settle()
    assert core.state(message) == State.SUBMITTED
    assert [len(carrier(core, route_id).written) for route_id in (FIRST, SECOND)] == [1, 1]
    assert core.balance() == CREDIT - PRICE


def test_a_route_that_is_paused_or_of_others_is_no_next_one(core: World) -> None:
    for change in ({"paused": True}, {"paused": False, "accounts": ["somebody"]}):
        core.change(tables.route, SECOND, **change)
        core.gateway.directory.refresh()
        carrier(core, FIRST).plans = [says(BUSY)]
        message = core.accept()
        core.dispatch(FIRST)
        assert route_of(core, message) == FIRST


def test_of_a_paused_route_new_texts_go_around(core: World) -> None:
    core.change(tables.route, FIRST, paused=True)
    core.gateway.directory.refresh()
    assert route_of(core, core.accept()) == SECOND


def test_the_route_follows_the_sender_id(core: World) -> None:
    with core.gateway.reader.begin() as conn:
        rule = {"id": 1, "prefix": "+4477", "allowed": ["alphanumeric"], "instead": "Acme"}
        conn.execute(insert(tables.sender_id_rule), rule)
        conn.execute(tables.route.update().where(tables.route.c.id == FIRST).values(sender_ids=["long"]))
        directory.raise_revision(conn)
    core.gateway.directory.refresh()
    message = core.accept(PHONE)
    assert (core.message(message)["sender_id"], route_of(core, message)) == ("Acme", SECOND)
    core.change(tables.route, SECOND, sender_ids=["short"])
    core.gateway.directory.refresh()
    (error,) = core.submit(PHONE).refused
    assert str(error) == f"no route takes {PHONE} with the sender ID Acme"


# --- the choice alone ---------------------------------------------------------------------------------------


def route(route_id: int, **changes: Any) -> Route:
    return Route(
        route_id, f"r{route_id}", "c", {}, ("*",), changes.pop("priority", route_id), 1, 0, "once", **changes
    )


ONE, TWO, THREE = route(1), route(2), route(3)


@pytest.mark.parametrize(
    ("routes", "failed", "tried", "chosen"),
    [
        ((ONE,), 1, {1: 1}, None),
        ((ONE, TWO), 1, {1: 1}, (2, False)),
        ((ONE, TWO), 2, {1: 1, 2: 1}, (1, True)),
        ((ONE, TWO), 1, {1: 2, 2: 1}, (2, False)),
        ((ONE, TWO, THREE), 2, {1: 1, 2: 1}, (3, False)),
        ((ONE, TWO, THREE), 3, {1: 1, 2: 1, 3: 1}, (1, True)),
        ((ONE, route(2, paused=True)), 1, {1: 1}, None),
        ((ONE, route(2, simulated=True)), 1, {1: 1}, None),
        ((route(2), route(3, priority=2)), 2, {2: 1}, (3, False)),
        ((TWO, THREE), 1, {1: 1}, (2, False)),  # the one that failed is gone
        ((), 1, {1: 1}, None),
    ],
)
def test_the_next_route(
    routes: tuple[Route, ...], failed: int, tried: dict[int, int], chosen: tuple[int, bool] | None
) -> None:
    found = failover.choose(routes, failed, tried, Wanted("+447700900123"))
    assert (found and (found.route.id, found.new_round)) == chosen
