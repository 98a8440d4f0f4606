"""Monthly statements: when they are due, what they say, and that each is made once."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import time_machine
from core_support import ACCOUNT, CREDIT, OTHER, PRICE, World, account_row, at_once, world
from sqlalchemy import func, insert, select

from gateway_core import process, statements, sweeper
from gateway_core.storage import clock, tables


@pytest.mark.parametrize(
    ("at", "zone", "month"),
    [
        ("2026-03-31T22:59:59Z", "Europe/London", "2026-02"),  # summer time: March ends an hour earlier there
        ("2026-03-31T23:00:00Z", "Europe/London", "2026-03"),
        ("2026-04-01T06:59:59Z", "America/Los_Angeles", "2026-02"),
        ("2026-04-01T07:00:00Z", "America/Los_Angeles", "2026-03"),
        ("2026-03-31T10:00:00Z", "Pacific/Kiritimati", "2026-03"),
        ("2026-01-01T00:00:00Z", "UTC", "2025-12"),
    ],
)
def test_the_month_that_is_over_there(at: str, zone: str, month: str) -> None:
    with time_machine.travel(at, tick=False):
        assert statements.month_before(clock.now(), zone) == month


def test_months_have_no_gap_and_no_overlap() -> None:
    months = [f"{year}-{month:02}" for year in (2026, 2027, 2028) for month in range(1, 13)]
    for zone in ("Europe/London", "Pacific/Apia", "America/Sao_Paulo", "UTC"):
        ends = [statements.bounds(month, zone) for month in months]
        assert [until for _, until in ends[:-1]] == [since for since, _ in ends[1:]]


@pytest.mark.parametrize(
    ("net", "percent", "vat"),
    [
        (10_000, "20", 2000),
        (0, "20", 0),
        (5, "10", 1),
        (4, "10", 0),
        (333, "7.7", 26),
        (-10_000, "20", -2000),
    ],
)
def test_vat_is_rounded_half_up(net: int, percent: str, vat: int) -> None:
    assert statements.vat(net, percent) == vat


@pytest.fixture
def core(database_url: str) -> Iterator[World]:
    people = [
        account_row(ACCOUNT, "demo", statement_to=["books@acme.example"], vat_percent="20", timezone="UTC"),
        account_row(OTHER, "other", timezone="America/Los_Angeles"),
    ]
    with world(database_url, people=people) as made:
        yield made


def test_what_it_says(core: World) -> None:
    with time_machine.travel("2026-03-31T23:59:59Z", tick=False):
        core.accept()  # before
    with time_machine.travel("2026-04-01T00:00:00Z", tick=False) as now:
        core.accept("+447700900124", body="x" * 200)
        core.accept("+33612345678")
        core.until(core.accept("+447700900002"))  # refused, given back
        now.move_to("2026-04-30T23:59:59Z")
        core.accept("+33612345679")
        now.move_to("2026-05-01T00:00:00Z")
        core.accept()  # after
        now.move_to("2026-05-01T00:09:59Z")  # what was entered in the last moment may not be committed yet
        due = statements.due(core.gateway.reader, list(core.gateway.snapshot.accounts.values()))
        assert {month for _, month in due} == {"2026-03"}
        now.move_to("2026-05-01T00:10:00Z")
        assert sweeper.make_statements(core.gateway) == 2  # the other account's is March's
        assert sweeper.make_statements(core.gateway) == 0
        now.move_to("2026-05-01T07:10:00Z")
        assert sweeper.make_statements(core.gateway) == 1  # April is over there too
    with core.reading() as conn:
        (facts,) = statements.stored(conn, ACCOUNT)
        assert [one["month"] for one in statements.stored(conn, OTHER)] == ["2026-04", "2026-03"]
    opening = CREDIT - PRICE
    assert facts == {
        "account": "demo",
        "currency": "GBP",
        "month": "2026-04",
        "opening": opening,
        "kinds": {"refund": PRICE, "submit": -5 * PRICE},
        "countries": {"FR": [2, 2, -2 * PRICE], "GB": [2, 3, -2 * PRICE]},
        "charged": 4 * PRICE,
        "closing": opening - 4 * PRICE,
        "vat_percent": "20",
        "vat": 4 * PRICE // 5,
    }
    assert [row.target for row in core.rows(tables.notice, kind="statement")] == ["mailto:books@acme.example"]


def test_who_was_off_on_the_first_makes_it_later_and_nobody_gets_one_for_before_the_beginning(
    core: World,
) -> None:
    core.change(tables.account, OTHER, created_at=1_778_000_000_000)  # in May 2026
    with time_machine.travel("2026-05-17T12:00:00Z", tick=False):
        assert sweeper.make_statements(core.gateway) == 1
        assert [row.account_id for row in core.rows(tables.statement)] == [ACCOUNT]


def test_two_processes_make_it_once(database_url: str) -> None:
    people = [account_row(ACCOUNT, "demo", statement_to=["a@x.example", "b@x.example"])]
    with world(database_url, people=people) as core, process.opened(database_url) as second:
        made = at_once([partial(sweeper.make_statements, one) for one in [core.gateway, second] * 3])
        assert sum(made) == 1
        assert len(core.rows(tables.statement)) == 1
        assert len(core.rows(tables.notice, kind="statement")) == 2


def test_many_entries_are_read_in_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "_PAGE", 3)
    with world(f"sqlite:///{tmp_path}/core.db") as core:
        since, until = statements.bounds("2026-04", "UTC")
        rows = [
            {
                "id": 100 + number,
                "account_id": ACCOUNT,
                "message_id": None,
                "kind": "credit",
                "amount": 1,
                "note": "",
                "at": since + number // 4,
            }
            for number in range(40)
        ]
        edges = [{**rows[0], "id": 99, "at": since - 1}, {**rows[0], "id": 999, "at": until}]
        core.add(tables.ledger_entry, *rows, *edges)
        core.terms(timezone="UTC")
        with core.reading() as conn:
            facts = statements.facts(conn, core.account(), "2026-04")
            entries = select(func.count()).select_from(tables.ledger_entry)
            assert conn.execute(entries).scalar() == 43
        assert facts["kinds"] == {"credit": 40}
        assert facts["opening"] == CREDIT + 1


def test_the_sum_of_months_is_the_balance(core: World) -> None:
    for day in ("2026-02-10", "2026-03-10", "2026-04-10"):
        with time_machine.travel(f"{day}T12:00:00Z", tick=False):
            core.accept()
    with core.reading() as conn:
        found = [statements.facts(conn, core.account(), f"2026-0{month}") for month in (2, 3, 4)]
    assert [one["opening"] for one in found[1:]] == [one["closing"] for one in found[:-1]]
    assert found[-1]["closing"] == core.balance()


def test_a_row_is_never_made_over(core: World) -> None:
    with core.gateway.reader.begin() as conn:
        row = {"id": 1, "account_id": ACCOUNT, "month": "2026-04", "facts": {"kept": True}, "created_at": 0}
        conn.execute(insert(tables.statement), row)
    with time_machine.travel("2026-05-02T12:00:00Z", tick=False):
        sweeper.make_statements(core.gateway)
    with core.reading() as conn:
        assert statements.stored(conn, ACCOUNT) == [{"kept": True}]
