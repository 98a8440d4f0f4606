"""A pool of numbers: who texts a handset from which one, and whose the answers are."""

from collections.abc import Iterator
from functools import partial

import pytest
import time_machine
from core_support import ACCOUNT, OTHER, OURS, PHONE, World, account_row, at_once, folded, world

from gateway_core import pools, process
from gateway_core.drafts import Submission
from gateway_core.gateway import Gateway
from gateway_core.pools import Talk
from gateway_core.sms import MO
from gateway_core.storage import clock, tables
from gateway_core.submit import submit

A, B, C = "+447700900900", "+447700900911", "+447700900912"


@pytest.mark.parametrize(
    ("talks", "sender", "chosen"),
    [
        ({}, "ann", A),
        ({A: Talk("ann", 1)}, "ann", A),
        ({A: Talk("ann", 1)}, "bob", B),
        ({B: Talk("ann", 1)}, "bob", A),
        ({A: Talk("ann", 1), B: Talk("bob", 2)}, "cat", C),
        ({A: Talk("ann", 1), B: Talk("bob", 2), C: Talk("cat", 3)}, "dan", A),
        ({A: Talk("ann", 9), B: Talk("bob", 2), C: Talk("cat", 3)}, "dan", B),
        ({A: Talk("ann", 1), B: Talk("bob", 2), C: Talk("ann", 3)}, "ann", C),
        ({A: Talk("ann", 5), B: Talk("bob", 2), C: Talk("ann", 3)}, "ann", A),
        ({"+447700900999": Talk("ann", 5)}, "ann", A),  # not in the pool any more
    ],
)
def test_choose(talks: dict[str, Talk], sender: str, chosen: str) -> None:
    assert pools.choose((A, B, C), talks, sender) == chosen


def number_row(row_id: int, msisdn: str, *, pool: bool = True, account: int = ACCOUNT) -> dict[str, object]:
    return {"id": row_id, "msisdn": msisdn, "account_id": account, "forward_to": [], "pool": pool}


@pytest.fixture
def core(database_url: str) -> Iterator[World]:
    people = [account_row(ACCOUNT, "demo"), account_row(OTHER, "other")]
    with world(database_url, people=people) as made:
        made.add(
            tables.number,
            number_row(11, B),
            number_row(12, C),
            number_row(13, "+447700900913", account=OTHER),
        )
        yield made


def number_of(core: World, sender: str, **more: object) -> str:
    message = core.accept(sender=sender, **more)  # type: ignore[arg-type]
    return str(core.message(message)["sender_id"])


def test_three_people_text_one_handset_and_each_gets_the_own_answers(core: World) -> None:
    people = ("ann", "bob", "cat")
    messages = {who: core.accept(sender=who) for who in people}
    used = {who: str(core.message(message)["sender_id"]) for who, message in messages.items()}
    assert set(used.values()) == {A, B, C}
    for who in reversed(people):
        core.deliver(MO(f"mo-{who}", PHONE, used[who], "yes"))
        (row,) = core.rows(tables.mo, carrier_ref=f"mo-{who}")
        assert row.message_id == messages[who]
    assert {who: number_of(core, who) for who in people} == used  # and go on as they began
    assert not any("guessed" in notice.facts for notice in core.rows(tables.notice))


def test_when_there_are_too_few_the_one_that_was_quiet_for_longest(core: World) -> None:
    with time_machine.travel(clock.now() / 1000, tick=False) as now:
        for who in ("ann", "bob", "cat"):
            number_of(core, who)
            now.shift(60)
        number_of(core, "ann")  # A is the newest now
        now.shift(60)
        shared = number_of(core, "dan")
        assert shared == B  # bob's
        now.shift(60)
        core.deliver(MO("mo", PHONE, shared, "yes"))
        (notice,) = core.rows(tables.notice)
        assert notice.facts["guessed"] is True
        now.shift(8 * 24 * 3600)
        number_of(core, "dan")
        core.deliver(MO("mo-2", PHONE, shared, "yes"))
        assert "guessed" not in core.rows(tables.notice)[-1].facts


def test_another_handset_begins_anew(core: World) -> None:
    assert number_of(core, "ann") == A
    assert number_of(core, "bob", to="+447700900124") == A


def test_one_fold_gives_two_people_two_numbers(core: World) -> None:
    with folded(core):
        asked = [core.ask(sender=who) for who in ("ann", "bob", "ann", "cat")]
    for one in asked:
        one.result(10)
    assert [row.sender_id for row in core.rows(tables.message)] == [A, B, A, C]


def test_a_number_out_of_the_pool_is_for_answers_only(core: World) -> None:
    core.change(tables.number, 11, pool=False)
    core.gateway.directory.refresh()
    assert {number_of(core, who) for who in ("ann", "bob", "cat")} == {A, C}
    assert number_of(core, "dan", sender_id=B) == B


def test_whoever_asks_for_a_number_has_it(core: World) -> None:
    assert number_of(core, "ann", sender_id=C) == C
    assert number_of(core, "ann") == C  # the same talk goes on
    core.terms(sender_id="Acme")
    assert number_of(core, "ann") == "Acme"


def test_a_route_that_takes_only_some_of_them(core: World) -> None:
    core.change(tables.route, 1, sender_ids=[A, C])
    core.gateway.directory.refresh()
    assert [number_of(core, who) for who in ("ann", "bob", "cat")] == [A, C, A]


@pytest.mark.parametrize("instead", ["", "Acme"])
def test_a_destination_that_takes_only_some_of_them(core: World, instead: str) -> None:
    """Also where it does not take the first one."""
    rule = {"id": 1, "prefix": "+44", "allowed": [B, C], "instead": instead}
    core.add(tables.sender_id_rule, rule)
    assert [number_of(core, who) for who in ("ann", "bob", "cat", "bob")] == [B, C, B, C]


def test_where_it_takes_none_another_sender_id_stands_for_them(core: World) -> None:
    core.add(tables.sender_id_rule, {"id": 1, "prefix": "+44", "allowed": ["short"], "instead": "Acme"})
    assert number_of(core, "ann") == "Acme"


def test_a_route_that_does_not_take_the_first_one(core: World) -> None:
    core.change(tables.route, 1, sender_ids=[B, C])
    core.gateway.directory.refresh()
    assert [number_of(core, who) for who in ("ann", "bob")] == [B, C]


def test_one_number_only_and_the_notice_says_that_it_guesses(core: World) -> None:
    for row_id in (11, 12):
        core.change(tables.number, row_id, pool=False)
    core.gateway.directory.refresh()
    assert number_of(core, "ann") == number_of(core, "bob") == OURS
    core.deliver(MO("mo", PHONE, OURS, "yes"))
    (notice,) = core.rows(tables.notice)
    assert notice.facts["guessed"] is True
    assert notice.message_id == core.rows(tables.message)[-1].id


def _text(gateway: Gateway, asked: Submission) -> object:
    return submit(gateway, asked).result(30)


def test_people_of_two_processes_get_numbers_of_their_own(database_url: str) -> None:
    with world(database_url) as core, process.opened(database_url) as second:
        core.add(tables.number, number_row(11, B), number_row(12, C))
        second.directory.refresh()
        handsets = [f"+4477009001{at:02}" for at in range(8)]
        asks = [
            partial(_text, gateway, Submission(core.account(), (handset,), "hi", sender=who))
            for handset in handsets
            for who, gateway in (("ann", core.gateway), ("bob", second), ("cat", core.gateway))
        ]
        at_once(asks)
        for handset in handsets:
            assert {row.sender_id for row in core.rows(tables.message, to=handset)} == {A, B, C}
