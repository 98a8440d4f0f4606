"""The cap of answers that a mailbox is mailed in an hour: decided once each, for any hour, whoever asks."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import time_machine
from core_support import ACCOUNT, OTHER, OURS, PHONE, World, account_row, world
from sqlalchemy import event

from gateway_core import notices
from gateway_core.gateway import Gateway
from gateway_core.notices import Ended, Notice
from gateway_core.process import opened
from gateway_core.storage import tables
from gateway_core.storage.engine import open_engine
from mailgate import pace
from mailgate.pace import Ask
from mailgate.tables import reply_turn

BOX, MOST, START = "alice@acme.example", 3, 1_800_000_000
MINUTE, HOUR = 60, 3600
PEOPLE = [
    account_row(ACCOUNT, "demo", replies_per_hour=MOST, alarm_to=["ops@acme.example"]),
    account_row(OTHER, "other", replies_per_hour=MOST),
]


@pytest.fixture
def core(database_url: str) -> Iterator[World]:
    with world(database_url, people=PEOPLE) as running:
        yield running


def asking(gateway: Gateway, *, account: int = ACCOUNT, handset: str = PHONE, to: str = BOX) -> Ask:
    """Of an answer that has just come."""
    notice_id = gateway.ids.new()
    facts = {"handset": handset, "number": OURS, "text": f"text {notice_id}"}
    owed = Notice(account, f"reply:{notice_id}", "reply", facts, id=notice_id)
    gateway.writer.put(notices.owe_each, (gateway.ids, owed)).result(10)
    return Ask(gateway.ids, notice_id, gateway.snapshot.accounts[account], handset, to)


def is_mailed(core: World, ask: Ask | None = None, **of: Any) -> bool:
    ask = ask or asking(core.gateway, **of)
    return core.gateway.writer.put(pace.take, ask).result(10)


def of_kind(core: World, kind: str) -> list[Any]:
    return core.rows(tables.notice, kind=kind)


def held(core: World, notice: Any) -> list[str]:
    with core.reading() as conn:
        return [row.facts["text"] for row in pace.gathered(conn, notice.id)]


# when answers come, in minutes; which of them are mailed by themselves: 3 in any hour
COMES = {
    "within the cap": ([0, 1, 2], "mmm"),
    "a burst": ([0, 0, 0, 0, 0], "mmmhh"),
    "slowly, for ever": ([0, 20, 41, 61, 82, 102, 123], "mmmmmmm"),
    "at the end of an hour and at the beginning of the next": ([58, 59, 59, 61, 62, 62], "mmmhhh"),
    "a burst an hour later": ([0, 0, 0, 60, 60, 60], "mmmmmm"),
    "a burst not quite an hour later": ([0, 0, 0, 59, 59], "mmmhh"),
    "one more a minute, for two hours": ([0, 1, 2, *range(3, 120)], "mmm" + "h" * 117),
    "one an hour after it was too much": ([0, 0, 0, 0, 61, 121, 181], "mmmhhhh"),
    "an hour without any": ([0, 0, 0, 0, 121, 121, 121, 121], "mmmhmmmh"),
}


@pytest.mark.parametrize("case", COMES)
def test_which_are_mailed(core: World, case: str) -> None:
    minutes, expected = COMES[case]
    said = ""
    for minute in minutes:
        with time_machine.travel(START + minute * MINUTE, tick=False):
            said += "m" if is_mailed(core) else "h"
    assert said == expected


def test_no_hour_has_more_than_the_cap(core: World) -> None:
    """Answers every 100 seconds for half a day: what leaves in any hour is at most three."""
    leaves = []
    for second in range(0, 12 * HOUR, 100):
        with time_machine.travel(START + second, tick=False):
            if is_mailed(core):
                leaves.append(second)
    leaves += [row.due_at // 1000 - START for row in of_kind(core, "gathered")]
    assert max(sum(at <= other < at + HOUR for other in leaves) for at in leaves) == MOST
    assert len(of_kind(core, "alarm")) == 1


def test_what_is_too_many_is_owed_in_one_mail_an_hour(core: World) -> None:
    for minute in (0, 0, 0, 5, 6, 59, 66, 67, 130):
        with time_machine.travel(START + minute * MINUTE, tick=False):
            is_mailed(core)
    answers = [row.facts["text"] for row in of_kind(core, "reply")]
    mails = of_kind(core, "gathered")
    assert [held(core, mail) for mail in mails] == [answers[3:6], answers[6:8], answers[8:]]
    assert [(mail.due_at // 1000 - START) // MINUTE for mail in mails] == [65, 125, 185]
    states = [row.state for row in of_kind(core, "reply")]
    assert states == ["DUE"] * 3 + ["DONE"] * 6  # the first are mailed by whoever asked


def test_what_is_being_mailed_takes_nothing_more(core: World) -> None:
    with time_machine.travel(START, tick=False):
        for _ in range(MOST + 1):
            is_mailed(core)
    with time_machine.travel(START + HOUR, tick=False):
        claimed = core.gateway.writer.put(notices.claim, 100).result(10)
        assert "gathered" in [row.kind for row in claimed]
        assert not is_mailed(core)
    first, second = of_kind(core, "gathered")
    assert (len(held(core, first)), len(held(core, second))) == (1, 1)
    assert second.due_at == (START + 2 * HOUR) * 1000


def test_a_person_is_told_once(core: World) -> None:
    for minute in (0, 0, 0, 0, 1, 2, 61, 122):
        with time_machine.travel(START + minute * MINUTE, tick=False):
            is_mailed(core)
    (alarm,) = of_kind(core, "alarm")
    assert alarm.target == "mailto:ops@acme.example"
    assert alarm.facts == {
        "about": "replies",
        "account": "demo",
        "handset": "+44 7700 900123",
        "mailbox": BOX,
        "most": MOST,
        "until": "2027-01-15 09:00 GMT",
    }


def test_the_operator_is_told_where_the_account_names_nobody(core: World) -> None:
    with time_machine.travel(START, tick=False):
        for _ in range(MOST + 1):
            is_mailed(core, account=OTHER)
    assert [(row.target, row.account_id) for row in of_kind(core, "alarm")] == [("", OTHER)]


def test_each_pair_has_its_own(core: World) -> None:
    with time_machine.travel(START, tick=False):
        for of in ({}, {"handset": "+447700900124"}, {"to": "bob@acme.example"}, {"account": OTHER}):
            assert [is_mailed(core, **of) for _ in range(MOST + 1)] == [True] * MOST + [False]
        assert not is_mailed(core, to="Alice@ACME.example")  # the same mailbox


@pytest.mark.parametrize(
    "to", ["a" * 100_000 + "@acme.example", "\ud800@acme.example", "nul\0@acme.example", ""]
)
def test_no_address_stops_the_others(core: World, to: str) -> None:
    with time_machine.travel(START, tick=False):
        assert [is_mailed(core, to=to) for _ in range(MOST + 1)] == [True] * MOST + [False]
        assert is_mailed(core)


@pytest.mark.parametrize("after", [0, 30 * MINUTE, 5 * HOUR])
def test_one_that_is_tried_again_is_not_counted_again(core: World, after: int) -> None:
    with time_machine.travel(START, tick=False):
        first = asking(core.gateway)
        assert all(is_mailed(core, first) for _ in range(10))
        assert all(is_mailed(core) for _ in range(MOST - 1))
        last = asking(core.gateway)
        assert not is_mailed(core, last)
    with time_machine.travel(START + after, tick=False):
        assert is_mailed(core, first)
        assert not is_mailed(core, last)
    assert len(of_kind(core, "gathered")) == 1


@pytest.mark.parametrize(("most", "mailed"), [(MOST + 2, True), (MOST, False), (1, False)])
def test_a_raised_cap_counts_at_once(core: World, most: int, *, mailed: bool) -> None:
    with time_machine.travel(START, tick=False):
        for _ in range(MOST + 1):
            is_mailed(core)
        ask = asking(core.gateway)
        terms = ask.account.terms.model_copy(update={"replies_per_hour": most})
        assert is_mailed(core, replace(ask, account=replace(ask.account, terms=terms))) is mailed


def test_turns_that_count_no_more_are_forgotten(core: World) -> None:
    with time_machine.travel(START, tick=False):
        asks = [asking(core.gateway) for _ in range(MOST)]
        assert all(is_mailed(core, ask) for ask in asks)
    with time_machine.travel(START + 2 * HOUR, tick=False):
        for ask in asks[1:]:
            core.gateway.writer.put(notices.end, Ended(ask.notice_id, "DONE", 0)).result(10)
        assert is_mailed(core)
    kept = {row.notice_id for row in core.rows(reply_turn)}
    assert len(kept) == 2
    assert asks[0].notice_id in kept  # still to be mailed


def test_two_processes_at_once_share_one_cap(core: World, tmp_path: Path) -> None:
    """Each with its own writer on the same database, both asking for the same answers too."""
    said: dict[int, list[bool]] = {}
    together = threading.Barrier(2)
    with opened(core.url) as other:
        asks = [asking(core.gateway) for _ in range(40)]

        def all_of(gateway: Gateway) -> None:
            together.wait(10)
            futures = [(ask, gateway.writer.put(pace.take, ask)) for ask in asks]
            for ask, future in futures:
                said.setdefault(ask.notice_id, []).append(future.result(30))

        threads = [threading.Thread(target=all_of, args=(one,)) for one in (core.gateway, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert all(len(answers) == 2 and answers[0] == answers[1] for answers in said.values())
    assert sum(answers[0] for answers in said.values()) == MOST
    (mail,) = of_kind(core, "gathered")
    assert len(held(core, mail)) == 40 - MOST
    assert len(of_kind(core, "alarm")) == 1


def test_no_statement_reads_a_whole_table(tmp_path: Path) -> None:
    seen: dict[str, Any] = {}
    with world(f"sqlite:///{tmp_path}/plans.db", people=PEOPLE) as core:

        def note(_c: Any, _k: Any, statement: str, parameters: Any, _x: Any, executemany: bool) -> None:
            if statement.startswith(("SELECT", "UPDATE", "DELETE")):
                seen[statement] = parameters[0] if executemany else parameters

        engines = [core.gateway.writer._engine, core.gateway.reader]  # type: ignore[attr-defined]
        for engine in engines:
            event.listen(engine, "before_cursor_execute", note)
        for _ in range(MOST + 3):
            is_mailed(core)
        held(core, of_kind(core, "gathered")[0])
        reader = open_engine(core.url)
        with reader.connect() as conn:
            plans = {
                statement: [row[3] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)]
                for statement, given in seen.items()
                if "reply_" in statement
            }
        reader.dispose()
    assert len(plans) >= 5
    assert [plan for plan in plans.values() if any(step.startswith("SCAN") for step in plan)] == []
