"""The credit alarm: once for each time that the balance falls to its level, whoever spends it."""

from collections.abc import Iterator
from functools import partial

import pytest
from core_support import ACCOUNT, FAKE, PRICE, World, account_row, at_once, folded, route_row, world
from fake_carriers import FakeWorld, fake_carriers

from gateway_core import process, topups
from gateway_core.drafts import Submission
from gateway_core.gateway import Gateway
from gateway_core.sms import DlrState
from gateway_core.storage import tables
from gateway_core.submit import submit
from gateway_core.topups import TopUp

LEVEL = 5 * PRICE
TO = ["ops@acme.example", "boss@acme.example"]


def people(credit: int, limit: int = 0, **terms: object) -> list[dict[str, object]]:
    asked = {"credit_alarm": LEVEL, "alarm_to": TO, **terms}
    return [account_row(ACCOUNT, "demo", credit=credit, limit=limit, **asked)]


@pytest.fixture
def core(database_url: str) -> Iterator[World]:
    with world(database_url, people=people(8 * PRICE)) as made:
        yield made


def alarms(core: World) -> list[tuple[str, str]]:
    return [(row.target, row.facts["balance"]) for row in core.rows(tables.notice, kind="alarm")]


def top_up(gateway: Gateway, texts: int) -> None:
    gateway.writer.put(topups.enter, TopUp(gateway.ids, ACCOUNT, texts * PRICE)).result(10)


def test_once_a_crossing_and_again_after_a_top_up(core: World) -> None:
    for _ in range(2):
        core.accept()
    assert alarms(core) == []  # above it still
    core.accept()
    once = [(f"mailto:{address}", "0.25") for address in TO]
    assert alarms(core) == once
    for _ in range(3):
        core.accept()
    assert alarms(core) == once
    top_up(core.gateway, 2)  # not above it
    core.accept()
    assert alarms(core) == once
    top_up(core.gateway, 3)
    core.accept()
    assert len(alarms(core)) == 4


def test_what_is_taken_back_counts(core: World) -> None:
    top_up(core.gateway, -2)
    assert alarms(core) == []
    top_up(core.gateway, -1)
    assert alarms(core) == [(f"mailto:{address}", "0.25") for address in TO]
    core.accept()
    assert len(alarms(core)) == 2


def test_what_is_charged_again_counts(database_url: str) -> None:
    """A text that was given back, and was delivered after all."""
    with (
        fake_carriers(),
        world(database_url, route_row(FAKE, "fake"), people=people(6 * PRICE, refunds="undelivered")) as made,
    ):
        core = FakeWorld(made.process, made.url)
        core.accept()
        core.dispatch()
        ((mt,),) = core.carrier.written
        core.receipt(mt, DlrState.UNDELIVERED)
        assert (core.balance(), len(alarms(core))) == (6 * PRICE, 2)  # of the text itself
        core.receipt(mt, DlrState.DELIVERED, 2)
        assert (core.balance(), len(alarms(core))) == (5 * PRICE, 4)


def test_one_step_over_it_counts(core: World) -> None:
    core.accept(body="x" * 600)  # four segments
    assert [balance for _, balance in alarms(core)] == ["0.20", "0.20"]


def test_a_fold_that_crosses_it_says_so_once(core: World) -> None:
    with folded(core):
        asked = [core.ask(f"+4477009001{number}") for number in range(20, 27)]
    assert all(not one.result(10).refused for one in asked)
    assert len(alarms(core)) == 2


def test_the_balance_counts_not_what_may_be_spent(database_url: str) -> None:
    with world(database_url, people=people(6 * PRICE, limit=100 * PRICE)) as core:
        core.accept()
        assert [balance for _, balance in alarms(core)] == ["0.25", "0.25"]
        for _ in range(10):
            core.accept()
        assert len(alarms(core)) == 2


@pytest.mark.parametrize("terms", [{"credit_alarm": None}, {"alarm_to": []}])
def test_who_wants_none_gets_none(database_url: str, terms: dict[str, object]) -> None:
    with world(database_url, people=people(6 * PRICE, **terms)) as core:
        core.accept()
        assert alarms(core) == []


def test_two_processes_say_it_once(database_url: str) -> None:
    with world(database_url, people=people(30 * PRICE)) as core, process.opened(database_url) as second:

        def spend(gateway: Gateway, number: int) -> None:
            for step in range(4):
                asked = Submission(core.account(), (f"+44770090{number}{step:03}",), "hi")
                submit(gateway, asked).result(30)

        at_once(
            [partial(spend, gateway, number) for number, gateway in enumerate([core.gateway, second] * 4)]
        )
        assert core.balance() == 0
        assert len(alarms(core)) == len(TO)
