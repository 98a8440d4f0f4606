"""Hints: cheap while one waits, and never a word that can be lost for good."""

from core_support import wait_for

from gateway_core.jobs import queue
from gateway_core.jobs.queue import DISPATCH, EmbeddedQueue


def test_the_same_hint_waits_once_and_is_taken_up():
    done: list[int] = []
    embedded = EmbeddedQueue()
    embedded.declare(DISPATCH, done.append)
    for _ in range(100):
        embedded.hint(DISPATCH, 7)
    embedded.hint(DISPATCH, 8)
    embedded.start(threads=1)
    wait_for(lambda: sorted(done) == [7, 8])
    embedded.hint(DISPATCH, 7)
    wait_for(lambda: sorted(done) == [7, 7, 8])
    embedded.stop()


def test_a_hint_whose_message_was_lost_lapses(monkeypatch):
    monkeypatch.setattr(queue, "_LAPSES_SECONDS", 0.2)
    done: list[int] = []
    embedded = EmbeddedQueue()
    embedded.declare(DISPATCH, done.append)
    embedded.hint(DISPATCH, 7)
    embedded._broker.flush_all()
    embedded.start(threads=1)

    def hinted_again() -> bool:  # as the sweeper does it
        embedded.hint(DISPATCH, 7)
        return done == [7]

    wait_for(hinted_again)
    embedded.stop()


def test_a_job_that_fails_harms_no_other():
    done: list[int] = []
    embedded = EmbeddedQueue()
    embedded.declare(DISPATCH, lambda number: done.append(10 // number))
    embedded.start(threads=1)
    embedded.hint(DISPATCH, 0)
    embedded.hint(DISPATCH, 5)
    wait_for(lambda: done == [2])
    embedded.stop()
    assert embedded._broker.dead_letters == []


def test_an_unknown_job_is_no_work():
    EmbeddedQueue().hint("nothing of ours", 1)
