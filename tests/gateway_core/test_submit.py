"""The door in: what is refused, what is accepted, in which state it begins."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine
from core_support import (
    ACCOUNT,
    FAKE,
    OTHER,
    OURS,
    PHONE,
    PRICE,
    SHARED,
    SIM,
    World,
    account_row,
    route_row,
    world,
)
from fake_carriers import fake_carriers

from gateway_core.drafts import Submission, decide
from gateway_core.errors import (
    BadNumber,
    DestinationNotAllowed,
    NothingToText,
    Refused,
    SenderIDNotAllowed,
    TooLong,
    UnsupportedCharacter,
)
from gateway_core.messages import State
from gateway_core.storage import clock, tables
from gateway_core.submit import Accepted

FRENCH = "+33612345678"


def built(path: Path, *routes: dict[str, Any], **terms: Any) -> Any:
    people = [account_row(ACCOUNT, "demo", **terms), account_row(OTHER, "other", sender_id="OTHER")]
    return world(f"sqlite:///{path}/core.db", *routes, people=people)


@pytest.fixture
def core(tmp_path: Path) -> Iterator[World]:
    with built(tmp_path) as made:
        yield made


def refusals(core: World, *to: str, body: str = "x", **more: Any) -> dict[str, type[Refused]]:
    _, _, refused = decide(core.gateway.snapshot, Submission(core.account(), to or (PHONE,), body, **more))
    return {number: type(error) for number, error in refused}


@pytest.mark.parametrize(
    ("destinations", "to", "refused"),
    [
        (["*"], FRENCH, None),
        (["+44"], PHONE, None),
        (["+44"], FRENCH, DestinationNotAllowed),
        (["+4477"], "+447911123456", DestinationNotAllowed),
        (["GB"], PHONE, None),
        (["GB"], FRENCH, DestinationNotAllowed),
        (["GB", "+33"], FRENCH, None),
        ([], PHONE, DestinationNotAllowed),
        (["*"], "07700900123", BadNumber),
        (["*"], "", BadNumber),
    ],
)
def test_destinations(
    tmp_path: Path, destinations: list[str], to: str, refused: type[Refused] | None
) -> None:
    with built(tmp_path, destinations=destinations) as core:
        assert refusals(core, to).get(to) is refused


def test_a_prefix_without_a_price_is_not_allowed_and_never_free(core: World) -> None:
    core.change(tables.price, 1, prefix="+44")
    core.gateway.directory.refresh()
    assert refusals(core, PHONE, FRENCH) == {FRENCH: DestinationNotAllowed}
    core.change(tables.price, 1, currency="EUR")
    core.gateway.directory.refresh()
    assert refusals(core, PHONE) == {PHONE: DestinationNotAllowed}


def test_the_longest_prefix_prices(core: World) -> None:
    rows = [("+44", 700), ("+4477009", 900), ("+33", 400)]
    core.add(
        tables.price,
        *({"id": 10 + i, "prefix": p, "currency": "GBP", "per_segment": n} for i, (p, n) in enumerate(rows)),
    )
    _, drafts, _ = decide(
        core.gateway.snapshot, Submission(core.account(), (PHONE, FRENCH, "+15005550100"), "x" * 161)
    )
    assert [draft.price for draft in drafts] == [1800, 800, 2 * PRICE]


def test_no_route_takes_it(tmp_path: Path) -> None:
    with built(tmp_path, route_row(SIM, "simulator", prefixes=["+44"])) as core:
        assert refusals(core, PHONE, FRENCH) == {FRENCH: DestinationNotAllowed}


def test_only_test_accounts_use_a_simulated_route(tmp_path: Path) -> None:
    routes = [route_row(SIM, "simulator", priority=1), route_row(FAKE, "fake", prefixes=["+33"])]
    with fake_carriers(), built(tmp_path, *routes, test=False) as core:
        assert refusals(core, PHONE, FRENCH) == {PHONE: DestinationNotAllowed}
        core.accept(FRENCH)
        assert core.rows(tables.message)[0].route_id == FAKE


@pytest.mark.parametrize(
    ("set_up", "wanted", "shown"),
    [
        ("", "", OURS),
        ("", OURS, OURS),
        ("", SHARED, SHARED),
        ("ACME", "", "ACME"),
        ("ACME", "ACME", "ACME"),
        ("ACME", OURS, OURS),
        ("", "ACME", None),
        ("ACME", "EVIL", None),
        ("", "+447700900901", None),
    ],
)
def test_sender_ids(tmp_path: Path, set_up: str, wanted: str, shown: str | None) -> None:
    with built(tmp_path, sender_id=set_up) as core:
        core.add(tables.number, {"id": 9, "msisdn": "+447700900901", "account_id": OTHER, "forward_to": []})
        asked = Submission(core.account(), (PHONE,), "x", sender_id=wanted)
        _, drafts, refused = decide(core.gateway.snapshot, asked)
        assert [draft.sender_id for draft in drafts] == ([shown] if shown else [])
        assert [type(error) for _, error in refused] == ([] if shown else [SenderIDNotAllowed])


def test_an_account_without_number_and_sender_id_cannot_text(core: World) -> None:
    core.change(tables.number, 1, account_id=OTHER)
    core.gateway.directory.refresh()
    assert refusals(core) == {PHONE: SenderIDNotAllowed}


@pytest.mark.parametrize(
    ("terms", "asked", "characters", "segments"),
    [
        ({"max_segments": 2}, None, 306, 2),
        ({"max_segments": 2}, None, 307, None),
        ({"max_segments": 2}, 3, 307, None),
        ({"max_segments": 3}, 1, 161, None),
        ({"max_segments": 2, "too_long": "truncate"}, None, 999, 2),
        ({"max_segments": 1, "too_long": "truncate"}, None, 999, 1),
    ],
)
def test_too_long(
    tmp_path: Path, terms: dict[str, Any], asked: int | None, characters: int, segments: int | None
) -> None:
    with built(tmp_path, **terms) as core:
        text, drafts, refused = decide(
            core.gateway.snapshot, Submission(core.account(), (PHONE,), "x" * characters, max_segments=asked)
        )
        assert [type(error) for _, error in refused] == ([] if segments else [TooLong])
        assert [len(draft.segments.parts) for draft in drafts] == ([segments] if segments else [])
        assert len(text) <= {None: 0, 1: 160}.get(segments, 153 * (segments or 0))


@pytest.mark.parametrize(
    ("policy", "sent", "encoding"),
    [
        ("unicode", "a😀b", "UCS2"),
        ("transliterate", "a:-Db", "GSM7"),
        ("remove", "ab", "GSM7"),
        ("refuse", None, ""),
    ],
)
def test_characters_that_the_gsm_alphabet_lacks(
    tmp_path: Path, policy: str, sent: str | None, encoding: str
) -> None:
    with built(tmp_path, unsupported=policy) as core:
        if sent is None:
            assert refusals(core, body="a😀b") == {PHONE: UnsupportedCharacter}
            return
        core.accept(body="a😀b")
        assert core.rows(tables.submission)[0].text == sent
        assert core.rows(tables.message)[0].encoding.upper().replace("-", "") == encoding


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_nothing_to_text(core: World, text: str) -> None:
    assert refusals(core, body=text) == {PHONE: NothingToText}


def test_several_recipients_stand_alone_unless_asked_for_whole(core: World) -> None:
    mixed = (PHONE, "5551234")
    assert [type(result) for _, result in core.submit(*mixed).results] == [BadNumber, Accepted]
    outcome = core.submit(*mixed, whole=True)
    assert (outcome.submission_id, [type(error) for error in outcome.refused]) == (0, [BadNumber])
    assert len(core.rows(tables.message)) == 1
    assert core.spent() == PRICE


def test_a_recipient_named_twice_is_texted_once(core: World) -> None:
    assert len(core.submit(PHONE, PHONE, FRENCH, PHONE).results) == 2
    assert core.spent() == 2 * PRICE
    assert len(core.submit(PHONE, PHONE, body="").results) == 1


NOW = "2026-03-01T12:00:00Z"


@pytest.mark.parametrize(
    ("seconds", "state", "reason"),
    [(3600, State.HELD, "send_at"), (0, State.QUEUED, ""), (-3600, State.QUEUED, "")],
)
def test_send_at(core: World, seconds: int, state: State, reason: str) -> None:
    with time_machine.travel(NOW, tick=False) as now:
        at = clock.now() + seconds * clock.SECOND
        message = core.accept(send_at=at, validity_minutes=10)
        row = core.message(message)
        assert (row["state"], row["reason"]) == (state, reason)
        assert row["expires_at"] == max(at, clock.now()) + 10 * clock.MINUTE
        core.dispatch()
        core.sweep()
        assert core.state(message) == (State.HELD if seconds > 0 else State.DELIVERED)
        now.shift(max(seconds, 0) + 1)
        core.until(message)
    expected = ["HELD", "QUEUED"] if seconds > 0 else ["QUEUED"]
    assert core.path(message)[: len(expected)] == expected
    assert core.state(message) == State.DELIVERED


def test_a_paused_route_holds_and_gives_free_again(tmp_path: Path) -> None:
    with built(tmp_path, route_row(SIM, "simulator", paused=True)) as core:
        message = core.accept()
        assert (core.message(message)["state"], core.message(message)["reason"]) == ("HELD", "route_paused")
        core.sweep()
        core.dispatch()
        assert core.state(message) == State.HELD
        core.change(tables.route, SIM, paused=False)
        core.tick()
        core.sweep()
        core.dispatch()
        assert core.path(message)[:2] == ["HELD", "QUEUED"]
        assert core.state(message) == State.DELIVERED


def test_a_route_that_is_paused_afterwards_holds_what_waits(core: World) -> None:
    message = core.accept()
    core.change(tables.route, SIM, paused=True)
    core.tick()
    core.dispatch()
    assert core.message(message)["reason"] == "route_paused"
    core.change(tables.route, SIM, paused=False)
    core.tick()
    core.until(message)
    assert core.path(message)[:4] == ["QUEUED", "HELD", "QUEUED", "CLAIMED"]


@pytest.mark.parametrize("text", ["a\ud83db", "a\0b", "\ufffe\U0010ffff", "a\r\nb", "\u202eevil"])
def test_any_text_is_taken_or_refused_on_both_databases(database_url: str, text: str) -> None:
    with world(database_url) as core:
        ((_, result),) = core.submit(body=text, origin={"subject": text}, client_ref=text).results
        assert isinstance(result, Accepted)
        core.until(result.message_id)
        assert core.state(result.message_id) == State.DELIVERED
