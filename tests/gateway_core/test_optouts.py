"""STOP and START: which texts are, whom they concern, what they end, and that one text confirms them."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from core_support import (
    ACCOUNT,
    OTHER,
    OURS,
    PHONE,
    PRICE,
    SHARED,
    World,
    account_row,
    at_once,
    count,
    route_row,
    world,
)
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from gateway_core import notices, opting, optouts, owed, process
from gateway_core.accounts import Terms
from gateway_core.deliver import deliver
from gateway_core.errors import OptedOut
from gateway_core.gateway import Gateway
from gateway_core.messages import State
from gateway_core.optouts import Said
from gateway_core.sms import MO
from gateway_core.storage import clock, tables

# --- which texts are ----------------------------------------------------------------------------------------

STOPS = [
    *(
        "STOP",
        "stop",
        "Stop",
        "  stop  ",
        "STOP.",
        "Stop!",
        '"stop"',
        "'STOP'",
        "«stop»",
        "(stop)",
        "stop...",
        "*stop*",
    ),
    *(
        "STOP\n",
        "\tstop\r\n",
        "STOP ☹",
        "👋 stop",
        "ｓｔｏｐ",
        "STOPALL",
        "stop all",
        "Stop  All",
        "STOP-ALL",
        "stop\nall",
    ),
    *("UNSUBSCRIBE", "unsubscribe.", "Unsub", "CANCEL", "cancel!", "END", "end.", "QUIT", "Revoke", "REMOVE"),
    *("OPTOUT", "opt out", "opt-out", "Opt_Out", "ARRET", "arrêt", "ARRÊT", "arre\u0302t"),
]
NO_STOPS = [
    *(
        "please stop",
        "stop it",
        "Stop. Thank you",
        "do not stop",
        "stopp",
        "unstop",
        "start",
        "yes",
        "no",
        "STOP1",
    ),
    *(
        "stop 2 end",
        "the end",
        "cancel my order",
        "s t o p",
        "stop stop",
        "help",
        "ok",
        ".",
        "!?",
        "☹",
        "",
        " ",
    ),
    *("St0p", "non-stop", "STOP PIZZA", "stop\x00it", "x" * 5000),
]


@pytest.mark.parametrize("text", STOPS)
def test_it_is_a_stop(text: str) -> None:
    assert optouts.is_stop(text)
    assert not optouts.is_start(text)


@pytest.mark.parametrize("text", NO_STOPS)
def test_it_is_no_stop(text: str) -> None:
    assert not optouts.is_stop(text)


@pytest.mark.parametrize("text", ["START", "start", "Start!", "unstop", "OPT-IN", "Opt in", "subscribe"])
def test_it_is_a_start(text: str) -> None:
    assert optouts.is_start(text)
    assert not optouts.is_stop(text)


@pytest.mark.parametrize("text", ["yes", "restart", "start now", "", "1"])
def test_it_is_no_start(text: str) -> None:
    assert not optouts.is_start(text)


@pytest.mark.parametrize("text", ["AFMELDEN", "afmelden.", "keine sms", "Keine  SMS!"])
def test_an_account_has_words_of_its_own_besides(text: str) -> None:
    terms = Terms.model_validate({"stop_words": ["afmelden", "Keine SMS"]})
    assert optouts.is_stop(text, terms)
    assert not optouts.is_stop(text)
    assert optouts.is_stop("stop", terms)


@given(st.text(max_size=300))
def test_any_text_has_an_answer(text: str) -> None:
    assert not (optouts.is_stop(text) and optouts.is_start(text))


# --- whom they concern --------------------------------------------------------------------------------------

PEOPLE = [account_row(ACCOUNT, "demo"), account_row(OTHER, "other", sender_id="Other")]


@pytest.fixture
def core(database_url: str) -> Iterator[World]:
    with world(database_url, route_row(1, "simulator"), people=PEOPLE) as made:
        yield made


def say(core: World, text: str, number: str = OURS, ref: str = "") -> None:
    core.deliver(MO(ref or f"mo-{clock.now()}-{count(core.url, tables.mo)}", PHONE, number, text))
    core.gateway.directory.refresh()


def confirm(gateway: Gateway) -> None:
    """What the job of notices does with texts that are owed."""
    for notice in gateway.writer.put(notices.claim, 100).result(10):
        if notice.kind == "text":
            gateway.writer.put(notices.end, owed.text(gateway, notice)).result(10)


def code(core: World, **more: object) -> str | None:
    refused = core.submit(**more).refused  # type: ignore[arg-type]
    return refused[0].code if refused else None


def test_a_dedicated_numbers_account_texts_no_more(core: World) -> None:
    say(core, "Stop")
    assert code(core) == "opted_out"
    assert code(core, sender_id=SHARED) == "opted_out"  # with whatever number
    assert code(core, account=OTHER) is None
    assert core.submit("+447700900124").refused == []
    say(core, "START")
    assert code(core) is None
    assert [(row.handset, row.scope, row.active) for row in core.rows(tables.opt_out)] == [
        (PHONE, f"account:{ACCOUNT}", False)
    ]


def test_from_a_shared_number_nobody_texts_any_more(core: World) -> None:
    core.accept(sender_id=SHARED)
    say(core, "stop", SHARED)
    assert code(core, sender_id=SHARED) == "opted_out"
    assert code(core, sender_id=SHARED, account=OTHER) == "opted_out"
    assert code(core) is None  # its own number is another matter


def test_what_an_operator_forbids_a_handset_cannot_allow(core: World) -> None:
    unit = Said(PHONE, optouts.ALL, active=True, source="operator")
    core.gateway.writer.put(
        lambda conn, units: [opting.keep(conn, core.gateway.context, units)], unit
    ).result(10)
    assert code(core, account=OTHER) == "opted_out"
    say(core, "start")
    assert code(core) == "opted_out"


@pytest.mark.parametrize("source", ["operator", "account"])
def test_nor_where_the_handset_had_said_it_first(core: World, source: str) -> None:
    say(core, "stop")
    (before,) = core.rows(tables.opt_out)
    assert keep(core, Said(PHONE, f"account:{ACCOUNT}", active=True, source=source, words="by letter")) == [
        True
    ]
    say(core, "start")
    assert code(core) == "opted_out"
    (row,) = core.rows(tables.opt_out)
    assert (row.source, row.words, row.since_at) == (source, "by letter", before.since_at)


def test_a_carrier_does_not_take_over_what_an_operator_forbade(core: World) -> None:
    keep(core, Said(PHONE, f"account:{ACCOUNT}", active=True, source="operator"))
    assert keep(core, Said(PHONE, f"account:{ACCOUNT}", active=True, source="carrier")) == [False]
    assert core.rows(tables.opt_out)[0].source == "operator"


def keep(core: World, said: Said) -> list[bool]:
    return core.gateway.writer.put(
        lambda conn, units: [opting.keep(conn, core.gateway.context, units)], said
    ).result(10)


def test_of_several_processes_that_hear_it_at_once_one_writes_it(database_url: str, core: World) -> None:
    with process.opened(database_url) as second:
        said = [Said(f"+4477009{n:05}", optouts.ALL, active=True, source="carrier") for n in range(30)]
        asks = [
            partial(gateway.writer.put, _say_it, (gateway, said)) for gateway in [core.gateway, second] * 4
        ]
        changed = [future.result(10) for future in at_once(asks)]
    assert all(any(each) for each in zip(*changed, strict=True))
    assert count(core.url, tables.opt_out) == 30


def _say_it(conn: Connection, units: Sequence[tuple[Gateway, list[Said]]]) -> list[list[bool]]:
    return [optouts.say(conn, gateway.ids, said) for gateway, said in units]


@pytest.mark.parametrize(
    ("written", "number", "handset"),
    [
        ("2025550123", "+12025550100", "+12025550123"),  # as in its own country, not Egypt's +20
        ("12025550123", "+12025550100", "+12025550123"),
        ("612345678", "+34612345679", "+34612345678"),  # nor Australia's +61
        ("9876543210", "+919876543211", "+919876543210"),  # nor Iran's +98
        ("13800138000", "+8613800138001", "+8613800138000"),  # nor the United States' +1
        ("20123456", "+4520123457", "+4520123456"),
        ("3331234567", "+393331234568", "+393331234567"),
        ("447700900123", "+447700900900", "+447700900123"),
        ("07700900123", "+447700900900", "+447700900123"),
        ("00447700900123", "+12025550100", "+447700900123"),
        ("447700900123", "+12025550100", "+447700900123"),  # a visitor
        ("447700900123", "+4484433", "+447700900123"),
        ("Vodafone", "+447700900900", "Vodafone"),
    ],
)
def test_who_said_it_however_its_network_writes_it(
    core: World, written: str, number: str, handset: str
) -> None:
    if number != OURS:
        core.add(tables.number, {"id": 9, "msisdn": number, "account_id": ACCOUNT, "forward_to": []})
    core.deliver(MO("mo-1", written, number, "STOP"))
    assert [row.handset for row in core.rows(tables.opt_out)] == [handset]


def test_a_carrier_that_says_so_is_believed(core: World) -> None:
    message = core.accept("+447700900008")
    assert core.until(message)["reason"] == "opted_out"
    assert core.state(message) == State.FAILED
    assert core.spent() == 0
    (row,) = core.rows(tables.opt_out)
    assert (row.handset, row.scope, row.source) == ("+447700900008", f"account:{ACCOUNT}", "carrier")
    core.gateway.directory.refresh()
    assert core.gateway.snapshot.opted_out == {f"account:{ACCOUNT}"}
    (error,) = core.submit("+447700900008").refused
    assert isinstance(error, OptedOut)


# --- when ---------------------------------------------------------------------------------------------------


def test_a_stop_since_a_mail_was_decided_ends_its_message_uncharged_and_the_others_go(core: World) -> None:
    say(core, "stop")
    outcome = core.submit(PHONE, "+447700900124", whole=True)
    assert outcome.refused == []
    first, second = core.rows(tables.message)
    assert (first.state, first.reason, first.price) == ("FAILED", "opted_out", 0)
    assert core.spent() == PRICE
    assert core.notices(first.id) == ["FAILED"]
    core.until(second.id, State.DELIVERED)
    assert len(core.phone("+447700900124")) == 1
    assert [entry for entry in core.phone() if entry.direction == "in"] == []


@pytest.mark.parametrize("when", ["queued", "claimed"])
def test_a_stop_before_the_turn_ends_it_refunded(
    core: World, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = core.accept()
    if when == "queued":
        say(core, "stop")
    else:
        real, heard = optouts.forbidden, []

        def forbidden(conn: object, texts: object) -> object:
            found = real(conn, texts)  # type: ignore[arg-type]
            if not heard and texts:  # what the claim sees; the STOP is there before the journal looks
                heard.append(opting.keep(conn, core.gateway.context, [STOPPED]))  # type: ignore[arg-type]
            return found

        monkeypatch.setattr(optouts, "forbidden", forbidden)
    core.dispatch()
    assert (core.state(message), core.message(message)["reason"]) == (State.FAILED, "opted_out")
    assert core.spent() == 0
    assert count(core.url, tables.attempt) == 0
    assert ("CLAIMED" in core.path(message)) == (when == "claimed")


STOPPED = Said(PHONE, f"account:{ACCOUNT}", active=True, source="handset")


# --- one confirmation ---------------------------------------------------------------------------------------


def test_it_is_confirmed_once_free_and_past_the_opt_out(core: World) -> None:
    for number in range(3):
        say(core, "STOP", ref=f"stop-{number}")
    for _ in range(2):
        confirm(core.gateway)
    core.dispatch()
    (text,) = [entry for entry in core.phone() if entry.direction == "in"]
    assert (text.peer, text.parts[1]) == (OURS, Terms().stop_reply)
    assert core.spent() == 0
    (message,) = core.rows(tables.message)
    assert (message.service, message.price) == (True, 0)
    say(core, "start")
    confirm(core.gateway)
    core.dispatch()
    assert [entry.parts[1] for entry in core.phone()] == [Terms().stop_reply, Terms().start_reply]


def test_two_stops_in_one_delivery_are_confirmed_once(core: World) -> None:
    core.deliver(MO("a", PHONE, OURS, "stop"), MO("b", PHONE, OURS, "stop"))
    assert len(core.rows(tables.notice, kind="text")) == 1


def test_two_processes_hear_it_and_confirm_it_once(database_url: str) -> None:
    with world(database_url) as core, process.opened(database_url) as second:
        asks = [
            partial(deliver, gateway, 1, [MO(f"mo-{number}", PHONE, OURS, "stop")])
            for number, gateway in enumerate([core.gateway, second] * 4)
        ]
        at_once(asks)
        assert len(core.rows(tables.notice, kind="text")) == 1
        assert len(core.rows(tables.opt_out)) == 1
        assert count(core.url, tables.mo) == 8


def test_who_dies_before_the_notice_ends_confirms_no_second_time(core: World) -> None:
    say(core, "stop")
    (notice,) = core.gateway.writer.put(notices.claim, 10).result(10)
    for _ in range(3):  # its lease is over, and somebody else has it
        assert owed.text(core.gateway, notice).state == "DONE"
    assert count(core.url, tables.message) == 1


def test_no_words_no_confirmation(core: World) -> None:
    core.terms(stop_reply="")
    say(core, "stop")
    assert core.rows(tables.notice, kind="text") == []
    assert code(core) == "opted_out"


def test_the_stop_is_shown_to_whoever_texted(core: World) -> None:
    core.accept()
    core.terms(replies_to=["desk@acme.example"])
    say(core, "STOP")
    (notice,) = core.rows(tables.notice, kind="reply")
    assert notice.facts["text"] == "STOP"
    assert notice.facts["opted_out"] is True


def test_a_stop_to_nobodys_number_is_stored_and_changes_nothing(tmp_path: Path) -> None:
    with world(f"sqlite:///{tmp_path}/core.db") as core:
        say(core, "stop", "+447700900777")
        assert count(core.url, tables.mo) == 1
        assert count(core.url, tables.opt_out) == 0
