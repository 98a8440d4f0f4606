"""Spending caps: what fits is taken in the accepting transaction, what does not is refused and takes nothing."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from socket import socketpair
from typing import Any

import pytest
import time_machine
from alembic import command
from alembic.config import Config
from core_support import (
    ACCOUNT,
    CREDIT,
    OTHER,
    PHONE,
    PRICE,
    SIM,
    World,
    account_row,
    folded,
    route_row,
    world,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from peers.postgres import Postgres
from sqlalchemy import Connection, Engine, event, select, text

import mailgate.tables
from gateway_core import caps, ledger, messages, moves, process
from gateway_core.caps import Cap
from gateway_core.drafts import Submission
from gateway_core.errors import QuotaExceeded
from gateway_core.gateway import REFERENCES
from gateway_core.keys import Key
from gateway_core.messages import Actor, State
from gateway_core.moves import Move
from gateway_core.storage import schema, tables
from gateway_core.storage.engine import open_engine
from gateway_core.storage.remote import RemoteWriter
from gateway_core.submit import Accepted, Outcome, submit

ALICE, BOB = "sender:alice@acme.example", "sender:bob@acme.example"
TODAY, TOMORROW = "2026-03-01", "2026-03-02"
THREE = ("+447700900101", "+447700900102", "+447700900103")


def cap(texts: int, key: str = ALICE, day: str = TODAY) -> Cap:
    """Room for so many texts of one segment."""
    return Cap(key, day, texts * PRICE)


@pytest.fixture
def core(database_url: str) -> Iterator[World]:
    people = [account_row(ACCOUNT, "demo"), account_row(OTHER, "other", sender_id="Other")]
    with world(database_url, route_row(SIM, "simulator"), people=people) as made:
        yield made


def verdicts(outcome: Outcome) -> list[str]:
    return [
        ("repeat" if result.repeat else "new") if isinstance(result, Accepted) else result.code
        for _, result in outcome.results
    ]


def spent(core: World) -> dict[tuple[str, str], int]:
    return {(row.key, row.day): row.amount for row in core.rows(tables.spent)}


@contextmanager
def statements(core: World) -> Iterator[list[str]]:
    """What the writer says to the database meanwhile."""
    said: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        said.append(statement)

    engine = core.process._writer._engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", note)


# --- what fits --------------------------------------------------------------------------------------------


def test_the_last_unit_of_money_may_be_spent_and_no_more(core: World) -> None:
    found = [verdicts(core.submit(body=f"text {number}", cap=cap(3))) for number in range(5)]
    assert found == [["new"]] * 3 + [["quota_exceeded"]] * 2
    assert spent(core) == {(ALICE, TODAY): 3 * PRICE}
    assert core.spent() == 3 * PRICE


def test_a_submission_fits_whole_or_not_at_all(core: World) -> None:
    outcome = core.submit(*THREE, cap=cap(2), key=Key("id", "t", mail_digest="m"))
    assert verdicts(outcome) == ["quota_exceeded"] * 3
    assert outcome.submission_id == 0
    for table in (tables.submission, tables.message, tables.accepted_key, tables.event, tables.spent):
        assert core.rows(table) == []
    assert core.spent() == 0
    assert verdicts(core.submit(*THREE[:2], cap=cap(2))) == ["new"] * 2


def test_segments_count(core: World) -> None:
    assert verdicts(core.submit(body="x" * 161, cap=cap(1))) == ["quota_exceeded"]
    assert verdicts(core.submit(body="x" * 161, cap=cap(2))) == ["new"]
    assert spent(core) == {(ALICE, TODAY): 2 * PRICE}


def test_the_words_say_how_much(core: World) -> None:
    core.submit(cap=cap(1))
    (refused,) = core.submit(body="x" * 161, cap=cap(2)).refused
    assert type(refused) is QuotaExceeded
    assert str(refused) == "the sender may spend 0.10 GBP a day; 0.05 are spent, and this costs 0.10"


def test_keys_and_days_are_separate(core: World) -> None:
    for one in (cap(1), cap(1, BOB), cap(1, day=TOMORROW), cap(1, BOB, TOMORROW)):
        assert verdicts(core.submit(cap=one)) == ["new"]
        assert verdicts(core.submit(cap=one)) == ["quota_exceeded"]
    assert len(spent(core)) == 4


def test_a_cap_that_was_changed_binds_at_once_and_keeps_what_is_spent(core: World) -> None:
    core.submit(*THREE, cap=cap(3))
    assert verdicts(core.submit(cap=cap(2))) == ["quota_exceeded"]
    assert verdicts(core.submit(cap=cap(4))) == ["new"]
    assert verdicts(core.submit(cap=cap(0, BOB))) == ["quota_exceeded"]


def test_without_a_cap_nothing_is_counted(core: World) -> None:
    assert verdicts(core.submit()) == ["new"]
    assert spent(core) == {}


def test_what_is_free_always_fits_and_is_not_counted(core: World) -> None:
    core.submit(cap=cap(1))
    core.change(tables.price, 1, per_segment=0)
    core.gateway.directory.refresh()
    assert verdicts(core.submit(cap=cap(0))) == verdicts(core.submit(cap=cap(0, BOB))) == ["new"]
    assert spent(core) == {(ALICE, TODAY): PRICE}


# --- beside keys and credit -------------------------------------------------------------------------------


def test_a_repeat_takes_nothing_and_needs_no_room(core: World) -> None:
    key = Key("id", "t", mail_digest="m")
    core.submit(key=key, cap=cap(1))
    assert verdicts(core.submit(key=key, cap=cap(1))) == ["repeat"]
    assert spent(core) == {(ALICE, TODAY): PRICE}


def test_of_a_repeat_only_the_new_recipients_are_refused(core: World) -> None:
    key = Key("id", "t", mail_digest="m")
    first = core.submit(*THREE[:2], key=key, cap=cap(2))
    again = core.submit(*THREE, key=key, cap=cap(2))
    found = {to: type(result) for to, result in again.results}
    assert found == {THREE[0]: Accepted, THREE[1]: Accepted, THREE[2]: QuotaExceeded}
    assert again.submission_id == first.submission_id
    assert verdicts(core.submit(*THREE, key=key, cap=cap(3)))[-1] == "new"
    assert spent(core) == {(ALICE, TODAY): 3 * PRICE}


def test_the_cap_speaks_before_credit_and_credit_takes_nothing_of_it(database_url: str) -> None:
    with world(database_url, people=[account_row(ACCOUNT, "demo", credit=PRICE)]) as core:
        assert verdicts(core.submit(*THREE, cap=cap(1))) == ["quota_exceeded"] * 3
        assert verdicts(core.submit(*THREE, cap=cap(9))) == ["no_credit"] * 3
        assert spent(core) == {}
        assert verdicts(core.submit(cap=cap(1))) == ["new"]
        assert (spent(core), core.balance()) == ({(ALICE, TODAY): PRICE}, 0)


def test_a_refund_does_not_give_the_cap_back(core: World) -> None:
    message = core.accept(cap=cap(1))

    def fold(conn: Connection, units: Sequence[None]) -> Sequence[None]:
        was = messages.lock(conn, [message])[message]
        moves.make(conn, core.gateway.context, [Move(was, State.CANCELLED, Actor.ACCOUNT, "end")])
        return units

    core.gateway.writer.put(fold, None).result(10)
    assert core.balance() == CREDIT
    assert spent(core) == {(ALICE, TODAY): PRICE}
    assert verdicts(core.submit(cap=cap(1))) == ["quota_exceeded"]


# --- folds ------------------------------------------------------------------------------------------------


def test_units_of_one_commit_see_what_the_others_take(core: World) -> None:
    commits = core.gateway.writer.commits
    with folded(core):
        asked = [cap(2), cap(2, BOB), cap(2), None, cap(2), cap(3), cap(2, day=TOMORROW)]
        futures = [core.ask(body=f"text {number}", cap=one) for number, one in enumerate(asked)]
    found = [verdicts(future.result(10))[0] for future in futures]
    assert found == ["new", "new", "new", "new", "quota_exceeded", "new", "new"]
    assert core.gateway.writer.commits == commits + 2
    assert spent(core) == {(ALICE, TODAY): 3 * PRICE, (BOB, TODAY): PRICE, (ALICE, TOMORROW): PRICE}
    assert core.spent() == 6 * PRICE


def test_caps_cost_a_fold_two_statements_and_a_fold_without_them_none(core: World) -> None:
    with statements(core) as without:
        with folded(core):
            futures = [core.ask(body=f"text {number}") for number in range(5)]
        core.settle()
    with statements(core) as capped:
        with folded(core):
            futures += [core.ask(body=f"text {number}", cap=cap(9, str(number))) for number in range(5)]
        core.settle()
    assert {verdicts(future.result(10))[0] for future in futures} == {"new"}
    assert [said for said in without if "spent" in said] == []
    assert [said.split()[0] for said in capped if "spent" in said] == ["SELECT", "INSERT"]
    assert len(capped) == len(without) + 2


def test_a_fold_that_is_redone_takes_once(core: World, monkeypatch: pytest.MonkeyPatch) -> None:
    record, calls = ledger.record, []

    def fail_once(*arguments: Any) -> None:
        calls.append(arguments)
        record(*arguments)
        if len(calls) == 1:
            raise RuntimeError("after everything was written")

    monkeypatch.setattr(ledger, "record", fail_once)
    with folded(core):
        futures = [core.ask(body=f"text {number}", cap=cap(2)) for number in range(3)]
    assert [verdicts(future.result(10)) for future in futures] == [["new"], ["new"], ["quota_exceeded"]]
    assert spent(core) == {(ALICE, TODAY): 2 * PRICE}
    assert core.spent() == 2 * PRICE


UNITS = st.lists(
    st.tuples(st.sampled_from([ALICE, BOB, None]), st.sampled_from([TODAY, TOMORROW]), st.integers(1, 3)),
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(folds=st.lists(UNITS, max_size=3), most=st.integers(0, 8))
def test_any_sequence_in_any_folds_is_decided_as_one_after_the_other(
    tmp_path_factory: pytest.TempPathFactory, folds: list[list[tuple[str | None, str, int]]], most: int
) -> None:
    expected, model = [], dict[tuple[str, str], int]()
    for key, day, texts in [unit for fold in folds for unit in fold]:
        so_far = model.get((key, day), 0) if key else 0
        fits = key is None or so_far + texts * PRICE <= most * PRICE
        if key and fits:
            model[key, day] = so_far + texts * PRICE
        expected.append("new" if fits else "quota_exceeded")
    with world(f"sqlite:///{tmp_path_factory.mktemp('caps')}/core.db") as core:
        futures = []
        for fold in folds:
            with folded(core):
                futures += [
                    core.ask(*THREE[:texts], cap=cap(most, key, day) if key else None)
                    for key, day, texts in fold
                ]
        assert [verdicts(future.result(10))[0] for future in futures] == expected
        assert spent(core) == model


# --- more than one process --------------------------------------------------------------------------------


def test_a_cap_holds_against_eight_threads_of_two_processes(database_url: str) -> None:
    with world(database_url) as core, process.opened(database_url) as second:
        found: list[tuple[str, str]] = []

        def work(number: int) -> None:
            gateway = core.gateway if number % 2 else second
            for turn in range(10):
                key = ALICE if (number + turn) % 4 else BOB
                outcome = submit(gateway, Submission(core.account(), (PHONE,), "x", cap=cap(20, key)))
                found.append((key, verdicts(outcome.result(20))[0]))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 80
        assert (found.count((ALICE, "new")), found.count((ALICE, "quota_exceeded"))) == (20, 40)
        assert (found.count((BOB, "new")), found.count((BOB, "quota_exceeded"))) == (20, 0)
        assert spent(core) == {(ALICE, TODAY): 20 * PRICE, (BOB, TODAY): 20 * PRICE}
        assert core.spent() == 40 * PRICE


def test_of_two_accounts_with_one_key_no_spending_is_lost(database_url: str) -> None:
    """No lock keeps them apart, so what was in both commits at once may pass the cap; the sum is right all the same."""
    people = [account_row(ACCOUNT, "demo"), account_row(OTHER, "other", sender_id="Other")]
    with world(database_url, people=people) as core, process.opened(database_url) as second:
        taken: list[bool] = []

        def work(number: int) -> None:
            gateway = core.gateway if number % 2 else second
            for _ in range(10):
                asked = Submission(core.account(1 + number % 2), (PHONE,), "x", cap=cap(50))
                taken.append(verdicts(submit(gateway, asked).result(20)) == ["new"])

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert spent(core) == {(ALICE, TODAY): sum(taken) * PRICE}
        assert sum(taken) >= 50
        assert verdicts(core.submit(cap=cap(50))) == ["quota_exceeded"]


def test_a_cap_and_its_refusal_cross_to_the_process_that_writes(database_url: str) -> None:
    async def scenario(core: World) -> list[list[str]]:
        link, served, ends = RemoteWriter(REFERENCES), core.process.serve_guest(), socketpair()
        await link.connect(ends[0])
        await served.connect(ends[1])
        guest = process.guest(core.url, link)
        account = guest.snapshot.accounts[ACCOUNT]
        asked = [submit(guest, Submission(account, (PHONE,), "x", cap=cap(2, "a\0\ud800"))) for _ in range(3)]
        found = [verdicts(await asyncio.wait_for(asyncio.wrap_future(one), 10)) for one in asked]
        link.close()
        await asyncio.sleep(0.01)
        guest.reader.dispose()
        return found

    with world(database_url) as core:
        assert asyncio.run(scenario(core)) == [["new"], ["new"], ["quota_exceeded"]]
        assert list(spent(core).values()) == [2 * PRICE]


# --- old days ---------------------------------------------------------------------------------------------


def test_days_are_forgotten_after_forty(core: World) -> None:
    with time_machine.travel("2026-03-01T00:30:00Z", tick=False) as now:
        core.submit(cap=cap(1))
        core.submit(cap=cap(1, BOB))
        core.submit(cap=cap(1, day=TOMORROW))
        now.shift(40 * 24 * 3600)
        core.sweep()
        assert len(spent(core)) == 3
        now.shift(24 * 3600)
        assert core.gateway.writer.put(caps.forget, 1).result(10) == 1
        assert len(spent(core)) == 2
        core.sweep()
    assert spent(core) == {(ALICE, TOMORROW): PRICE}


def test_no_statement_reads_the_whole_table(tmp_path: Path) -> None:
    with world(f"sqlite:///{tmp_path}/core.db") as core:
        with statements(core) as said:
            core.submit(cap=cap(1))
            core.gateway.writer.put(caps.forget, 10).result(10)
        raw = core.gateway.reader.raw_connection()
        plans = [
            row[3]
            for statement in said
            if "spent" in statement
            for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", (TODAY,) * statement.count("?"))  # type: ignore[attr-defined]
        ]
        raw.close()
    assert [step for step in plans if "SEARCH spent USING PRIMARY KEY" in step]
    assert [step for step in plans if "SCAN spent" in step] == []


# --- the migration ----------------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    server: Postgres | None = None if request.param == "sqlite" else request.getfixturevalue("postgres")
    url = server.empty() if server else f"sqlite:///{tmp_path}/empty.db"
    engine = open_engine(url, writes=True)
    yield engine
    engine.dispose()
    if server:
        server.drop(url)


def test_senders_of_the_version_before_may_do_what_they_could(empty: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).with_name("migrations")))
    config.attributes["engine"] = empty
    command.upgrade(config, "0002")
    with empty.begin() as conn:
        conn.execute(text("INSERT INTO account VALUES (1, 'demo', 'prepaid', 'GBP', 0, 0, '{}', 0)"))
        values = "1, 1, '@acme.example', '[]', 'ip', false, false"
        names = "id, account_id, address, ips, accept, monitoring, lists"
        conn.execute(text(f"INSERT INTO sender ({names}) VALUES ({values})"))
    assert schema.migrate(empty) == ("0002", schema.HEAD)
    with empty.connect() as conn:
        row = conn.execute(select(mailgate.tables.sender)).one()
    assert (row.destinations, row.sender_ids, row.hours) == (["*"], [], "")
    assert row.secret_hash is row.daily_spend is None
    assert (row.address, row.accept) == ("@acme.example", "ip")
