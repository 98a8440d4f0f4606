"""`mailgate notice list` and `mailgate bounce list|remove`: the mail that we owe people, and where it comes back."""

import argparse
from typing import Any

from gateway_core import notices
from gateway_core.errors import GatewayError
from gateway_core.storage import ids
from mailgate import bounces, shown, trust
from mailgate.cli import opening, printing

_NOTICES = ("id", "created", "kind", "state", "tries", "mailed_to", "message", "words")
_BOUNCES = ("address", "since", "until", "notice", "words")


class _NotFound(GatewayError):
    pass


def list_notices(arguments: argparse.Namespace) -> int:
    """Newest first."""
    with opening.gateway(arguments) as opened, opened.gateway.reader.connect() as conn:
        found = [as_shown(row) for row in notices.page(conn, arguments.state, arguments.limit)]
    return _print(arguments, _NOTICES, found)


def as_shown(row: Any) -> dict[str, Any]:
    return {
        "id": ids.show("n", row.id),
        "created": shown.time(row.created_at),
        "kind": row.kind,
        "state": row.state,
        "tries": row.tries,
        "mailed_to": row.mailed_to,
        "message": ids.show("m", row.message_id) if row.message_id else "",
        "words": row.words,
    }


def list_bounces(arguments: argparse.Namespace) -> int:
    with opening.gateway(arguments) as opened, opened.gateway.reader.connect() as conn:
        found = [
            {
                "address": row.address,
                "since": shown.time(row.since_at),
                "until": shown.time(row.until_at),
                "notice": ids.show("n", row.notice_id),
                "words": row.words,
            }
            for row in bounces.page(conn)
        ]
    return _print(arguments, _BOUNCES, found)


def remove_bounce(arguments: argparse.Namespace) -> int:
    with opening.gateway(arguments) as opened:
        gone = opened.gateway.writer.put(bounces.revive, trust.normal(arguments.address)).result()
    if not gone:
        raise _NotFound(f"mail to {arguments.address} does not come back")
    print(f"mail goes to {arguments.address} again")
    return 0


def _print(arguments: argparse.Namespace, columns: tuple[str, ...], found: list[dict[str, Any]]) -> int:
    if arguments.json:
        printing.as_json(found)
    else:
        printing.table(columns, [[row[column] for column in columns] for row in found])
    return 0
