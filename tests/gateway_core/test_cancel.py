"""Taking back what no carrier has yet, and notices that are claimed and ended."""

from collections.abc import Iterator

import pytest
import time_machine
from core_support import FAKE, PRICE, folded, other_connection
from fake_carriers import FakeWorld, fake_world, say_nothing
from sqlalchemy import update

from gateway_core import cancel, notices
from gateway_core.messages import Actor, State
from gateway_core.notices import Ended
from gateway_core.storage import clock, tables


@pytest.fixture
def core(database_url: str) -> Iterator[FakeWorld]:
    with fake_world(database_url) as made:
        yield made


@pytest.mark.parametrize("actor", [Actor.ACCOUNT, Actor.OPERATOR])
@pytest.mark.parametrize("hours", [0, 1])
def test_what_waits_is_cancelled_and_given_back(core: FakeWorld, actor: Actor, hours: int) -> None:
    message = core.accept(send_at=clock.now() + hours * 3600 * clock.SECOND)
    before = core.state(message)
    assert cancel.cancel(core.gateway, message, actor).result(10) == before
    assert (core.state(message), core.message(message)["reason"]) == (State.CANCELLED, f"by_{actor}")
    assert core.spent() == 0
    assert core.notices(message) == [State.CANCELLED]
    core.dispatch()
    assert core.carrier.written == []


def test_what_a_carrier_has_stays(core: FakeWorld) -> None:
    core.plan(say_nothing)
    message = core.accept()
    core.dispatch()
    assert cancel.cancel(core.gateway, message, Actor.ACCOUNT).result(10) == State.SUBMITTING
    assert core.state(message) == State.SUBMITTING
    assert core.spent() == PRICE


def test_twice_at_once_gives_back_once(core: FakeWorld) -> None:
    message = core.accept()
    with folded(core):
        futures = [cancel.cancel(core.gateway, message, Actor.ACCOUNT) for _ in range(3)]
    assert [future.result(10) for future in futures] == [State.QUEUED] * 3
    assert core.spent() == 0


def test_no_such_message(core: FakeWorld) -> None:
    assert cancel.cancel(core.gateway, 1, Actor.ACCOUNT).result(10) is None


def test_a_message_that_is_cancelled_while_it_is_claimed_is_written_or_cancelled_never_both(
    core: FakeWorld,
) -> None:
    texts = [core.accept() for _ in range(200)]
    core.process.start()
    core.gateway.queue.hint("dispatch", FAKE)
    futures = [cancel.cancel(core.gateway, message, Actor.ACCOUNT) for message in texts]
    for future in futures:
        future.result(10)
    written = {mt.message_id for mts in core.carrier.written for mt in mts}
    cancelled = {message for message in texts if core.state(message) == State.CANCELLED}
    assert not written & cancelled
    assert core.spent() == (200 - len(cancelled)) * PRICE


# --- notices ---


def claim(core: FakeWorld, most: int = 10) -> list[int]:
    return [row.message_id for row in core.gateway.writer.put(notices.claim, most).result(10)]


def end(core: FakeWorld, state: str, at: int) -> None:
    for row in core.rows(tables.notice):
        core.gateway.writer.put(notices.end, Ended(row.id, state, at, "said")).result(10)


def owed(core: FakeWorld) -> int:
    message = core.accept()
    cancel.cancel(core.gateway, message, Actor.ACCOUNT).result(10)
    return message


def test_a_notice_that_is_claimed_is_not_claimed_again_until_its_lease_is_over(core: FakeWorld) -> None:
    message = owed(core)
    assert claim(core) == [message]
    assert claim(core) == []
    with time_machine.travel(clock.now() / 1000 + notices.LEASE_SECONDS + 1):
        assert claim(core) == [message]


@pytest.mark.parametrize("state", ["DONE", "DEAD"])
def test_a_notice_that_ended_is_owed_no_more(core: FakeWorld, state: str) -> None:
    owed(core)
    claim(core)
    end(core, state, 0)
    end(core, "DUE", 0)  # whoever else had it comes too late
    assert claim(core) == []
    with core.reading() as conn:
        assert not notices.any_due(conn)
        assert notices.oldest_due(conn) is None


def test_a_notice_is_tried_again_when_it_is_said_to_be(core: FakeWorld) -> None:
    message = owed(core)
    claim(core)
    end(core, "DUE", 1)
    with core.reading() as conn:
        assert notices.any_due(conn)
        assert notices.oldest_due(conn)
    assert claim(core) == [message]
    (row,) = core.rows(tables.notice)
    assert (row.tries, row.words) == (2, "said")


def test_two_that_claim_at_once_share_what_is_due(core: FakeWorld) -> None:
    for _ in range(6):
        owed(core)
    with folded(core):
        futures = [core.gateway.writer.put(notices.claim, 4) for _ in range(2)]
    first, second = (future.result(10) for future in futures)
    assert (len(first), len(second)) == (4, 2)
    assert not {row.id for row in first} & {row.id for row in second}


def test_a_cancelled_text_that_another_process_moved_is_left_alone(core: FakeWorld) -> None:
    message = core.accept()
    with other_connection(core.url) as conn:
        conn.execute(update(tables.message).values(state="CLAIMED"))
    assert cancel.cancel(core.gateway, message, Actor.ACCOUNT).result(10) == State.CLAIMED
