"""Receipts: early, late, repeated, out of order, for parts, for nobody. Ranks only rise."""

from collections.abc import Iterator
from itertools import permutations

import pytest
import time_machine
from core_support import ACCOUNT, FAKE, PRICE, account_row, route_row, world
from fake_carriers import FakeWorld, fake_carriers, fake_world

from gateway_core.messages import State
from gateway_core.sms import DLR, MT, DlrState
from gateway_core.storage import clock, tables

D, U, X = DlrState.DELIVERED, DlrState.UNDELIVERED, DlrState.EXPIRED
ENROUTE, ACCEPTED, UNKNOWN = DlrState.ENROUTE, DlrState.ACCEPTED, DlrState.UNKNOWN


@pytest.fixture
def core(database_url: str) -> Iterator[FakeWorld]:
    with fake_world(database_url) as made:
        yield made


def submitted(core: FakeWorld, segments: int = 1) -> tuple[int, list[MT]]:
    message = core.accept(body="x" * (10 if segments == 1 else 153 * segments))
    core.dispatch()
    assert core.state(message) == State.SUBMITTED
    return message, core.carrier.written[-1]


# receipts in order | the states that the message passes after SUBMITTED
SEQUENCES = [
    ([D], ["DELIVERED"]),
    ([U], ["UNDELIVERED"]),
    ([X], ["EXPIRED"]),
    ([ENROUTE], []),
    ([ACCEPTED, ENROUTE, UNKNOWN], []),
    ([ENROUTE, D], ["DELIVERED"]),
    ([D, U], ["DELIVERED"]),
    ([D, X, ENROUTE], ["DELIVERED"]),
    ([U, X], ["UNDELIVERED"]),
    ([U, D], ["UNDELIVERED", "DELIVERED"]),
    ([X, U, D], ["EXPIRED", "UNDELIVERED", "DELIVERED"]),
    ([X, ENROUTE], ["EXPIRED"]),
    ([D, D, D], ["DELIVERED"]),
]


@pytest.mark.parametrize(("said", "states"), SEQUENCES)
def test_ranks_only_rise(core: FakeWorld, said: list[DlrState], states: list[str]) -> None:
    message, (mt,) = submitted(core)
    for done_at, state in enumerate(said):
        core.receipt(mt, state, done_at)
    assert core.path(message)[4:] == states
    assert core.notices(message) == states
    assert len(core.rows(tables.receipt)) == len(said)
    assert core.spent() == PRICE


@pytest.mark.parametrize("said", [sequence for sequence, _ in SEQUENCES if len(sequence) > 1])
def test_together_they_say_the_highest(core: FakeWorld, said: list[DlrState]) -> None:
    message, (mt,) = submitted(core)
    core.deliver(*(DLR(f"f-{mt.ref}", state, at) for at, state in enumerate(said)), route_id=FAKE)
    alone = next(states for sequence, states in SEQUENCES if sequence == said)
    assert core.path(message)[4:][-1:] == alone[-1:]


@pytest.mark.parametrize("order", list(permutations([1, 2, 3])))
def test_delivered_is_when_all_parts_are_in_any_order(core: FakeWorld, order: tuple[int, ...]) -> None:
    message, mts = submitted(core, 3)
    by_number = {mt.number: mt for mt in mts}
    for number in order[:-1]:
        core.receipt(by_number[number])
        assert core.state(message) == State.SUBMITTED
    core.receipt(by_number[order[-1]])
    assert core.state(message) == State.DELIVERED
    assert core.notices(message) == [State.DELIVERED]


@pytest.mark.parametrize(("bad", "state"), [(U, State.UNDELIVERED), (X, State.EXPIRED)])
def test_one_part_that_failed_decides_until_it_is_corrected(
    core: FakeWorld, bad: DlrState, state: State
) -> None:
    message, (one, two) = submitted(core, 2)
    core.receipt(one)
    core.receipt(two, bad)
    assert core.state(message) == state
    core.receipt(two, D, done_at=2)
    assert core.state(message) == State.DELIVERED
    assert core.notices(message) == [state, State.DELIVERED]


def test_a_repeat_is_counted_and_changes_nothing(core: FakeWorld) -> None:
    message, (mt,) = submitted(core)
    for _ in range(3):
        core.receipt(mt)
    core.deliver(*[DLR(f"f-{mt.ref}", D, 1)] * 4, route_id=FAKE)
    assert [row.repeats for row in core.rows(tables.receipt)] == [6]
    assert core.path(message)[4:] == ["DELIVERED"]
    assert core.notices(message) == [State.DELIVERED]


@pytest.mark.parametrize("segments", [1, 3])
def test_a_receipt_that_is_earlier_than_its_answer_waits_for_it(core: FakeWorld, segments: int) -> None:
    def early(carrier, mts) -> None:
        for mt in mts:
            core.deliver(DLR(f"f-{mt.ref}", D, 1), route_id=FAKE)
        assert [row.attempt_id for row in core.rows(tables.receipt)] == [None] * segments
        carrier.plans[-1](carrier, mts)

    core.plan(early, *core.carrier.plans)
    message = core.accept(body="x" * 400 if segments == 3 else "x")
    core.dispatch()
    assert core.path(message)[3:] == ["SUBMITTED", "DELIVERED"]
    assert all(row.attempt_id and row.due_at is None for row in core.rows(tables.receipt))


def test_the_words_of_the_carrier_reach_the_notice(core: FakeWorld) -> None:
    message, (mt,) = submitted(core)
    core.receipt(mt, U, words="id:1 err:045 absent")
    (notice,) = core.rows(tables.notice, message_id=message)
    assert notice.facts["words"] == "id:1 err:045 absent"


def test_a_receipt_of_another_route_is_not_ours(core: FakeWorld) -> None:
    core.add(tables.route, route_row(7, "fake", name="second", prefixes=["+99"]))
    message, (mt,) = submitted(core)
    core.deliver(DLR(f"f-{mt.ref}", D, 1), route_id=7)
    assert core.state(message) == State.SUBMITTED
    core.receipt(mt)
    assert core.state(message) == State.DELIVERED


def test_the_newest_of_two_submits_with_one_id_is_meant(core: FakeWorld) -> None:
    """Carriers use their ids again."""
    old, (first,) = submitted(core)
    new, (second,) = submitted(core)
    for mt in (first, second):
        core.change(tables.attempt, mt.ref, carrier_ref="7")
    core.deliver(DLR("7", D, 1), route_id=FAKE)
    assert (core.state(old), core.state(new)) == (State.SUBMITTED, State.DELIVERED)


def test_a_receipt_for_nobody_is_looked_at_again_and_then_kept_as_an_orphan(core: FakeWorld) -> None:
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as now:
        core.deliver(DLR("nobody", D, 1), route_id=FAKE)
        begun, looks = clock.now(), []
        while (due_at := core.rows(tables.receipt)[0].due_at) is not None:
            looks.append((due_at - begun) // clock.MINUTE)
            now.move_to((due_at + 1) / 1000)
            core.sweep()
    assert looks == [1, 5, 30, 120, 720, 1440]
    (row,) = core.rows(tables.receipt)
    assert row.attempt_id is None


def test_a_receipt_whose_submit_becomes_known_later_is_applied_then(core: FakeWorld) -> None:
    message, (mt,) = submitted(core)
    core.deliver(DLR("other id", D, 1), route_id=FAKE)
    assert core.state(message) == State.SUBMITTED
    core.change(tables.attempt, mt.ref, carrier_ref="other id")
    with time_machine.travel(clock.now() / 1000 + 61):
        core.sweep()
    assert core.state(message) == State.DELIVERED


@pytest.mark.parametrize(
    ("receipts", "told"),
    [("all", ["UNKNOWN", "DELIVERED"]), ("failures", ["UNKNOWN", "DELIVERED"]), ("none", [])],
)
def test_unknown_after_the_grace_and_one_correction(
    database_url: str, receipts: str, told: list[str]
) -> None:
    people = [account_row(ACCOUNT, "demo", receipts=receipts, validity_minutes=10, receipt_grace_minutes=5)]
    with fake_carriers(), world(database_url, route_row(FAKE, "fake"), people=people) as made:
        core = FakeWorld(made.process, made.url)
        message, (mt,) = submitted(core)
        created = core.message(message)["created_at"]
        with time_machine.travel(created / 1000 + 15 * 60 - 5):
            core.sweep()
        assert core.state(message) == State.SUBMITTED
        with time_machine.travel(created / 1000 + 15 * 60 + 5):
            core.sweep()
            core.sweep()
            core.receipt(mt)
            core.receipt(mt)
            core.receipt(mt, D, done_at=9)
        assert core.path(message)[4:] == ["UNKNOWN", "DELIVERED"]
        assert core.notices(message) == told
        if told:
            assert core.rows(tables.notice)[-1].facts["before"] == "UNKNOWN"


def test_a_text_that_does_not_want_notices_gets_none(core: FakeWorld) -> None:
    message = core.accept(notify=False)
    core.dispatch()
    core.receipt(core.carrier.written[-1][0], U)
    assert core.state(message) == State.UNDELIVERED
    assert core.notices(message) == []
