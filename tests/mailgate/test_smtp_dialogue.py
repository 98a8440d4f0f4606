"""Commands one by one, on the wire: what each is answered, in which order, and what is never shown."""

import socket
import threading

import pytest
from mail_support import ALICE, mail, world
from wire import Wire, until

PHONE = b"447700900123@sms.localhost"


@pytest.fixture(scope="module")
def w(tmp_path_factory):
    with world(tmp_path_factory.mktemp("dialogue")) as running:
        yield running


@pytest.fixture
def wire(w):
    with Wire(w.port) as connected:
        yield connected


HELLO, MAIL, RCPT = b"EHLO c.example", b"MAIL FROM:<alice@acme.example>", b"RCPT TO:<" + PHONE + b">"
# (what was said before, the command, how its reply begins)
COMMANDS = [
    ([], b"EHLO", b"501 5.5.4"),
    ([], b"HELO", b"501 5.5.4"),
    ([], b"HELO c", b"250 sms.localhost"),
    ([], b"ehlo c", b"250-sms.localhost"),
    ([], MAIL, b"503 5.5.1"),
    ([], b"NOOP", b"250 2.0.0"),
    ([], b"NOOP with words", b"250 2.0.0"),
    ([], b"RSET", b"250 2.0.0"),
    ([], b"QUIT", b"221 2.0.0"),
    ([], b"quit", b"221 2.0.0"),
    ([], b"", b"500 5.5.2"),
    ([], b"\xff\xfe\xfd", b"500 5.5.2"),
    ([], b"NOOP\0", b"500 5.5.2"),
    ([], b"HELO a\rb", b"500 5.5.2"),
    ([HELLO], b"HELO a\nRSET", b"500 5.5.2"),
    ([HELLO], b"VRFY postmaster", b"252 2.5.2"),
    ([HELLO], b"VRFY nobody", b"252 2.5.2"),
    ([HELLO], b"EXPN staff", b"502 5.5.1"),
    ([HELLO], b"ETRN example.com", b"502 5.5.1"),
    ([HELLO], b"TURN", b"502 5.5.1"),
    ([HELLO], b"BDAT 10 LAST", b"502 5.5.1"),
    ([HELLO], b"HELP", b"214 2.0.0"),
    ([HELLO], b"STARTTLS", b"502 5.5.1"),
    ([HELLO], b"AUTH PLAIN AGEAYg==", b"502 5.5.1"),
    ([HELLO], RCPT, b"503 5.5.1"),
    ([HELLO], b"DATA", b"503 5.5.1"),
    ([HELLO, MAIL], b"DATA", b"503 5.5.1"),
    ([HELLO, MAIL], MAIL, b"503 5.5.1"),
    ([HELLO, MAIL, RCPT], b"DATA now", b"501 5.5.4"),
    ([HELLO, MAIL, RCPT, b"RSET"], b"DATA", b"503 5.5.1"),
    ([HELLO, MAIL, RCPT, HELLO], b"DATA", b"503 5.5.1"),  # EHLO begins anew (RFC 5321 §4.1.4)
    ([HELLO, MAIL, RCPT, b"NOOP", b"VRFY x"], b"DATA", b"354"),
    ([HELLO], b"MAIL FROM: <alice@acme.example>", b"250 2.1.0"),
    ([HELLO], b"MAIL FROM:<alice@acme.example>  SIZE=10 BODY=8BITMIME", b"250 2.1.0"),
    ([HELLO], b"MAIL FROM:<@relay.example,@b.example:alice@acme.example>", b"250 2.1.0"),
    ([HELLO], b"MAIL FROM:<alice@acme.example> AUTH=<>", b"250 2.1.0"),
    ([HELLO], b"MAIL FROM:<>", b"250 2.1.0"),
    ([HELLO], b"MAIL FROM:alice@acme.example", b"501 5.5.4"),
    ([HELLO], b"MAIL FROM:<alice@acme.example", b"501 5.5.4"),
    ([HELLO], b"MAIL FROM:alice@acme.example>", b"501 5.5.4"),
    ([HELLO], b"MAIL FROM:<<alice@acme.example>>", b"501 5.5.4"),
    ([HELLO], b"MAIL TO:<alice@acme.example>", b"501 5.5.4"),
    ([HELLO], b"MAIL", b"501 5.5.4"),
    ([HELLO], b"MAIL FROM:<a\tb@acme.example>", b"501 5.5.4"),
    ([HELLO], b"MAIL FROM:<\xff@acme.example>", b"501 5.5.2"),
    ([HELLO], b"MAIL FROM:<" + b"a" * 2000 + b"@acme.example>", b"501 5.5.4"),
    ([HELLO], b"MAIL FROM:<alice@acme.example> SIZE=ten", b"501 5.5.4"),
    ([HELLO], b"MAIL FROM:<alice@acme.example> SIZE=" + b"9" * 5000, b"501 5.5.4"),
    ([HELLO], b"MAIL FROM:<alice@acme.example> SIZE=99999999999", b"552 5.3.4"),
    ([HELLO], b"MAIL FROM:<alice@acme.example> BODY=BINARYMIME", b"501 5.5.4"),
    ([HELLO], b"MAIL FROM:<alice@acme.example> SIZE=1 SIZE=2", b"501 5.5.4"),
    ([HELLO], b"MAIL FROM:<alice@acme.example> HOLDFOR=10", b"555 5.5.4"),
    ([HELLO], b"MAIL FROM:<alice@acme.example> SMTPUTF8=yes", b"501 5.5.4"),
    ([HELLO], "MAIL FROM:<ålice@acme.example>".encode(), b"553 5.6.7"),
    ([HELLO], "MAIL FROM:<ålice@acme.example> SMTPUTF8".encode(), b"250 2.1.0"),
    ([HELLO, MAIL], "RCPT TO:<ålice@sms.localhost>".encode(), b"553 5.6.7"),
    ([HELLO, MAIL], b"RCPT TO:<>", b"501 5.1.3"),
    ([HELLO, MAIL], b"RCPT FROM:<" + PHONE + b">", b"501 5.5.4"),
    ([HELLO, MAIL], b"RCPT TO:" + PHONE, b"501 5.5.4"),
    ([HELLO, MAIL], b"RCPT TO:<" + PHONE + b"> HOLD=1", b"555 5.5.4"),
    ([HELLO, MAIL], b"RCPT TO:<Postmaster>", b"250 2.1.5"),
    ([HELLO, MAIL], b"RCPT TO:<@relay.example:" + PHONE + b">", b"250 2.1.5"),
    # RFC 3461
    ([HELLO], b"MAIL FROM:<alice@acme.example> RET=FULL ENVID=QQ314159", b"250 2.1.0"),
    ([HELLO], b"MAIL FROM:<alice@acme.example> ret=hdrs", b"250 2.1.0"),
    ([HELLO], b"MAIL FROM:<alice@acme.example> RET=ALL", b"501 5.5.4"),
    ([HELLO], b"MAIL FROM:<alice@acme.example> ENVID=a+zz", b"501 5.5.4"),
    ([HELLO], b"MAIL FROM:<alice@acme.example> ENVID=" + b"e" * 101, b"501 5.5.4"),
    ([HELLO, MAIL], b"RCPT TO:<" + PHONE + b"> NOTIFY=SUCCESS,FAILURE,DELAY", b"250 2.1.5"),
    ([HELLO, MAIL], b"RCPT TO:<" + PHONE + b"> NOTIFY=NEVER ORCPT=rfc822;a+40b.example", b"250 2.1.5"),
    ([HELLO, MAIL], b"RCPT TO:<" + PHONE + b"> NOTIFY=NEVER,SUCCESS", b"501 5.5.4"),
    ([HELLO, MAIL], b"RCPT TO:<" + PHONE + b"> NOTIFY=SOMETIMES", b"501 5.5.4"),
    ([HELLO, MAIL], b"RCPT TO:<" + PHONE + b"> NOTIFY", b"501 5.5.4"),
    ([HELLO, MAIL], b"RCPT TO:<" + PHONE + b"> ORCPT=nothing", b"501 5.5.4"),
    ([HELLO, MAIL], b"RCPT TO:<" + PHONE + b"> ORCPT=rfc822;a+0Db", b"501 5.5.4"),
]


@pytest.mark.parametrize(("before", "command", "begins"), COMMANDS)
def test_a_command(wire, before, command, begins):
    for line in before:
        assert wire.say(line)[:1] in b"23"
    assert wire.say(command).startswith(begins)


def test_a_refused_rcpt_leaves_the_others(wire):
    wire.say(HELLO)
    wire.say(MAIL)
    assert wire.say(b"RCPT TO:<nobody@sms.localhost>").startswith(b"550")
    assert wire.say(RCPT).startswith(b"250")
    assert wire.say(b"DATA").startswith(b"354")
    assert wire.say(mail("for one of two") + b".").startswith(b"250 2.0.0")


def test_ehlo_offers_what_is_kept(wire):
    lines = wire.say(HELLO).split(b"\r\n")
    assert [line[4:] for line in lines] == [
        b"sms.localhost",
        b"SIZE 26214400",
        b"8BITMIME",
        b"SMTPUTF8",
        b"PIPELINING",
        b"ENHANCEDSTATUSCODES",
        b"DSN",
    ]


def test_the_banner_names_no_program(wire):
    assert wire.greeting == b"220 sms.localhost ESMTP"


def test_pipelined_commands_get_their_replies_in_one_write(wire):
    wire.send(b"\r\n".join([HELLO, MAIL, RCPT, b"DATA", b""]))
    assert [wire.reply()[:3] for _ in range(4)] == [b"250", b"250", b"250", b"354"]


def test_a_mail_behind_a_refused_data_is_not_taken_for_commands(w, wire):
    """A client that did not wait for 354 (RFC 2920 §3.1): its mail may hold commands."""
    wire.say(HELLO)
    hidden = b"\r\n".join([MAIL, RCPT, b"DATA", b"From: alice@acme.example", b"", b"hidden", b".", b""])
    wire.send(b"MAIL FROM:<mallory@evil.example>\r\n" + RCPT + b"\r\nDATA\r\n" + hidden)
    replies = [wire.reply()[:9] for _ in range(4)]
    assert replies == [b"250 2.1.0", b"550 5.7.1", b"503 5.5.1", b"421 4.7.0"]
    assert wire.closed()
    assert "hidden" not in w.texts("+447700900123")


def test_a_mail_in_pieces_of_one_byte(w, wire):
    wire.begin()
    for byte in mail("piece by piece"):
        wire.send(bytes([byte]))
    wire.send(b".\r")
    wire.send(b"\n")
    assert wire.reply().startswith(b"250 2.0.0")
    assert until(lambda: "piece by piece" in w.texts("+447700900123"))


def test_several_mails_and_commands_in_one_packet(w, wire):
    one = b"\r\n".join([MAIL, RCPT, b"DATA", b""])
    whole = HELLO + b"\r\n"
    for text in ("packed 1", "packed 2"):
        whole += one + mail(text) + b".\r\n"
    wire.send(whole + b"QUIT\r\n")
    replies = [wire.reply()[:3] for _ in range(10)]
    assert replies == [b"250", b"250", b"250", b"354", b"250", b"250", b"250", b"354", b"250", b"221"]
    assert until(lambda: {"packed 1", "packed 2"} <= set(w.texts("+447700900123")))


def test_half_closed_after_the_dot_still_gets_its_answer(w):
    for text, thread in (("small and half closed", False), ("large and half closed", True)):
        with Wire(w.port) as wire:
            wire.begin()
            filler = ("x" * 70 + "\r\n") * 600 if thread else ""  # beyond 32 KiB it is read in a thread
            head = f"From: {ALICE}\r\nSubject: #STARTSMS#{text}#ENDSMS#\r\nX-Filler:\r\n\r\n"
            body = f"#STARTSMS#\r\n{text}\r\n#ENDSMS#\r\n{filler}.\r\n"
            wire.send(head.encode() + body.encode())
            wire.socket.shutdown(socket.SHUT_WR)
            assert wire.reply().startswith(b"250 2.0.0")
            assert wire.closed()
        assert until(lambda text=text: text in w.texts("+447700900123"))


def test_half_closed_behind_many_commands_still_gets_every_answer(wire):
    wire.send(HELLO + b"\r\n" + MAIL + b"\r\n" + (RCPT + b"\r\n") * 900 + b"QUIT\r\n")
    wire.socket.shutdown(socket.SHUT_WR)
    replies = [wire.reply()[:3] for _ in range(903)]
    assert replies == [b"250"] * 902 + [b"221"]
    assert wire.closed()


def test_a_trace_id_in_each_451_and_nothing_of_ours(tmp_path, capfd):
    with world(tmp_path) as broken, Wire(broken.port) as wire:
        with broken.gateway.reader.begin() as conn:
            conn.exec_driver_sql("ALTER TABLE submission RENAME TO gone")
        reply = wire.mail(mail("not kept")).decode()
        assert reply.startswith("451 4.3.0 ")
        trace_id = reply.rpartition("trace ")[2]
        assert len(trace_id) == 16
        assert "submission" not in reply
        assert trace_id in "".join(capfd.readouterr())
        with broken.gateway.reader.begin() as conn:
            conn.exec_driver_sql("ALTER TABLE gone RENAME TO submission")
        assert wire.mail(mail("kept")).startswith(b"250")


def test_a_fault_of_ours_is_temporary(tmp_path, monkeypatch):
    """A bug, which no real part can be made to show."""

    def fail(*_):
        raise RuntimeError("secret.db is locked")

    with world(tmp_path) as running:
        monkeypatch.setattr("mailgate.checks.RECIPIENT_CHECKS", (("broken", fail),))
        with Wire(running.port) as wire:
            wire.say(HELLO)
            wire.say(MAIL)
            reply = wire.say(RCPT)
            assert reply.startswith(b"451 4.3.0 temporary failure, trace ")
            monkeypatch.setattr("mailgate.smtp.handler.parse", fail)
            assert b"secret" not in reply
            monkeypatch.undo()
            assert wire.say(RCPT).startswith(b"250")
            monkeypatch.setattr("mailgate.smtp.handler.parse", fail)
            assert wire.say(b"DATA").startswith(b"354")
            reply = wire.say(mail("broken") + b".")
            assert reply.startswith(b"451 4.3.0 temporary failure, trace ")
            assert b"secret" not in reply


def test_no_lookup_for_a_connection(w, monkeypatch):
    """Neither a name for the peer nor one of our own is asked for: a dead DNS server must not hold the loop."""
    asked = []

    def ask(*names, **_):
        if threading.current_thread() is not threading.main_thread():  # which looks for the listener
            asked.append(names)
        return original(*names, **_)

    original = socket.getaddrinfo
    for name in ("getfqdn", "gethostbyaddr", "getnameinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, lambda *names: asked.append(names))
    monkeypatch.setattr(socket, "getaddrinfo", ask)
    with Wire(w.port) as wire:
        assert wire.mail(mail("without a name")).startswith(b"250")
    assert asked == []


def test_a_database_that_hangs_does_not_hold_the_others(tmp_path):
    """A reply address needs a row; whoever waits for it waits alone."""
    with world(tmp_path) as running, Wire(running.port) as waiting, Wire(running.port) as other:
        held = [running.gateway.reader.connect() for _ in range(running.gateway.reader.pool.size() + 10)]
        try:
            waiting.say(HELLO)
            waiting.say(MAIL)
            waiting.send(b"RCPT TO:<r.aaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaa@sms.localhost>\r\n")
            other.socket.settimeout(5)
            assert other.mail(mail("not held up")).startswith(b"250")
        finally:
            for connection in held:
                connection.close()
        assert waiting.reply().startswith(b"550 5.1.1")
