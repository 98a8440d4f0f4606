"""Units that cross to the process that writes: what comes back, in which order, and what a broken link leaves."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from socket import socketpair
from typing import Any

import pytest
from core_support import ACCOUNT, PHONE, PRICE, account_row, other_connection, route_row, world
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, Text, insert, select

from gateway_core import directory, notices, process, refusals
from gateway_core.drafts import Submission
from gateway_core.errors import CarrierRejected, KeyReused, NoCredit, NoSpace, NotKept
from gateway_core.gateway import REFERENCES, IdsElsewhere
from gateway_core.jobs.queue import DISPATCH
from gateway_core.keys import Key
from gateway_core.messages import State
from gateway_core.storage import ids, remote, tables
from gateway_core.storage.engine import open_engine
from gateway_core.storage.remote import RemoteWriter, Served
from gateway_core.storage.writer import Writer
from gateway_core.submit import Accepted, Outcome, submit

metadata = MetaData()
note = Table("note", metadata, Column("id", Integer, primary_key=True), Column("text", Text))


def add(conn: Connection, units: Sequence[tuple[int, object]]) -> list[int]:
    conn.execute(insert(note), [{"id": number, "text": said} for number, said in units])
    return [number for number, _ in units]


def fail(_conn: Connection, units: Sequence[Exception]) -> list[None]:
    raise units[0]


def echo(_conn: Connection, units: Sequence[Any]) -> list[Any]:
    return list(units)


def unsendable(_conn: Connection, units: Sequence[None]) -> list[Any]:
    return [lambda: None for _ in units]


class Gate:
    """A fold that waits until the test opens it. It belongs to the module, so that it can cross."""

    entered = threading.Event()
    open = threading.Event()

    @classmethod
    @contextlib.contextmanager
    def shut(cls, writer: Writer) -> Iterator[None]:
        cls.entered.clear()
        cls.open.clear()
        held = writer.put(hold, None)
        assert cls.entered.wait(10)
        try:
            yield
        finally:
            cls.open.set()
            held.result(10)


def hold(_conn: Connection, units: Sequence[None]) -> list[None]:
    Gate.entered.set()
    assert Gate.open.wait(10)
    return [None] * len(units)


@dataclass
class Linked:
    """Both ends in one loop; the writer in its thread."""

    writer: Writer
    reader: Engine
    child: RemoteWriter
    parent: Served
    notes: list[tuple[str, Any]] = field(default_factory=list)

    def stored(self) -> list[int]:
        with self.reader.connect() as conn:
            return list(conn.execute(select(note.c.id).order_by(note.c.id)).scalars())


class Thing:
    """Both sides have it: it crosses as its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> Any:
        raise AssertionError("it must not cross")


HOME = {"here": Thing("here")}


def at_home(_conn: Connection, units: Sequence[tuple[Thing, list[Thing]]]) -> list[bool]:
    return [one is HOME["here"] and two is HOME["here"] for one, (two,) in units]


@contextlib.asynccontextmanager
async def linked(path: Path) -> AsyncIterator[Linked]:
    url = f"sqlite:///{path}/notes.db"
    engine, reader = open_engine(url, writes=True), open_engine(url)
    metadata.create_all(engine)
    writer = Writer(engine)
    child = RemoteWriter({Thing: ("thing", lambda thing: thing.name)})
    parent = Served(writer, {"thing": HOME.__getitem__})
    made = Linked(writer, reader, child, parent)
    parent.on_note = child.on_note = lambda name, value: made.notes.append((name, value))
    ends = socketpair()
    await child.connect(ends[0])
    await parent.connect(ends[1])
    try:
        yield made
    finally:
        child.close()
        parent.close()
        await asyncio.sleep(0.01)
        await asyncio.to_thread(writer.close)
        reader.dispose()


Scenario = Callable[[Linked], Coroutine[Any, Any, None]]


def play(path: Path, scenario: Scenario) -> None:
    async def within() -> None:
        async with linked(path) as both, asyncio.timeout(20):
            await scenario(both)

    asyncio.run(within())


async def result(future: "Future[Any]") -> Any:
    return await asyncio.wrap_future(future)


async def error_of(future: "Future[Any]") -> Exception:
    with pytest.raises(Exception, match=r".") as caught:
        await asyncio.wrap_future(future)
    return caught.value


async def until(condition: Callable[[], Any]) -> None:
    while not condition():  # noqa: ASYNC110 - what it waits for is in other threads
        await asyncio.sleep(0.005)


def test_results_come_after_the_commit_to_whom_they_belong(tmp_path: Path) -> None:
    async def scenario(both: Linked) -> None:
        with Gate.shut(both.writer):
            futures = [both.child.put(add, (number, "x")) for number in range(50)]
            await until(lambda: both.writer.depth() == 50)
            assert both.stored() == []
            assert not any(future.done() for future in futures)
            assert both.child.depth() == 50
        assert [await result(future) for future in futures] == list(range(50))
        assert both.stored() == list(range(50))
        assert both.child.depth() == 0

    play(tmp_path, scenario)


def test_what_is_put_in_one_turn_is_one_frame_and_one_commit(tmp_path: Path) -> None:
    async def scenario(both: Linked) -> None:
        futures = [both.child.put(add, (number, "x")) for number in range(100)]
        for future in futures:
            await result(future)
        assert both.writer.units == both.child.units == 100
        assert both.writer.commits <= 3
        assert both.child.commits <= 3

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    "error",
    [NoCredit("too little"), KeyReused("again"), NotKept("not now"), NoSpace("full"), ValueError("odd", 1)],
    ids=lambda error: type(error).__name__,
)
def test_errors_cross_with_their_type_and_words(tmp_path: Path, error: Exception) -> None:
    async def scenario(both: Linked) -> None:
        found = await error_of(both.child.put(fail, error))
        assert (type(found), found.args) == (type(error), error.args)

    play(tmp_path, scenario)


def test_an_error_that_cannot_cross_is_told_in_words(tmp_path: Path) -> None:
    async def scenario(both: Linked) -> None:
        found = await error_of(both.child.put(raise_odd, None))
        assert isinstance(found, RuntimeError)
        assert "CarrierRejected" in str(found)
        assert await result(both.child.put(add, (1, "x"))) == 1

    play(tmp_path, scenario)


def raise_odd(_conn: Connection, _units: Sequence[None]) -> list[None]:
    raise CarrierRejected("8", "its arguments are not those that it is made of")


def test_a_result_that_cannot_cross_fails_and_the_link_stays(tmp_path: Path) -> None:
    async def scenario(both: Linked) -> None:
        assert isinstance(await error_of(both.child.put(unsendable, None)), RuntimeError)
        assert await result(both.child.put(add, (1, "x"))) == 1

    play(tmp_path, scenario)


def test_a_unit_that_cannot_cross_fails_alone(tmp_path: Path) -> None:
    async def scenario(both: Linked) -> None:
        before = both.child.put(add, (1, "x"))
        bad_unit = both.child.put(add, (2, lambda: None))
        bad_fold = both.child.put(lambda _conn, units: list(units), 3)
        after = both.child.put(add, (4, "x"))
        assert (await result(before), await result(after)) == (1, 4)
        assert not isinstance(await error_of(bad_unit), NotKept)
        assert not isinstance(await error_of(bad_fold), NotKept)
        assert both.stored() == [1, 4]
        assert both.child.depth() == 0

    play(tmp_path, scenario)


def test_a_unit_that_fails_there_fails_alone(tmp_path: Path) -> None:
    async def scenario(both: Linked) -> None:
        futures = [both.child.put(add, (number, "x")) for number in (1, 2, 1, 3)]
        found = await asyncio.gather(*map(result, futures), return_exceptions=True)
        assert [type(one).__name__ for one in found] == ["int", "int", "IntegrityError", "int"]

    play(tmp_path, scenario)


def test_who_went_away_before_it_crossed_is_left_out(tmp_path: Path) -> None:
    async def scenario(both: Linked) -> None:
        gone, here = both.child.put(add, (1, "x")), both.child.put(add, (2, "x"))
        assert gone.cancel()
        assert await result(here) == 2
        assert both.stored() == [2]

    play(tmp_path, scenario)


def test_any_thread_may_put(tmp_path: Path) -> None:
    async def scenario(both: Linked) -> None:
        def work(first: int) -> list[int]:
            return [both.child.put(add, (first + n, "x")).result(10) for n in range(50)]

        found = await asyncio.gather(*(asyncio.to_thread(work, 1000 * n) for n in range(4)))
        assert sorted(n for some in found for n in some) == both.stored()
        assert len(both.stored()) == 200

    play(tmp_path, scenario)


# --- a link that breaks -----------------------------------------------------------------------------------


def test_when_the_writing_process_is_gone_nothing_is_called_written(tmp_path: Path) -> None:
    async def scenario(both: Linked) -> None:
        lost = asyncio.Event()
        both.child.on_lost = lost.set
        with Gate.shut(both.writer):
            crossed = both.child.put(add, (1, "x"))
            await until(lambda: both.writer.depth() == 1)
            both.parent.close()
            waits = both.child.put(add, (2, "x"))
            assert isinstance(await error_of(crossed), NotKept)
            assert isinstance(await error_of(waits), NotKept)
            await lost.wait()
            assert isinstance(await error_of(both.child.put(add, (3, "x"))), NotKept)
            assert both.child.depth() == 0
        assert both.writer.put(add, (4, "x")).result(10) == 4
        assert both.stored() == [1, 4]  # what had crossed was committed

    play(tmp_path, scenario)


def test_what_a_dead_child_had_put_is_committed_and_its_answers_are_dropped(tmp_path: Path) -> None:
    async def scenario(both: Linked) -> None:
        lost = asyncio.Event()
        both.parent.on_lost = lost.set
        with Gate.shut(both.writer):
            for number in range(10):
                both.child.put(add, (number, "x"))
            await until(lambda: both.writer.depth() == 10)
            both.child.close()
            await lost.wait()
        assert await asyncio.to_thread(both.writer.put(add, (99, "x")).result, 10) == 99
        assert both.stored() == [*range(10), 99]

    play(tmp_path, scenario)


def test_a_closed_writer_says_not_kept_over_the_link(tmp_path: Path) -> None:
    async def scenario(both: Linked) -> None:
        await asyncio.to_thread(both.writer.close)
        assert isinstance(await error_of(both.child.put(add, (1, "x"))), NotKept)

    play(tmp_path, scenario)


# --- bounds -----------------------------------------------------------------------------------------------


def test_too_much_that_waits_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "MOST_WAITING", 20)

    async def scenario(both: Linked) -> None:
        with Gate.shut(both.writer):
            futures = [both.child.put(add, (number, "x")) for number in range(25)]
            assert [future.done() for future in futures] == [False] * 20 + [True] * 5
            assert isinstance(futures[24].exception(), NotKept)
        assert [await result(future) for future in futures[:20]] == list(range(20))
        assert await result(both.child.put(add, (24, "x"))) == 24

    play(tmp_path, scenario)


@pytest.mark.parametrize(("units", "octets"), [(50, 1 << 30), (1 << 30, 100_000)])
def test_the_writing_process_takes_no_more_than_it_can_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, units: int, octets: int
) -> None:
    monkeypatch.setattr(remote, "_MOST_UNITS", units)
    monkeypatch.setattr(remote, "_MOST_BYTES", octets)

    async def scenario(both: Linked) -> None:
        text = "x" * 10_000
        futures = []
        with Gate.shut(both.writer):
            for number in range(500):
                futures.append(both.child.put(add, (number, text)))
                await asyncio.sleep(0)
            await asyncio.sleep(0.1)
            assert both.writer.depth() < 200
        assert [await result(future) for future in futures] == list(range(500))

    play(tmp_path, scenario)


# --- what crosses by name ---------------------------------------------------------------------------------


def test_references_stand_for_what_the_writing_side_has(tmp_path: Path) -> None:
    async def scenario(both: Linked) -> None:
        assert await result(both.child.put(at_home, (Thing("here"), [Thing("here")])))

    play(tmp_path, scenario)


def test_a_name_that_is_not_known_there_is_not_kept(tmp_path: Path) -> None:
    async def scenario(both: Linked) -> None:
        assert isinstance(await error_of(both.child.put(echo, Thing("elsewhere"))), NotKept)
        assert await result(both.child.put(add, (1, "x"))) == 1

    play(tmp_path, scenario)


def test_notes_cross_both_ways_and_those_said_once_are_heard_once(tmp_path: Path) -> None:
    async def scenario(both: Linked) -> None:
        both.child.tell("a", {"any": "value"})
        for _ in range(10):
            both.child.tell("hint", ("dispatch", 1), once=True)
        await until(lambda: len(both.notes) == 2)
        both.parent.tell("b")
        both.child.tell("hint", ("dispatch", 1), once=True)
        await until(lambda: len(both.notes) == 4)
        assert both.notes[:2] == [("a", {"any": "value"}), ("hint", ("dispatch", 1))]
        assert ("b", None) in both.notes

    play(tmp_path, scenario)


def test_a_note_that_cannot_cross_takes_nothing_with_it(tmp_path: Path) -> None:
    async def scenario(both: Linked) -> None:
        both.child.tell("bad", lambda: None)
        assert await result(both.child.put(add, (1, "x"))) == 1

    play(tmp_path, scenario)


def test_large_units_and_small_ones_keep_their_order(tmp_path: Path) -> None:
    async def scenario(both: Linked) -> None:
        sizes = [0, 3_000_000, 1, 65_536, 1_000_000, 7]
        futures = [both.child.put(echo, "x" * size) for size in sizes]
        await asyncio.sleep(0)
        futures += [both.child.put(echo, "y" * size) for size in sizes]
        assert [len(await result(future)) for future in futures] == sizes * 2

    play(tmp_path, scenario)


# --- the whole core over a link ---------------------------------------------------------------------------


@dataclass
class Guest:
    """A gateway that writes through the world's process."""

    gateway: Any
    link: RemoteWriter
    hints: list[tuple[str, int]]


@contextlib.asynccontextmanager
async def guest_of(core: Any) -> AsyncIterator[Guest]:
    link, served = RemoteWriter(REFERENCES), core.process.serve_guest()
    hints: list[tuple[str, int]] = []
    served.on_note = lambda _name, value: hints.append(value)
    ends = socketpair()
    await link.connect(ends[0])
    await served.connect(ends[1])
    gateway = process.guest(core.url, link)
    try:
        yield Guest(gateway, link, hints)
    finally:
        link.close()
        await asyncio.sleep(0.01)
        gateway.reader.dispose()


def asked(guest: Guest, *to: str, **more: Any) -> "Future[Outcome]":
    account = guest.gateway.snapshot.accounts[ACCOUNT]
    more.setdefault("text", "hello")
    return submit(guest.gateway, Submission(account, to or (PHONE,), notify=True, **more))


@pytest.mark.parametrize("options", [{"flash": True, "urgent": False}, {"flash": False, "urgent": True}])
def test_a_submission_crosses_and_is_as_if_it_had_been_made_there(
    database_url: str, options: dict[str, bool]
) -> None:
    key = Key("id", "text digest", mail_digest="digest")

    async def scenario(core: Any) -> None:
        async with guest_of(core) as guest:
            outcome = await result(asked(guest, PHONE, "5551234", key=key, origin={"a": ["b"]}, **options))
            accepted, refused = (found for _, found in outcome.results[::-1])
            again = await result(asked(guest, PHONE, key=key))
            await until(lambda: guest.hints)
        assert isinstance(accepted, Accepted)
        assert type(refused).__name__ == "BadNumber"
        assert again.results[0][1].repeat
        assert guest.hints[0] == (DISPATCH, 1)
        made = core.rows(tables.message)[0]
        assert (made.id, made.state) == (accepted.message_id, State.QUEUED)
        assert {"flash": made.flash, "urgent": made.urgent} == options
        assert core.rows(tables.submission)[0].origin == {"a": ["b"]}
        assert core.spent() == PRICE
        assert [ids.made_at(row.id) > 0 for row in core.rows(tables.event)] == [True, True]
        assert {row.id >> 10 & 0xFFF for row in core.rows(tables.event)} == {made.id >> 10 & 0xFFF}
        assert core.gateway.ids.new() > made.id

    with world(database_url) as core:
        asyncio.run(scenario(core))


def test_refusals_of_the_transaction_cross(tmp_path: Path) -> None:
    async def scenario(core: Any) -> None:
        async with guest_of(core) as guest:
            futures = [asked(guest, text=f"text {number}") for number in range(5)]
            found = [(await result(future)).results[0][1] for future in futures]
        assert [type(one).__name__ for one in found] == ["Accepted"] * 2 + ["NoCredit"] * 3

    people = [account_row(ACCOUNT, "demo", credit=2 * PRICE)]
    with world(f"sqlite:///{tmp_path}/core.db", people=people) as core:
        asyncio.run(scenario(core))


def test_a_route_that_was_paused_meanwhile_holds_what_was_decided_before(tmp_path: Path) -> None:
    async def scenario(core: Any) -> None:
        async with guest_of(core) as guest:
            core.change(tables.route, 1, paused=True)
            core.gateway.directory.refresh()
            assert not guest.gateway.snapshot.routes[0].paused
            outcome = await result(asked(guest))
        assert outcome.results[0][1].state == State.HELD

    with world(f"sqlite:///{tmp_path}/core.db") as core:
        asyncio.run(scenario(core))


def test_an_account_that_the_guest_knows_first_is_found(tmp_path: Path) -> None:
    async def scenario(core: Any) -> None:
        with other_connection(core.url) as conn:
            conn.execute(insert(tables.account), account_row(7, "new", sender_id="New"))
            conn.execute(insert(tables.route), route_row(7, "simulator", name="other", prefixes=["+33"]))
            directory.raise_revision(conn)
        async with guest_of(core) as guest:
            account = guest.gateway.snapshot.accounts[7]
            outcome = await result(submit(guest.gateway, Submission(account, ("+33612345678",), "hello")))
        assert isinstance(outcome.results[0][1], Accepted)

    with world(f"sqlite:///{tmp_path}/core.db") as core:
        asyncio.run(scenario(core))


def test_records_that_nobody_waits_for_cross_too(tmp_path: Path) -> None:
    async def scenario(core: Any) -> None:
        async with guest_of(core) as guest:
            writer, made = guest.gateway.writer, guest.gateway.ids
            writer.put(refusals.record, refusals.Refusal(made, "smtp", "bad_number", "no number"))
            notice = notices.Notice(None, "forward:1", "forward", {"raw": "x"})
            writer.put(notices.owe_each, (made, notice))
            await guest.link.settled(10)
        assert [row.words for row in core.rows(tables.refusal)] == ["no number"]
        assert [row.facts for row in core.rows(tables.notice)] == [{"raw": "x"}]
        assert core.rows(tables.notice)[0].id > 1 << 40

    with world(f"sqlite:///{tmp_path}/core.db") as core:
        asyncio.run(scenario(core))


def test_a_guest_makes_no_ids() -> None:
    with pytest.raises(RuntimeError, match="where rows are written"):
        IdsElsewhere().new()
