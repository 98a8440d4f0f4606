"""What a sender may use of its account: destinations, sender IDs, hours, spending. And what explain says of senders."""

import copy
import smtplib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import signing
import time_machine
from fake_dns import FakeDns
from mail_support import ALICE, ROWS, World, mail, world
from sqlalchemy import select
from wire import until

from gateway_core import ledger
from gateway_core.storage import tables
from mailgate import explain

UK, NORWAY = "447700900123@sms.localhost", "+4741234567@sms.localhost"
NUMBER, SECOND = "+447700900901", "+447700900903"
LIMITS: dict[str, dict[str, Any]] = {
    "uk@acme.example": {"destinations": ["GB"]},
    "second@acme.example": {"sender_ids": [SECOND, NUMBER]},
    "foreign@acme.example": {"sender_ids": ["+447700900902"]},
    "day@acme.example": {"hours": "Mon-Fri 08:00-18:00"},
    "poor@acme.example": {"daily_spend": "0.10"},
    "dmarc@acme.example": {"accept": "dmarc", "destinations": ["GB"]},
    "spf@spf.example": {"accept": "spf"},
    "either@spf.example": {"accept": "dmarc"},
    "plc@acme.example": {"accept": "secret", "secret": "Hush-Hush.42"},
}


@pytest.fixture(scope="module")
def w(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    given = copy.deepcopy(ROWS)
    given["account"][0]["sender"] += [{"address": address, **row} for address, row in LIMITS.items()]
    given["number"].append({"msisdn": SECOND, "account": "acme"})
    given["price"].append({"prefix": "+47", "per_segment": "0.05", "currency": "GBP"})
    zone = {**signing.zone("acme.example"), ("spf.example", "TXT"): ["v=spf1 ip4:127.0.0.1 -all"]}
    with (
        FakeDns(zone) as serving,
        world(tmp_path_factory.mktemp("limits"), given, mail={"dns_servers": [serving.address]}) as running,
    ):
        yield running


def send(w: World, sender: str, to: str = UK) -> str:
    """The reply that decided."""
    try:
        return "250 " + w.send(mail("Hello", sender=sender), to, sender)
    except smtplib.SMTPRecipientsRefused as error:
        ((code, words),) = error.recipients.values()
    except smtplib.SMTPDataError as error:
        code, words = error.smtp_code, error.smtp_error
    return f"{code} {words.decode()}"


def test_destinations_of_a_sender_are_within_those_of_its_account(w: World) -> None:
    assert send(w, "uk@acme.example").startswith("250 ")
    assert send(w, "uk@acme.example", NORWAY) == (
        "550 5.7.1 +4741234567 is not a destination that the rule for uk@acme.example allows"
    )
    assert send(w, ALICE, NORWAY).startswith("250 ")


def test_the_first_of_its_sender_ids_is_used(w: World) -> None:
    reply = w.send(mail("Hello", sender="second@acme.example"), UK, "second@acme.example")
    assert [row.sender_id for row in w.of_submission(reply)] == [SECOND]
    reply = w.send(mail("Hello"), UK)
    assert [row.sender_id for row in w.of_submission(reply)] == [NUMBER]


def test_a_sender_id_of_another_account_is_no_use(w: World) -> None:
    assert send(w, "foreign@acme.example").startswith("550 5.7.1 +447700900902 is not a sender ID")


MOMENTS = {
    "2026-11-25T07:59": False,  # a Wednesday, in winter London's time is UTC
    "2026-11-25T08:00": True,
    "2026-11-25T17:59": True,
    "2026-11-25T18:00": False,
    "2026-11-28T12:00": False,  # a Saturday
    "2026-06-24T07:30": True,  # in summer it is 08:30 in London
    "2026-06-24T17:30": False,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_hours_are_those_of_the_account(w: World, moment: str) -> None:
    with time_machine.travel(datetime.fromisoformat(moment).replace(tzinfo=UTC), tick=False):
        found = explain.whocan(w.state, "day@acme.example", "127.0.0.1", UK)
    assert (found["outcome"] == "accepted") is MOMENTS[moment]
    if not MOMENTS[moment]:
        assert found["reason"] == (
            "outside_hours: day@acme.example may text Mon-Fri 08:00-18:00 (Europe/London) only"
        )


def test_outside_its_hours_a_sender_is_refused_at_rcpt(tmp_path: Any) -> None:
    given = copy.deepcopy(ROWS)
    in_two_days = datetime.now(UTC) + timedelta(days=2)
    given["account"][0]["timezone"] = "UTC"
    given["account"][0]["sender"] += [
        {"address": "never@acme.example", "hours": f"{in_two_days:%a} 12:00-12:01"},
        {"address": "always@acme.example", "hours": "00:00-24:00"},
    ]
    with world(tmp_path, given) as running:
        assert send(running, "never@acme.example").startswith("550 5.7.1 never@acme.example may text ")
        assert send(running, "always@acme.example").startswith("250 ")


def refused_for(w: World, code: str) -> list[str]:
    with w.gateway.reader.connect() as conn:
        r = tables.refusal.c
        return list(conn.execute(select(r.sender).where(r.code == code)).scalars())


def test_a_day_of_spending_is_taken_with_the_text_and_never_beyond(w: World) -> None:
    account = w.gateway.snapshot.account("acme")
    assert account
    assert send(w, "poor@acme.example").startswith("250 ")
    assert send(w, "poor@acme.example").startswith("250 ")
    with w.gateway.reader.connect() as conn:
        before = ledger.balance(conn, account.id)
    reply = send(w, "poor@acme.example")
    assert reply.startswith("452 4.2.2 the sender may spend 0.10 GBP a day; 0.10 are spent")
    with w.gateway.reader.connect() as conn:
        assert ledger.balance(conn, account.id) == before
    assert until(lambda: refused_for(w, "quota_exceeded") == ["poor@acme.example"])
    assert send(w, ALICE).startswith("250 ")


def test_what_a_pending_sender_may_not_is_told_after_its_proof_only(w: World) -> None:
    """A stranger learns nothing of destinations, contacts or the region of a number."""
    sender = "dmarc@acme.example"
    for to in (NORWAY, "nobody@sms.localhost", "123@sms.localhost"):
        raw = signing.mail(sender, to)
        with w.client() as client:
            client.ehlo("client.example")
            client.mail(sender)
            assert client.rcpt(to)[0] == 250
            code, words = client.data(raw)
            assert (code, words) == (550, b"5.7.26 this sender may not text from here")
            client.mail(sender)
            assert client.rcpt(to)[0] == 250
            code, words = client.data(signing.signed(raw))
            assert code == 550
            assert words != b"5.7.26 this sender may not text from here"


# mail from, secret or signature, what explain says of the sender
SENDERS = [
    ("dmarc@acme.example", "", "needs a DKIM signature or an SPF pass that is aligned"),
    ("dmarc@acme.example", "signed", "covers dmarc@acme.example"),
    ("spf@spf.example", "", "needs an SPF pass for the domain of spf@spf.example"),
    ("spf@spf.example", "near", "covers spf@spf.example"),
    ("plc@acme.example", "", "needs the secret"),
    ("plc@acme.example", "secret", "covers plc@acme.example"),
    ("eve@elsewhere.example", "", "no rule covers eve@elsewhere.example"),
]


@pytest.mark.parametrize(("sender", "proof", "words"), SENDERS)
def test_explain_names_the_rule_and_what_would_have_to_change(
    w: World, sender: str, proof: str, words: str
) -> None:
    to = UK.replace("@", "+hush-hush.42@") if proof == "secret" else UK
    raw = signing.mail(sender, UK)
    ip = "127.0.0.1" if proof == "near" else "192.0.2.1"
    found = explain.explain(w.state, signing.signed(raw) if proof == "signed" else raw, None, [to], ip)
    (check,) = [one for one in found["checks"] if one["name"] == "sender"]
    assert words in check["detail"]
    assert (check["verdict"] == "passed") is bool(proof)
    assert (found["outcome"] == "accepted") is bool(proof)
    assert "hush" not in str(found).lower()
    if proof:
        assert found["recipients"][0]["to"] == "+447700900123"


def test_whocan_asks_spf_and_says_what_only_a_mail_could_prove(w: World) -> None:
    near = explain.whocan(w.state, "either@spf.example", "127.0.0.1", UK)
    assert near["outcome"] == "accepted"  # SPF passes and is aligned
    far = explain.whocan(w.state, "either@spf.example", "192.0.2.1", UK)
    assert far["outcome"] == "refused"
    assert "DKIM signature" in far["checks"][0]["detail"]
    assert "SPF fail" in far["checks"][0]["detail"]
