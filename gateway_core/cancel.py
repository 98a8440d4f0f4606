"""Taking back what no carrier has yet."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway_core import messages, moves
from gateway_core.gateway import Gateway
from gateway_core.messages import Actor, State
from gateway_core.moves import Context, Move


@dataclass(frozen=True, slots=True)
class _Cancel:
    context: Context
    message_id: int
    actor: Actor


def cancel(gateway: Gateway, message_id: int, actor: Actor) -> "Future[State | None]":
    """HELD or QUEUED -> CANCELLED, refunded. The future holds the state before; None: no such message.

    A message in any other state is left as it is: the caller sees that state and says so.
    """
    return gateway.writer.put(fold, _Cancel(gateway.context, message_id, actor))


def fold(conn: Connection, units: Sequence[_Cancel]) -> list[State | None]:
    held = messages.lock(conn, [unit.message_id for unit in units])
    todo = {}
    for unit in units:
        was = held.get(unit.message_id)
        if was and messages.may_move(was.state, State.CANCELLED, unit.actor):
            todo[was.id] = Move(was, State.CANCELLED, unit.actor, f"by_{unit.actor}")
    moves.make(conn, units[0].context, list(todo.values()))
    return [held[unit.message_id].state if unit.message_id in held else None for unit in units]
