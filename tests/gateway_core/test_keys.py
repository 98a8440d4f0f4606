"""Idempotency: which request is a repeat, which is a new text, and which is refused."""

import hashlib
from collections.abc import Iterator

import pytest
import time_machine
from core_support import ACCOUNT, OTHER, PHONE, PRICE, SIM, World, account_row, folded, route_row, world

from gateway_core import keys
from gateway_core.errors import KeyReused
from gateway_core.keys import Key
from gateway_core.messages import State
from gateway_core.storage import clock, tables
from gateway_core.submit import Accepted, Outcome

SECOND_PHONE = "+447700900124"
MINUTES_5 = 5 * clock.MINUTE


def digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def mail(
    text: str, key: str = "id-1@acme", headers: str = "From Date Subject", lives_ms: int | None = None
) -> Key:
    made = Key(key, digest(text), mail_digest=digest(headers, text))
    return made if lives_ms is None else Key(key, made.text_digest, made.mail_digest, "", lives_ms)


def http(text: str, key: str = "id-1@acme", body: str = "") -> Key:
    return Key(key, digest(text), request_digest=digest("body", text, body))


def without_id(text: str) -> Key:
    return mail(text, key="no-id:" + digest("alice", text), lives_ms=MINUTES_5)


@pytest.fixture
def core(database_url: str) -> Iterator[World]:
    people = [account_row(ACCOUNT, "demo"), account_row(OTHER, "other", sender_id="Other")]
    with world(database_url, route_row(SIM, "simulator"), people=people) as made:
        yield made


MINUTE, DAY = 60, 24 * 3600
# what | first key and text | second key and text | seconds between | is the second a repeat, new, or refused
RULES = [
    ("the same mail", mail("a"), "a", mail("a"), "a", 0, "repeat"),
    ("the same mail, days later", mail("a"), "a", mail("a"), "a", 6 * DAY, "repeat"),
    ("the same mail, after the key's life", mail("a"), "a", mail("a"), "a", 7 * DAY + 1, "new"),
    ("a device with one Message-ID, another text", mail("a"), "a", mail("b"), "b", 0, "new"),
    ("one Message-ID, another Date", mail("a"), "a", mail("a", headers="other"), "a", 0, "new"),
    ("another Message-ID", mail("a"), "a", mail("a", key="id-2"), "a", 0, "new"),
    ("the same request", http("a"), "a", http("a"), "a", 0, "repeat"),
    ("the same request, days later", http("a"), "a", http("a"), "a", 6 * DAY, "repeat"),
    ("the same request, after the key's life", http("a"), "a", http("a"), "a", 7 * DAY + 1, "new"),
    ("another body after the key's life", http("a"), "a", http("b"), "b", 7 * DAY + 1, "new"),
    ("another body", http("a"), "a", http("b"), "b", 0, "refused"),
    ("another field of the body", http("a"), "a", http("a", body="x"), "a", 0, "refused"),
    ("mail, then HTTP", mail("a"), "a", http("a"), "a", 0, "repeat"),
    ("HTTP, then mail", http("a"), "a", mail("a"), "a", 0, "repeat"),
    ("mail, then HTTP with another text", mail("a"), "a", http("b"), "b", 0, "refused"),
    ("HTTP, then mail with another text", http("a"), "a", mail("b"), "b", 0, "new"),
    ("no Message-ID, at once", without_id("a"), "a", without_id("a"), "a", 0, "repeat"),
    ("no Message-ID, in time", without_id("a"), "a", without_id("a"), "a", 5 * MINUTE - 1, "repeat"),
    ("no Message-ID, too late", without_id("a"), "a", without_id("a"), "a", 5 * MINUTE + 1, "new"),
    ("no key", None, "a", None, "a", 0, "new"),
    ("a key, then none", mail("a"), "a", None, "a", 0, "new"),
]


def judged(outcome: Outcome) -> str:
    ((_, result),) = outcome.results
    if isinstance(result, KeyReused):
        return "refused"
    assert isinstance(result, Accepted)
    return "repeat" if result.repeat else "new"


@pytest.mark.parametrize(("what", "first", "one", "second", "two", "later", "expected"), RULES)
def test_rules(
    core: World,
    what: str,
    first: Key | None,
    one: str,
    second: Key | None,
    two: str,
    later: int,
    expected: str,
) -> None:
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as now:
        original = core.submit(body=one, key=first)
        now.shift(later)
        again = core.submit(body=two, key=second)
    texts = 2 if expected == "new" else 1
    assert (what, judged(original), judged(again)) == (what, "new", expected)
    assert len(core.rows(tables.message)) == texts
    assert core.spent() == texts * PRICE
    if expected == "repeat":
        assert again.submission_id == original.submission_id
        assert again.results[0][1].message_id == original.results[0][1].message_id


FOLDABLE = [rule for rule in RULES if rule[5] == 0]


@pytest.mark.parametrize(("what", "first", "one", "second", "two", "later", "expected"), FOLDABLE)
def test_rules_inside_one_fold(
    core: World,
    what: str,
    first: Key | None,
    one: str,
    second: Key | None,
    two: str,
    later: int,
    expected: str,
) -> None:
    commits = core.gateway.writer.commits
    with folded(core):
        futures = [core.ask(body=one, key=first), core.ask(body=two, key=second)]
    assert [judged(future.result(10)) for future in futures] == ["new", expected]
    assert core.gateway.writer.commits == commits + 2
    assert len(core.rows(tables.message)) == (2 if expected == "new" else 1)


def test_a_repeat_leaves_a_record_and_tells_the_state_of_today(core: World) -> None:
    message = core.accept(key=mail("hello"))
    core.dispatch()
    outcome = core.submit(key=mail("hello"))
    result = outcome.results[0][1]
    assert isinstance(result, Accepted)
    assert (result.repeat, result.message_id, result.state) == (True, message, State.DELIVERED)
    assert (result.segments, result.price) == (1, PRICE)
    assert core.trail(message)[-1] == ("DELIVERED", "DELIVERED", "submit")
    core.dispatch()
    assert len(core.phone()) == 1


def test_recipients_that_a_relay_split_off_are_new_and_the_others_are_not(core: World) -> None:
    first = core.submit(PHONE, key=mail("a"))
    second = core.submit(PHONE, SECOND_PHONE, key=mail("a"))
    found = {to: (result.repeat, result.message_id) for to, result in second.results}
    assert found[PHONE] == (True, first.results[0][1].message_id)
    assert found[SECOND_PHONE][0] is False
    assert core.spent() == 2 * PRICE


def test_a_refused_recipient_is_not_kept_under_the_key(core: World) -> None:
    core.submit("+447700900125", "5551234", key=mail("a"))
    assert [row.recipient for row in core.rows(tables.accepted_key)] == ["+447700900125"]


def test_a_key_of_another_account_is_another_key(core: World) -> None:
    core.accept(key=mail("a"))
    outcome = core.submit(key=mail("a"), account=OTHER)
    assert judged(outcome) == "new"
    assert judged(core.submit(body="b", key=http("b"), account=OTHER)) == "refused"
    assert (core.spent(ACCOUNT), core.spent(OTHER)) == (PRICE, PRICE)


def test_a_repeat_costs_nothing_when_there_is_no_credit_any_more(database_url: str) -> None:
    with world(database_url, people=[account_row(ACCOUNT, "demo", credit=PRICE)]) as core:
        core.accept(key=mail("a"))
        assert judged(core.submit(key=mail("a"))) == "repeat"


def test_keys_are_forgotten_after_their_life(core: World) -> None:
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as now:
        core.accept(key=mail("a", key="old"))
        now.shift(4 * DAY)
        core.accept(key=mail("a", key="young"))
        now.shift(4 * DAY)
        core.gateway.writer.put(keys.forget, 500).result(10)
    assert [row.key for row in core.rows(tables.accepted_key)] == ["young"]


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("<id@host>", "id@host"),
        ('"key"', "key"),
        ("  <a>  ", "a"),
        ("plain", "plain"),
        ("x" * 255, "x" * 255),
        ("x" * 256, "sha256:" + hashlib.sha256(b"x" * 256).hexdigest()),
    ],
)
def test_one_form_of_a_key(typed: str, normal: str) -> None:
    assert keys.normal(typed) == normal
