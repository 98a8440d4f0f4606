"""`mailgate apply` and `mailgate migrate`."""

import argparse
from collections.abc import Sequence

from sqlalchemy import Connection

from gateway_core.errors import GatewayError
from gateway_core.storage import schema
from gateway_core.storage.ids import Ids
from mailgate import apply, rows
from mailgate.cli import opening


class _DryRun(GatewayError):
    """Ends the transaction without a commit; carries what would have changed."""

    def __init__(self, changes: list[str]) -> None:
        super().__init__("dry run")
        self.changes = changes


def apply_file(arguments: argparse.Namespace) -> int:
    document = apply.read(arguments.file)
    with opening.gateway(arguments) as opened:
        unit = (opened.gateway.ids, document, bool(arguments.dry_run))
        try:
            changes = opened.gateway.writer.put(_fold, unit).result()
        except _DryRun as planned:
            changes = planned.changes
    for change in changes:
        print(change)
    if not changes:
        print("nothing to change")
    return 0


def _fold(conn: Connection, units: Sequence[tuple[Ids, rows.Document, bool]]) -> list[list[str]]:
    results = []
    for ids, document, dry_run in units:
        changes = apply.apply(conn, ids, document)
        if dry_run:
            raise _DryRun(changes)
        results.append(changes)
    return results


def migrate(arguments: argparse.Namespace) -> int:
    chosen, _ = opening.read_settings(arguments)
    engine = opening.database(chosen.database.url)
    try:
        before, after = schema.migrate(engine)
    finally:
        engine.dispose()
    print(
        f"the database is at {after}"
        if before == after
        else f"the database went from {before or 'empty'} to {after}"
    )
    return 0
