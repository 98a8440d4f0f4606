"""Digests: one for all texts of a submission, when the last has ended or its time is over; corrections are folded."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest
import time_machine
from core_support import ACCOUNT, PHONE, World, account_row, at_once, world
from sqlalchemy import Connection

from gateway_core import digests, messages, moves, notices
from gateway_core.gateway import Gateway
from gateway_core.keys import Key
from gateway_core.messages import Actor, State
from gateway_core.moves import Move
from gateway_core.process import opened
from gateway_core.sms import DLR, DlrState
from gateway_core.storage import clock, tables

SECOND, SILENT = "+447700900124", "+447700900005"  # the second gets no receipt ever
DEAD, DEAD_TOO = "+447700900004", "+447700910004"  # UNDELIVERED
REFUSED = "+447700900002"


@pytest.fixture
def core(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(digests, "_SPLIT_SECONDS", 0)
    with world(database_url, people=[account_row(ACCOUNT, "demo", receipts="digest")]) as made:
        yield made


def owed(core: World) -> list[Any]:
    return core.rows(tables.notice)


def due(core: World) -> list[int]:
    """Numbers of the digests that could be mailed now."""
    return [row.facts["number"] for row in owed(core) if row.state == "DUE" and row.due_at <= clock.now()]


def mailed(core: World) -> None:
    """What is due is claimed and done, as the mail job does it."""
    for row in core.gateway.writer.put(notices.claim, 10).result():
        core.gateway.writer.put(notices.end, notices.Ended(row.id, "DONE", clock.now())).result()


def told(core: World) -> dict[str, str]:
    with core.reading() as conn:
        return {row.to: row.state for row in digests.rows(conn, owed(core)[0].facts["group"])}


def correct(core: World, message_id: int, new: State, actor: Actor = Actor.RECEIPTS) -> None:
    """A receipt that comes late, or whatever ends a text."""
    core.gateway.writer.put(fold_of(core.gateway, message_id, new, actor), None).result()


def test_one_notice_when_the_last_has_ended(core: World) -> None:
    outcome = core.submit(PHONE, SECOND, DEAD)
    first, second, dead = (result.message_id for _, result in outcome.results)
    assert due(core) == []
    core.until(dead)
    core.until(first)
    core.until(second)
    (row,) = owed(core)
    assert (row.kind, row.event_key) == ("digest", f"digest:{outcome.submission_id}:1")
    assert due(core) == [1]
    assert told(core) == {PHONE: "DELIVERED", SECOND: "DELIVERED", DEAD: "UNDELIVERED"}


def test_it_has_the_words_of_the_network(core: World) -> None:
    refused, silent = (result.message_id for _, result in core.submit(REFUSED, SILENT).results)
    core.until(refused)
    core.until(silent, State.SUBMITTED)
    (attempt,) = core.rows(tables.attempt, message_id=silent)
    done = DLR(attempt.carrier_ref, DlrState.UNDELIVERED, clock.now(), "absent subscriber")
    core.deliver(done)
    core.until(silent)
    with core.reading() as conn:
        said = digests.words(conn, [refused, silent])
    assert said == {refused: "11 no such subscriber", silent: "absent subscriber"}


def test_it_does_not_wait_longer_than_its_time(core: World) -> None:
    core.terms(digest_minutes=30)
    with time_machine.travel("2026-03-01T10:00:00Z", tick=False) as clock_at:
        sent, silent = (result.message_id for _, result in core.submit(PHONE, SILENT).results)
        core.until(sent)
        core.until(silent, State.SUBMITTED)
        clock_at.shift(30 * 60 - 1)
        assert due(core) == []
        clock_at.shift(1)
        assert due(core) == [1]
        assert told(core) == {PHONE: "DELIVERED", SILENT: "SUBMITTED"}
        mailed(core)
        correct(core, silent, State.DELIVERED)  # it ends at last: that is told at once
        assert due(core) == [2]


def test_corrections_are_folded(core: World) -> None:
    with time_machine.travel("2026-03-01T10:00:00Z", tick=False) as clock_at:
        both = [result.message_id for _, result in core.submit(DEAD, DEAD_TOO).results]
        for message_id in both:
            core.until(message_id, State.UNDELIVERED)
        assert due(core) == [1]
        mailed(core)
        for message_id in both:
            correct(core, message_id, State.DELIVERED)
            assert due(core) == []
            clock_at.shift(5 * 60)
        assert due(core) == [2]
        assert [row.facts["number"] for row in owed(core)] == [1, 2]
        assert set(told(core).values()) == {"DELIVERED"}


def test_texts_that_end_one_by_one_make_few_digests(core: World) -> None:
    core.terms(digest_minutes=10)
    people = [f"+4477009{number:05}" for number in range(10, 26)]
    with time_machine.travel("2026-03-01T10:00:00Z", tick=False) as clock_at:
        texts = [result.message_id for _, result in core.submit(*people).results]
        for message_id in texts:
            clock_at.shift(10 * 60)
            correct(core, message_id, State.CANCELLED, Actor.ACCOUNT)
            mailed(core)
        assert due(core) == []
        assert [row.facts["number"] for row in owed(core)] == [1, 2, 3, 4]
        assert {row.state for row in owed(core)} == {"DONE"}


def test_what_ends_while_a_digest_is_mailed_makes_another(core: World) -> None:
    core.terms(digest_minutes=1)
    with time_machine.travel("2026-03-01T10:00:00Z", tick=False) as clock_at:
        silent = core.accept(SILENT)
        core.until(silent, State.SUBMITTED)
        clock_at.shift(60)
        (claimed,) = core.gateway.writer.put(notices.claim, 10).result()  # it is being composed
        correct(core, silent, State.DELIVERED)
        assert due(core) == [2]
        ended = notices.Ended(claimed.id, "DONE", clock.now())
        core.gateway.writer.put(notices.end, ended).result()
        assert due(core) == [2]


def test_two_processes_end_the_last_two(core: World) -> None:
    """Each ends one: whoever comes second sees the other's."""
    if core.url.startswith("sqlite"):
        pytest.skip("one process writes")
    with opened(core.url) as other:
        for _ in range(10):
            pair = [result.message_id for _, result in core.submit(PHONE, SECOND).results]

            def end(gateway: Gateway, message_id: int) -> None:
                gateway.writer.put(
                    fold_of(gateway, message_id, State.CANCELLED, Actor.ACCOUNT), None
                ).result()

            at_once([partial(end, core.gateway, pair[0]), partial(end, other, pair[1])])
        assert due(core) == [1] * 10


def fold_of(
    gateway: Gateway, message_id: int, new: State, actor: Actor
) -> Callable[[Connection, Sequence[None]], list[None]]:
    def fold(conn: Connection, units: Sequence[None]) -> list[None]:
        was = messages.lock(conn, [message_id])[message_id]
        moves.make(conn, gateway.context, [Move(was, new, actor)])
        return [None] * len(units)

    return fold


def test_all_were_opted_out_meanwhile(core: World) -> None:
    """They end in the transaction that accepts them."""
    core.add(
        tables.opt_out,
        {
            "id": 1,
            "handset": PHONE,
            "scope": "all",
            "active": True,
            "source": "operator",
            "words": "",
            "since_at": 0,
            "changed_at": 0,
        },
    )
    core.submit(PHONE, whole=True)
    assert due(core) == [1]
    assert told(core) == {PHONE: "FAILED"}


def test_who_asks_for_something_else_is_not_in_it(core: World) -> None:
    one = core.submit(PHONE, DEAD, SECOND, receipts={PHONE: "none", DEAD: "failures"})
    for _, result in one.results:
        core.until(result.message_id)
    assert sorted((row.kind, row.facts.get("state", "")) for row in owed(core)) == [
        ("digest", ""),
        ("receipt", "UNDELIVERED"),
    ]
    with core.reading() as conn:
        digest = next(row for row in owed(core) if row.kind == "digest")
        assert [row.to for row in digests.rows(conn, digest.facts["group"])] == [SECOND]


# --- a mail that a relay has split ------------------------------------------------------------------------

KEY = Key("split@acme.example", "t", "m")


def test_the_parts_of_a_mail_have_one_digest(core: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "_SPLIT_SECONDS", 5)
    with time_machine.travel("2026-03-01T10:00:00Z", tick=False) as clock_at:
        core.until(core.accept(PHONE, key=KEY))
        assert due(core) == []  # another part may come
        clock_at.shift(4)
        second = core.accept(SECOND, key=KEY)
        clock_at.shift(60)
        assert due(core) == []  # and waits for its text
        core.until(second)
        clock_at.shift(1)
        assert due(core) == [1]
        assert told(core) == {PHONE: "DELIVERED", SECOND: "DELIVERED"}
        assert len(owed(core)) == 1


def test_a_part_that_comes_too_late_has_its_own(core: World) -> None:
    core.until(core.accept(PHONE, key=KEY))
    mailed(core)
    core.until(core.accept(SECOND, key=KEY))
    assert due(core) == [2]
    assert set(told(core)) == {PHONE, SECOND}


def test_other_mails_are_no_parts(core: World) -> None:
    for key in (KEY, KEY._replace(value="other@acme.example"), KEY._replace(mail_digest="x"), None):
        core.until(core.accept(PHONE, key=key))
    assert due(core) == [1] * 4


# --- of which ends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "states"),
    [
        ("none", []),
        ("failures", ["UNDELIVERED"]),
        ("successes", ["DELIVERED"]),
        ("all", ["DELIVERED", "UNDELIVERED"]),
        ("", ["DELIVERED"]),  # the account's
    ],
)
def test_what_a_submitter_asked_for_counts(core: World, asked: str, states: list[str]) -> None:
    core.terms(receipts="all" if asked != "" else "none")
    told_of = dict.fromkeys([PHONE, DEAD], asked) if asked else {PHONE: "successes"}
    for _, result in core.submit(PHONE, DEAD, receipts=told_of).results:
        core.until(result.message_id)
    assert sorted(row.facts["state"] for row in owed(core)) == states


def test_texts_of_before_there_were_digests_are_told_of(core: World) -> None:
    dead = core.accept(DEAD, receipts={DEAD: "none"})
    core.change(tables.message, dead, receipts="")  # as its row came from an older version
    core.until(dead)
    assert [row.facts["state"] for row in owed(core)] == ["UNDELIVERED"]
