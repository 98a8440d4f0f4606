"""Money: charged once, given back where a state says so, never below the limit, never another account's."""

import threading
from collections.abc import Iterator

import pytest
from core_support import (
    ACCOUNT,
    CREDIT,
    OTHER,
    PHONE,
    PRICE,
    SIM,
    World,
    account_row,
    other_connection,
    route_row,
    world,
)
from sqlalchemy import Connection, insert, update

from gateway_core import ledger, messages, moves, process
from gateway_core.drafts import Submission
from gateway_core.errors import NoCredit
from gateway_core.messages import Actor, State
from gateway_core.moves import Move
from gateway_core.storage import tables
from gateway_core.submit import Accepted, submit

THREE_SEGMENTS = "x" * 400


@pytest.fixture
def core(database_url: str) -> Iterator[World]:
    people = [account_row(ACCOUNT, "demo"), account_row(OTHER, "other")]
    with world(database_url, route_row(SIM, "simulator"), people=people) as made:
        made.add(tables.number, {"id": 9, "msisdn": "+447700900901", "account_id": OTHER, "forward_to": []})
        yield made


def entries(core: World, message_id: int) -> list[tuple[str, int]]:
    return [(row.kind, row.amount) for row in core.rows(tables.ledger_entry, message_id=message_id)]


@pytest.mark.parametrize(
    ("text", "segments"), [("x", 1), ("x" * 160, 1), ("x" * 161, 2), (THREE_SEGMENTS, 3)]
)
def test_a_text_is_charged_once_by_its_segments(core: World, text: str, segments: int) -> None:
    message = core.accept(body=text)
    core.dispatch()
    core.sweep()
    assert entries(core, message) == [("submit", -PRICE * segments)]
    assert core.spent() == PRICE * segments


# the end | the state before it | who | segments of 3 given back when 0, 1, 3 of them were accepted
ENDS = [
    (State.FAILED, State.SUBMITTING, Actor.DISPATCH, (3, 2, 0)),
    (State.FAILED, State.QUEUED, Actor.DISPATCH, (3, 2, 0)),
    (State.CANCELLED, State.QUEUED, Actor.ACCOUNT, (3, 2, 0)),
    (State.EXPIRED, State.QUEUED, Actor.SWEEPER, (3, 2, 0)),
    (State.EXPIRED, State.SUBMITTED, Actor.RECEIPTS, (3, 2, 0)),
    (State.DELIVERED, State.SUBMITTED, Actor.RECEIPTS, (0, 0, 0)),
    (State.UNDELIVERED, State.SUBMITTED, Actor.RECEIPTS, (0, 0, 0)),
    (State.UNKNOWN, State.UNCERTAIN, Actor.SWEEPER, (0, 0, 0)),
    (State.SENT, State.SUBMITTING, Actor.DISPATCH, (0, 0, 0)),
]


def attempt_row(core: World, message_id: int, segment: int) -> dict[str, object]:
    return {
        "id": core.gateway.ids.new(),
        "message_id": message_id,
        "route_id": SIM,
        "owner_id": core.gateway.owner.id,
        "fence": 1,
        "segment": segment,
        "written_at": 1,
        "answered_at": 2,
        "outcome": "accepted",
        "words": "",
        "carrier_ref": f"r{segment}",
        "receipt": None,
    }


@pytest.mark.parametrize(("end", "before", "actor", "back"), ENDS)
@pytest.mark.parametrize(("accepted", "case"), [(0, 0), (1, 1), (3, 2)])
def test_what_is_given_back(
    core: World, end: State, before: State, actor: Actor, back: tuple[int, ...], accepted: int, case: int
) -> None:
    message = core.accept(body=THREE_SEGMENTS)

    def fold(conn: Connection, units: list[None]) -> list[None]:
        conn.execute(update(tables.message).values(state=before))
        rows = [attempt_row(core, message, segment) for segment in range(1, accepted + 1)]
        if rows:
            conn.execute(insert(tables.attempt), rows)
        was = messages.lock(conn, [message])[message]
        moves.make(conn, core.gateway.context, [Move(was, end, actor, "end")])
        return units

    core.gateway.writer.put(fold, None).result(10)
    assert core.spent() == PRICE * (3 - back[case])
    assert len(entries(core, message)) == (2 if back[case] else 1)


def test_accounts_whose_sum_is_not_their_balance_are_named(core: World) -> None:
    core.accept()
    with core.reading() as conn:
        assert ledger.disagreements(conn) == []
    with other_connection(core.url) as conn:
        conn.execute(update(tables.account).where(tables.account.c.id == OTHER).values(balance=7))
    with core.reading() as conn:
        assert ledger.disagreements(conn) == [("other", 7, CREDIT)]


@pytest.mark.parametrize(("credit", "limit"), [(30 * PRICE, 0), (10 * PRICE, 20 * PRICE), (0, 30 * PRICE)])
def test_credit_holds_against_eight_threads_of_two_processes(
    database_url: str, credit: int, limit: int
) -> None:
    with (
        world(database_url, people=[account_row(ACCOUNT, "demo", credit=credit, limit=limit)]) as core,
        process.opened(database_url) as second,
    ):
        accepted: list[int] = []
        lowest: list[int] = []

        def work(number: int) -> None:
            gateway = core.gateway if number % 2 else second
            for _ in range(10):
                asked = Submission(core.account(), (PHONE,), "x")
                ((_, result),) = submit(gateway, asked).result(20).results
                assert isinstance(result, Accepted | NoCredit)
                accepted.append(isinstance(result, Accepted))
                with gateway.reader.connect() as conn:
                    lowest.append(ledger.balance(conn, ACCOUNT))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(accepted) == 30
        assert len(accepted) == 80
        assert min(lowest) == core.balance() == -limit


def test_two_accounts_never_mix(core: World) -> None:
    futures = [core.ask(account=1 + number % 2, body="x" * 161) for number in range(60)]
    futures += [core.ask(account=ACCOUNT) for _ in range(5)]
    for future in futures:
        future.result(10)
    core.dispatch()
    assert (core.spent(ACCOUNT), core.spent(OTHER)) == (65 * PRICE, 60 * PRICE)
    owners = {row.message_id: row.account_id for row in core.rows(tables.ledger_entry)}
    assert all(owners[row.id] == row.account_id for row in core.rows(tables.message))


def test_a_unit_is_charged_whole_or_not_at_all(database_url: str) -> None:
    with world(database_url, people=[account_row(ACCOUNT, "demo", credit=2 * PRICE)]) as core:
        outcome = core.submit("+447700900101", "+447700900102", "+447700900103")
        assert [type(refused) for refused in outcome.refused] == [NoCredit] * 3
        assert outcome.submission_id == 0
        assert core.rows(tables.submission) == core.rows(tables.message) == []
        assert core.balance() == 2 * PRICE
        assert isinstance(core.submit("+447700900101", "+447700900102").results[0][1], Accepted)
        assert core.balance() == 0
