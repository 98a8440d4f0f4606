"""The legacy profile: each quirk its own switch, for the networks it names, and off for everybody else."""

import copy

import pytest
from certificates import pair
from mail_support import ALICE, BOB, ROWS, mail, world
from sqlalchemy import select
from wire import Wire, until

from mailgate import tables

HERE = ["127.0.0.1/32"]
PHONE = "+447700900123"


def devices(**switches):
    return {"plc": {"ips": HERE, **switches}}


def test_off_by_default(tmp_path):
    with world(tmp_path, legacy=devices()) as w, Wire(w.port) as wire:
        assert wire.mail(b"From: alice@acme.example\n\nbare\r\n").startswith(b"550 5.5.2")


def test_tls_is_not_offered(tmp_path):
    made = pair(tmp_path)
    settings = {"tls_certificate": str(made.certificate), "tls_key": str(made.key)}
    with (
        world(tmp_path / "w", smtp=settings, legacy=devices(hide_starttls=True)) as w,
        Wire(w.port) as wire,
    ):
        assert b"STARTTLS" not in wire.say(b"EHLO device")


# how a device ends its lines: the mail with its final dot
BARE = {
    "LF, and a proper end": b"From: alice@acme.example\n\ntwo\nlines\r\n.\r\n",
    "LF throughout": b"From: alice@acme.example\n\ntwo\nlines\n.\n",
    "CR in the text": b"From: alice@acme.example\r\n\r\ntwo\rlines\r\n.\r\n",
    "NUL in the text": b"From: alice@acme.example\r\n\r\ntw\0o\r\nlines\r\n.\r\n",
    "as it should be": b"From: alice@acme.example\r\n\r\ntwo\r\nlines\r\n.\r\n",
}


@pytest.mark.parametrize("case", BARE)
def test_line_ends_are_repaired(tmp_path, case):
    with world(tmp_path, legacy=devices(repair_line_ends=True)) as w, Wire(w.port) as wire:
        assert wire.begin().startswith(b"354")
        wire.send(BARE[case])
        assert wire.reply().startswith(b"250")
        assert until(lambda: w.texts(PHONE) == ["two\nlines"])
        assert wire.say(b"NOOP").startswith(b"250")


def test_commands_with_bare_line_ends(tmp_path):
    with world(tmp_path, legacy=devices(repair_line_ends=True)) as w, Wire(w.port) as wire:
        for command in (
            b"HELO d",
            b"MAIL FROM:<alice@acme.example>",
            b"RCPT TO:<447700900123@sms.localhost>",
            b"DATA",
        ):
            wire.send(command + b"\n")
            assert wire.reply()[:1] in b"23"
        wire.send(b"From: alice@acme.example\n\nall bare\n.\n")
        assert wire.reply().startswith(b"250")


def test_eight_bits_without_a_charset_are_of_the_code_page(tmp_path):
    raw = "From: alice@acme.example\r\n\r\nStörung in Öfen\r\n".encode("cp437")
    with world(tmp_path, legacy=devices(charset="cp437")) as w, Wire(w.port) as wire:
        assert wire.mail(raw).startswith(b"250")
        assert until(lambda: w.texts(PHONE) == ["Störung in Öfen"])


def test_the_recipients_of_to(tmp_path):
    raw = mail(
        "to whom it says", To="447700900123@sms.localhost, Two <447700900124@sms.localhost>, x@far.example"
    )
    with world(tmp_path, legacy=devices(recipients_from_to=True)) as w, Wire(w.port) as wire:
        assert wire.begin(to=b"alarm@sms.localhost").startswith(b"354")
        assert wire.say(raw + b".").startswith(b"250")
        assert until(lambda: w.texts(PHONE) == w.texts("+447700900124") == ["to whom it says"])


# what To says: how the reply to the mail begins
TO = {
    "nobody@sms.localhost": b"550 5.1.1",
    "123@sms.localhost": b"550 5.1.3",
    "447700900123@far.example": b"550 5.7.1",
    "": b"550 5.7.1",
}


@pytest.mark.parametrize("to", TO)
def test_a_to_that_names_no_phone_is_refused(tmp_path, to):
    with world(tmp_path, legacy=devices(recipients_from_to=True)) as w, Wire(w.port) as wire:
        assert wire.begin(to=b"alarm@sms.localhost").startswith(b"354")
        assert wire.say(mail("to nobody", To=to) + b".").startswith(TO[to])
        wire.say(b"MAIL FROM:<mallory@evil.example>")
        assert wire.say(b"RCPT TO:<alarm@sms.localhost>").startswith(
            b"550 5.7.1"
        )  # the sender is checked first
        assert wire.say(b"RCPT TO:<alarm@far.example>").startswith(b"550 5.7.1")


def test_a_first_contact_is_kept_as_it_was(tmp_path):
    profile = devices(record_first_contact=True, repair_line_ends=True)
    with world(tmp_path, legacy=profile) as w:
        with Wire(w.port):  # only a look, from which nothing is learnt
            pass
        with Wire(w.port) as wire:
            wire.say(b"HELO plc-7")
            wire.send(b"AUTH LOGIN\r\nU0VDUkVUVVNFUg==\r\nU0VDUkVUUFc=\r\nauth\tPLAIN c2VjcmV0IHdvcmRz\r\n")
            for _ in range(4):
                wire.reply()
            assert wire.begin().startswith(b"354")
            wire.send(b"From: alice@acme.example\nX-Odd: \xe4\n\nfirst\r\n.\r\n")
            assert wire.reply().startswith(b"250")
        assert until(lambda: len(contacts(w)) == 1)
        with Wire(w.port) as wire:
            assert wire.mail(mail("second")).startswith(b"250")
        (kept,) = contacts(w)
        assert (kept.peer, kept.profile) == ("127.0.0.1", "plc")
        assert "C: HELO plc-7" in kept.transcript
        assert r"X-Odd: \xe4\n" in kept.transcript
        assert "S: 250 2.0.0" in kept.transcript
        assert "c2VjcmV0" not in kept.transcript
        assert "U0VDUk" not in kept.transcript
        assert "second" not in kept.transcript


def contacts(w):
    with w.gateway.reader.connect() as conn:
        return conn.execute(select(tables.first_contact)).all()


def test_a_first_contact_with_a_secret_is_not_kept(tmp_path):
    given = copy.deepcopy(ROWS)
    row = {"address": "plc@acme.example", "accept": "secret", "secret": "Hush-Hush.42"}
    given["account"][0]["sender"].append(row)
    plain, tagged = b"447700900123@sms.localhost", b"447700900123+hush-hush.42@sms.localhost"
    with world(tmp_path, given, legacy=devices(record_first_contact=True)) as w:
        # its own mail; one of its account, whose From might need the secret; and that of another account
        for sender, to in (
            ("plc@acme.example", tagged),
            (ALICE, plain),
            (BOB, plain),
        ):
            with Wire(w.port) as wire:
                wire.begin(sender.encode(), to)
                assert wire.say(mail("on", sender=sender) + b".").startswith(b"250 ")
        assert until(lambda: contacts(w))
        (kept,) = contacts(w)
        assert BOB in kept.transcript
        assert "hush" not in kept.transcript.lower()
