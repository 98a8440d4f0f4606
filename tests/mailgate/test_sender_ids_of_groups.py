"""Destinations that take only some sender IDs: who is told so when, of one number and of a group."""

import smtplib
from collections.abc import Iterator
from typing import Any

import pytest
from mail_support import ROWS, World, mail, world

from mailgate import explain

ALICE = "alice@acme.example"
HERE, THERE = "+447700900123", "+4790000001"


@pytest.fixture(scope="module")
def w(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    acme, other = ROWS["account"]
    team = {"name": "team", "numbers": [HERE, THERE]}
    rows: dict[str, Any] = {
        **ROWS,
        "account": [{**acme, "contact": [team]}, other],
        "price": [{"prefix": "*", "currency": "GBP", "per_segment": "0.05"}],
        "sender_id_rule": [{"prefix": "+47", "allowed": ["alphanumeric"]}],
    }
    with world(tmp_path_factory.mktemp("groups"), rows) as running:
        yield running


def test_one_number_is_refused_at_rcpt(w: World) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused, match=r"550.*\+47 takes no texts from"):
        w.send(mail("a"), f"{THERE}@sms.localhost")


def test_of_a_group_the_others_are_texted(w: World) -> None:
    reply = w.send(mail("a"), "team@sms.localhost")
    assert [row["to"] for row in w.of_submission(reply)] == [HERE]


def test_explain_says_so(w: World) -> None:
    found = explain.explain(w.state, mail("a"), ALICE, ["team@sms.localhost"], "127.0.0.1")
    assert {one["to"]: one["outcome"] for one in found["recipients"]} == {HERE: "accepted", THERE: "refused"}
    assert found["outcome"] == "accepted"


def test_whocan_says_so(w: World) -> None:
    found = explain.whocan(w.state, ALICE, "127.0.0.1", THERE)
    assert (found["outcome"], found["reason"].partition(":")[0]) == ("refused", "sender_id_not_allowed")


def test_no_route_for_the_sender_id_is_said_at_rcpt_too(w: World) -> None:
    """Not only after the mail was sent, where it would refuse it for all."""
    route = w.gateway.snapshot.routes[0]
    object.__setattr__(route, "sender_ids", ("Acme",))
    try:
        with pytest.raises(smtplib.SMTPRecipientsRefused, match=r"550.*no route takes"):
            w.send(mail("a"), f"{HERE}@sms.localhost")
        assert explain.whocan(w.state, ALICE, "127.0.0.1", HERE)["outcome"] == "refused"
    finally:
        object.__setattr__(route, "sender_ids", ())
