"""`mailgate optout list|add|remove`. Without --account or --number: of everybody."""

import argparse
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from gateway_core import numbers, opting, optouts
from gateway_core.errors import BadNumber, SettingsError
from gateway_core.gateway import Gateway
from gateway_core.moves import Context
from gateway_core.optouts import Said
from mailgate import shown
from mailgate.cli import opening, printing

_COLUMNS = ("handset", "scope", "active", "source", "words", "since", "changed")


def list_optouts(arguments: argparse.Namespace) -> int:
    with opening.gateway(arguments) as opened, opened.gateway.reader.connect() as conn:
        wanted = _scope(opened.gateway, arguments) if arguments.account or arguments.number else None
        handset = _handset(arguments.handset) if arguments.handset else None
        found = [_shown(opened.gateway, row) for row in optouts.page(conn, wanted, handset)]
    if arguments.json:
        printing.as_json(found)
    else:
        printing.table(_COLUMNS, [[row[column] for column in _COLUMNS] for row in found])
    return 0


def add_optout(arguments: argparse.Namespace) -> int:
    return _say(arguments, active=True)


def remove_optout(arguments: argparse.Namespace) -> int:
    return _say(arguments, active=False)


def _say(arguments: argparse.Namespace, *, active: bool) -> int:
    with opening.gateway(arguments) as opened:
        gateway = opened.gateway
        said = Said(
            _handset(arguments.handset), _scope(gateway, arguments), active, "operator", arguments.note
        )
        changed = gateway.writer.put(_fold, (gateway.context, said)).result()
    what = "opted out" if active else "may be texted"
    print(f"{said.handset} {what}{'' if changed else ' already'}")
    return 0


def _fold(conn: Connection, units: Sequence[tuple[Context, Said]]) -> list[bool]:
    return [opting.keep(conn, context, [said])[0] for context, said in units]


def _handset(typed: str) -> str:
    try:
        return numbers.parse_e164(typed)
    except BadNumber as error:
        raise SettingsError(f"NUMBER: {error}") from None


def _scope(gateway: Gateway, arguments: argparse.Namespace) -> str:
    if arguments.account:
        account = gateway.snapshot.account(arguments.account)
        if account is None:
            raise SettingsError(f"--account: there is no account {arguments.account!r}")
        return optouts.scope("", account.id, shared=False)
    if arguments.number:
        if arguments.number not in gateway.snapshot.shared:
            raise SettingsError(
                f"--number: {arguments.number} is not a shared number of ours; name its account"
            )
        return optouts.scope(arguments.number, 0, shared=True)
    return optouts.ALL


def _shown(gateway: Gateway, row: Any) -> dict[str, Any]:
    """With the account's name, which people know, for its id."""
    kind, _, of = row["scope"].partition(":")
    account = gateway.snapshot.accounts.get(int(of)) if kind == "account" else None
    return {
        "handset": row["handset"],
        "scope": f"account:{account.name}" if account else row["scope"],
        "active": row["active"],
        "source": row["source"],
        "words": row["words"],
        "since": shown.time(row["since_at"]),
        "changed": shown.time(row["changed_at"]),
    }
