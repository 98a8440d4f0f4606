"""Processes: one on a SQLite file, several on PostgreSQL, and their leases."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from core_support import FAKE, PRICE, SIM, other_connection, route_row, wait_for, world
from fake_carriers import fake_carriers
from sqlalchemy import update

from gateway_core import owners, process
from gateway_core.drafts import Submission
from gateway_core.errors import SettingsError
from gateway_core.process import Process, opened
from gateway_core.storage import clock, tables
from gateway_core.storage.engine import open_engine
from gateway_core.submit import submit


@contextmanager
def also(url: str) -> Iterator[Process]:
    second = Process(url)
    try:
        yield second
    finally:
        second.stop()


def test_a_second_process_on_a_sqlite_file_is_refused(sqlite_url: str) -> None:
    with world(sqlite_url):
        with pytest.raises(SettingsError, match="another mailgate serves"):
            Process(sqlite_url)
        with opened(sqlite_url) as command:
            assert command.snapshot.accounts
    with also(sqlite_url):
        pass


def test_two_processes_share_a_postgresql_and_no_text_goes_twice(postgres_url: str) -> None:
    with world(postgres_url) as core, also(postgres_url) as second:
        core.process.start()
        second.start()
        numbers = [f"+4477009{number:05d}" for number in range(20100, 20600)]
        futures = []
        for index, number in enumerate(numbers):
            gateway = core.gateway if index % 2 else second.gateway
            futures.append(submit(gateway, Submission(core.account(), (number,), number, notify=True)))
        for future in futures:
            future.result(20)
        wait_for(lambda: core.states() == {"DELIVERED": 500}, 30)
        arrived = [(row.phone, row.text) for row in core.rows(tables.phone_segment)]
        assert sorted(arrived) == [(number, number) for number in numbers]
        assert core.spent() == 500 * PRICE
        assert len(core.rows(tables.notice)) == 500
        owners_used = {row.owner_id for row in core.rows(tables.attempt)}
        assert owners_used == {core.gateway.owner.id, second.gateway.owner.id}


def test_what_a_stopped_process_left_the_other_ends(postgres_url: str) -> None:
    with world(postgres_url, route_row(SIM, "simulator")) as core:
        with also(postgres_url) as second:
            second.start()
            numbers = [f"+4477009{number:05d}" for number in range(20100, 20300)]
            for number in numbers:
                submit(second.gateway, Submission(core.account(), (number,), number))
        core.process.start()
        wait_for(lambda: core.states() == {"DELIVERED": 200}, 30)
        assert sorted(row.phone for row in core.rows(tables.phone_segment)) == numbers


def test_the_heartbeat_renews_the_lease(database_url: str) -> None:
    with world(database_url) as core:
        owner = core.gateway.owner
        with other_connection(core.url) as conn:
            conn.execute(update(tables.owner).values(lease_until=1))
        with core.reading() as conn:
            assert owners.dead(conn, but=0) == [owner.id]
        core.process._beat()
        with core.reading() as conn:
            assert owners.dead(conn, but=0) == []
            lease = core.rows(tables.owner)[0].lease_until - clock.database_now(conn)
        assert 15_000 < lease <= 20_000


def test_the_databases_clock_is_right(database_url: str) -> None:
    engine = open_engine(database_url)
    with engine.connect() as conn:
        assert abs(clock.database_now(conn) - clock.now()) < 5_000
    engine.dispose()


def test_a_carrier_whose_tick_fails_does_not_stop_the_others(sqlite_url: str) -> None:
    ticked = []
    with ExitStack() as stack:
        stack.enter_context(fake_carriers())
        core = stack.enter_context(
            world(sqlite_url, route_row(FAKE, "fake", name="a"), route_row(3, "fake", name="b"))
        )
        core.process._open_windows()

        def broken() -> None:
            ticked.append(1)
            raise ValueError("broken")

        for window in core.gateway.windows.values():
            window.carrier.tick = broken  # type: ignore[method-assign]
        core.tick()
        assert len(ticked) == 2


def test_a_route_that_cannot_be_opened_does_not_stop_the_others(sqlite_url: str) -> None:
    bad = route_row(7, "simulator", name="bad", settings={"no": "such"}, prefixes=["+33"])
    worse = route_row(8, "no such carrier", name="worse", prefixes=["+33"])
    with world(sqlite_url, bad, worse, route_row(SIM, "simulator")) as core:
        core.process.start()
        core.accept()
        wait_for(lambda: core.states() == {"DELIVERED": 1})


@pytest.mark.parametrize("commands", [60])
def test_commands_do_not_use_up_the_nodes(sqlite_url: str, commands: int) -> None:
    with world(sqlite_url) as core:
        for _ in range(commands):
            with opened(sqlite_url):
                pass
        assert len(core.rows(tables.owner)) <= 5


@pytest.mark.parametrize("url", ["mysql://x", "no url", "postgresql://host/db"])
def test_another_database_is_refused_with_a_clear_line(url: str) -> None:
    with pytest.raises(SettingsError, match=r"database\.url"):
        process.Process(url)
