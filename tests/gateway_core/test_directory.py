"""What operators change over another connection acts in every process within two seconds."""

from pathlib import Path

import pytest
from core_support import ACCOUNT, OURS, PHONE, SIM, World, account_row, route_row, wait_for, world

from gateway_core.directory import Snapshot
from gateway_core.errors import DestinationNotAllowed
from gateway_core.storage import tables
from gateway_core.submit import Accepted


def accounts_destinations(snapshot: Snapshot) -> tuple[str, ...]:
    return snapshot.accounts[ACCOUNT].terms.destinations


@pytest.fixture
def core(database_url: str):
    with world(database_url) as made:
        made.process.start()
        yield made


def test_a_change_acts_within_two_seconds(core: World) -> None:
    before = core.gateway.snapshot
    terms = account_row(ACCOUNT, "demo", destinations=["+33"])["terms"]
    core.change(tables.account, ACCOUNT, terms=terms)
    wait_for(lambda: core.gateway.snapshot is not before, 2)
    assert accounts_destinations(core.gateway.snapshot) == ("+33",)
    assert isinstance(core.submit(PHONE).results[0][1], DestinationNotAllowed)


def test_a_new_route_opens_and_works_within_two_seconds(tmp_path: Path) -> None:
    routes = [route_row(SIM, "simulator", prefixes=["+33"])]
    with world(f"sqlite:///{tmp_path}/core.db", *routes) as core:
        core.process.start()
        core.change(tables.route, SIM, prefixes=["*"])
        wait_for(lambda: isinstance(core.submit(PHONE).results[0][1], Accepted), 2)
        wait_for(lambda: core.states() == {"DELIVERED": 1}, 5)


def test_nothing_is_loaded_while_the_revision_stands(core: World) -> None:
    before = core.gateway.snapshot
    assert core.gateway.directory.refresh() is False
    assert core.gateway.snapshot is before


def test_the_number_that_an_account_texts_from(core: World) -> None:
    snapshot = core.gateway.snapshot
    assert snapshot.default_number(ACCOUNT) == OURS
    assert snapshot.default_number(99) is None
    assert snapshot.account("demo") is snapshot.accounts[ACCOUNT]
    assert snapshot.account("nobody") is None
    assert snapshot.route(99) is None
