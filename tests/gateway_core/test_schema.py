"""Migrations: an empty database becomes exactly what the tables say."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from peers.postgres import Postgres
from sqlalchemy import Engine, text

import mailgate.tables
from gateway_core.errors import SettingsError
from gateway_core.storage import schema, tables
from gateway_core.storage.engine import open_engine

assert mailgate.tables.sender.metadata is tables.metadata  # its rows are of the same line of migrations


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "sqlite":
        server, url = None, f"sqlite:///{tmp_path}/empty.db"
    else:
        server = request.getfixturevalue("postgres")
        assert isinstance(server, Postgres)
        url = server.empty()
    engine = open_engine(url, writes=True)
    yield engine
    engine.dispose()
    if server:
        server.drop(url)


def test_migrate_makes_exactly_the_tables(empty: Engine) -> None:
    assert schema.migrate(empty) == (None, schema.HEAD)
    with empty.connect() as conn:
        assert compare_metadata(MigrationContext.configure(conn), tables.metadata) == []
    schema.require_current(empty)


def test_migrating_again_does_nothing(empty: Engine) -> None:
    schema.migrate(empty)
    assert schema.migrate(empty) == (schema.HEAD, schema.HEAD)


def test_the_newest_file_is_the_version_that_the_program_needs() -> None:
    files = sorted(path.name for path in Path(schema.__file__).parent.glob("migrations/versions/*.py"))
    assert files
    assert files[-1].startswith(schema.HEAD)


@pytest.mark.parametrize(("version", "words"), [(None, "empty"), ("0000", "at 0000"), ("9999", "newer")])
def test_another_version_is_refused_naming_the_command(
    empty: Engine, version: str | None, words: str
) -> None:
    if version:
        with empty.begin() as conn:
            conn.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
            conn.execute(text(f"INSERT INTO alembic_version VALUES ('{version}')"))
    with pytest.raises(SettingsError, match=words):
        schema.require_current(empty)
