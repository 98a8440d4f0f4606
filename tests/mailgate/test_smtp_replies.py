"""CONTRACT's table of SMTP replies, on the wire; each row whose feature exists."""

import smtplib
import time
from email import message_from_bytes

import pytest
from mail_support import ALICE, BOB, World, mail, talk, world
from sqlalchemy import select

from gateway_core import errors
from gateway_core.errors import GatewayError, Refused
from gateway_core.storage import clock, tables
from mailgate import addresses, smtp_replies
from mailgate import errors as mail_errors

PHONE = "447700900123@sms.localhost"


@pytest.fixture(scope="module")
def w(tmp_path_factory):
    with world(tmp_path_factory.mktemp("smtp")) as running:
        yield running


def rcpt(w: World, address: str, mail_from: str = ALICE) -> str:
    with w.client() as client:
        client.ehlo("client.example")
        assert client.mail(mail_from)[0] == 250
        code, words = client.rcpt(address)
        return f"{code} {words.decode()}"


# (envelope sender, recipient): how the reply begins
RCPT = [
    (ALICE, "447700900123@sms.localhost", "250 2.1.5"),
    (ALICE, "+447700900123@sms.localhost", "250 2.1.5"),
    (ALICE, "00447700900123@sms.localhost", "250 2.1.5"),
    (ALICE, "p447700900123@sms.localhost", "250 2.1.5"),
    (ALICE, "07700900123@sms.localhost", "250 2.1.5"),
    (ALICE, "07700.900-123@SMS.LOCALHOST", "250 2.1.5"),
    (ALICE, '"07700 900123"@sms.localhost', "250 2.1.5"),
    (ALICE, "oncall@sms.localhost", "250 2.1.5"),
    (ALICE, "OnCall@sms.localhost", "250 2.1.5"),
    (ALICE, "nobody@sms.localhost", "550 5.1.1"),
    (ALICE, "447700900123+tomorrow@sms.localhost", "550 5.1.1"),
    (ALICE, "123@sms.localhost", "550 5.1.3"),
    (ALICE, "4477009001234567890@sms.localhost", "550 5.1.3"),
    (ALICE, "447700900123@elsewhere.example", "550 5.7.1"),
    (ALICE, "447700900123", "550 5.7.1"),
    (ALICE, "+15005550006@sms.localhost", "550 5.7.1"),  # not a destination of the account
    (ALICE, "+4741234567@sms.localhost", "550 5.7.1"),  # no price
    (ALICE, "r.aaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaa@sms.localhost", "550 5.1.1"),
    ("mallory@evil.example", PHONE, "550 5.7.1"),
    ("mallory@evil.example", "nonsense@sms.localhost", "550 5.7.1"),  # the sender is refused first
    ("far@acme.example", PHONE, "550 5.7.1"),  # covered, but not from here
    ("alice@acme.example.evil.example", PHONE, "550 5.7.1"),
    ("ALICE@ACME.EXAMPLE", PHONE, "250 2.1.5"),
    (BOB, PHONE, "250 2.1.5"),
    ("carol@other.example", PHONE, "250 2.1.5"),
    ("carol@sub.other.example", PHONE, "550 5.7.1"),
    ("", PHONE, "550 5.7.1"),
    ("", "postmaster@sms.localhost", "250 2.1.5"),
    ("", "postmaster", "250 2.1.5"),
    ("mallory@evil.example", "abuse@sms.localhost", "250 2.1.5"),
]


@pytest.mark.parametrize(("mail_from", "to", "begins"), RCPT)
def test_rcpt(w, mail_from, to, begins):
    assert rcpt(w, to, mail_from).startswith(begins)


def test_refusals_before_proof_read_alike(w):
    words = {
        rcpt(w, PHONE, sender) for sender in ("mallory@evil.example", "far@acme.example", "x@acme.example")
    }
    assert len(words) == 1


def test_own_return_path_takes_bounces(w):
    own = f"{addresses.return_local(12345, w.state.secrets)}@sms.localhost"
    assert rcpt(w, own, "").startswith("250")
    assert w.send(mail(sender="mailer-daemon@acme.example"), own, "").startswith("2.0.0")


def test_an_expired_reply_address_names_the_plain_one(w):
    w.send(mail("begin a conversation"))
    with w.gateway.reader.connect() as conn:
        talk_id = conn.execute(select(tables.conversation.c.id)).scalars().first()
    old = addresses.reply_local(talk_id, clock.now() - 2 * clock.DAY, w.state.secrets)
    assert rcpt(w, f"{old}@sms.localhost") == (
        "550 5.1.1 this reply address has expired; write to 447700900123@sms.localhost"
    )
    forged = old[:-1] + ("a" if old[-1] != "a" else "b")
    assert rcpt(w, f"{forged}@sms.localhost").startswith("550 5.1.1")
    live = addresses.reply_local(talk_id, clock.now() + clock.DAY, w.state.secrets)
    assert rcpt(w, f"{live}@sms.localhost").startswith("250")
    assert rcpt(w, f"{live}@sms.localhost", BOB).startswith("550 5.1.1")  # another account's
    assert rcpt(w, f"{live}@sms.localhost", "mallory@evil.example").startswith(
        "550 5.7.1"
    )  # checked as any mail


LONG = "x" * 1000
# what is wrong: the mail, how the reply begins
DATA = {
    "accepted": (mail(), "250 2.0.0 s"),
    "From missing": (b"Subject: hi\r\n\r\nhello\r\n", "550 5.7.1"),
    "From of nobody's": (mail(sender="mallory@evil.example"), "550 5.7.1"),
    "From of another account": (mail(sender=BOB), "550 5.7.1"),
    "two From fields": (b"From: alice@acme.example\r\nFrom: alice@acme.example\r\n\r\nhi\r\n", "550 5.7.1"),
    "two mailboxes": (mail(sender="alice@acme.example, bob@other.example"), "550 5.7.1"),
    "From with an address as name": (mail(sender="alice@acme.example <mallory@evil.example>"), "550 5.7.1"),
    "loop": (b"".join([b"Received: by x\r\n"] * 31) + mail(), "554 5.4.6"),
    "robot": (mail(Auto_Submitted="auto-replied"), "550 5.7.1"),
    "list": (mail(List_Id="<news.acme.example>", Precedence="list"), "550 5.7.1"),
    "bounce": (mail(Content_Type="multipart/report; report-type=delivery-status; boundary=x"), "550 5.7.1"),
    "nothing to text": (mail(""), "554 5.6.0"),
    "encrypted": (mail(Content_Type="multipart/encrypted; boundary=x"), "554 5.6.0 this mail is encrypted"),
    "too many segments": (mail(LONG), "552 5.3.4"),
    "too many parts": (
        mail("--x\r\n\r\na\r\n" * 300 + "--x--", Content_Type="multipart/mixed; boundary=x"),
        "552 5.3.4",
    ),
}


@pytest.mark.parametrize("case", DATA)
def test_end_of_data(w, case):
    raw, begins = DATA[case]
    try:
        reply = "250 " + w.send(raw)
    except smtplib.SMTPDataError as error:
        reply = f"{error.smtp_code} {error.smtp_error.decode()}"
    assert reply.startswith(begins)


def test_lists_where_a_rule_wants_them(w):
    raw = mail(sender="list@acme.example", List_Id="<news.acme.example>", Precedence="list")
    assert w.send(raw, mail_from="list@acme.example").startswith("2.0.0")


TRANSACTION = (
    b"EHLO c\r\n",
    b"MAIL FROM:<alice@acme.example>\r\n",
    f"RCPT TO:<{PHONE}>\r\n".encode(),
    b"DATA\r\n",
)
BODY = b"From: alice@acme.example\r\n\r\n"
# ways to hide a second mail or a second line end from one of two servers
SMUGGLED = {
    "LF.LF": b"a\n.\nb",
    "LF.CRLF": b"a\n.\r\nb",
    "CR.CR": b"a\r.\rb",
    "CR.CRLF": b"a\r.\r\nb",
    "CRLF.LF": b"a\r\n.\nb",
    "CRLF.CR": b"a\r\n.\rb",
    "LF.CR": b"a\n.\rb",
    "bare LF": b"a\nb",
    "bare CR": b"a\rb",
    "NUL": b"a\0b",
    "CRLF NUL.CRLF": b"a\r\n\0.\r\nb",
    "line over 64 KiB": b"a" * 70_000,
}


@pytest.mark.parametrize("case", SMUGGLED)
def test_lines_that_are_none(w, case):
    *_, last, noop = talk(w.port, *TRANSACTION, BODY + SMUGGLED[case] + b"\r\n.\r\n", b"NOOP\r\n")
    assert last.startswith(b"550 5.5.2")
    assert noop.startswith(b"250")  # one mail, one reply: the next reply belongs to the next command


def test_dots_are_unstuffed_and_long_lines_kept(w):
    line = "y" * 2000
    body = b"..one dot\r\n...two dots\r\n.\r\n"
    *_, reply = talk(w.port, *TRANSACTION, BODY + body)
    assert reply.startswith(b"250 2.0.0")
    assert w.of_submission(reply.decode()[4:])[0]["text"] == ".one dot\n..two dots"
    *_, reply = talk(w.port, *TRANSACTION, BODY + line.encode() + b"\r\n.\r\n")
    assert reply.startswith(b"552 5.3.4")  # 14 segments, but the line itself is welcome


def test_an_empty_mail(w):
    *_, reply = talk(w.port, *TRANSACTION, b".\r\n")
    assert reply.startswith(b"550 5.7.1")


def test_too_large(tmp_path):
    with world(tmp_path, smtp={"max_message_bytes": 4096}) as small:
        *_, reply, noop = talk(small.port, *TRANSACTION, BODY + b"z" * 300_000 + b"\r\n.\r\n", b"NOOP\r\n")
        assert reply.startswith(b"552 5.3.4")
        assert noop.startswith(b"250")
        *_, reply = talk(small.port, b"EHLO c\r\n", b"MAIL FROM:<alice@acme.example> SIZE=9999999\r\n")
        assert reply.startswith(b"552")


def test_null_sender_and_syntax(w):
    replies = talk(
        w.port,
        b"EHLO c\r\n",
        b"MAIL FROM:alice@acme.example\r\n",
        b"MAIL FROM:<>\r\n",
        f"RCPT TO:{PHONE}\r\n".encode(),
        f"RCPT TO:<{PHONE}\r\n".encode(),
        f"RCPT TO:<{PHONE}>\r\n".encode(),
    )
    assert [reply[:3] for reply in replies] == [b"220", b"250", b"501", b"250", b"501", b"501", b"550"]


def test_ehlo_offers_what_it_keeps(w):
    with w.client() as client:
        client.ehlo("c.example")
        offered = set(client.esmtp_features)
    assert {"size", "8bitmime", "smtputf8", "pipelining", "enhancedstatuscodes"} <= offered
    assert not {"starttls", "auth", "chunking"} & offered


def test_pipelined_in_one_packet(w):
    replies = talk(w.port, b"".join(TRANSACTION) + BODY + b"pipelined\r\n.\r\n")
    assert replies[-1].startswith(b"250")


def test_no_credit(tmp_path):
    given = {
        "account": [{"name": "poor", "opening_credit": "0.09", "test": True, "sender": [{"address": ALICE}]}],
        "number": [{"msisdn": "+447700900901", "account": "poor"}],
        "route": [{"name": "sim", "carrier": "simulator"}],
        "price": [{"prefix": "*", "per_segment": "0.05", "currency": "GBP"}],
    }
    with world(tmp_path, given) as poor:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            poor.send(mail(), [PHONE, "447700900124@sms.localhost"])
        assert (refused.value.smtp_code, refused.value.smtp_error[:5]) == (552, b"5.2.2")
        assert poor.texts("+447700900123") == []  # nothing stored of a mail that is refused
        assert poor.send(mail()).startswith("2.0.0")
        with pytest.raises(smtplib.SMTPDataError):
            poor.send(mail())


def test_database_trouble_is_temporary_and_shows_nothing(tmp_path):
    with world(tmp_path) as broken:
        with broken.gateway.reader.begin() as conn:
            conn.exec_driver_sql("ALTER TABLE submission RENAME TO gone")
        with pytest.raises(smtplib.SMTPDataError) as failed:
            broken.send(mail())
        assert (failed.value.smtp_code, failed.value.smtp_error[:5]) == (451, b"4.3.0")
        assert b"submission" not in failed.value.smtp_error
        with broken.gateway.reader.begin() as conn:
            conn.exec_driver_sql("ALTER TABLE gone RENAME TO submission")
        assert broken.send(mail()).startswith("2.0.0")


def test_mail_to_the_operator_is_kept(tmp_path):
    with world(tmp_path) as quiet:
        assert quiet.send(
            mail("please help", sender="stranger@far.example"), "abuse@sms.localhost", "stranger@far.example"
        )
        deadline = time.monotonic() + 10
        while not quiet.outbox() and time.monotonic() < deadline:
            time.sleep(0.02)
        kept = message_from_bytes(quiet.outbox()[0].read_bytes())
        assert kept["From"] == "stranger@far.example"
        assert "please help" in kept.get_payload()


def every_class(root: type[GatewayError]) -> set[type[GatewayError]]:
    return {root} | {found for sub in root.__subclasses__() for found in every_class(sub)}


def test_every_refusal_has_a_row():
    assert every_class(Refused) - {Refused} <= set(smtp_replies.REPLIES)
    assert {errors.NotKept, errors.NoSpace} <= set(smtp_replies.REPLIES)
    assert mail_errors.Loop in smtp_replies.REPLIES


@pytest.mark.parametrize(("kind", "row"), smtp_replies.REPLIES.items())
def test_the_classes_of_reply_and_status_agree(kind, row):
    code, enhanced = row
    assert str(code)[0] == enhanced[0]
    assert (str(code)[0] == "4") == kind.retryable
