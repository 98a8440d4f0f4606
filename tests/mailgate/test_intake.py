"""What the listener hands on: mixed recipients, reply addresses of several numbers, mail to the operator."""

import smtplib

import pytest
from core_support import wait_for
from mail_support import ALICE, ROWS, World, mail, talk, world
from sqlalchemy import func, select

from gateway_core import deliver, messages
from gateway_core.sms import MO
from gateway_core.storage import clock, tables
from mailgate import addresses

PHONE = "447700900123@sms.localhost"


@pytest.fixture(scope="module")
def w(tmp_path_factory):
    second = {"msisdn": "+447700900903", "account": "acme"}
    with world(tmp_path_factory.mktemp("intake"), {**ROWS, "number": [*ROWS["number"], second]}) as running:
        yield running


def forwards(w: World) -> int:
    n = tables.notice.c
    with w.gateway.reader.connect() as conn:
        return int(conn.execute(select(func.count()).where(n.kind == "forward")).scalar_one())


def reply_address(w: World, handset: str, number: str) -> str:
    """The signed address of a conversation that the phone begins with this text."""
    route = w.gateway.snapshot.routes[0]
    deliver.deliver(w.gateway, route.id, [MO(f"mo-{handset}-{number}", handset, number, "hello?")])
    c = tables.conversation.c
    wanted = select(c.id).where(c.handset == handset, c.number == number)
    with w.gateway.reader.connect() as conn:
        talk_id = conn.execute(wanted).scalar_one()
    local = addresses.reply_local(talk_id, clock.now() + clock.DAY, w.state.secrets)
    return f"{local}@sms.localhost"


def test_a_mail_to_a_number_and_the_operator_reaches_both(w):
    before = forwards(w)
    assert w.send(mail("to both"), [PHONE, "postmaster@sms.localhost"]).startswith("2.0.0 s")
    wait_for(lambda: "to both" in w.texts("+447700900123"))
    assert forwards(w) == before + 1


def test_who_wrote_is_kept_with_the_submission(w):
    (row,) = w.of_submission(w.send(mail("by whom?")))
    wanted = select(tables.submission.c.sender).where(tables.submission.c.id == row["submission_id"])
    with w.gateway.reader.connect() as conn:
        assert conn.execute(wanted).scalar_one() == ALICE


def test_what_was_not_texted_is_kept_with_the_submission(w):
    said = w.send(mail("Yes, Friday.\n\nSent from my iPhone\n\nOn 5 May 2026 b@x.example wrote:\n> Friday?"))
    (row,) = w.of_submission(said)
    with w.gateway.reader.connect() as conn:
        origin = messages.origin(conn, row["submission_id"])
    assert row["text"] == "Yes, Friday."
    assert origin["removed"] == [
        {"text": "Sent from my iPhone", "why": "tagline"},
        {"text": "On 5 May 2026 b@x.example wrote:\n> Friday?", "why": "quote"},
    ]


def test_a_mixed_mail_that_is_refused_leaves_no_copy(w):
    before = forwards(w)
    with pytest.raises(smtplib.SMTPDataError):
        w.send(mail("x" * 2000), [PHONE, "postmaster@sms.localhost"])
    assert forwards(w) == before


def _say(conn, units):
    """Fold: statements, one after another."""
    return [conn.exec_driver_sql(unit) and None for unit in units]


def test_a_mixed_mail_is_kept_whole_or_not_at_all(w):
    """It has no Message-ID and no Date: what is texted before a 451 is texted again when it comes again."""
    refuse = "BEGIN SELECT RAISE(ABORT, 'no'); END"
    put = w.gateway.writer.put
    put(_say, f"CREATE TRIGGER no BEFORE INSERT ON notice WHEN NEW.kind = 'forward' {refuse}").result()
    try:
        with pytest.raises(smtplib.SMTPDataError, match=r"4\.3\.0"):
            w.send(mail("whole"), [PHONE, "postmaster@sms.localhost"])
    finally:
        put(_say, "DROP TRIGGER no").result()
    before = forwards(w)
    w.send(mail("whole"), [PHONE, "postmaster@sms.localhost"])
    texts = select(func.count()).where(tables.submission.c.text == "whole")
    with w.gateway.reader.connect() as conn:
        assert (conn.execute(texts).scalar_one(), forwards(w)) == (1, before + 1)


def test_mail_to_the_operator_has_its_own_answer_and_limit(w):
    assert w.send(mail("hello"), "postmaster@sms.localhost") == "2.0.0 accepted for the operator"
    with pytest.raises(smtplib.SMTPDataError) as refused:
        w.send(mail("z" * 900 + "\n" * 1_100_000), "postmaster@sms.localhost")
    assert (refused.value.smtp_code, refused.value.smtp_error[:5]) == (552, b"5.3.4")


def test_each_reply_address_answers_from_its_own_number(w):
    both = [
        reply_address(w, "+447700900141", "+447700900901"),
        reply_address(w, "+447700900142", "+447700900903"),
    ]
    rows = w.of_submission(w.send(mail("an answer to two"), [*both, "447700900143@sms.localhost"]))
    assert {row["to"]: row["sender_id"] for row in rows} == {
        "+447700900141": "+447700900901",
        "+447700900142": "+447700900903",
        "+447700900143": "+447700900901",
    }


def test_a_conversation_goes_over_to_the_account_that_the_number_has_now(w):
    """A shared number: the handset's keyword names another account than the last writer's."""
    c = tables.conversation.c
    with w.gateway.reader.begin() as conn:
        other = w.gateway.snapshot.account("other")
        conn.execute(
            tables.conversation.insert(),
            {
                "id": w.gateway.ids.new(),
                "account_id": other.id,
                "number": "+447700900901",
                "handset": "+447700900144",
                "message_id": None,
                "changed_at": 0,
            },
        )
    address = reply_address(w, "+447700900144", "+447700900901")
    with w.gateway.reader.connect() as conn:
        owner = conn.execute(select(c.account_id).where(c.handset == "+447700900144")).scalar_one()
    assert owner == w.gateway.snapshot.account("acme").id
    assert w.send(mail("I am here"), address, ALICE).startswith("2.0.0 s")


def test_an_address_in_letters_of_the_world(w):
    with pytest.raises(smtplib.SMTPDataError) as refused:
        w.send(mail(sender="jörg@acme.example").decode().encode())
    assert b"may not text for this account" in refused.value.smtp_error  # read, and then not covered


@pytest.mark.parametrize(
    ("line", "begins"),
    [
        (b"RCPT TO:<1@sms.localhost>\r\n", b"503 5.5.1"),
        (b"NONSENSE\r\n", b"500 5.5.2"),
        (b"EXPN all\r\n", b"502 5.5.1"),
        (b"MAIL FROM:<a@b.example> SIZE=99999999999\r\n", b"552 5.3.4"),
        (b"MAIL FROM:<a@b.example> HOLDFOR=9\r\n", b"555 5.5.4"),
        (b"VRFY <postmaster>\r\n", b"252 2.5.2"),
        (b"QUIT\r\n", b"221 2.0.0"),
    ],
)
def test_replies_have_an_enhanced_code(w, line, begins):
    assert talk(w.port, b"EHLO c\r\n", line)[-1].startswith(begins)


def test_the_trail_of_a_text_begins_with_its_acceptance(w):
    message = w.of_submission(w.send(mail("trail")))[0]
    with w.gateway.reader.connect() as conn:
        first = messages.trail(conn, message["id"])[0]
    assert (first["actor"], first["old"], first["new"]) == ("submit", "", "QUEUED")
