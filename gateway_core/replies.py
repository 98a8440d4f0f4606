"""Texts from handsets: stored once, given to whoever they are for."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from gateway_core import conversations, opting, words
from gateway_core.conversations import Said
from gateway_core.directory import Keyword, Number, Snapshot
from gateway_core.moves import Context
from gateway_core.notices import Notice, owe
from gateway_core.sms import MO
from gateway_core.storage import clock, tables

DEFAULT = "*"  # the keyword for what begins with no other
_LONGEST = 200  # characters of a text in which keywords are looked for

_t, _m = tables.mo.c, tables.message.c


def take(conn: Connection, context: Context, snapshot: Snapshot, mos: Sequence[tuple[int, MO]]) -> None:
    """Store (route, MO) pairs that are new, and owe a notice of each: to the conversation, else the keyword,
    else the number, else the account. A text for nobody is stored all the same.
    """
    new = _new(conn, mos)
    if not new:
        return
    talks = conversations.find(conn, [(mo.handset, mo.number) for _, mo in new])
    wanted = _wants_notices(conn, [talk.message_id for talk in talks.values() if talk.message_id])
    rows, owed, begun, said = [], [], [], []
    for route_id, mo in new:
        row, notices = _place(context, snapshot, mo, talks.get((mo.handset, mo.number)), wanted)
        rows.append({**row, "route_id": route_id})
        if asked := opting.read(context, snapshot.numbers.get(mo.number), mo, row["account_id"]):
            said.append(asked)
            notices = [opting.shown(notice, asked) for notice in notices]
        if row["account_id"]:
            owed += notices
            begun.append(Said(row["account_id"], mo.number, mo.handset, None))
    conn.execute(insert(tables.mo), rows)
    conversations.begun(conn, context.ids, begun)
    owed += opting.take(conn, context, said)
    owe(conn, context.ids, owed)


def _new(conn: Connection, mos: Sequence[tuple[int, MO]]) -> list[tuple[int, MO]]:
    keys = {(route_id, mo.carrier_ref): (route_id, mo) for route_id, mo in mos}
    routes, refs = {route_id for route_id, _ in keys}, {ref for _, ref in keys}
    known = conn.execute(
        select(_t.route_id, _t.carrier_ref).where(_t.route_id.in_(routes), _t.carrier_ref.in_(refs))
    )
    for row in known:
        keys.pop((row.route_id, row.carrier_ref), None)
    return list(keys.values())


def _wants_notices(conn: Connection, message_ids: Sequence[int]) -> set[int]:
    """Of these messages, those whose submitter is to be told."""
    found = select(_m.id).where(_m.id.in_(message_ids), _m.notify)
    return set(conn.execute(found).scalars()) if message_ids else set()


def _place(
    context: Context, snapshot: Snapshot, mo: MO, talk: Row[Any] | None, wanted: set[int]
) -> tuple[dict[str, Any], list[Notice]]:
    number = snapshot.numbers.get(mo.number)
    keyword = _keyword(snapshot, number, mo.text, talk)
    account_id = _owner(number, keyword, talk)
    mine = talk if talk and talk.account_id == account_id else None
    message_id = mine.message_id if mine else None
    mo_id = context.ids.new()
    row: dict[str, Any] = {
        "id": mo_id,
        "carrier_ref": mo.carrier_ref,
        "handset": mo.handset,
        "number": mo.number,
        "text": mo.text,
        "account_id": account_id,
        "message_id": message_id,
        "received_at": clock.now(),
    }
    if account_id is None:
        return row, []
    if message_id in wanted:
        targets: tuple[str, ...] = ("",)
    else:
        chosen = keyword.forward_to if keyword else number.forward_to if number else ()
        terms = context.accounts[account_id].terms
        targets = chosen or tuple(f"mailto:{address}" for address in terms.replies_to)
    facts: dict[str, Any] = {"handset": mo.handset, "number": mo.number, "text": mo.text}
    if message_id and mine and conversations.is_guess(mine):
        facts["guessed"] = True
    return row, [
        Notice(account_id, f"reply:{mo_id}:{target}", "reply", facts, target, message_id, mo_id)
        for target in targets
    ]


def _keyword(snapshot: Snapshot, number: Number | None, text: str, talk: Row[Any] | None) -> Keyword | None:
    """The longest keyword of a number that the text begins with, in whole words. The default, *, is for what begins
    with none and answers nobody.
    """
    if number is None:
        return None
    said = words.normal(text[:_LONGEST])
    keywords = snapshot.keywords.get(number.id, ())
    fitting = [one for one in keywords if one.word != DEFAULT and words.begins_with(said, one.word)]
    if fitting:
        return max(fitting, key=lambda one: len(one.word))
    default = next((one for one in keywords if one.word == DEFAULT), None)
    return default if talk is None or talk.message_id is None else None


def _owner(number: Number | None, keyword: Keyword | None, talk: Row[Any] | None) -> int | None:
    """A dedicated number's account; on a shared one the keyword's, else whoever texted the handset last."""
    if number and number.account_id:
        return number.account_id
    if keyword:
        return keyword.account_id
    return talk.account_id if talk else None
