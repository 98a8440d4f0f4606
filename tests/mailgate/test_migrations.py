"""A database of an earlier version keeps its rows on the way to this one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from peers.postgres import Postgres
from sqlalchemy import Engine, text

from gateway_core.storage import schema
from gateway_core.storage.engine import open_engine
from mailgate import tables

ACCOUNT = """INSERT INTO account (id, name, billing, currency, balance, credit_limit, terms, created_at)
VALUES (1, 'acme', 'prepaid', 'GBP', 0, 0, '{}', 0)"""
SENDER = """INSERT INTO sender (id, account_id, address, ips, accept, monitoring, lists)
VALUES (2, 1, 'alice@acme.example', '["10.0.0.0/8"]', 'ip', false, true)"""


@pytest.fixture(params=["sqlite", "postgresql"])
def first(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database of version 0001 with a sender in it."""
    server = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    url = server.empty() if isinstance(server, Postgres) else f"sqlite:///{tmp_path}/first.db"
    engine = open_engine(url, writes=True)
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).with_name("migrations")))
    config.attributes["engine"] = engine
    command.upgrade(config, "0001")
    with engine.begin() as conn:
        for row in (ACCOUNT, SENDER):
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
