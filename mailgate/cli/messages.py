"""`mailgate message …` and `mailgate refusals`."""

import argparse
from typing import Any

from sqlalchemy import Connection

from gateway_core import cancel, keys, messages, notices
from gateway_core import refusals as refused
from gateway_core.errors import GatewayError
from gateway_core.messages import Actor, State
from gateway_core.storage import ids
from mailgate import shown
from mailgate.cli import notices as owed
from mailgate.cli import opening, printing


class _NotFound(GatewayError):
    pass


def list_messages(arguments: argparse.Namespace) -> int:
    if arguments.state and arguments.state not in State.__members__:
        raise _NotFound(f"--state: {arguments.state} is not a state; known: {', '.join(State)}")
    with opening.gateway(arguments) as opened, opened.gateway.reader.connect() as conn:
        account = opened.gateway.snapshot.account(arguments.account) if arguments.account else None
        if arguments.account and account is None:
            raise _NotFound(f"there is no account {arguments.account!r}")
        page = messages.page(
            conn,
            account_id=account.id if account else None,
            state=arguments.state,
            to=arguments.to,
            limit=arguments.limit,
        )
    found = [_shown(row) for row in page]
    if arguments.json:
        printing.as_json(found)
    else:
        columns = ("id", "created_at", "account", "to", "state", "reason", "segments", "price")
        printing.table(columns, [[message[column] for column in columns] for message in found])
    return 0


def show_message(arguments: argparse.Namespace) -> int:
    with opening.gateway(arguments) as opened, opened.gateway.reader.connect() as conn:
        found = [_with_trail(conn, row) for row in _find(conn, arguments.id)]
    if arguments.json:
        printing.as_json(found)
        return 0
    for message in found:
        for name, value in message.items():
            if name not in {"trail", "removed", "notices"}:
                print(f"{name:20}{_plain(value)}".rstrip())
        for piece in message["removed"]:
            print(f"  not texted, {piece['why']}: {piece['text']!r}")
        for event in message["trail"]:
            print(
                f"  {event['at']}  {event['actor']:9} {event['from'] or '-'} -> {event['to']}  {event['reason']}"
            )
        for one in message["notices"]:
            to = f" to {one['mailed_to']}" if one["mailed_to"] else ""
            print(
                f"  {one['created']}  mail {one['id']}  {one['kind']} {one['state']}{to}  {one['words']}".rstrip()
            )
        print()
    return 0


def _plain(value: Any) -> str:
    """For people: lists without brackets, nothing for nothing, the lines of a text below each other."""
    if isinstance(value, list):
        return ", ".join(value)
    return "" if value is None else str(value).replace("\n", "\n" + " " * 20)


def _with_trail(conn: Connection, row: Any) -> dict[str, Any]:
    origin = messages.origin(conn, row["submission_id"])
    left_out = {
        name: origin.get(name, []) for name in ("attachments", "removed")
    }  # of the mail, where it was one
    mailed = [owed.as_shown(one) for one in notices.of_message(conn, row["id"])]
    trail = shown.trail(messages.trail(conn, row["id"]))
    return {**_shown(row), **left_out, "trail": trail, "notices": mailed}


def _shown(row: Any) -> dict[str, Any]:
    """As the API shows it; an operator also sees whose it is."""
    return {**shown.message(row), "account": row["account"]}


def _find(conn: Connection, wanted: str) -> list[Any]:
    """By message id, submission id, or Message-ID."""
    message_id, submission_id = ids.read("m", wanted), ids.read("s", wanted)
    found: list[Any] = []
    if message_id is not None:
        found = [row for row in [messages.find(conn, message_id)] if row]
    elif submission_id is not None:
        found = list(messages.of_submission(conn, submission_id))
    found = found or list(messages.of_key(conn, keys.normal(wanted)))
    if not found:
        raise _NotFound(f"there is no message {wanted!r}")
    return found


def cancel_message(arguments: argparse.Namespace) -> int:
    message_id = ids.read("m", arguments.id)
    with opening.gateway(arguments) as opened:
        if message_id is None:
            raise _NotFound(f"{arguments.id!r} is not a message id")
        state = cancel.cancel(opened.gateway, message_id, Actor.OPERATOR).result()
    if state is None:
        raise _NotFound(f"there is no message {arguments.id!r}")
    if not messages.may_move(state, State.CANCELLED, Actor.OPERATOR):
        raise _NotFound(f"{arguments.id} is {state}: it cannot be taken back any more")
    print(f"{arguments.id} was {state}, is CANCELLED")
    return 0


def refusals(arguments: argparse.Namespace) -> int:
    with opening.gateway(arguments) as opened, opened.gateway.reader.connect() as conn:
        newest = refused.newest(conn, arguments.limit)
    found = [
        {
            "at": shown.time(row["last_at"]),
            "count": row["count"],
            "door": row["door"],
            "code": row["code"],
            "account": row["account"],
            "sender": row["sender"],
            "peer": row["peer"],
            "recipient": row["recipient"],
            "words": row["words"],
        }
        for row in newest
    ]
    if arguments.json:
        printing.as_json(found)
    else:
        columns = ("at", "count", "door", "code", "account", "sender", "peer", "recipient", "words")
        printing.table(columns, [[row[column] for column in columns] for row in found])
    return 0
