"""Whole paths through the core with the simulated carrier, on both databases. The end of the number is the outcome."""

from collections.abc import Iterator

import pytest
import time_machine
from core_support import PRICE, World, route_row, wait_for, world

from gateway_core.messages import State
from gateway_core.storage import tables

QUEUED = ["QUEUED", "CLAIMED", "SUBMITTING"]
LONG = "x" * 400


@pytest.fixture
def core(database_url: str) -> Iterator[World]:
    with world(database_url) as made:
        yield made


def arrived(core: World, number: str) -> list[tuple[str, bool]]:
    return [(entry.text, entry.possible_duplicate) for entry in core.phone(number)]


@pytest.mark.parametrize("text", ["hello", LONG])
def test_a_text_reaches_the_phone(core: World, text: str) -> None:
    message = core.accept(body=text)
    core.dispatch()
    assert core.path(message) == [*QUEUED, "SUBMITTED", "DELIVERED"]
    assert arrived(core, "+447700900123") == [(text, False)]
    assert core.spent() == PRICE * (3 if text == LONG else 1)
    assert core.notices(message) == [State.DELIVERED]


@pytest.mark.parametrize("text", ["hello", LONG])
def test_0001_never_answered_is_sent_once_more_and_marked(core: World, text: str) -> None:
    number = "+447700900001"
    message = core.accept(number, body=text, validity_minutes=10)
    core.until(message, State.UNCERTAIN)
    core.until(message, State.QUEUED, State.CLAIMED, State.SUBMITTING)
    wait_for(lambda: (core.dispatch(), core.tick(), core.state(message) == State.UNCERTAIN)[-1])
    core.sweep()
    assert core.state(message) == State.UNCERTAIN
    assert arrived(core, number) == [(text, False), (text, True)]
    row = core.message(message)
    assert (row["possible_duplicate"], row["resends"], row["due_at"]) == (True, 1, row["expires_at"])
    with time_machine.travel(row["expires_at"] / 1000 + 1):
        core.sweep()
    assert core.path(message) == [*QUEUED, "UNCERTAIN", *QUEUED, "UNCERTAIN", "UNKNOWN"]
    assert core.notices(message) == [State.UNKNOWN]
    assert core.spent() == PRICE * (3 if text == LONG else 1)


@pytest.mark.parametrize("text", ["hello", LONG])
def test_0002_refused_for_good_is_given_back(core: World, text: str) -> None:
    message = core.accept("+447700900002", body=text)
    core.dispatch()
    assert core.path(message) == [*QUEUED, "FAILED"]
    assert core.spent() == 0
    assert arrived(core, "+447700900002") == []
    (notice,) = core.rows(tables.notice, message_id=message)
    assert notice.facts["words"] == "11 no such subscriber"


def test_0003_throttled_twice_burns_no_retry(core: World) -> None:
    message = core.accept("+447700900003", body=LONG)
    core.until(message)
    assert core.path(message) == [*QUEUED, *QUEUED, *QUEUED, "SUBMITTED", "DELIVERED"]
    assert core.message(message)["retries"] == 0
    assert arrived(core, "+447700900003") == [(LONG, False)]


@pytest.mark.parametrize("text", ["hello", LONG])
def test_0004_undelivered_stays_charged(core: World, text: str) -> None:
    message = core.accept("+447700900004", body=text)
    core.until(message)
    assert core.path(message) == [*QUEUED, "SUBMITTED", "UNDELIVERED"]
    assert core.spent() == PRICE * (3 if text == LONG else 1)
    assert core.notices(message) == [State.UNDELIVERED]


def test_0005_without_a_receipt_is_unknown_when_the_grace_is_over(core: World) -> None:
    message = core.accept("+447700900005", body=LONG)
    core.dispatch()
    row = core.message(message)
    assert row["state"] == State.SUBMITTED
    with time_machine.travel(row["final_by"] / 1000 - 5):
        core.sweep()
    assert core.state(message) == State.SUBMITTED
    with time_machine.travel(row["final_by"] / 1000 + 1):
        core.sweep()
    assert core.path(message) == [*QUEUED, "SUBMITTED", "UNKNOWN"]
    assert core.notices(message) == [State.UNKNOWN]


@pytest.mark.parametrize("text", ["hello", LONG])
def test_0006_a_receipt_before_the_answer_counts(core: World, text: str) -> None:
    message = core.accept("+447700900006", body=text)
    core.dispatch()
    assert core.path(message) == [*QUEUED, "SUBMITTED", "DELIVERED"]
    assert all(row.attempt_id for row in core.rows(tables.receipt))
    assert core.notices(message) == [State.DELIVERED]


def test_0007_a_second_receipt_is_counted_and_changes_nothing(core: World) -> None:
    message = core.accept("+447700900007")
    core.dispatch()
    trail = core.trail(message)
    with time_machine.travel(core.message(message)["created_at"] / 1000 + 5):
        core.tick()
    (receipt,) = core.rows(tables.receipt)
    assert receipt.repeats == 1
    assert core.trail(message) == trail
    assert core.notices(message) == [State.DELIVERED]


@pytest.mark.parametrize(("resend", "copies"), [("never", 1), ("once", 2), ("2", 3), ("idempotent", 4)])
def test_the_budget_of_resends(database_url: str, resend: str, copies: int) -> None:
    settings = {"response_timeout_seconds": 0.05, "resend_wait_seconds": 0}
    number = "+447700900001"
    with world(database_url, route_row(1, "simulator", resend=resend, settings=settings)) as core:
        message = core.accept(number, validity_minutes=10)

        def tried_enough() -> bool:
            core.dispatch()
            core.tick()
            if core.path(message).count("UNCERTAIN") == copies:
                return True
            core.sweep()
            return False

        wait_for(tried_enough)
        if resend != "idempotent":
            for _ in range(3):
                core.tick()
                core.sweep()
        marked = resend != "idempotent"
        assert [again for _, again in arrived(core, number)] == [False, *[marked] * (copies - 1)]
        expires_at = core.message(message)["expires_at"]
        with time_machine.travel(expires_at / 1000 + 1):
            core.sweep()
        assert core.state(message) == State.UNKNOWN
        assert core.spent() == PRICE


def test_a_hundred_texts_of_all_kinds_end_and_none_arrives_twice(core: World) -> None:
    ordinary = [f"+4477009{number:05d}" for number in range(10100, 10180)]
    special = [f"+4477009{number}000{end}" for number in range(2, 7) for end in (2, 3, 4, 6)]
    futures = [core.ask(number, body=f"text for {number}") for number in ordinary + special]
    for future in futures:
        future.result(10)
    core.process.start()
    wait_for(lambda: set(core.states()) <= {"DELIVERED", "UNDELIVERED", "FAILED"}, 20)
    assert core.states() == {"DELIVERED": 90, "UNDELIVERED": 5, "FAILED": 5}
    assert core.spent() == 95 * PRICE
    for number in ordinary + special:
        expected = [] if number.endswith("0002") else [(f"text for {number}", False)]
        assert arrived(core, number) == expected
