"""A database of an earlier version keeps its rows on the way to this one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from peers.postgres import Postgres
from sqlalchemy import Engine, select, text

from gateway_core import messages, phones
from gateway_core.storage import schema
from gateway_core.storage import tables as core
from gateway_core.storage.engine import open_engine
from mailgate import tables

ACCOUNT = """INSERT INTO account (id, name, billing, currency, balance, credit_limit, terms, created_at)
VALUES (1, 'acme', 'prepaid', 'GBP', 0, 0, '{}', 0)"""
SENDER = """INSERT INTO sender (id, account_id, address, ips, accept, monitoring, lists)
VALUES (2, 1, 'alice@acme.example', '["10.0.0.0/8"]', 'ip', false, true)"""

ROUTE = """INSERT INTO route
(id, name, carrier, settings, prefixes, priority, weight, segments_per_second, resend, paused)
VALUES (3, 'sim', 'simulator', '{}', '["*"]', 10, 1, 0, 'once', false)"""
SUBMISSION = """INSERT INTO submission (id, account_id, text, client_ref, origin, created_at)
VALUES (4, 1, 'hello', NULL, '{}', 0)"""
MESSAGE = """INSERT INTO message
(id, submission_id, account_id, route_id, "to", sender_id, encoding, segments, concat_ref, price, state, reason,
 due_at, expires_at, final_by, fence, owner_id, retries, resends, possible_duplicate, notify, created_at, state_at)
VALUES (5, 4, 1, 3, '+447700900123', '+447700900900', 'gsm7', 1, 1, 500, 'QUEUED', '',
 0, 1, 2, 0, NULL, 0, 0, false, true, 0, 0)"""
ARRIVED = """INSERT INTO phone_segment
(id, phone, direction, peer, text, encoding, ref, number, total, possible_duplicate, at, carrier_ref,
 receipt_at, receipt_state, receipts_left, route_id)
VALUES (6, '+447700900123', 'in', '+447700900900', 'hello', 'gsm7', 1, 1, 1, false, 0, 'sim-1', NULL, '', 0, 3)"""


@pytest.fixture(params=["sqlite", "postgresql"])
def first(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database of version 0001 with a sender, a message and a text on a phone in it."""
    server = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    url = server.empty() if isinstance(server, Postgres) else f"sqlite:///{tmp_path}/first.db"
    engine = open_engine(url, writes=True)
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).with_name("migrations")))
    config.attributes["engine"] = engine
    command.upgrade(config, "0001")
    with engine.begin() as conn:
        for row in (ACCOUNT, SENDER, ROUTE, SUBMISSION, MESSAGE, ARRIVED):
            conn.execute(text(row))
    yield engine
    engine.dispose()
    if isinstance(server, Postgres):
        server.drop(url)


def test_senders_come_along_without_a_password(first: Engine) -> None:
    assert schema.migrate(first) == ("0001", schema.HEAD)
    with first.connect() as conn:
        assert compare_metadata(MigrationContext.configure(conn), tables.sender.metadata) == []
        (row,) = conn.execute(tables.sender.select())
    assert (row.address, row.ips, row.lists) == ("alice@acme.example", ["10.0.0.0/8"], True)
    assert row.password_hash is None


def test_messages_come_along_as_ordinary_ones(first: Engine) -> None:
    schema.migrate(first)
    with first.connect() as conn:
        (message,) = messages.of_submission(conn, 4)
        (entry,) = phones.of_phone(conn, "+447700900123")
        due = conn.execute(select(core.message.c.id).where(core.QUEUED, core.ORDINARY)).scalars().all()
    assert (message["flash"], message["urgent"], entry.flash) == (False, False, False)
    assert due == [5]  # they are still found by who claims
