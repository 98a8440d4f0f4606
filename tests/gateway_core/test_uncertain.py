"""Submits whose answer is missing: late answers, strays, and what a dead process leaves behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from core_support import FAKE, PRICE, SIM, World, count, other_connection, wait_for, world
from fake_carriers import FakeWorld, accept_all, fake_world, say_nothing
from sqlalchemy import Connection, insert, update

from gateway_core.errors import CarrierRejected, CarrierUnavailable
from gateway_core.messages import State
from gateway_core.process import Process
from gateway_core.sms import Answer
from gateway_core.storage import tables

TRIED = ["QUEUED", "CLAIMED", "SUBMITTING"]
SLOW = {"response_timeout_seconds": 0.05, "resend_wait_seconds": 60}


@pytest.fixture
def core(tmp_path: Path) -> Iterator[FakeWorld]:
    with fake_world(f"sqlite:///{tmp_path}/core.db", settings=SLOW) as made:
        made.plan(say_nothing)
        yield made


def left_uncertain(core: FakeWorld, body: str = "hello") -> int:
    message = core.accept(body=body)
    core.dispatch()
    core.until(message, State.UNCERTAIN)
    return message


def late(core: FakeWorld, **answer: object) -> None:
    for mts in list(core.carrier.written):
        core.carrier.host.answered([Answer(mt.ref, **answer) for mt in mts])  # type: ignore[arg-type]
    core.settle()


def test_a_late_answer_counts_and_prevents_the_resend(core: FakeWorld) -> None:
    message = left_uncertain(core)
    late(core, carrier_ref="f-1")
    core.change(tables.message, message, due_at=0)
    core.dispatch()
    assert core.path(message) == [*TRIED, "UNCERTAIN", "SUBMITTED"]
    assert len(core.carrier.written) == 1
    assert core.message(message)["possible_duplicate"] is False


@pytest.mark.parametrize(
    ("error", "state", "spent"),
    [(CarrierRejected("1", "no"), State.FAILED, 0), (CarrierUnavailable("busy"), State.QUEUED, PRICE)],
)
def test_a_late_refusal_counts_too(core: FakeWorld, error: Exception, state: State, spent: int) -> None:
    message = left_uncertain(core)
    late(core, error=error)
    assert (core.state(message), core.spent()) == (state, spent)
    assert core.message(message)["possible_duplicate"] is False


def test_an_answer_that_comes_after_the_decision_to_resend_still_prevents_it(core: FakeWorld) -> None:
    message = left_uncertain(core)
    core.change(tables.message, message, due_at=0)
    core.sweep()
    assert core.state(message) == State.QUEUED
    late(core, carrier_ref="f-1")
    core.dispatch()
    assert core.path(message) == [*TRIED, "UNCERTAIN", *TRIED, "SUBMITTED"]
    assert len(core.carrier.written) == 1


def test_a_receipt_settles_what_its_answer_left_open(core: FakeWorld) -> None:
    def first_only(carrier, mts) -> None:
        accept_all(carrier, mts[:1])

    core.plan(first_only)
    message = left_uncertain(core, body="x" * 161)
    first, second = core.carrier.written[0]
    core.receipt(first)
    assert core.state(message) == State.UNCERTAIN
    accept_all(core.carrier, [second])
    core.settle()
    assert core.state(message) == State.SUBMITTED
    core.receipt(second)
    assert core.state(message) == State.DELIVERED


def test_an_answer_to_the_first_try_while_the_second_is_in_flight(core: FakeWorld) -> None:
    message = left_uncertain(core)
    core.change(tables.message, message, due_at=0)
    core.sweep()
    core.dispatch()
    assert core.state(message) == State.SUBMITTING
    (first,), (second,) = core.carrier.written
    accept_all(core.carrier, [first])
    core.settle()
    assert core.state(message) == State.SUBMITTED
    accept_all(core.carrier, [second])
    core.settle()
    core.receipt(first)
    core.receipt(second)
    assert core.path(message) == [*TRIED, "UNCERTAIN", *TRIED, "SUBMITTED", "DELIVERED"]
    assert core.spent() == PRICE


def test_a_live_owner_is_never_overruled_by_time(tmp_path: Path) -> None:
    patient = {"response_timeout_seconds": 3600, "resend_wait_seconds": 0}
    with fake_world(f"sqlite:///{tmp_path}/core.db", settings=patient) as core:
        core.plan(say_nothing)
        message = core.accept()
        core.dispatch()
        core.change(tables.message, message, state_at=1, created_at=1)
        core.sweep()
        core.process._sweep()
        assert core.state(message) == State.SUBMITTING


def test_a_submit_whose_answer_could_not_be_written_is_found(core: FakeWorld) -> None:
    """The disk was full when the answer came: the row says SUBMITTING, and no window waits for it."""
    message = core.accept()
    core.dispatch()
    (mt,) = core.carrier.written[0]
    core.gateway.windows[FAKE].land([mt.ref])
    core.tick()
    assert core.state(message) == State.SUBMITTING
    core.change(tables.message, message, state_at=1)
    core.process._sweep()
    assert core.path(message) == [*TRIED, "UNCERTAIN"]
    late(core, carrier_ref="f-1")
    assert core.state(message) == State.SUBMITTED


@pytest.mark.parametrize("error", [None, CarrierRejected("1", "no")])
def test_an_answer_is_kept_until_the_database_takes_it(core: FakeWorld, error: Exception | None) -> None:
    message = core.accept()
    core.dispatch()
    (mt,) = core.carrier.written[0]
    unkept = core.gateway.windows[FAKE].unkept
    with read_only(core):
        answer = Answer(mt.ref, error=error) if error else Answer(mt.ref, carrier_ref="f-1")  # type: ignore[arg-type]
        core.carrier.host.answered([answer])
        wait_for(lambda: len(unkept) == 1)
        core.process._tick()
        wait_for(lambda: len(unkept) == 1)
        assert core.state(message) == State.SUBMITTING
    core.tick()
    assert core.path(message) == [*TRIED, "FAILED" if error else "SUBMITTED"]


@contextmanager
def read_only(core: World) -> Iterator[None]:
    """The file cannot be written for a while."""
    for on in (1, 0):
        connection = core.gateway.writer._engine.raw_connection()  # there is one, and the writer is idle
        connection.execute(f"PRAGMA query_only={on}")  # type: ignore[attr-defined]
        connection.close()
        if on:
            yield


# --- what a dead process leaves ---

DEAD = 4711


def leave_behind(conn: Connection, message_id: int, state: State, lease_until: int = 1) -> None:
    """The rows as a process that died at this point has left them."""
    owner = {"id": DEAD, "node": 5000, "host": "gone", "pid": 1, "started_at": 0, "lease_until": lease_until}
    conn.execute(insert(tables.owner), owner)
    m = tables.message
    conn.execute(
        update(m)
        .where(m.c.id == message_id)
        .values(state=state, fence=1, owner_id=DEAD, due_at=None, resends=0)
    )


@pytest.mark.parametrize(
    ("state", "recovered"), [(State.CLAIMED, [State.QUEUED]), (State.SUBMITTING, [State.UNCERTAIN])]
)
def test_rows_of_a_dead_owner_move_on(database_url: str, state: State, recovered: list[State]) -> None:
    with world(database_url) as core:
        message = core.accept()
        with other_connection(core.url) as conn:
            leave_behind(conn, message, state)
        core.sweep()
        assert core.path(message) == ["QUEUED", *recovered]
        core.change(tables.message, message, due_at=0)
        core.until(message)
        assert core.state(message) == State.DELIVERED
        assert core.message(message)["possible_duplicate"] is (state == State.SUBMITTING)


def test_rows_of_an_owner_that_lives_stay(database_url: str) -> None:
    with world(database_url) as core:
        message = core.accept()
        with other_connection(core.url) as conn:
            leave_behind(conn, message, State.SUBMITTING, lease_until=2**62)
        core.sweep()
        assert core.state(message) == State.SUBMITTING


def test_a_claim_that_was_not_used_is_given_back(database_url: str) -> None:
    with world(database_url) as core:
        message = core.accept()
        core.change(tables.message, message, state="CLAIMED", owner_id=core.gateway.owner.id, due_at=1)
        core.sweep()
        assert core.path(message) == ["QUEUED", "QUEUED"]
        core.until(message)
        assert core.state(message) == State.DELIVERED


_CHILD = """
import sys, time
from core_support import SIM, route_row, world
from gateway_core.drafts import Submission
from gateway_core.submit import submit
routes = [route_row(SIM, "simulator")]
made = world(sys.argv[1], *routes).__enter__()
made.process.start()
print("ready", flush=True)
for number in range(100000):
    asked = Submission(made.account(), (f"+4477009{number % 90000 + 10:05d}",), f"text {number}")
    result = submit(made.gateway, asked).result().results[0][1]
    print(number, flush=True)
"""


def test_after_kill_9_what_was_accepted_arrives(sqlite_url: str) -> None:
    """Killed while it accepts, claims, submits and takes receipts; the next process ends every message."""
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, sqlite_url],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert child.stdout is not None
    acknowledged = 0
    for line in child.stdout:
        acknowledged += line.strip() != "ready"
        if acknowledged == 300:
            child.send_signal(signal.SIGKILL)
            break
    acknowledged += sum(1 for line in child.stdout if line.endswith("\n"))
    child.stdout.close()
    child.wait(10)
    kept = count(sqlite_url, tables.message)
    assert kept >= acknowledged
    process = Process(sqlite_url)
    core = World(process, sqlite_url)
    process.start()
    try:
        wait_for(lambda: not set(core.states()) & {"HELD", "QUEUED", "CLAIMED", "SUBMITTING"}, 30)
        core_end(core)
        assert sum(core.states().values()) == kept
        assert core.balance() == 1_000_000 - kept * PRICE + refunded(core)
        twice = [entry for entry in core.rows(tables.phone_segment) if entry.possible_duplicate]
        assert len(core.rows(tables.phone_segment)) <= kept + len(twice)
    finally:
        process.stop()


def core_end(core: World) -> None:
    """UNCERTAIN waits ten seconds for a receipt before the resend: the clock of the rows is put forward."""

    def ended() -> bool:
        with other_connection(core.url) as conn:
            conn.execute(update(tables.message).where(tables.message.c.state == "UNCERTAIN").values(due_at=0))
        return set(core.states()) <= {"DELIVERED", "UNDELIVERED", "FAILED", "SUBMITTED"}

    wait_for(ended, 30)


def refunded(core: World) -> int:
    return sum(row.amount for row in core.rows(tables.ledger_entry, kind="refund"))


def test_a_route_without_budget_leaves_a_dead_owners_submit_unknown(database_url: str) -> None:
    with world(database_url) as core:
        core.change(tables.route, SIM, resend="never")
        core.tick()
        message = core.accept()
        with other_connection(core.url) as conn:
            leave_behind(conn, message, State.SUBMITTING)
        core.sweep()
        row = core.message(message)
        assert (row["state"], row["due_at"]) == ("UNCERTAIN", row["expires_at"])
        core.change(tables.message, message, due_at=0, expires_at=1)
        core.sweep()
        assert core.path(message) == ["QUEUED", "UNCERTAIN", "UNKNOWN"]
        assert core.spent() == PRICE
