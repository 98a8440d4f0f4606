"""How much is written and when: window, rate, order, throttling, lost hints, lost leases, changed routes."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from core_support import FAKE, PHONE, QUICK, wait_for, world
from fake_carriers import FakeCarrier, FakeWorld, accept_all, fake_world, say_nothing

from gateway_core import process
from gateway_core.drafts import Submission
from gateway_core.errors import CarrierThrottled
from gateway_core.messages import State
from gateway_core.sms import MT, Answer
from gateway_core.storage import tables
from gateway_core.submit import submit

PATIENT = {"response_timeout_seconds": 60, "resend_wait_seconds": 60}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/core.db"


@pytest.fixture
def core(url: str) -> Iterator[FakeWorld]:
    with fake_world(url, settings={**PATIENT, "window": 10}) as made:
        yield made


def written(core: FakeWorld) -> list[MT]:
    return [mt for mts in core.carrier.written for mt in mts]


def answer(core: FakeWorld, *mts: MT) -> None:
    accept_all(core.carrier, mts)
    core.settle()


# --- the window ---


def test_no_more_than_the_window_is_in_flight(core: FakeWorld) -> None:
    core.plan(say_nothing)
    for _ in range(30):
        core.accept()
    core.dispatch()
    core.dispatch()
    assert len(written(core)) == 10
    assert core.states() == {"SUBMITTING": 10, "QUEUED": 20}


def test_the_window_counts_segments_not_messages(core: FakeWorld) -> None:
    core.plan(say_nothing)
    for _ in range(10):
        core.accept(body="x" * 400)
    core.dispatch()
    assert len(written(core)) == 9
    assert core.states() == {"SUBMITTING": 3, "QUEUED": 7}


def test_a_message_larger_than_the_window_goes_alone(url: str) -> None:
    with fake_world(url, settings={**PATIENT, "window": 2}) as core:
        message = core.accept(body="x" * 400)
        core.dispatch()
        assert core.state(message) == State.SUBMITTED


def test_one_submit_that_is_never_answered_does_not_stop_the_route(core: FakeWorld) -> None:
    core.plan(say_nothing, accept_all)
    stuck = core.accept()
    core.dispatch()
    rest = [core.accept() for _ in range(50)]
    core.process.start()
    wait_for(lambda: all(core.state(message) == State.SUBMITTED for message in rest))
    assert core.state(stuck) == State.SUBMITTING


def test_a_full_window_moves_again_when_answers_come(core: FakeWorld) -> None:
    core.plan(say_nothing)
    for _ in range(25):
        core.accept()
    core.process.start()
    seen = 0
    while seen < 25:
        wait_for(lambda: len(written(core)) > seen)  # noqa: B023 - awaited at once
        new = written(core)[seen:]
        assert len(new) <= 10
        seen += len(new)
        answer(core, *new)
    wait_for(lambda: core.states() == {"SUBMITTED": 25})


def test_answers_in_any_order_find_their_segments(core: FakeWorld) -> None:
    core.plan(say_nothing)
    texts = [core.accept(body="x" * 161) for _ in range(4)]
    core.dispatch()
    for mt in reversed(written(core)):
        answer(core, mt)
    assert [core.state(text) for text in texts] == [State.SUBMITTED] * 4
    for row in core.rows(tables.attempt):
        assert row.carrier_ref == f"f-{row.id}"


# --- the rate ---


@pytest.mark.parametrize(("body", "messages"), [("x", 30), ("x" * 400, 10)])
def test_the_rate_counts_segments_over_time(url: str, body: str, messages: int) -> None:
    at: list[tuple[float, int]] = []

    def plan(carrier: FakeCarrier, mts: Sequence[MT]) -> None:
        at.append((time.monotonic(), len(mts)))
        accept_all(carrier, mts)

    with fake_world(url, segments_per_second=10) as core:
        core.plan(plan)
        for _ in range(messages):
            core.accept(body=body)
        core.process.start()
        wait_for(lambda: core.states() == {"SUBMITTED": messages}, 10)
    took = at[-1][0] - at[0][0]
    assert sum(count for _, count in at) == 30
    assert 1.5 <= took <= 6  # 30 at 10 a second, with one second's worth at the start
    for begin, _ in at:
        assert sum(count for when, count in at if begin <= when < begin + 1) <= 22


# --- order and throttling ---


def test_throttling_pauses_the_route_and_keeps_the_order(url: str) -> None:
    order: list[int] = []

    def throttle(carrier: FakeCarrier, mts: Sequence[MT]) -> None:
        error = CarrierThrottled("too fast", after_seconds=0.2)
        carrier.host.answered([Answer(mt.ref, error=error) for mt in mts[2:]])
        order.extend(mt.message_id for mt in mts[:2])
        accept_all(carrier, mts[:2])

    def accept(carrier: FakeCarrier, mts: Sequence[MT]) -> None:
        order.extend(mt.message_id for mt in mts)
        accept_all(carrier, mts)

    with fake_world(url, settings={**PATIENT, "window": 5}) as core:
        core.plan(throttle, throttle, accept)
        texts = [core.accept(body=f"{number}") for number in range(20)]
        core.process.start()
        wait_for(lambda: core.states() == {"SUBMITTED": 20})
        assert order == texts
        assert all(row.retries == 0 for row in core.rows(tables.message))


def test_while_the_carrier_rests_nothing_is_written(core: FakeWorld) -> None:
    def throttle(carrier: FakeCarrier, mts: Sequence[MT]) -> None:
        carrier.host.answered([Answer(mt.ref, error=CarrierThrottled("too fast", 60)) for mt in mts])

    core.plan(throttle, accept_all)
    core.accept()
    core.dispatch()
    core.accept()
    core.dispatch()
    core.tick()
    core.dispatch()
    assert len(core.carrier.written) == 1
    assert core.states() == {"QUEUED": 2}


def test_throttled_texts_reach_the_phone_in_their_order(url: str) -> None:
    number = "+447700900003"
    with world(url) as core:
        texts = [core.accept(number, body=f"{index}") for index in range(12)]
        core.process.start()
        wait_for(lambda: core.states() == {"DELIVERED": 12})
        assert [entry.text for entry in core.phone(number)] == [f"{index}" for index in range(12)]
        assert len(texts) == 12


# --- urgent ones, and flashes ---


def test_urgent_ones_go_first_and_each_kind_in_its_order(database_url: str) -> None:
    with fake_world(database_url, settings={**PATIENT, "window": 3}) as core:
        ordinary = [core.accept() for _ in range(4)]
        urgent = [core.accept(urgent=True) for _ in range(4)]
        core.dispatch()
        assert [mt.message_id for mt in written(core)] == urgent + ordinary
        assert [len(mts) for mts in core.carrier.written] == [3, 3, 2]


def test_an_urgent_one_overtakes_what_waits_for_the_window(core: FakeWorld) -> None:
    core.plan(say_nothing)
    for _ in range(12):
        core.accept()
    core.dispatch()
    urgent = core.accept(urgent=True)
    answer(core, *written(core)[:2])
    core.dispatch()
    assert written(core)[10].message_id == urgent


def test_an_urgent_one_that_is_not_due_holds_nobody_up(core: FakeWorld) -> None:
    later = core.accept(urgent=True)
    core.change(tables.message, later, due_at=2**45)
    ordinary = core.accept()
    core.dispatch()
    assert [mt.message_id for mt in written(core)] == [ordinary]


def test_an_urgent_one_is_urgent_again_after_an_error(core: FakeWorld) -> None:
    def throttle(carrier: FakeCarrier, mts: Sequence[MT]) -> None:
        carrier.host.answered([Answer(mt.ref, error=CarrierThrottled("too fast", 0)) for mt in mts])

    core.plan(throttle, accept_all)
    urgent = core.accept(urgent=True)
    core.dispatch()
    core.accept()
    core.change(tables.message, urgent, due_at=1)
    core.dispatch()
    assert written(core)[1].message_id == urgent


@pytest.mark.parametrize("flash", [True, False])
def test_the_carrier_is_told_of_a_flash_in_each_segment(core: FakeWorld, flash: bool) -> None:
    core.accept(body="x" * 400, flash=flash)
    core.dispatch()
    assert [mt.flash for mt in written(core)] == [flash] * 3


# --- hints, expiry, lease, changes ---


def test_without_any_hint_the_sweeper_moves_everything(url: str) -> None:
    """A command that only writes rows: the serving process finds them."""
    with world(url) as core, process.opened(url) as elsewhere:
        core.process.start()
        for number in range(40):
            asked = Submission(core.account(), (f"+4477009002{number:02d}",), "x")
            submit(elsewhere, asked).result(10)
        wait_for(lambda: core.states() == {"DELIVERED": 40}, 10)


def test_what_is_too_old_expires_in_the_queue_and_is_given_back(core: FakeWorld) -> None:
    by_dispatch, by_sweeper, held = core.accept(), core.accept(), core.accept()
    core.change(tables.message, by_dispatch, expires_at=1)
    core.dispatch()
    assert core.state(by_sweeper) == State.SUBMITTED
    by_sweeper = core.accept()
    core.change(tables.message, by_sweeper, expires_at=1)
    core.change(tables.message, held, state="HELD", due_at=None, expires_at=1)
    core.sweep()
    for message in (by_dispatch, by_sweeper, held):
        assert core.message(message)["state"] == State.EXPIRED
        assert core.message(message)["reason"] == "in_queue"
        assert core.notices(message) == [State.EXPIRED]


def test_a_lost_lease_writes_nothing_and_wedges_nothing(core: FakeWorld) -> None:
    message = core.accept()
    core.gateway.owner.beaten(time.monotonic() - 3600)
    core.dispatch()
    assert written(core) == []
    assert core.path(message) == ["QUEUED", "CLAIMED", "SUBMITTING", "QUEUED"]
    core.gateway.owner.beaten(time.monotonic())
    core.change(tables.message, message, due_at=0)
    core.dispatch()
    assert core.state(message) == State.SUBMITTED
    assert [mt.possible_duplicate for mt in written(core)] == [False]


def test_a_changed_route_takes_over_what_is_in_flight(core: FakeWorld) -> None:
    core.plan(say_nothing)
    message = core.accept()
    core.dispatch()
    old = core.carrier
    core.change(tables.route, FAKE, segments_per_second=50)
    core.tick()
    assert old.closed
    assert core.carrier is not old
    assert core.gateway.windows[FAKE].in_flight() == 1
    accept_all(old, old.written[0])
    core.settle()
    assert core.state(message) == State.SUBMITTED
    assert core.gateway.windows[FAKE].in_flight() == 0


def test_a_route_whose_new_settings_are_wrong_rests_until_they_are_right(core: FakeWorld) -> None:
    message = core.accept()
    core.change(tables.route, FAKE, settings={"window": "wide"})
    core.tick()
    with pytest.raises(ValueError, match="window"):
        core.dispatch()
    assert core.state(message) == State.QUEUED
    core.change(tables.route, FAKE, settings={"window": 20})
    core.tick()
    core.dispatch()
    assert core.state(message) == State.SUBMITTED


def test_a_route_that_changes_under_load_loses_and_doubles_nothing(url: str) -> None:
    with fake_world(url, settings={**QUICK, "response_timeout_seconds": 30}) as core:
        core.process.start()
        futures = []
        for rate in range(1000, 1012):
            futures += [core.ask(body=f"{rate}") for _ in range(50)]
            core.change(tables.route, FAKE, segments_per_second=rate)
            core.gateway.directory.refresh()
        for future in futures:
            future.result(10)
        wait_for(lambda: core.states() == {"SUBMITTED": 600}, 20)
        sent = [mt.message_id for carrier in FakeCarrier.made for mts in carrier.written for mt in mts]
        assert len(sent) == len(set(sent)) == 600


def test_stopping_does_not_wait_for_the_queue_to_empty(url: str) -> None:
    def slowly(carrier: FakeCarrier, mts: Sequence[MT]) -> None:
        time.sleep(0.05)  # the network
        accept_all(carrier, mts)

    with fake_world(url, settings={**PATIENT, "window": 1}) as core:
        core.plan(slowly)
        for number in range(200):
            core.ask(f"{PHONE[:-3]}{number:03d}")
        core.process.start()
        wait_for(lambda: len(core.carrier.written) > 2)
        begun = time.monotonic()
        core.process.stop()
        assert time.monotonic() - begun < 5
        core.process.stop = lambda: None  # type: ignore[method-assign]
        assert len(core.gateway.windows[FAKE].carrier.written) < 200  # type: ignore[attr-defined]
