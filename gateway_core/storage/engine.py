"""Connections to the one database, SQLite or PostgreSQL, behind one code path."""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from gateway_core.errors import SettingsError

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # NORMAL may lose the last commits on power loss: accepted means kept
    "PRAGMA busy_timeout=10000",
    "PRAGMA foreign_keys=ON",
    "PRAGMA cache_size=-16384",
)


def database_url(url: str) -> URL:
    """The checked URL. Raises SettingsError when it is not SQLite or PostgreSQL through psycopg."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise SettingsError(
            "database.url is not a database URL; example: sqlite:///var/mailgate.db"
        ) from None
    if parsed.drivername not in {"sqlite", "postgresql+psycopg"}:
        raise SettingsError(
            f"database.url starts with {parsed.drivername!r}; it must be sqlite or postgresql+psycopg"
        )
    if parsed.drivername == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise SettingsError(
            "database.url: a database in memory keeps nothing; name a file: sqlite:///var/mailgate.db"
        )
    return parsed


def open_engine(url: str, *, writes: bool = False) -> Engine:
    """An engine. On SQLite `writes=True` takes the write lock at BEGIN, so that no transaction must upgrade.

    Raises SettingsError when the driver is not installed.
    """
    parsed = database_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed, writes=writes)
    try:
        parsed = parsed.update_query_dict({"connect_timeout": "10", **parsed.query})
        return create_engine(
            parsed,
            pool_pre_ping=True,
            pool_size=1 if writes else 8,
            hide_parameters=True,
            connect_args={
                "options": "-c synchronous_commit=on"
            },  # whatever the server's default: accepted means kept
        )
    except (NoSuchModuleError, ModuleNotFoundError):
        raise SettingsError(
            "database.url names PostgreSQL, and psycopg is not installed: pip install 'mailgate[postgres]'"
        ) from None


def _open_sqlite(url: URL, *, writes: bool) -> Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url, pool_size=1 if writes else 8, hide_parameters=True
    )  # texts stay out of the log
    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"

    @event.listens_for(engine, "connect")
    def _prepare(dbapi_connection: Any, _record: Any) -> None:
        dbapi_connection.isolation_level = None  # sqlite3's own implicit BEGIN comes too late for us
        for pragma in _PRAGMAS:
            dbapi_connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
