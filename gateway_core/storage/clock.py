"""Time as the core keeps it: milliseconds since 1970 UTC."""

import time

from sqlalchemy import BigInteger, Connection, cast, func, literal_column, select

SECOND = 1000
MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE


def now() -> int:
    """This process's wall clock, for due times; leases use `database_now`."""
    return time.time_ns() // 1_000_000


_SQLITE_NOW = select(cast((func.julianday("now") - literal_column("2440587.5")) * DAY, BigInteger))
_POSTGRES_NOW = select(cast(func.extract("epoch", func.clock_timestamp()) * SECOND, BigInteger))


def database_now(conn: Connection) -> int:
    """The database's clock: the one that every process shares, so leases are judged by it."""
    statement = _SQLITE_NOW if conn.dialect.name == "sqlite" else _POSTGRES_NOW
    return int(conn.execute(statement).scalar_one())
