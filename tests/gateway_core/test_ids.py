"""Ids: unique, strictly rising, and readable."""

import threading

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from gateway_core.storage import clock, ids
from gateway_core.storage.ids import Ids


def test_they_rise_strictly_in_every_thread_and_are_unique() -> None:
    source, made = Ids(7), []

    def work() -> None:
        mine = [source.new() for _ in range(20_000)]
        assert mine == sorted(set(mine))
        made.append(mine)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert len({number for mine in made for number in mine}) == 80_000


def test_they_rise_when_the_clock_steps_back() -> None:
    source = Ids(1)
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as now:
        first = source.new()
        now.shift(-3600)
        second = source.new()
        now.shift(7200)
        third = source.new()
    assert first < second < third


def test_more_than_a_thousand_in_a_millisecond_borrow_the_next() -> None:
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False):
        source = Ids(1)
        made = [source.new() for _ in range(3000)]
        assert made == sorted(set(made))
        assert ids.made_at(made[0]) == clock.now()
        assert ids.made_at(made[-1]) == clock.now() + 2


def test_two_nodes_never_make_the_same() -> None:
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False):
        one, two = Ids(1), Ids(2)
        assert not {one.new() for _ in range(2000)} & {two.new() for _ in range(2000)}


@given(st.integers(0, (1 << 63) - 1), st.sampled_from("msr"))
def test_what_is_shown_can_be_read(number: int, kind: str) -> None:
    shown = ids.show(kind, number)
    assert len(shown) == 14
    assert ids.read(kind, shown) == number


@pytest.mark.parametrize(
    "shown", ["", "m", "m123", "s" + "0" * 13, "m" + "0" * 12 + "u", "m" + "z" * 13, "M" + "0" * 13]
)
def test_what_is_no_id_is_not_read(shown: str) -> None:
    assert ids.read("m", shown) is None


def test_they_fit_the_database_until_2094() -> None:
    with time_machine.travel("2094-01-01T00:00:00Z", tick=False):
        assert Ids(4095).new() < 1 << 63
