"""Group commit: folding, faults that stay alone, and nothing called written before it is."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    Text,
    insert,
    select,
    text,
)

from gateway_core.errors import NoSpace, NotKept
from gateway_core.storage.engine import open_engine
from gateway_core.storage.writer import MOST_UNITS, Writer

metadata = MetaData()
note = Table("note", metadata, Column("id", Integer, primary_key=True), Column("text", Text))
answer = Table(
    "answer",
    metadata,
    Column("note", Integer, ForeignKey("note.id", deferrable=True, initially="DEFERRED"), nullable=False),
)


def add(conn: Connection, units: Sequence[tuple[int, object]]) -> list[int]:
    conn.execute(insert(note), [{"id": number, "text": said} for number, said in units])
    return [number for number, _ in units]


def add_answer(conn: Connection, units: Sequence[int]) -> list[None]:
    """Its foreign key is looked at by COMMIT, not before."""
    conn.execute(insert(answer), [{"note": number} for number in units])
    return [None] * len(units)


class Gate:
    """A fold that waits inside its transaction until the test opens it: what is put meanwhile folds."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()

    def fold(self, _conn: Connection, units: Sequence[None]) -> list[None]:
        self.entered.set()
        assert self.open.wait(10)
        return [None] * len(units)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url, writes=True)
    metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def writer(engine: Engine) -> Iterator[Writer]:
    writer = Writer(engine)
    yield writer
    writer.close()


@pytest.fixture
def reader(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def gate(writer: Writer) -> Iterator[Gate]:
    gate = Gate()
    held = writer.put(gate.fold, None)
    assert gate.entered.wait(10)
    yield gate
    gate.open.set()
    held.result(10)


def stored(engine: Engine) -> list[int]:
    with engine.connect() as conn:
        return list(conn.execute(select(note.c.id).order_by(note.c.id)).scalars())


def test_what_waits_is_written_in_few_commits(writer: Writer, gate: Gate, reader: Engine) -> None:
    futures = [writer.put(add, (number, "x")) for number in range(2000)]
    gate.open.set()
    assert [future.result(10) for future in futures] == list(range(2000))
    assert stored(reader) == list(range(2000))
    assert writer.commits <= 1 + -(-2000 // MOST_UNITS) + 1
    assert writer.units == 2001


def test_nothing_is_acknowledged_before_the_commit(writer: Writer, reader: Engine) -> None:
    gate = Gate()
    first = writer.put(add, (1, "x"))
    first.result(10)
    together = [writer.put(gate.fold, None), writer.put(add, (2, "x"))]
    assert gate.entered.wait(10)
    second = writer.put(add, (3, "x"))
    assert stored(reader) == [1]
    assert not second.done()
    gate.open.set()
    for future in [*together, second]:
        future.result(10)
    assert stored(reader) == [1, 2, 3]


def test_when_the_future_is_done_another_connection_sees_the_row(writer: Writer, reader: Engine) -> None:
    seen: list[list[int]] = []
    for number in range(20):
        done = threading.Event()

        def look(_future: "Future[int]", done: threading.Event = done) -> None:
            seen.append(stored(reader))
            done.set()

        writer.put(add, (number, "x")).add_done_callback(look)
        assert done.wait(10)
    assert seen == [list(range(number + 1)) for number in range(20)]


@pytest.mark.parametrize(
    "bad",
    [(5, "twice"), (6, object()), (2**70, "no database has such an integer"), (None, {"a": 1})],
    ids=["breaks a constraint", "cannot be bound", "too large", "wrong type"],
)
def test_one_bad_unit_fails_alone(
    writer: Writer, gate: Gate, reader: Engine, bad: tuple[int, object]
) -> None:
    before = writer.put(add, (5, "x"))
    wrong = writer.put(add, bad)
    after = writer.put(add, (7, "x"))
    gate.open.set()
    assert (before.result(10), after.result(10)) == (5, 7)
    with pytest.raises(Exception, match=r".") as caught:
        wrong.result(10)
    assert not isinstance(caught.value, NotKept)
    assert stored(reader) == [5, 7]


def test_a_commit_that_fails_is_kept_for_nobody_and_not_redone(
    writer: Writer, gate: Gate, reader: Engine
) -> None:
    good = writer.put(add, (1, "x"))
    bad = writer.put(add_answer, 99)
    commits = writer.commits
    gate.open.set()
    for future in (good, bad):
        with pytest.raises(NotKept):
            future.result(10)
    assert stored(reader) == []
    assert writer.commits == commits + 1  # the gate's own
    assert writer.put(add, (1, "again")).result(10) == 1


def test_a_full_disk_is_said_to_be_one(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url, writes=True)
    metadata.create_all(engine)
    writer = Writer(engine)

    def shrink(conn: Connection, units: Sequence[int]) -> list[None]:
        conn.execute(text(f"PRAGMA max_page_count={units[0]}"))
        return [None] * len(units)

    writer.put(shrink, 20).result(10)
    with pytest.raises(NoSpace):
        writer.put(add, (1, "x" * 500_000)).result(10)
    assert writer.put(add, (2, "x")).result(10) == 2
    writer.close()


def test_a_database_that_is_away_fails_all_at_once_and_comes_back(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/a.db", writes=True)
    metadata.create_all(engine)
    engine.dispose()
    (tmp_path / "a.db").rename(tmp_path / "b.db")
    (tmp_path / "a.db").mkdir()
    writer = Writer(engine)
    futures = [writer.put(add, (number, "x")) for number in range(50)]
    for future in futures:
        with pytest.raises(NotKept):
            future.result(10)
    (tmp_path / "a.db").rmdir()
    (tmp_path / "b.db").rename(tmp_path / "a.db")
    assert writer.put(add, (1, "x")).result(10) == 1
    writer.close()


def test_who_went_away_does_not_stop_the_others(writer: Writer, gate: Gate, reader: Engine) -> None:
    gone, here = writer.put(add, (1, "x")), writer.put(add, (2, "x"))
    assert gone.cancel()
    gate.open.set()
    assert here.result(10) == 2
    assert stored(reader) == [2]


def test_what_is_being_written_cannot_be_cancelled(writer: Writer) -> None:
    gate = Gate()
    future = writer.put(gate.fold, None)
    assert gate.entered.wait(10)
    assert not future.cancel()
    gate.open.set()
    future.result(10)


def test_a_closed_writer_has_written_what_waited_and_takes_no_more(engine: Engine, reader: Engine) -> None:
    writer = Writer(engine)
    futures = [writer.put(add, (number, "x")) for number in range(300)]
    writer.close()
    assert all(future.done() for future in futures)
    assert len(stored(reader)) == 300
    with pytest.raises(NotKept):
        writer.put(add, (999, "x")).result(1)


def test_every_put_of_every_thread_is_answered_also_around_the_close(engine: Engine) -> None:
    writer = Writer(engine)
    futures: list[Future[int]] = []

    def work(first: int) -> None:
        futures.extend(writer.put(add, (number, "x")) for number in range(first, first + 400))

    threads = [threading.Thread(target=work, args=(1000 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    writer.close()
    for thread in threads:
        thread.join()
    assert len(futures) == 1600
    for future in futures:
        error = future.exception(10)
        assert error is None or isinstance(error, NotKept)
