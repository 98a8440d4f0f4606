"""`mailgate route list|pause|resume`. A change acts within two seconds in every process."""

import argparse
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, select, update

from gateway_core.directory import raise_revision
from gateway_core.errors import SettingsError
from gateway_core.storage import tables
from mailgate.cli import opening, printing

_COLUMNS = ("name", "carrier", "priority", "weight", "prefixes", "paused", "waiting")
_r, _m = tables.route.c, tables.message.c


def list_routes(arguments: argparse.Namespace) -> int:
    with opening.gateway(arguments) as opened, opened.gateway.reader.connect() as conn:
        waiting: dict[int, int] = dict(
            conn.execute(
                select(_m.route_id, func.count())
                .where(_m.state.in_(["HELD", "QUEUED"]), tables.EXPIRABLE)
                .group_by(_m.route_id)
            ).all()
        )
        found = [
            _shown(row, waiting.get(row["id"], 0))
            for row in conn.execute(select(tables.route).order_by(_r.priority, _r.name)).mappings()
        ]
    if arguments.json:
        printing.as_json(found)
    else:
        printing.table(
            _COLUMNS,
            [
                [" ".join(v) if isinstance(v := row[column], list) else v for column in _COLUMNS]
                for row in found
            ],
        )
    return 0


def _shown(row: Any, waiting: int) -> dict[str, Any]:
    columns = ("name", "carrier", "priority", "weight", "prefixes", "accounts", "sender_ids", "paused")
    return {**{column: row[column] for column in columns}, "waiting": waiting}


def pause_route(arguments: argparse.Namespace) -> int:
    return _set(arguments, paused=True)


def resume_route(arguments: argparse.Namespace) -> int:
    return _set(arguments, paused=False)


def _set(arguments: argparse.Namespace, *, paused: bool) -> int:
    with opening.gateway(arguments) as opened:
        changed = opened.gateway.writer.put(_fold, (arguments.name, paused)).result()
    if not changed:
        raise SettingsError(f"NAME: there is no route {arguments.name!r}")
    print(f"{arguments.name} {'is paused' if paused else 'runs'}")
    return 0


def _fold(conn: Connection, units: Sequence[tuple[str, bool]]) -> list[int]:
    changed = [
        conn.execute(update(tables.route).where(_r.name == name).values(paused=paused)).rowcount
        for name, paused in units
    ]
    raise_revision(conn)
    return changed
