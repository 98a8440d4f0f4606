"""What a handset says of being texted: STOP, START, and the one text that confirms it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import Connection

from gateway_core import optouts
from gateway_core.accounts import Terms
from gateway_core.directory import Number, raise_revision
from gateway_core.moves import Context
from gateway_core.notices import Notice
from gateway_core.sms import MO


class Asked(NamedTuple):
    """A STOP or a START that was heard on a number of ours."""

    mo: MO
    said: optouts.Said
    account_id: int | None  # who confirms it; on a shared number whoever texted the handset last
    confirm: str


def read(context: Context, number: Number | None, mo: MO, account_id: int | None) -> Asked | None:
    """None where the text is none of both. Only a number of ours can be told: nobody texts from others."""
    if number is None:
        return None
    terms = context.accounts[account_id].terms if account_id is not None else Terms()
    stop = optouts.is_stop(mo.text, terms)
    if not stop and not optouts.is_start(mo.text, terms):
        return None
    scope = optouts.scope(number.msisdn, number.account_id or 0, shared=number.account_id is None)
    said = optouts.Said(mo.handset, scope, active=stop, source="handset", words=mo.text)
    return Asked(mo, said, account_id, terms.stop_reply if stop else terms.start_reply)


def shown(notice: Notice, asked: Asked) -> Notice:
    """The reply as its reader gets it: with what it means."""
    return replace(notice, facts={**notice.facts, "opted_out": asked.said.active})


def keep(conn: Connection, context: Context, said: Sequence[optouts.Said]) -> list[bool]:
    """Write what was said; whether each changed anything. Every process hears of a scope that is new."""
    changed = optouts.say(conn, context.ids, said)
    if any(one.scope not in context.opted_out for one in said):
        raise_revision(conn)
    return changed


def take(conn: Connection, context: Context, asked: Sequence[Asked]) -> list[Notice]:
    """Keep them; the confirmations that are owed. What changes nothing, as a second STOP, is not confirmed again."""
    if not asked:
        return []
    changed = keep(conn, context, [one.said for one in asked])
    return [_confirmation(one) for one, new in zip(asked, changed, strict=True) if new and _can_confirm(one)]


def _can_confirm(asked: Asked) -> bool:
    return asked.account_id is not None and bool(asked.confirm)


def _confirmation(asked: Asked) -> Notice:
    mo = asked.mo
    facts = {"to": mo.handset, "sender_id": mo.number, "text": asked.confirm}
    return Notice(asked.account_id, f"opting:{mo.number}:{mo.handset}:{mo.carrier_ref}", "text", facts)
