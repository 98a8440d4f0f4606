"""Delivery reports (RFC 3464, RFC 6522), read back by Python's email and by flufl.bounce, as mailing lists do."""

import email.policy
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from core_support import wait_for
from flufl.bounce import all_failures
from mail_support import ALICE, ROWS, World, mail, world
from serve_support import words
from sqlalchemy import select
from wire import Wire

from gateway_core import delays, notices
from gateway_core.jobs.queue import NOTICES
from gateway_core.messages import FINAL
from gateway_core.storage import tables
from mailgate import reports

FINE, DEAD, REFUSED, SILENT = (f"+4477009{n}" for n in ("00123", "00004", "00002", "00005"))
ACME = {**ROWS["account"][0], "digest_minutes": 10_080}
DIGEST = {
    **ROWS["account"][0],
    "name": "many",
    "receipts": "digest",
    "replies_to": [],
    "sender": [{"address": "@many.example"}, {"address": "each@many.example", "receipts": "all"}],
    "contact": [],
}
NUMBER = {"msisdn": "+447700900903", "account": "many"}


@pytest.fixture(scope="module")
def w(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    given = {**ROWS, "account": [ACME, DIGEST, ROWS["account"][1]], "number": [*ROWS["number"], NUMBER]}
    with world(tmp_path_factory.mktemp("reports"), given) as running:
        yield running


def at(number: str) -> str:
    return f"{number.removeprefix('+')}@sms.localhost"


def reported(w: World, raw: bytes, *to: str, mail_from: str = ALICE, options: bytes = b"") -> EmailMessage:
    """The one report about a mail; `to`: numbers, each perhaps with what its RCPT asks for behind a blank."""
    before = set(w.outbox())
    with Wire(w.port) as wire:
        wire.say(b"EHLO c")
        assert wire.say(b"MAIL FROM:<" + mail_from.encode() + b">" + options).startswith(b"250")
        for one in to:
            number, blank, asked = one.partition(" ")
            line = f"RCPT TO:<{at(number)}>{blank}{asked}"
            assert wire.say(line.encode()).startswith(b"250")
        wire.say(b"DATA")
        assert wire.say(raw + b".").startswith(b"250")
    (path,) = wait_for(lambda: set(w.outbox()) - before)
    found = message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def parts(report: EmailMessage) -> tuple[Any, list[Any], Any]:
    """People's part, the groups of fields of the machine's, the original."""
    assert report.get_content_type() == "multipart/report"
    assert report["Content-Type"].params["report-type"] == "delivery-status"
    for_people, for_machines, original = report.iter_parts()
    assert for_people.get_content_type() == "multipart/alternative"
    assert for_machines.get_content_type() == "message/delivery-status"
    return for_people, list(for_machines.get_payload()), original


def test_one_that_failed(w: World) -> None:
    raw = mail(
        "Dinner?",
        message_id="d1@acme.example",
        Subject="=?utf-8?q?=C3=86rlig?=",
        Date="Tue, 3 Mar 2026 10:00:00 +0000",
    )
    report = reported(w, raw, REFUSED)
    _, (of_mail, of_number), original = parts(report)
    assert of_mail["Reporting-MTA"] == "dns; sms.localhost"
    assert "Arrival-Date" in of_mail
    assert of_number["Final-Recipient"] == "rfc822; 447700900002@sms.localhost"
    assert (of_number["Action"], of_number["Status"]) == ("failed", "5.0.0")
    assert of_number["Diagnostic-Code"] == "X-SMS; 11 no such subscriber"
    assert original.get_content_type() == "text/rfc822-headers"
    head = message_from_bytes(original.get_payload().encode(), policy=email.policy.default)
    assert (head["Message-ID"], head["Subject"]) == ("<d1@acme.example>", "Ærlig")
    assert (head["From"], head["To"]) == (ALICE, at(REFUSED))
    assert head["Date"].datetime.hour == 10
    assert (report["In-Reply-To"], report["Subject"]) == ("<d1@acme.example>", "Re: Ærlig")
    said = words(report).splitlines()
    assert said[0] == "Your text to +44 7700 900002 was refused by the network."
    assert said[1] == "The network said: 11 no such subscriber"
    assert said[2].startswith("Check the number.")
    assert said[-1] == "> Dinner?"


# (number, Action, Status, permanent failure as flufl.bounce sees it)
ENDS = [
    (FINE, "delivered", "2.0.0", False),
    (DEAD, "failed", "5.0.0", True),
    (REFUSED, "failed", "5.0.0", True),
]


@pytest.mark.parametrize(("number", "action", "status", "failed"), ENDS)
def test_as_a_mailing_list_reads_it(w: World, number: str, action: str, status: str, *, failed: bool) -> None:
    report = reported(w, mail("hello", message_id=f"l{number}@acme.example"), number)
    _, (_, fields), _ = parts(report)
    assert (fields["Action"], fields["Status"]) == (action, status)
    temporary, permanent = all_failures(message_from_bytes(report.as_bytes()))
    assert (set(temporary), set(permanent)) == (set(), {at(number).encode()} if failed else set())


def test_every_end_has_its_action() -> None:
    assert reports.ENDS.keys() == FINAL
    for action, status in reports.ENDS.values():
        assert status[0] == {"delivered": "2", "failed": "5"}.get(action, status[0])


def test_what_the_client_asked_for_comes_back(w: World) -> None:
    report = reported(
        w,
        mail("asked", message_id="asked@acme.example"),
        f"{FINE} NOTIFY=SUCCESS ORCPT=rfc822;Bob+2Bx@example.com",
        options=b" RET=HDRS ENVID=QQ+2B314",
    )
    _, (of_mail, of_number), original = parts(report)
    assert of_mail["Original-Envelope-Id"] == "QQ+2B314"
    assert of_number["Original-Recipient"] == "rfc822; Bob+2Bx@example.com"
    assert original.get_content_type() == "text/rfc822-headers"


def test_the_whole_mail_where_its_sender_asked_for_it(w: World) -> None:
    raw = mail("whole\n..dots\nand all", message_id="full@acme.example", Subject="Whole", X_Odd="kept")
    report = reported(w, raw, DEAD, options=b" RET=FULL")
    _, _, original = parts(report)
    assert original.get_content_type() == "message/rfc822"
    (back,) = original.iter_parts() if original.is_multipart() else original.get_payload()
    assert (back["X-Odd"], back["Subject"]) == ("kept", "Whole")
    assert back.get_payload().splitlines() == ["whole", ".dots", "and all"]


@pytest.mark.parametrize("body", ["x\r\n" * 25_000, "smørbrød"])
def test_one_that_cannot_come_back_whole(w: World, body: str) -> None:
    raw = mail("short", message_id=f"{len(body)}@acme.example")
    attached = (
        b"--b\r\n\r\nhello\r\n--b\r\nContent-Type: image/png\r\n\r\n" + body.encode() + b"\r\n--b--\r\n"
    )
    head = raw.replace(b"\r\n\r\nshort", b"\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n")
    report = reported(w, head + attached, DEAD, options=b" RET=FULL")
    assert parts(report)[2].get_content_type() == "text/rfc822-headers"


@pytest.mark.parametrize("date", ["Mon, 1 Jan 2024 00:00:00 +" + "9" * 60, "yesterday", "x" * 400, ""])
def test_a_date_that_is_none_costs_no_report(w: World, date: str) -> None:
    report = reported(w, mail("when", message_id=f"{len(date)}.date@acme.example", Date=date), DEAD)
    head = message_from_bytes(parts(report)[2].get_payload().encode(), policy=email.policy.default)
    assert head["Date"].datetime is not None


# --- digests ----------------------------------------------------------------------------------------------


def test_one_digest_with_a_row_for_each(w: World) -> None:
    sender = "boss@many.example"
    raw = mail("to all of you", sender=sender, message_id="all@many.example")
    report = reported(w, raw, FINE, DEAD, REFUSED, mail_from=sender)
    _, (_, *rows), _ = parts(report)
    assert [(row["Final-Recipient"], row["Action"]) for row in rows] == [
        (f"rfc822; {at(FINE)}", "delivered"),
        (f"rfc822; {at(DEAD)}", "failed"),
        (f"rfc822; {at(REFUSED)}", "failed"),
    ]
    assert words(report).splitlines() == [
        "1 of 3 texts were delivered.",
        "",
        "+44 7700 900123  delivered",
        "+44 7700 900004  not delivered",
        "+44 7700 900002  refused by the network (11 no such subscriber)",
        "",
        "> to all of you",
    ]
    _, permanent = all_failures(message_from_bytes(report.as_bytes()))
    assert set(permanent) == {at(DEAD).encode(), at(REFUSED).encode()}


def test_a_sender_of_the_account_wants_each_by_itself(w: World) -> None:
    sender = "each@many.example"
    report = reported(w, mail("x", sender=sender, message_id="e@many.example"), FINE, mail_from=sender)
    assert words(report).startswith("Your text to +44 7700 900123 was delivered.")


def test_a_machine_hears_nothing_of_a_digest_in_which_all_is_well(w: World) -> None:
    sender = "cron@many.example"
    before = set(w.outbox())
    raw = mail("backup done", sender=sender, message_id="b@many.example", Auto_Submitted="auto-generated")
    w.send(raw, at(FINE), sender)

    def done() -> bool:
        n = tables.notice.c
        with w.gateway.reader.connect() as conn:
            newest = conn.execute(select(n.state, n.words).order_by(n.id.desc()).limit(1)).one()
        return tuple(newest) == ("DONE", "nobody to tell by mail")

    wait_for(done)
    assert set(w.outbox()) == before


def test_who_answers_a_report_texts_the_phone(w: World) -> None:
    report = reported(w, mail("ping", message_id="ping@acme.example"), FINE)
    assert report["Reply-To"] == at(FINE)
    raw = mail("pong", message_id="pong@acme.example", In_Reply_To=str(report["Message-ID"]))
    before = set(w.outbox())
    w.send(raw, str(report["Reply-To"]))
    (path,) = wait_for(lambda: set(w.outbox()) - before)
    assert b"pong" in path.read_bytes()
    assert "pong" in w.texts(FINE)


def test_a_late_one_is_warned_of_once(w: World, tmp_path: Path) -> None:
    before = set(w.outbox())
    w.send(mail("slow", message_id="slow@acme.example"), at(SILENT))
    (message,) = wait_for(lambda: [m for m in of_text(w, "slow") if m.state == "SUBMITTED"])
    row = (message.id, message.account_id, message.to, "SUBMITTED", "", message.expires_at)
    w.gateway.writer.put(notices.owe_each, (w.gateway.ids, delays._notice(*row))).result()
    w.gateway.queue.hint(NOTICES)
    (path,) = wait_for(lambda: set(w.outbox()) - before)
    report = message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(report, EmailMessage)
    _, (_, fields), _ = parts(report)
    assert (fields["Action"], fields["Status"]) == ("delayed", "4.4.7")
    assert "Will-Retry-Until" in fields
    assert words(report).startswith("Your text to +44 7700 900005 was sent, but the network has not said")
    assert all_failures(message_from_bytes(path.read_bytes()))[1] == set()


def of_text(w: World, text: str) -> list[Any]:
    m, s = tables.message, tables.submission
    with w.gateway.reader.connect() as conn:
        found = select(m).join_from(m, s, m.c.submission_id == s.c.id).where(s.c.text == text)
        return list(conn.execute(found))
