"""Texts from handsets: whose they are, who is told, and that each is stored once."""

from collections.abc import Iterator

import pytest
from core_support import ACCOUNT, OTHER, OURS, PHONE, SHARED, SIM, World, account_row, other_connection, world

from gateway_core.sms import DLR, MO, DlrState
from gateway_core.storage import tables

NOBODYS = "+447700900999"


@pytest.fixture
def core(database_url: str) -> Iterator[World]:
    people = [
        account_row(ACCOUNT, "demo", replies_to=["team@demo.example"]),
        account_row(OTHER, "other"),
    ]
    with world(database_url, people=people) as made:
        made.add(
            tables.keyword,
            {
                "id": 1,
                "number_id": 2,
                "word": "PIZZA",
                "account_id": OTHER,
                "forward_to": ["mailto:pizza@x.example"],
            },
            {"id": 2, "number_id": 2, "word": "NEWS", "account_id": ACCOUNT, "forward_to": []},
        )
        yield made


def answers(
    core: World, text: str, number: str = OURS, ref: str = "mo-1"
) -> tuple[int | None, int | None, list[str]]:
    """(account, message that it answers, who is told)"""
    core.deliver(MO(ref, PHONE, number, text))
    (row,) = core.rows(tables.mo, carrier_ref=ref)
    return row.account_id, row.message_id, [n.target for n in core.rows(tables.notice, mo_id=row.id)]


def test_the_answer_goes_to_whoever_texted(core: World) -> None:
    message = core.accept()
    assert answers(core, "yes") == (ACCOUNT, message, [""])
    (notice,) = core.rows(tables.notice)
    assert (notice.kind, notice.facts) == ("reply", {"handset": PHONE, "number": OURS, "text": "yes"})


def test_the_last_writer_owns_the_conversation(core: World) -> None:
    core.accept()
    second = core.accept()
    assert answers(core, "yes")[1] == second
    third = core.accept()
    assert answers(core, "again", ref="mo-2")[1] == third


def test_on_a_shared_number_the_last_account_that_texted_the_phone(core: World) -> None:
    core.accept(sender_id=SHARED)
    message = core.accept(sender_id=SHARED, account=OTHER)
    assert answers(core, "yes", SHARED) == (OTHER, message, [""])


def test_a_keyword_picks_the_account_of_a_shared_number(core: World) -> None:
    assert answers(core, "pizza margherita", SHARED) == (OTHER, None, ["mailto:pizza@x.example"])
    assert answers(core, "PIZZAS", SHARED, "mo-2") == (OTHER, None, [])  # the conversation goes on
    assert answers(core, "News", SHARED, "mo-3") == (ACCOUNT, None, ["mailto:team@demo.example"])


def test_a_keyword_wins_over_another_accounts_conversation(core: World) -> None:
    core.accept(sender_id=SHARED)
    assert answers(core, "PIZZA", SHARED) == (OTHER, None, ["mailto:pizza@x.example"])


def test_a_text_that_nobody_began_goes_where_the_number_says(core: World) -> None:
    core.change(tables.number, 1, forward_to=["mailto:desk@demo.example", "https://demo.example/sms"])
    core.gateway.directory.refresh()
    assert answers(core, "hello") == (ACCOUNT, None, ["mailto:desk@demo.example", "https://demo.example/sms"])


def test_else_where_the_account_says(core: World) -> None:
    assert answers(core, "hello") == (ACCOUNT, None, ["mailto:team@demo.example"])


def test_an_answer_to_a_text_that_wants_no_notices_goes_where_the_account_says(core: World) -> None:
    message = core.accept(notify=False)
    assert answers(core, "yes") == (ACCOUNT, message, ["mailto:team@demo.example"])


@pytest.mark.parametrize("number", [NOBODYS, SHARED])
def test_a_text_for_nobody_is_stored_all_the_same(core: World, number: str) -> None:
    assert answers(core, "hello", number) == (None, None, [])
    assert [row.text for row in core.rows(tables.mo)] == ["hello"]


@pytest.mark.parametrize("together", [True, False])
def test_a_repeat_is_stored_once_and_owed_once(core: World, together: bool) -> None:
    core.accept()
    mo = MO("same", PHONE, OURS, "yes")
    if together:
        core.deliver(mo, mo, mo)
    else:
        for _ in range(3):
            core.deliver(mo)
    assert len(core.rows(tables.mo)) == len(core.rows(tables.notice)) == 1


def test_the_same_id_of_another_route_is_another_text(core: World) -> None:
    with other_connection(core.url) as conn:
        first = core.rows(tables.route)[0]._asdict()
        conn.execute(tables.route.insert(), {**first, "id": 5, "name": "second"})
    core.deliver(MO("same", PHONE, OURS, "yes"), route_id=SIM)
    core.deliver(MO("same", PHONE, OURS, "yes"), route_id=5)
    assert len(core.rows(tables.mo)) == 2


def test_many_at_once_each_find_their_conversation(core: World) -> None:
    phones = [f"+4477009002{number:02d}" for number in range(50)]
    sent = {phone: core.accept(phone, body=phone) for phone in phones}
    core.deliver(*(MO(f"mo-{phone}", phone, OURS, f"from {phone}") for phone in phones))
    assert {row.handset: row.message_id for row in core.rows(tables.mo)} == sent
    assert len(core.rows(tables.notice)) == 50


@pytest.mark.parametrize("text", ["a\0b", "half \ud83d", "\udc00", "", "😀"])
def test_any_text_of_a_phone_and_any_words_of_a_carrier_are_stored(core: World, text: str) -> None:
    core.deliver(MO("mo", PHONE, OURS, text), DLR("dlr", DlrState.DELIVERED, 1, text))
    stored = [core.rows(tables.mo)[0].text, core.rows(tables.receipt)[0].words]
    assert stored == [text.replace("\0", "").replace("\ud83d", "\ufffd").replace("\udc00", "\ufffd")] * 2
