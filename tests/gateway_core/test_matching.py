"""Whose a receipt is: ids that carriers write in two ways, our own reference, the handset, and what is left."""

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import time_machine
from core_support import FAKE, PHONE, route_row, wait_for
from fake_carriers import FakeCarrier, FakeWorld, accept_all, fake_world, say_nothing
from hypothesis import given
from hypothesis import strategies as st

from gateway_core import matching, receipts
from gateway_core.errors import CarrierError, CarrierRejected, CarrierThrottled, CarrierUnavailable
from gateway_core.messages import State
from gateway_core.sms import DLR, MT, Answer, DlrState
from gateway_core.storage import clock, tables

D, U = DlrState.DELIVERED, DlrState.UNDELIVERED
ELSEWHERE = 7  # another route
BIG = 2**100 + 12345


@pytest.mark.parametrize(
    ("one", "form", "other", "other_form"),
    [
        ("1234", "text", "1234", "text"),
        ("ABCdef-1", "text", " abcDEF-1 ", "text"),
        ("00001234", "decimal", "1234", "decimal"),
        ("4D2", "hex", "1234", "decimal"),
        ("0004d2", "hex", "1234", "decimal"),
        ("0x4D2", "hex", "1234", "decimal"),
        ("FFFFFFFFFFFFFFFF", "hex", "18446744073709551615", "decimal"),  # over 63 bits
        (f"{BIG:X}", "hex", f"{BIG}", "decimal"),
        (f"{BIG:030x}", "hex", f"000{BIG}", "decimal"),
        ("a4f9-uuid", "decimal", "A4F9-UUID", "decimal"),  # no number: compared as text
        ("", "hex", "  ", "decimal"),
    ],
)
def test_one_id_in_two_forms(one: str, form: str, other: str, other_form: str) -> None:
    assert matching.normal(one, form) == matching.normal(other, other_form)


@pytest.mark.parametrize(
    ("one", "form", "other", "other_form"),
    [
        ("1234", "text", "01234", "text"),
        ("1234", "hex", "1234", "decimal"),
        ("12", "decimal", "1２", "decimal"),  # digits of another script are no digits
        ("9" * 65, "decimal", "0" + "9" * 65, "decimal"),  # longer than any id: text
    ],
)
def test_two_ids(one: str, form: str, other: str, other_form: str) -> None:
    assert matching.normal(one, form) != matching.normal(other, other_form)


@given(st.text(max_size=80), st.sampled_from(["text", "decimal", "hex", "other"]))
def test_any_id_has_a_form(value: str, form: str) -> None:
    once = matching.normal(value, form)
    assert matching.normal(once, "text") == once


# --- through the doors --------------------------------------------------------------------------------------

World = Callable[..., FakeWorld]


@pytest.fixture
def made(database_url: str) -> Iterator[World]:
    with fake_world(database_url) as core:
        core.add(tables.route, route_row(ELSEWHERE, "fake", name="elsewhere", prefixes=["+99"]))

        def with_settings(**settings: Any) -> FakeWorld:
            quick = {"response_timeout_seconds": 0.3, "resend_wait_seconds": 60}
            core.change(tables.route, FAKE, settings=quick | settings)
            core.gateway.directory.refresh()
            return core

        yield with_settings


def with_id(carrier_ref: str) -> Callable[[FakeCarrier, Sequence[MT]], None]:
    def plan(carrier: FakeCarrier, mts: Sequence[MT]) -> None:
        carrier.host.answered([Answer(mt.ref, carrier_ref=carrier_ref) for mt in mts])

    return plan


def test_an_answer_in_hex_and_its_receipt_in_decimal(made: World) -> None:
    core = made(submit_ids="hex", receipt_ids="decimal")
    core.plan(with_id(f"{BIG:X}"))
    message = core.accept()
    core.dispatch()
    core.deliver(DLR(f"0{BIG}", D, 1), route_id=FAKE)
    assert core.state(message) == State.DELIVERED
    (row,) = core.rows(tables.receipt)
    assert (row.raw_ref, row.carrier_ref) == (f"0{BIG}", str(BIG))


def test_our_own_reference_wins_over_the_id(made: World) -> None:
    core = made()
    core.plan(with_id("same"))
    first, second = core.accept(), core.accept()
    core.dispatch()
    mts = {mt.message_id: mt for written in core.carrier.written for mt in written}
    core.deliver(DLR("same", D, 1, ref=mts[first].ref), route_id=FAKE)
    assert (core.state(first), core.state(second)) == (State.DELIVERED, State.SUBMITTED)
    core.deliver(DLR("", D, 1, ref=mts[second].ref), route_id=FAKE)  # without any id
    assert core.state(second) == State.DELIVERED


def test_a_reference_of_another_route_is_not_believed(made: World) -> None:
    core = made()
    message = core.accept()
    core.dispatch()
    core.deliver(DLR("x", D, 1, ref=core.carrier.written[0][0].ref), route_id=ELSEWHERE)
    assert core.state(message) == State.SUBMITTED


@pytest.mark.parametrize("handset", ["+447700900123", "447700900123", "07700900123", "7700900123"])
def test_an_id_that_is_used_again_is_the_handsets(made: World, handset: str) -> None:
    core = made()
    core.plan(with_id("7"))
    old = core.accept(PHONE)
    core.dispatch()
    new = core.accept("+447700900124")
    core.dispatch()
    core.deliver(DLR("7", D, 1, handset=handset), route_id=FAKE)
    assert (core.state(old), core.state(new)) == (State.DELIVERED, State.SUBMITTED)


# --- inferred -----------------------------------------------------------------------------------------------


def uncertain(core: FakeWorld, to: str = PHONE) -> int:
    core.plan(say_nothing)
    message = core.accept(to)
    core.dispatch()
    wait_for(lambda: core.tick() or core.state(message) == State.UNCERTAIN)
    return message


def look_again(core: FakeWorld) -> None:
    for row in core.rows(tables.receipt):
        if row.due_at:
            core.change(tables.receipt, row.id, due_at=0)
    core.sweep()


def test_what_can_only_be_one_text_proves_it_and_says_that_it_was_inferred(made: World) -> None:
    core = made()
    message = uncertain(core)
    core.deliver(DLR("never seen", DlrState.ENROUTE, 0, handset=PHONE), route_id=FAKE)
    core.deliver(DLR("never seen", D, 1, handset=PHONE), route_id=FAKE)
    assert core.state(message) == State.UNCERTAIN  # whose it is may still be said by a late answer
    look_again(core)
    assert core.state(message) == State.DELIVERED
    assert core.message(message)["reason"] == "inferred"
    assert [(row.inferred, row.attempt_id is None) for row in core.rows(tables.receipt)] == [
        (True, False),
        (True, False),
    ]


def test_what_is_said_later_under_an_inferred_id_is_of_it_too(made: World) -> None:
    core = made()
    message = uncertain(core)
    core.deliver(DLR("never seen", DlrState.ACCEPTED, 0, handset=PHONE), route_id=FAKE)
    look_again(core)
    assert core.state(message) == State.SUBMITTED
    core.deliver(DLR("never seen", D, 1, handset=PHONE), route_id=FAKE)
    assert core.state(message) == State.DELIVERED


@pytest.mark.parametrize(
    "why",
    [
        "two of them",
        "two receipts",
        "another handset",
        "no handset",
        "another route",
        "long ago",
        "before it",
    ],
)
def test_what_may_be_another_text_proves_nothing(made: World, why: str) -> None:
    core = made()
    message = uncertain(core)
    if why == "two of them":
        uncertain(core)
    handset = {"another handset": "+447700900124", "no handset": ""}.get(why, PHONE)
    later = {"long ago": 31 * 60, "before it": -60}.get(why, 0)
    route_id = ELSEWHERE if why == "another route" else FAKE
    with time_machine.travel(clock.now() / 1000 + later):
        core.deliver(DLR("never seen", D, 1, handset=handset), route_id=route_id)
        if why == "two receipts":
            core.deliver(DLR("never seen either", D, 1, handset=handset), route_id=route_id)
    look_again(core)
    assert core.state(message) == State.UNCERTAIN
    assert core.rows(tables.receipt)[0].attempt_id is None


def test_a_receipt_of_a_text_whose_answer_is_on_its_way_is_not_another_ones(made: World) -> None:
    core = made()
    lost = uncertain(core)
    flying = core.accept()
    core.dispatch()
    core.deliver(DLR(f"f-{core.carrier.written[-1][0].ref}", D, 1, handset=PHONE), route_id=FAKE)
    look_again(core)
    assert (core.state(lost), core.state(flying)) == (State.UNCERTAIN, State.SUBMITTING)
    accept_all(core.carrier, core.carrier.written[-1])
    core.settle()
    assert (core.state(lost), core.state(flying)) == (State.UNCERTAIN, State.DELIVERED)


def test_the_lost_submit_of_a_text_that_was_sent_again_is_a_rival(made: World) -> None:
    core = made(resend_wait_seconds=0)
    twice = uncertain(core)
    core.plan(accept_all)
    core.until(twice, State.SUBMITTED)
    made(resend_wait_seconds=60)
    lost = uncertain(core)
    core.deliver(DLR("never seen", D, 1, handset=PHONE), route_id=FAKE)
    look_again(core)
    assert (core.state(lost), core.state(twice)) == (State.UNCERTAIN, State.SUBMITTED)


@pytest.mark.parametrize("by", ["our reference", "inference"])
def test_a_receipt_that_comes_before_its_answer_is_lost_is_kept(made: World, by: str) -> None:
    core = made()
    core.plan(say_nothing)
    message = core.accept()
    core.dispatch()
    ref = core.carrier.written[0][0].ref if by == "our reference" else None
    core.deliver(DLR("never seen", D, 1, handset=PHONE, ref=ref), route_id=FAKE)
    assert core.state(message) == State.SUBMITTING
    wait_for(lambda: core.tick() or core.state(message) != State.SUBMITTING)
    look_again(core)
    assert core.state(message) == State.DELIVERED
    assert core.path(message) == ["QUEUED", "CLAIMED", "SUBMITTING", "UNCERTAIN", "DELIVERED"]


def test_a_text_that_waits_to_be_sent_again_is_not_once_a_receipt_proves_it(made: World) -> None:
    core = made(resend_wait_seconds=0)
    message = uncertain(core)
    ref = core.carrier.written[0][0].ref
    wait_for(lambda: core.sweep() and core.state(message) == State.QUEUED)
    core.deliver(DLR("x", D, 1, handset=PHONE, ref=ref), route_id=FAKE)
    core.dispatch()
    assert core.state(message) == State.DELIVERED
    assert len(core.carrier.written) == 1


@pytest.mark.parametrize(
    "error", [CarrierRejected("1", "no"), CarrierThrottled("later", 60), CarrierUnavailable("down")]
)
def test_an_answer_cannot_deny_what_a_receipt_has_proved(made: World, error: CarrierError) -> None:
    core = made()
    core.plan(say_nothing)
    message = core.accept()
    core.dispatch()
    ((mt,),) = core.carrier.written
    core.deliver(DLR("x", D, 1, ref=mt.ref), route_id=FAKE)
    core.carrier.host.answered([Answer(mt.ref, error=error)])
    core.settle()
    assert core.state(message) == State.DELIVERED


@pytest.mark.parametrize(("days", "state"), [(6, State.DELIVERED), (8, State.SUBMITTED)])
def test_an_id_is_forgotten_some_days_after_its_text(made: World, days: int, state: State) -> None:
    core = made()
    core.plan(with_id("7"))
    old = core.accept()
    core.dispatch()
    core.change(tables.message, old, final_by=clock.now() - days * clock.DAY)
    core.deliver(DLR("7", D, 1, handset=PHONE), route_id=FAKE)
    assert core.state(old) == state


@pytest.mark.parametrize(("minutes", "state"), [(9, State.DELIVERED), (11, State.SUBMITTED)])
def test_an_old_orphan_is_not_of_a_new_text_with_its_id(made: World, minutes: int, state: State) -> None:
    """A few minutes are for machines whose clocks differ."""
    core = made()
    with time_machine.travel(clock.now() / 1000 - minutes * 60):
        core.deliver(DLR("7", D, 1, handset=PHONE), route_id=FAKE)
    core.plan(with_id("7"))
    message = core.accept()
    core.dispatch()
    assert core.state(message) == state


def test_one_id_of_two_handsets_at_once(made: World) -> None:
    """Both receipts come before the answers; what is found for one is not found for the other."""
    core = made()
    core.plan(say_nothing)
    core.deliver(DLR("7", D, 1, handset="+447700900124"), route_id=FAKE)
    core.deliver(DLR("7", D, 2, handset=PHONE), route_id=FAKE)
    core.plan(with_id("7"))
    one = core.accept(PHONE)
    core.dispatch()
    assert core.state(one) == State.DELIVERED
    assert [row.attempt_id is None for row in core.rows(tables.receipt)] == [True, False]
    two = core.accept("+447700900124")
    core.dispatch()
    assert core.state(two) == State.DELIVERED


# --- parts and contradictions -------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [0, 1, 2])
def test_where_one_receipt_decides_any_part_of_the_text_may_have_it(made: World, part: int) -> None:
    core = made(receipt_parts="one")
    message = core.accept(body="x" * 400)
    core.dispatch()
    core.receipt(core.carrier.written[0][part])
    assert core.state(message) == State.DELIVERED


@pytest.mark.parametrize(("count", "words"), [(0, ""), (1, ""), (2, "absent")])
def test_how_much_of_a_long_text_arrived(made: World, count: int, words: str) -> None:
    core = made()
    message = core.accept(body="x" * 400)
    core.dispatch()
    parts = core.carrier.written[0]
    random.shuffle(parts)
    for mt in parts[:count]:
        core.receipt(mt)
    core.receipt(parts[-1], U, words=words)
    (notice,) = core.rows(tables.notice, message_id=message)
    assert notice.facts["words"] == f"delivered {count} of 3 parts" + (f"; {words}" if words else "")


def test_a_contradiction_is_kept_once_in_the_trail_and_changes_nothing(made: World) -> None:
    core = made()
    before = conflicts()
    message = core.accept()
    core.dispatch()
    (mt,) = core.carrier.written[0]
    core.receipt(mt)
    for done_at in (2, 2, 3):
        core.receipt(mt, U, done_at)
    assert core.state(message) == State.DELIVERED
    reasons = [row.reason for row in core.rows(tables.event, message_id=message)]
    assert reasons.count("contradicted by UNDELIVERED") == 1
    assert core.notices(message) == [State.DELIVERED]
    assert conflicts() == before + 1


def conflicts() -> float:
    return float(receipts.CONFLICTS._value.get())  # type: ignore[no-untyped-call]


def test_orphans_are_counted(tmp_path: Path) -> None:
    before = receipts.ORPHANS._value.get()  # type: ignore[no-untyped-call]
    with fake_world(f"sqlite:///{tmp_path}/core.db") as core:
        core.deliver(DLR("nobody", D, 1), route_id=FAKE)
        with time_machine.travel(clock.now() / 1000 + 2 * 24 * 3600):
            core.sweep()
    assert receipts.ORPHANS._value.get() == before + 1  # type: ignore[no-untyped-call]
