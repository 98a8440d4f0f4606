"""Statements of the hot path, compiled once for each kind of database; their parameters are plain tuples.

Core makes a dict of parameters for each row and looks it through at each execution. For a narrow row that costs
more than the insert. What is written stays Core: tables, columns, types, upserts, both databases.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, Dialect, Insert, bindparam
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.expression import ClauseElement

_STYLES = {"sqlite": "qmark", "postgresql": "format"}
Values = tuple[Any, ...]


class Prepared:
    """`names`: the parameters in the order of the tuples, for an INSERT its columns; none: as they stand.

    A JSON column takes JSON text. A statement that the databases spell differently is given by name of dialect.
    Errors are Core's own, and listeners of Core's engine see the statement.
    """

    def __init__(self, statement: ClauseElement | Mapping[str, ClauseElement], *names: str) -> None:
        self._statement = statement
        self._names = names
        self._compiled: dict[str, tuple[str, tuple[int, ...] | None]] = {}

    def rows(self, conn: Connection, values: Values) -> list[Values]:
        """Of a SELECT."""
        found: list[Values] = self._run(conn, [values], _rows)
        return found

    def change(self, conn: Connection, values: Values) -> int:
        """How many rows it met."""
        return int(self._run(conn, [values], _count))

    def many(self, conn: Connection, rows: Sequence[Values]) -> None:
        """Once for each row."""
        if rows:
            self._run(conn, rows, None)

    def _run(self, conn: Connection, rows: Sequence[Values], result: Callable[[Any], Any] | None) -> Any:
        """By the driver itself: what Core makes of a result costs more than a narrow row."""
        text, order = self._compiled.get(conn.dialect.name) or self._compile(conn.dialect)
        if order is not None:
            rows = [tuple([row[at] for at in order]) for row in rows]
        cursor: Any = conn.connection.cursor()
        try:
            for listener in conn.dispatch.before_cursor_execute:
                listener(conn, cursor, text, rows if result is None else rows[0], None, result is None)
            if result is None:
                return cursor.executemany(text, rows)
            cursor.execute(text, rows[0])
            return result(cursor)
        except conn.dialect.loaded_dbapi.Error as error:
            raise _told(conn, text, error) from error
        finally:
            cursor.close()

    def _compile(self, dialect: Dialect) -> tuple[str, tuple[int, ...] | None]:
        named = self._statement
        statement = named[dialect.name] if isinstance(named, Mapping) else named
        positional: Any = type(dialect)
        compiled: Any = statement.compile(
            dialect=positional(paramstyle=_STYLES[dialect.name]),
            column_keys=self._names if isinstance(statement, Insert) else None,
        )
        found = tuple(compiled.positiontup)
        in_order = not self._names or found == self._names
        order = None if in_order else tuple(self._names.index(name) for name in found)
        self._compiled[dialect.name] = str(compiled), order
        return self._compiled[dialect.name]


def _rows(cursor: Any) -> Any:
    return cursor.fetchall()


def _count(cursor: Any) -> Any:
    return cursor.rowcount


def _told(conn: Connection, text: str, error: Exception) -> Exception:
    """The driver's error as Core tells it; a connection that is lost is known to be lost."""
    dialect: Any = conn.dialect
    lost = dialect.is_disconnect(error, conn.connection, None)
    if lost:
        conn.invalidate(error)
    told: Exception = DBAPIError.instance(
        text,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=lost,
        dialect=dialect,
    )
    return told


Parameters = list[BindParameter[Any]]


class PreparedLists:
    """A SELECT with lists of values (`IN`), all of one length: compiled for 1, 2, 4, 8 … of them.

    `build` gets the parameters of each list, which stand in the statement in this order. Shorter lists are filled
    up with their last value.
    """

    def __init__(self, build: Callable[..., ClauseElement], lists: int = 1) -> None:
        self._build = build
        self._lists = lists
        self._by_length: dict[int, Prepared] = {}

    def rows(self, conn: Connection, *lists: Sequence[Any]) -> list[Values]:
        """No list may be empty."""
        length = 1 << (max(map(len, lists)) - 1).bit_length()
        prepared = self._by_length.get(length) or self._prepare(length)
        values: list[Any] = []
        for one in lists:
            values += one
            values += [one[-1]] * (length - len(one))
        return prepared.rows(conn, tuple(values))

    def _prepare(self, length: int) -> Prepared:
        lists: list[Parameters] = [
            [bindparam("value", unique=True) for _ in range(length)] for _ in range(self._lists)
        ]
        self._by_length[length] = Prepared(self._build(*lists))
        return self._by_length[length]
