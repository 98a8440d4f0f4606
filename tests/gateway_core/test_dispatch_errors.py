"""What each error of a carrier means, and that none of them loses, doubles or wedges a message."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import pytest
from core_support import FAKE, PRICE, wait_for
from fake_carriers import FakeCarrier, FakeWorld, Plan, accept_all, fake_world, say_nothing

from gateway_core.answers import OUTCOMES
from gateway_core.errors import (
    CarrierError,
    CarrierGarbled,
    CarrierMisconfigured,
    CarrierRejected,
    CarrierThrottled,
    CarrierUnavailable,
    NotKept,
)
from gateway_core.messages import State
from gateway_core.sms import MT, Answer
from gateway_core.storage import tables

TRIED = ["QUEUED", "CLAIMED", "SUBMITTING"]


@pytest.fixture
def core(tmp_path: Path) -> Iterator[FakeWorld]:
    with fake_world(f"sqlite:///{tmp_path}/core.db") as made:
        yield made


class OfOneCompany(CarrierUnavailable):
    """A carrier may have errors of its own below ours."""


def answers_with(error: CarrierError) -> Plan:
    def plan(carrier: FakeCarrier, mts: Sequence[MT]) -> None:
        carrier.host.answered([Answer(mt.ref, error=error) for mt in mts])

    return plan


def raises(error: BaseException) -> Plan:
    def plan(_carrier: FakeCarrier, _mts: Sequence[MT]) -> NoReturn:
        raise error

    return plan


# the error | the state after it | the path | what the attempt says
ERRORS = [
    (CarrierUnavailable("busy"), State.QUEUED, [*TRIED, "QUEUED"], "retry"),
    (OfOneCompany("busy"), State.QUEUED, [*TRIED, "QUEUED"], "retry"),
    (CarrierMisconfigured("no password"), State.QUEUED, [*TRIED, "QUEUED"], "retry"),
    (CarrierThrottled("too fast", after_seconds=30), State.QUEUED, [*TRIED, "QUEUED"], "throttled"),
    (CarrierRejected("11", "no such subscriber"), State.FAILED, [*TRIED, "FAILED"], "rejected"),
    (CarrierGarbled("<html>"), State.UNCERTAIN, [*TRIED, "UNCERTAIN"], None),
    (CarrierError("what is this"), State.UNCERTAIN, [*TRIED, "UNCERTAIN"], None),
]


def test_every_class_of_carrier_error_has_a_meaning_and_a_test() -> None:
    assert {type(error) for error, *_ in ERRORS} >= set(OUTCOMES)


@pytest.mark.parametrize("how", [answers_with, raises])
@pytest.mark.parametrize(
    ("error", "state", "path", "outcome"), ERRORS, ids=lambda value: type(value).__name__
)
def test_errors(
    core: FakeWorld, how, error: CarrierError, state: State, path: list[str], outcome: str | None
) -> None:
    core.plan(how(error))
    message = core.accept(body="x" * 161)
    core.dispatch()
    assert core.state(message) == state
    assert core.path(message) == path
    assert [row.outcome for row in core.rows(tables.attempt)] == [outcome] * 2
    assert core.gateway.windows[FAKE].in_flight() == 0
    assert core.spent() == (0 if state == State.FAILED else 2 * PRICE)


def test_retries_wait_longer_and_longer_and_throttling_does_not(core: FakeWorld) -> None:
    core.plan(raises(CarrierUnavailable("busy")))
    message = core.accept()
    waits = []
    for _ in range(8):
        core.change(tables.message, message, due_at=0)
        core.dispatch()
        row = core.message(message)
        waits.append(round((row["due_at"] - row["state_at"]) / 1000))
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300]
    assert row["retries"] == 8
    assert len(core.carrier.written) == 8


@pytest.mark.parametrize(
    "error", [ValueError("a fault of the plug-in"), NotKept("the phone's row"), KeyError("x")]
)
def test_an_unexpected_exception_neither_loses_nor_wedges(core: FakeWorld, error: Exception) -> None:
    core.plan(raises(error), accept_all)
    message = core.accept()
    with pytest.raises(type(error)):
        core.dispatch()
    assert core.state(message) == State.SUBMITTING
    core.until(message, State.SUBMITTED)
    assert core.path(message) == [*TRIED, "UNCERTAIN", *TRIED, "SUBMITTED"]
    assert [len(mts) for mts in core.carrier.written] == [1, 1]
    assert [mt.possible_duplicate for (mt,) in core.carrier.written] == [False, True]


def test_an_exception_after_the_answers_is_only_logged(core: FakeWorld) -> None:
    def answers_and_raises(carrier: FakeCarrier, mts: Sequence[MT]) -> None:
        accept_all(carrier, mts)
        raise CarrierUnavailable("the link broke afterwards")

    core.plan(answers_and_raises)
    message = core.accept()
    core.dispatch()
    assert core.path(message) == [*TRIED, "SUBMITTED"]


def test_a_job_that_fails_leaves_the_route_working(core: FakeWorld) -> None:
    core.plan(raises(RuntimeError("once")), accept_all)
    first = core.accept()
    core.process.start()
    wait_for(lambda: core.path(first)[-1] == "SUBMITTED")
    second = core.accept()
    wait_for(lambda: core.state(second) == State.SUBMITTED)
    assert core.path(second) == [*TRIED, "SUBMITTED"]


def test_one_answer_of_another_class_for_each_message(core: FakeWorld) -> None:
    kinds: list[CarrierError | None] = [None, CarrierRejected("1", "no"), CarrierUnavailable("busy"), None]

    def plan(carrier: FakeCarrier, mts: Sequence[MT]) -> None:
        said = [
            Answer(mt.ref, None if kind else f"f-{mt.ref}", kind) for mt, kind in zip(mts, kinds, strict=True)
        ]
        carrier.host.answered(said[::-1])

    core.plan(plan)
    texts = [core.accept() for _ in kinds]
    core.dispatch()
    assert [core.state(text) for text in texts] == ["SUBMITTED", "FAILED", "QUEUED", "SUBMITTED"]


def test_a_carrier_without_receipts_ends_as_sent(tmp_path: Path) -> None:
    with fake_world(f"sqlite:///{tmp_path}/core.db", "fake-without-receipts") as core:
        message = core.accept(body="x" * 161)
        core.dispatch()
        assert core.path(message) == [*TRIED, "SENT"]
        assert core.notices(message) == [State.SENT]
        assert core.spent() == 2 * PRICE


def segments_of(core: FakeWorld) -> list[list[int]]:
    return [[mt.number for mt in mts] for mts in core.carrier.written]


def accept_but(missing: int, error: CarrierError | None) -> Plan:
    """Accepts all segments but one, which is answered with the error, or not at all."""

    def plan(carrier: FakeCarrier, mts: Sequence[MT]) -> None:
        accept_all(carrier, [mt for mt in mts if mt.number != missing])
        if error:
            carrier.host.answered([Answer(mt.ref, error=error) for mt in mts if mt.number == missing])

    return plan


@pytest.mark.parametrize("missing", [1, 2, 3])
@pytest.mark.parametrize(
    "error", [CarrierUnavailable("busy"), CarrierThrottled("fast", 0), CarrierGarbled("?"), None]
)
def test_only_the_missing_segment_is_written_again(
    core: FakeWorld, missing: int, error: CarrierError | None
) -> None:
    core.plan(accept_but(missing, error), accept_all)
    message = core.accept(body="x" * 400)
    core.dispatch()
    if error and error.retryable:
        core.change(tables.message, message, due_at=0)
    core.until(message, State.SUBMITTED)
    assert segments_of(core) == [[1, 2, 3], [missing]]
    written = [mt for mts in core.carrier.written for mt in mts]
    assert len({(mt.concat_ref, mt.total, mt.message_id) for mt in written}) == 1
    assert "".join({mt.number: mt.text for mt in written}[number] for number in (1, 2, 3)) == "x" * 400
    assert core.spent() == 3 * PRICE


def test_a_segment_that_is_refused_fails_the_message_and_gives_back_its_share(core: FakeWorld) -> None:
    core.plan(accept_but(2, CarrierRejected("1", "no")))
    message = core.accept(body="x" * 400)
    core.dispatch()
    assert core.state(message) == State.FAILED
    assert core.spent() == 2 * PRICE


def test_a_message_that_expires_unanswered_is_not_given_back(core: FakeWorld) -> None:
    core.plan(say_nothing)
    message = core.accept()
    core.dispatch()
    core.until(message, State.UNCERTAIN)
    core.until(message, State.QUEUED)
    core.change(tables.message, message, expires_at=1)
    core.sweep()
    assert core.path(message)[-2:] == ["QUEUED", "EXPIRED"]
    assert core.spent() == PRICE
