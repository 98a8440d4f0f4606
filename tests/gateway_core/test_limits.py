"""Limits in segments: the bucket itself against a simple one, and what the accepting transaction makes of it."""

from functools import partial
from pathlib import Path

import pytest
import time_machine
from core_support import ACCOUNT, OTHER, PHONE, PRICE, account_row, at_once, count, other_connection, world
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from gateway_core import limits, process
from gateway_core.drafts import Submission
from gateway_core.errors import QuotaExceeded, RateLimited, Refused, TooLong
from gateway_core.storage import clock, tables
from gateway_core.submit import Outcome, submit

MINUTE = 60_000_000
ONE, TWO = "a" * 10, "a" * 200  # segments


PEOPLE = [account_row(ACCOUNT, "demo"), account_row(OTHER, "other", sender_id="Other")]


def refused(outcome: Outcome) -> list[type[Refused]]:
    return [type(error) for error in outcome.refused]


# --- the bucket --------------------------------------------------------------------------------------------


@given(
    st.integers(1, 500),
    st.lists(st.tuples(st.integers(0, 90 * 1_000_000), st.integers(1, 20)), max_size=60),
)
def test_of_any_minute_no_more_than_the_bucket_and_what_leaks_meanwhile(
    most: int, asked: list[tuple[int, int]]
) -> None:
    now, free_at, taken = 10**15, 0, []
    for rest, segments in asked:
        now += rest
        if not limits.wait(free_at, now, segments, most):
            free_at = limits.after(free_at, now, segments, most)
            taken.append((now, segments))
    for start, (since, _) in enumerate(taken):
        sums = 0
        for at, segments in taken[start:]:
            sums += segments
            assert sums <= most + (at - since) * most / MINUTE + 1e-6


@given(st.integers(1, 500), st.integers(1, 20))
def test_who_waits_as_long_as_told_is_let_in(most: int, segments: int) -> None:
    free_at, now = 0, 10**15
    segments = min(segments, most)
    while not (waits := limits.wait(free_at, now, segments, most)):
        free_at = limits.after(free_at, now, segments, most)
    assert limits.wait(free_at, now + waits, segments, most) == 0
    assert limits.wait(free_at, now + waits - 1, segments, most) > 0


def test_a_clock_that_is_set_back_locks_nobody_out_for_longer_than_a_minute() -> None:
    full = limits.after(0, 10**15, 6, 6)
    an_hour_ago = 10**15 - 60 * MINUTE
    assert 0 < limits.wait(full, an_hour_ago, 1, 6) <= MINUTE


# --- in the accepting transaction --------------------------------------------------------------------------


@pytest.mark.parametrize("whose", ["", "sender_", "handset_"])
@pytest.mark.parametrize(("per", "error"), [("minute", RateLimited), ("day", QuotaExceeded)])
def test_segments_count_not_texts(database_url: str, whose: str, per: str, error: type[Refused]) -> None:
    with world(database_url, people=PEOPLE) as core, time_machine.travel("2026-03-01T12:00:00Z", tick=False):
        core.terms(**{f"{whose}segments_per_{per}": 3})
        assert refused(core.submit(body=TWO, sender="alice")) == []
        assert refused(core.submit(body=TWO, sender="alice")) == [error]
        assert refused(core.submit(body=ONE, sender="alice")) == []
        (full,) = core.submit(body=ONE, sender="alice").refused
        assert isinstance(full, error)
        assert full.after_seconds == (20 if per == "minute" else 12 * 3600)
        others = {"": {"account": OTHER}, "sender_": {"sender": "bob"}, "handset_": {"to": "+447700900124"}}
        more = others[whose]
        to = (more.pop("to"),) if "to" in more else ()
        assert refused(core.submit(*to, body=ONE, **{"sender": "alice", **more})) == []


@pytest.mark.parametrize(("per", "rest"), [("minute", 21), ("day", 12 * 3600 + 1)])
def test_a_limit_refills_by_itself(tmp_path: Path, per: str, rest: int) -> None:
    with (
        world(f"sqlite:///{tmp_path}/core.db") as core,
        time_machine.travel("2026-03-01T12:00:00Z", tick=False) as now,
    ):
        core.terms(timezone="UTC", **{f"segments_per_{per}": 3})
        for _ in range(3):
            core.accept()
        assert core.submit().refused
        now.shift(rest)
        assert not core.submit().refused


def test_a_submission_is_taken_whole_or_not_at_all(database_url: str) -> None:
    with world(database_url, people=PEOPLE) as core:
        core.terms(segments_per_day=3, handset_segments_per_day=1)
        several = [f"+4477009001{number}" for number in range(10, 14)]
        assert refused(core.submit(*several)) == [TooLong] * 4  # never, however long one waits
        core.accept(several[0])
        assert (
            refused(core.submit(*several[:2])) == [QuotaExceeded] * 2
        )  # the first one's handset has had its text
        assert not core.submit(*several[1:3]).refused


@pytest.mark.parametrize("several", [2, 3, 70])
def test_every_limit_at_once_for_many(database_url: str, several: int) -> None:
    whose = ("", "sender_", "handset_")
    with world(database_url) as core:
        core.terms(**{f"{one}segments_per_{per}": 1000 for one in whose for per in ("minute", "day")})
        to = [f"+44770090{number:04}" for number in range(several)]
        for _ in range(2):
            assert core.submit(*to, sender="alice").refused == []
        used = {row.key.partition(":")[2]: row.amount for row in core.rows(tables.spent)}
        assert used["1:account"] == used["1:sender:alice"] == 2 * several
        assert [used[f"1:handset:{one}"] for one in to] == [2] * several


def test_what_costs_too_much_or_comes_again_takes_nothing(tmp_path: Path) -> None:
    with world(f"sqlite:///{tmp_path}/core.db") as core:
        core.terms(segments_per_day=2, duplicate_window_minutes=5)
        core.accept(sender="alice")
        assert not core.submit(sender="alice").refused  # a duplicate
        assert not core.submit(body="else", sender="alice").refused
        assert core.submit(body="again else", sender="alice").refused


def test_two_processes_take_exactly_the_limit(database_url: str) -> None:
    with world(database_url) as core, process.opened(database_url) as second:
        core.terms(segments_per_day=25, segments_per_minute=1000)
        second.directory.refresh()
        gateways = [core.gateway, second] * 4

        def ask(number: int) -> list[Outcome]:
            asked = [Submission(core.account(), (f"+44770090{number}{one:03}",), "hi") for one in range(10)]
            return [submit(gateways[number], one).result(30) for one in asked]

        outcomes = [one for some in at_once([partial(ask, number) for number in range(8)]) for one in some]
        assert len([one for one in outcomes if not one.refused]) == 25
        assert {type(error) for one in outcomes for error in one.refused} == {QuotaExceeded}
        assert count(database_url, tables.message) == 25
        assert core.spent() == 25 * PRICE


def test_an_account_without_limits_leaves_no_rows(tmp_path: Path) -> None:
    with world(f"sqlite:///{tmp_path}/core.db") as core:
        core.accept(sender="alice")
        assert (count(core.url, tables.rate), count(core.url, tables.spent)) == (0, 0)


def test_buckets_that_are_empty_are_forgotten(tmp_path: Path) -> None:
    with world(f"sqlite:///{tmp_path}/core.db") as core:
        core.terms(segments_per_minute=6)
        core.accept()
        core.sweep()
        assert count(core.url, tables.rate) == 1
        with time_machine.travel(clock.now() / 1000 + 300):
            core.sweep()
        assert count(core.url, tables.rate) == 0


def test_forgetting_waits_for_nobody(database_url: str) -> None:
    """An accepting transaction of another process holds some of them, in its own order."""
    with world(database_url) as core:
        core.terms(segments_per_minute=6, handset_segments_per_minute=6)
        core.accept()
        with time_machine.travel(clock.now() / 1000 + 300):
            if database_url.startswith("postgresql"):
                with other_connection(database_url) as conn:
                    held = select(tables.rate.c.key).where(tables.rate.c.key == "account").with_for_update()
                    assert conn.execute(held).scalars().all() == ["account"]
                    core.sweep()
                    assert [row.key for row in core.rows(tables.rate)] == ["account"]
            core.sweep()
        assert count(core.url, tables.rate) == 0


def test_a_dear_destination_is_not_allowed(tmp_path: Path) -> None:
    with world(f"sqlite:///{tmp_path}/core.db") as core:
        core.terms(max_price=PRICE)
        core.accept(PHONE)
        core.terms(max_price=PRICE - 1)
        (error,) = core.submit(PHONE).refused
        assert error.code == "destination_not_allowed"
        assert "more than the account allows" in str(error)
