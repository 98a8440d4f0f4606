"""The state machine, against the table that the design promises, written out here a second time."""

from itertools import product
from pathlib import Path

import pytest
from core_support import World, world
from sqlalchemy import Connection

from gateway_core import messages, moves
from gateway_core.messages import FINAL, MOVES, Actor, State, may_move
from gateway_core.moves import Move, Overtaken
from gateway_core.storage import tables

# from | to | who
DESIGN = """
HELD        | QUEUED      | sweeper operator
HELD        | CANCELLED   | account operator
HELD        | EXPIRED     | sweeper
QUEUED      | HELD        | dispatch
QUEUED      | CANCELLED   | account operator
QUEUED      | EXPIRED     | dispatch sweeper
QUEUED      | FAILED      | dispatch submit
QUEUED      | CLAIMED     | dispatch
CLAIMED     | QUEUED      | dispatch sweeper
CLAIMED     | SUBMITTING  | dispatch
SUBMITTING  | SUBMITTED   | dispatch
SUBMITTING  | SENT        | dispatch
SUBMITTING  | FAILED      | dispatch
SUBMITTING  | QUEUED      | dispatch
SUBMITTING  | UNCERTAIN   | dispatch sweeper
UNCERTAIN   | SUBMITTED   | dispatch receipts
UNCERTAIN   | SENT        | dispatch
UNCERTAIN   | FAILED      | dispatch
UNCERTAIN   | DELIVERED   | receipts
UNCERTAIN   | UNDELIVERED | receipts
UNCERTAIN   | EXPIRED     | receipts
UNCERTAIN   | QUEUED      | dispatch sweeper
UNCERTAIN   | UNKNOWN     | sweeper
SUBMITTED   | DELIVERED   | receipts
SUBMITTED   | UNDELIVERED | receipts
SUBMITTED   | EXPIRED     | receipts
SUBMITTED   | UNKNOWN     | sweeper
UNKNOWN     | DELIVERED   | receipts
UNKNOWN     | UNDELIVERED | receipts
UNKNOWN     | EXPIRED     | receipts
EXPIRED     | DELIVERED   | receipts
EXPIRED     | UNDELIVERED | receipts
UNDELIVERED | DELIVERED   | receipts
"""
# A text that waits to be sent again, and whose first submit turns out to have arrived.
NOT_AGAIN = """
HELD        | SUBMITTED   | receipts
HELD        | DELIVERED   | receipts
HELD        | UNDELIVERED | receipts
HELD        | EXPIRED     | receipts
QUEUED      | SUBMITTED   | receipts
QUEUED      | DELIVERED   | receipts
QUEUED      | UNDELIVERED | receipts
QUEUED      | EXPIRED     | receipts
"""

RANKS = {
    State.SENT: 70,
    State.UNKNOWN: 72,
    State.EXPIRED: 74,
    State.FAILED: 80,
    State.CANCELLED: 80,
    State.UNDELIVERED: 85,
    State.DELIVERED: 90,
}


def promised() -> dict[tuple[State, State], set[Actor]]:
    found: dict[tuple[State, State], set[Actor]] = {}
    for line in (DESIGN + NOT_AGAIN).split("\n"):
        if line:
            old, new, who = line.split("|")
            found.setdefault((State(old.strip()), State(new.strip())), set()).update(map(Actor, who.split()))
    return found


@pytest.fixture
def core(tmp_path: Path):
    with world(f"sqlite:///{tmp_path}/core.db") as made:
        yield made


@pytest.mark.parametrize(("old", "new"), list(product(State, State)))
def test_each_pair_of_states_is_allowed_to_whom_the_design_says(old: State, new: State) -> None:
    assert {actor for actor in Actor if may_move(old, new, actor)} == promised().get((old, new), set())


def test_the_final_states_are_the_seven_of_the_contract() -> None:
    assert set(RANKS) == FINAL


@pytest.mark.parametrize(("old", "new"), [pair for pair in MOVES if pair[0] in FINAL])
def test_what_has_ended_only_rises_and_only_by_a_receipt(old: State, new: State) -> None:
    assert RANKS[new] > RANKS[old]
    assert MOVES[old, new] == {Actor.RECEIPTS}


@pytest.mark.parametrize("state", [State.DELIVERED, State.FAILED, State.CANCELLED, State.SENT])
def test_a_hard_end_never_changes(state: State) -> None:
    assert not [pair for pair in MOVES if pair[0] == state]


def put_into(conn: Connection, message_id: int, state: State) -> messages.Current:
    m = tables.message
    conn.execute(m.update().where(m.c.id == message_id).values(state=state))
    return messages.lock(conn, [message_id])[message_id]


def try_to_move(core: World, message_id: int, old: State, new: State, actor: Actor) -> None:
    def fold(conn: Connection, units: list[None]) -> list[None]:
        was = put_into(conn, message_id, old)
        moves.make(conn, core.gateway.context, [Move(was, new, actor, "why")])
        return units

    core.gateway.writer.put(fold, None).result(10)


@pytest.mark.parametrize(("old", "new", "actor"), [(*pair, min(who)) for pair, who in promised().items()])
def test_every_move_leaves_an_event(core: World, old: State, new: State, actor: Actor) -> None:
    message = core.accept()
    try_to_move(core, message, old, new, actor)
    assert core.state(message) == new
    assert core.message(message)["reason"] == "why"
    assert core.trail(message) == [("", "QUEUED", "submit"), (old, new, actor)]


@pytest.mark.parametrize(
    ("old", "new", "actor"),
    [
        (State.DELIVERED, State.UNDELIVERED, Actor.RECEIPTS),
        (State.FAILED, State.DELIVERED, Actor.RECEIPTS),
        (State.SUBMITTING, State.DELIVERED, Actor.RECEIPTS),
        (State.SUBMITTED, State.QUEUED, Actor.SWEEPER),
        (State.UNCERTAIN, State.QUEUED, Actor.RECEIPTS),
        (State.CLAIMED, State.CANCELLED, Actor.ACCOUNT),
    ],
)
def test_what_is_not_in_the_table_does_not_happen(core: World, old: State, new: State, actor: Actor) -> None:
    message = core.accept()
    with pytest.raises(AssertionError, match="not in the table"):
        try_to_move(core, message, old, new, actor)
    assert core.path(message) == ["QUEUED"]
    assert core.state(message) == State.QUEUED


@pytest.mark.parametrize("changed", [{"fence": 7}, {"state": "HELD"}])
def test_a_move_that_somebody_overtook_is_rolled_back_whole(core: World, changed: dict[str, object]) -> None:
    one, two = core.accept(), core.accept()

    def fold(conn: Connection, units: list[None]) -> list[None]:
        held = messages.lock(conn, [one, two])
        m = tables.message
        conn.execute(m.update().where(m.c.id == two).values(**changed))
        todo = [Move(held[i], State.CANCELLED, Actor.ACCOUNT, "by_account") for i in (one, two)]
        moves.make(conn, core.gateway.context, todo)
        return units

    with pytest.raises(Overtaken):
        core.gateway.writer.put(fold, None).result(10)
    assert core.states() == {"QUEUED": 2}
    assert core.path(one) == core.path(two) == ["QUEUED"]
