"""Fixtures that every folder uses: databases."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers.postgres import Postgres, postgres

__all__ = ["postgres"]


@pytest.fixture(autouse=True)
def _same_umask() -> Iterator[None]:
    """A command that runs in this process narrows the umask, as it should; the next test is not to inherit it."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/mailgate.db"


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    url = postgres.prepared()
    yield url
    postgres.give_back(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Both kinds of database: for what depends on locks, types or clocks."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))
