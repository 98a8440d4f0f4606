"""The database's version: what it is, what it should be, and the step between them (Alembic)."""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from gateway_core.errors import SettingsError

HEAD = "0008"  # the newest file in migrations/versions; a test keeps them together
_MIGRATIONS = Path(__file__).with_name("migrations")


def version(conn: Connection) -> str | None:
    """The version that the database has; None when it is empty."""
    if not inspect(conn).has_table("alembic_version"):
        return None
    found = conn.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return str(found) if found is not None else None


def require_current(engine: Engine) -> None:
    """Raises SettingsError, naming the command, when the database is older or newer than this program."""
    with engine.connect() as conn:
        found = version(conn)
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        raise SettingsError(f"database.url: the database ({found}) is newer than this program ({HEAD})")
    raise SettingsError(
        f"database.url: the database is {'empty' if found is None else 'at ' + found}, this program needs {HEAD}: "
        "run `mailgate migrate`"
    )


def migrate(engine: Engine) -> tuple[str | None, str]:
    """Bring the database to HEAD. Returns the version before and after; does nothing when it is there."""
    with engine.connect() as conn:
        before = version(conn)
    if before != HEAD:
        from alembic import command  # noqa: PLC0415 - slow to import, and rarely needed
        from alembic.config import Config  # noqa: PLC0415

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        config.attributes["engine"] = engine
        command.upgrade(config, "head")
    return before, HEAD
