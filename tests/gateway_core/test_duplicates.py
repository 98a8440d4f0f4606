"""The same text again within the window: answered like a repeat, texted once, never in silence."""

from functools import partial
from pathlib import Path

import pytest
import time_machine
from core_support import ACCOUNT, OTHER, PHONE, PRICE, account_row, at_once, count, world

from gateway_core import cancel, process
from gateway_core.drafts import Submission
from gateway_core.gateway import Gateway
from gateway_core.keys import Key
from gateway_core.messages import Actor
from gateway_core.storage import clock, tables
from gateway_core.submit import Accepted, Outcome, submit

PEOPLE = [account_row(ACCOUNT, "demo"), account_row(OTHER, "other", sender_id="Other")]
WINDOW = 10


def first(outcome: Outcome) -> Accepted:
    ((_, result),) = outcome.results
    assert isinstance(result, Accepted)
    return result


def test_it_is_answered_with_the_first_and_its_trail_says_so(database_url: str) -> None:
    with world(database_url) as core:
        core.terms(duplicate_window_minutes=WINDOW)
        one = core.submit(sender="ups", key=Key("mail-1", "t", mail_digest="1"))
        two = core.submit(sender="ups", key=Key("mail-2", "t", mail_digest="2"))
        assert first(two).message_id == first(one).message_id
        assert first(two).repeat
        assert two.submission_id == one.submission_id
        assert count(core.url, tables.message) == 1
        assert [row.reason for row in core.rows(tables.event)] == ["", "duplicate suppressed"]
        assert core.spent() == PRICE
        again = core.submit(
            sender="ups", key=Key("mail-2", "t", mail_digest="2")
        )  # its own repeat, by its key
        assert first(again).message_id == first(one).message_id


@pytest.mark.parametrize(
    "other",
    [{"sender": "plc"}, {"body": "hello!"}, {"to": "+447700900124"}, {"account": 2}],
    ids=["sender", "text", "handset", "account"],
)
def test_what_differs_is_texted(tmp_path: Path, other: dict[str, str]) -> None:
    with world(f"sqlite:///{tmp_path}/core.db", people=PEOPLE) as core:
        core.terms(duplicate_window_minutes=WINDOW)
        core.submit(sender="ups")
        to = (other.pop("to"),) if "to" in other else ()
        core.submit(*to, **{"sender": "ups", **other})
        assert count(core.url, tables.message) == 2


@pytest.mark.parametrize("several", [2, 3, 70])
def test_of_several_each_by_itself(database_url: str, several: int) -> None:
    with world(database_url, people=PEOPLE) as core:
        core.terms(duplicate_window_minutes=WINDOW)
        to = [f"+44770090{number:04}" for number in range(several)]
        core.submit(*to[1:], sender="ups")
        outcome = core.submit(*to, sender="ups")
        repeats = [one.repeat for _, one in outcome.results if isinstance(one, Accepted)]
        assert sorted(repeats) == [False, *[True] * (several - 1)]
        assert count(core.url, tables.message) == several


def test_after_the_window_it_is_texted_again(tmp_path: Path) -> None:
    with (
        world(f"sqlite:///{tmp_path}/core.db", people=PEOPLE) as core,
        time_machine.travel("2026-03-01T12:00:00Z", tick=False) as now,
    ):
        core.terms(duplicate_window_minutes=WINDOW)
        core.submit()
        now.shift(WINDOW * 60 - 1)
        core.submit()
        assert count(core.url, tables.message) == 1
        now.shift(2)
        core.submit()
        assert count(core.url, tables.message) == 2


def test_without_a_window_it_is_texted_each_time(tmp_path: Path) -> None:
    with world(f"sqlite:///{tmp_path}/core.db", people=PEOPLE) as core:
        core.submit()
        core.submit()
        assert count(core.url, tables.message) == 2


def test_a_text_that_was_lost_may_be_said_again(tmp_path: Path) -> None:
    with world(f"sqlite:///{tmp_path}/core.db", people=PEOPLE) as core:
        core.terms(duplicate_window_minutes=WINDOW)
        held = core.accept(send_at=clock.now() + clock.DAY)
        cancel.cancel(core.gateway, held, Actor.ACCOUNT).result(10)
        refused = core.accept("+447700900002")
        core.until(refused)
        undelivered = core.accept("+447700900004")
        core.until(undelivered)
        for to in (PHONE, "+447700900002", "+447700900004"):
            assert not first(core.submit(to)).repeat


def test_a_text_for_another_time_is_another_text(database_url: str) -> None:
    """A reminder the evening before and one at the hour are two."""
    with world(database_url, people=PEOPLE) as core:
        core.terms(duplicate_window_minutes=WINDOW)
        now = clock.now()
        for send_at in (now + 60 * clock.MINUTE, now + clock.DAY, None):
            assert not first(core.submit(send_at=send_at)).repeat
        assert first(core.submit()).repeat
        later = core.rows(tables.message)[0].id
        core.change(tables.message, later, due_at=0)
        core.sweep()  # its time has come: still none that says the same now
        core.change(tables.message, core.rows(tables.message)[2].id, state="CANCELLED")
        assert not first(core.submit()).repeat


def test_what_is_owed_is_no_duplicate(database_url: str) -> None:
    with world(database_url, people=PEOPLE) as core:
        core.terms(duplicate_window_minutes=WINDOW)
        for key in ("a", "b"):
            assert not first(core.submit(service=True, key=Key(key, "t", request_digest="t"))).repeat
        assert not first(core.submit()).repeat


def test_a_duplicate_after_its_key_has_ended_is_answered_and_kept_under_it(database_url: str) -> None:
    """A mail without a Message-ID, whose key lives for less than the window."""
    with (
        world(database_url, people=PEOPLE) as core,
        time_machine.travel("2026-03-01T12:00:00Z", tick=False) as now,
    ):
        core.terms(duplicate_window_minutes=WINDOW)
        key = Key("digest", "t", mail_digest="d", lives_ms=5 * clock.MINUTE)
        one = first(core.submit(sender="ups", key=key))
        now.shift(6 * 60)
        for _ in range(2):
            again = first(core.submit(sender="ups", key=key))
            assert (again.message_id, again.repeat) == (one.message_id, True)
        assert count(core.url, tables.accepted_key) == 1
        now.shift(5 * 60)
        assert not first(core.submit(sender="ups", key=key)).repeat


def test_of_many_at_once_one_is_texted(database_url: str) -> None:
    with world(database_url) as core, process.opened(database_url) as second:
        core.terms(duplicate_window_minutes=WINDOW)
        second.directory.refresh()
        asked = Submission(core.account(), (PHONE,), "on battery", sender="ups")
        outcomes = at_once([partial(_texted, gateway, asked) for gateway in [core.gateway, second] * 6])
        assert len({first(one).message_id for one in outcomes}) == 1
        assert len([one for one in outcomes if first(one).repeat]) == 11
        assert count(core.url, tables.message) == 1


def _texted(gateway: Gateway, asked: Submission) -> Outcome:
    return submit(gateway, asked).result(30)
