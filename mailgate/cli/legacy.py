"""`mailgate legacy list|show`: what forgotten devices said at their first contact."""

import argparse
import contextlib
import ipaddress
from typing import Any

from sqlalchemy import RowMapping

from gateway_core.errors import SettingsError
from mailgate import legacy
from mailgate import shown as showing
from mailgate.cli import opening, printing


def list_contacts(arguments: argparse.Namespace) -> int:
    with opening.gateway(arguments) as opened, opened.gateway.reader.connect() as conn:
        found = [_shown(row) for row in legacy.newest(conn)]
    if arguments.json:
        printing.as_json(found)
    else:
        columns = ("at", "peer", "profile")
        printing.table(columns, [[contact[column] for column in columns] for contact in found])
    return 0


def show_contact(arguments: argparse.Namespace) -> int:
    with opening.gateway(arguments) as opened, opened.gateway.reader.connect() as conn:
        row = legacy.of_peer(conn, _as_stored(arguments.peer))
    if row is None:
        raise SettingsError(
            f"there is no first contact of {arguments.peer!r}; mailgate legacy list names all"
        )
    found = {**_shown(row), "transcript": _printable(row["transcript"])}
    if arguments.json:
        printing.as_json(found)
    else:
        for name in ("peer", "profile", "at"):
            print(f"{name:20}{found[name]}")
        print(f"\n{found['transcript']}")
    return 0


def _shown(row: RowMapping) -> dict[str, Any]:
    return {"peer": row["peer"], "profile": row["profile"], "at": showing.time(row["at"])}


def _as_stored(peer: str) -> str:
    """An address has one short form (RFC 5952)."""
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(peer))
    return peer


def _printable(text: str) -> str:
    """A device may send what a terminal obeys."""
    return "".join(
        char if char == "\n" or char.isprintable() else char.encode("unicode_escape").decode()
        for char in text
    )
