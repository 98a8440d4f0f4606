"""What an author can ask for beyond one number and one text: groups, lists in the mail, flash, urgent, previews."""

import email
import email.policy
import smtplib
from collections.abc import Iterator
from typing import Any

import pytest
from core_support import wait_for
from mail_support import ROWS, World, mail, world
from serve_support import words as words_of
from sqlalchemy import select

from gateway_core import ledger, messages, refusals
from gateway_core.storage import tables
from mailgate import explain

ONE, TWO, ABROAD = "+447700900123", "+447700900124", "+4790000001"
ALICE, LINES, TITLES, CRON = (f"{name}@acme.example" for name in ("alice", "lines", "titles", "cron"))

ACCOUNT: dict[str, Any] = {
    **ROWS["account"][0],
    "receipts": "failures",
    "max_group": 3,
    "alarm_to": ["ops@acme.example"],
    "end_markers": ["ENDE"],
    "sender": [
        {"address": ALICE},
        {"address": LINES, "recipients": "body"},
        {"address": TITLES, "recipients": "subject", "monitoring": True},
        {"address": CRON},
    ],
    "contact": [
        {"name": "oncall", "numbers": [ONE]},
        {"name": "team", "numbers": [ONE, ABROAD, TWO]},
        {"name": "abroad", "numbers": [ABROAD]},
        {"name": "everybody", "numbers": [f"+4477009001{n:02}" for n in range(30, 34)]},
    ],
}


@pytest.fixture(scope="module")
def w(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    rows = {**ROWS, "account": [ACCOUNT, ROWS["account"][1]]}
    with world(tmp_path_factory.mktemp("asked"), rows) as running:
        yield running


def mails(w: World, about: str) -> list[Any]:
    """Of the outbox, those whose text says this."""
    found = [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in w.outbox()]
    return [one for one in found if about in words_of(one)]


def told(w: World, about: str) -> Any:
    wait_for(lambda: mails(w, about))
    (one,) = mails(w, about)
    return one


def balance(w: World) -> int:
    account = w.gateway.snapshot.account("acme")
    assert account
    with w.gateway.reader.connect() as conn:
        return ledger.balance(conn, account.id)


def of(w: World, reply: str) -> dict[str, Any]:
    return {row["to"]: row for row in w.of_submission(reply)}


# --- groups -----------------------------------------------------------------------------------------------


def test_each_of_a_group_is_its_own_decision(w: World) -> None:
    """There is no price for +47."""
    reply = w.send(
        mail("the lift is stuck", message_id="group@x.example", Subject="Lift"), "team@sms.localhost"
    )
    assert set(of(w, reply)) == {ONE, TWO}
    wait_for(lambda: "the lift is stuck" in w.texts(TWO))
    note = told(w, "Not texted: +47 90 00 00 01")
    assert note["To"] == ALICE
    assert note["In-Reply-To"] == "<group@x.example>"
    assert "there is no price for +4790000001 in GBP" in words_of(note)
    with w.gateway.reader.connect() as conn:
        newest = [row for row in refusals.newest(conn, 50) if row["recipient"] == ABROAD]
    assert [row["code"] for row in newest] == ["destination_not_allowed"]
    w.send(mail("the lift is stuck", message_id="group@x.example", Subject="Lift"), "team@sms.localhost")
    assert len(mails(w, "Not texted: +47 90 00 00 01")) == 1  # a repeat is told of once


def test_a_group_of_whom_nobody_may_be_texted_is_refused(w: World) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused, match="no price for"):
        w.send(mail("a"), "abroad@sms.localhost")


def test_a_group_that_is_too_large_is_refused_for_good(w: World) -> None:
    with pytest.raises(
        smtplib.SMTPRecipientsRefused, match=r"550.*5\.5\.3 everybody has 4 numbers; acme allows 3"
    ):
        w.send(mail("a"), "everybody@sms.localhost")


def test_a_machine_is_not_told_but_people_are(w: World) -> None:
    w.send(mail("disk 4 full", sender=CRON, Auto_Submitted="auto-generated"), "team@sms.localhost", CRON)
    wait_for(lambda: any(one["To"] == "ops@acme.example" for one in mails(w, "Not texted")))
    assert not [one for one in mails(w, "Not texted") if one["To"] == CRON]


def test_characters_that_count_as_two_are_told_of_where_they_do(w: World) -> None:
    w.send(mail("[5 €]", Subject="+preview extension"))
    words = words_of(told(w, "[5 €]"))
    assert "1 segment (GSM), 0.05 GBP in all." in words
    assert "\n  €  euro sign, once\n" in words
    w.send(mail("[5 €] – now", Subject="+preview extension"))
    words = words_of(told(w, "[5 €] – now"))
    assert "  –  en dash, once; transliterated: -\n" in words
    assert "euro sign" not in words


def test_attachments_are_named_where_no_receipt_would_do_it(w: World) -> None:
    """The same name again is told of once a day, however many mails have it."""
    raw = (
        f"From: {ALICE}\r\nSubject: plan\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        "--b\r\n\r\nsee the plan\r\n--b\r\nContent-Type: application/pdf; name=plan.pdf\r\n\r\nx\r\n--b--\r\n"
    )
    w.send(raw.encode())
    w.send(raw.replace("see the plan", "see the new plan").encode())
    note = told(w, "Attachments cannot be texted: plan.pdf")
    assert (note["To"], note["Auto-Submitted"], note["Return-Path"]) == (ALICE, "auto-generated", None)
    assert "Everybody else" not in words_of(note)


# --- lists in the mail ------------------------------------------------------------------------------------


def test_lines_of_the_body_say_whom_what_and_as_whom(w: World) -> None:
    body = "to: 07700 900123, oncall; team\nto: 07700900129\nfrom: +447700900901\nref: 4711"
    body += "\ntext: Pump 7\ntext: tripped"
    reply = w.send(mail(f"{body}\n\n-- \nScript 1.0", sender=LINES), "sms@sms.localhost", LINES)
    rows = of(w, reply)
    assert set(rows) == {ONE, TWO, "+447700900129"}
    assert {row["text"] for row in rows.values()} == {"Pump 7\ntripped"}
    assert {row["client_ref"] for row in rows.values()} == {"4711"}
    assert {row["sender_id"] for row in rows.values()} == {"+447700900901"}


def test_of_a_list_those_who_can_be_texted_are(w: World) -> None:
    body = "to: 07700900125, 12, nobody\ntext: Pump 8"
    reply = w.send(mail(body, sender=LINES), "SMS@sms.localhost", LINES)
    assert set(of(w, reply)) == {"+447700900125"}
    words = words_of(told(w, "Not texted: nobody"))
    assert "nobody is neither a number nor a contact of acme" in words
    assert "Not texted: 12 (not a possible telephone number)." in words


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("to: nobody\ntext: a", "5.1.1 nobody is neither"),
        ("to: 12\ntext: a", "5.1.3"),
        ("Pump 7", "5.6.0 the line 'Pump 7' is neither"),
        ("to: 07700900123", "5.6.0 the mail needs lines"),
        ("to: 07700900123\ntext:", "5.6.0 there is nothing to text"),
        ("to: 07700900123\nfrom: Bank\ntext: a", "5.7.1 Bank is not a sender ID"),
        ("to: sms\ntext: a", "5.1.1 sms cannot be listed"),
        ("to: 07700900130, 07700900131, 07700900132, 07700900133\ntext: a", "5.5.3 the mail lists 4 numbers"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused(w: World, body: str, words: str) -> None:
    before = balance(w)
    with pytest.raises(smtplib.SMTPDataError, match=words):
        w.send(mail(body, sender=LINES), "sms@sms.localhost", LINES)
    assert balance(w) == before


def test_the_subject_as_the_list(w: World) -> None:
    raw = mail("Tank 3 empty\n--\nfollows", sender=TITLES, Subject="+urgent 07700 900126; oncall")
    rows = of(w, w.send(raw, "sms@sms.localhost", TITLES))
    assert set(rows) == {ONE, "+447700900126"}
    assert {(row["text"], row["urgent"]) for row in rows.values()} == {("Tank 3 empty\n--\nfollows", True)}


def test_the_fixed_address_is_for_senders_that_have_it(w: World) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused, match="sms is neither a number nor a contact"):
        w.send(mail("to: 07700900123\ntext: a"), "sms@sms.localhost")
    reply = w.send(
        mail("to: nobody", sender=LINES), "07700900127@sms.localhost", LINES
    )  # a number: as for anybody
    assert of(w, reply)["+447700900127"]["text"] == "to: nobody"


# --- options ----------------------------------------------------------------------------------------------


def test_a_tag_is_for_its_recipient_and_the_subject_for_all(w: World) -> None:
    to = [
        "07700900140+flash@sms.localhost",
        "07700900141@sms.localhost",
        "07700900142+FLASH+urgent@sms.localhost",
    ]
    rows = of(w, w.send(mail("fire"), to))
    assert {number[-3:]: (row["flash"], row["urgent"]) for number, row in rows.items()} == {
        "140": (True, False),
        "141": (False, False),
        "142": (True, True),
    }
    rows = of(w, w.send(mail("", Subject="+flash +urgent Fire in hall 2"), to))
    assert {(row["flash"], row["urgent"], row["text"]) for row in rows.values()} == {
        (True, True, "Fire in hall 2")
    }


def test_an_unknown_tag_is_refused_at_rcpt(w: World) -> None:
    with pytest.raises(
        smtplib.SMTPRecipientsRefused, match=r"5\.1\.1 what stands behind the \+ is not an option"
    ):
        w.send(mail("a"), "07700900123+flsh@sms.localhost")


def submissions(w: World) -> int:
    with w.gateway.reader.connect() as conn:
        return len(conn.execute(select(tables.submission.c.id)).all())


@pytest.mark.parametrize("where", ["tag", "subject"])
def test_a_preview_texts_nobody_and_says_all(w: World, where: str) -> None:
    before = (balance(w), submissions(w))
    to = [
        "07700900150+preview@sms.localhost" if where == "tag" else "07700900150@sms.localhost",
        "team@sms.localhost",
    ]
    subject = "+preview Van" if where == "subject" else "Van"
    text = f"It’s {where} ^ {'x' * 70}\n\nSent from my iPhone"
    said = w.send(mail(text, Subject=subject, message_id=f"preview-{where}@x.example"), to)
    assert said.startswith("2.0.0 accepted as a preview: nobody is texted")
    note = told(w, f"It’s {where}")
    words = words_of(note)
    assert (balance(w), submissions(w)) == before
    assert w.texts("+447700900150") == []
    assert note["To"] == ALICE
    assert note["In-Reply-To"] == f"<preview-{where}@x.example>"
    for line in (
        "Nobody was texted, and nothing was charged.",
        f"[1/2] It’s {where} ^ xxx",
        "2 segments (UCS-2) for each of 3 numbers, 0.30 GBP in all.",
        "+44 7700 900150: 0.10 GBP",
        "\n  ’  right single quotation mark, once; transliterated: '\n",
        'With unsupported = "transliterate" of the account it would need\n1 segment.',
        "Not part of the text (tagline):\n> Sent from my iPhone",
        "Not texted: +47 90 00 00 01",
    ):
        assert line in words


def test_a_preview_of_what_would_be_refused_is_refused(w: World) -> None:
    with pytest.raises(smtplib.SMTPDataError, match=r"5\.3\.4 the text needs"):
        w.send(mail("x" * 1000), "07700900123+preview@sms.localhost")


# --- explain ----------------------------------------------------------------------------------------------


def test_explain_shows_whom_a_mail_lists(w: World) -> None:
    raw = mail("to: 07700900125, nobody, team\ntext: Pump 8\nENDE\nx", sender=LINES)
    found = explain.explain(w.state, raw, LINES, ["sms@sms.localhost"], "127.0.0.1")
    assert (found["outcome"], found["text"]) == ("accepted", "Pump 8")
    assert {one["to"]: one["outcome"] for one in found["recipients"]} == {
        "+447700900125": "accepted",
        ONE: "accepted",
        TWO: "accepted",
        ABROAD: "refused",
        "nobody": "refused",
    }


def test_explain_shows_each_of_a_group(w: World) -> None:
    found = explain.explain(w.state, mail("a"), ALICE, ["team+flash@sms.localhost"], "127.0.0.1")
    assert {one["to"]: one["outcome"] for one in found["recipients"]} == {
        ONE: "accepted",
        TWO: "accepted",
        ABROAD: "refused",
    }
    assert messages.State.QUEUED not in found


@pytest.mark.parametrize(("to", "outcome"), [("team", "accepted"), ("abroad", "refused")])
def test_whocan_says_yes_for_a_group_of_whom_somebody_may_be_texted(w: World, to: str, outcome: str) -> None:
    assert explain.whocan(w.state, ALICE, "127.0.0.1", to)["outcome"] == outcome
