"""How a session may end: a client that hangs up, a relay that repeats, a drain. Nothing lost, nothing twice."""

import contextlib
import socket
import threading
import time

import pytest
from mail_support import World, mail, talk, world
from test_smtp_replies import BODY, TRANSACTION

from gateway_core import messages


@pytest.fixture(scope="module")
def w(tmp_path_factory):
    with world(tmp_path_factory.mktemp("endings")) as running:
        yield running


def until(condition, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def hang_up(w: World, raw: bytes, *, half: bool) -> None:
    """A whole mail, then the line is dropped before the reply is read."""
    with connected(w) as (connection, stream):
        for line in TRANSACTION:
            connection.sendall(line)
            while stream.readline()[3:4] == b"-":
                pass
        connection.sendall(raw)
        if half:
            connection.shutdown(socket.SHUT_WR)
            stream.read()


@pytest.mark.parametrize("half", [True, False])
def test_a_client_that_hangs_up_after_the_dot_is_still_heard_once(w, half):
    text = f"hung up, {'half' if half else 'wholly'}"
    raw = mail(text, message_id=f"hangup-{half}@acme.example", Date="Sun, 22 Nov 2026 12:00:00 +0000")
    hang_up(w, raw + b".\r\n", half=half)
    assert until(lambda: text in w.texts("+447700900123"))
    assert w.send(raw).startswith("2.0.0")  # its relay tries again
    time.sleep(0.3)
    assert w.texts("+447700900123").count(text) == 1


def test_a_client_that_hangs_up_before_the_dot_is_not_heard(w):
    hang_up(w, BODY + b"never finished\r\n", half=False)
    time.sleep(0.3)
    assert not any("never finished" in text for text in w.texts("+447700900123"))


def test_a_repeat_gets_the_same_submission_and_leaves_a_record(w):
    raw = mail("once only", message_id="repeat@acme.example")
    first, second = w.send(raw), w.send(raw)
    assert first == second
    assert until(lambda: w.of_submission(first)[0]["state"] == "DELIVERED")
    with w.gateway.reader.connect() as conn:
        trail = messages.trail(conn, w.of_submission(first)[0]["id"])
    assert [event["reason"] for event in trail].count("repeat suppressed") == 1


def test_a_mail_split_by_a_relay_is_one_text_for_each_recipient(w):
    raw = mail("split", message_id="split@acme.example")
    both = ["447700900131@sms.localhost", "447700900132@sms.localhost"]
    w.send(raw, both[0])
    w.send(raw, both)
    w.send(raw, both[1])
    assert until(lambda: w.texts("+447700900131") == ["split"] and w.texts("+447700900132") == ["split"])


def test_a_device_with_one_fixed_message_id_is_heard_each_time(w):
    for fault in ("fault 1", "fault 2"):
        w.send(mail(fault, message_id="fixed@device"), "447700900133@sms.localhost")
    assert until(lambda: w.texts("+447700900133") == ["fault 1", "fault 2"])


def test_many_sessions_at_once_each_get_their_own_answer(w):
    replies: list[str] = []
    sessions = [
        threading.Thread(
            target=lambda i=i: replies.append(w.send(mail(f"session {i}"), "447700900134@sms.localhost"))
        )
        for i in range(40)
    ]
    for session in sessions:
        session.start()
    for session in sessions:
        session.join()
    texts = {w.of_submission(reply)[0]["text"] for reply in replies}
    assert texts == {f"session {i}" for i in range(40)}


def test_a_group_is_one_submission(w):
    reply = w.send(mail("to all"), "team@sms.localhost")
    assert [row["to"] for row in w.of_submission(reply)] == ["+447700900123", "+447700900124"]


def test_drain_finishes_the_mail_in_hand_and_dismisses_the_idle(tmp_path):
    with (
        world(tmp_path) as draining,
        connected(draining) as (busy, answers),
        connected(draining) as (_, dismissed),
    ):
        for line in TRANSACTION:
            busy.sendall(line)
            while answers.readline()[3:4] == b"-":
                pass
        drained = threading.Thread(target=draining.drain)
        drained.start()
        assert dismissed.readline().startswith(b"421 4.3.2")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", draining.port), timeout=2)
        busy.sendall(BODY + b"in hand\r\n.\r\n")
        assert answers.readline().startswith(b"250 2.0.0")
        assert answers.readline().startswith(b"421 4.3.2")
        drained.join()
        assert until(lambda: "in hand" in draining.texts("+447700900123"))


@contextlib.contextmanager
def connected(w: World):
    """A connection that was greeted, and the stream of its replies."""
    with (
        socket.create_connection(("127.0.0.1", w.port), timeout=10) as connection,
        connection.makefile("rb") as stream,
    ):
        stream.readline()
        yield connection, stream


def test_several_mails_on_one_connection(w):
    replies = talk(
        w.port, *TRANSACTION, BODY + b"one\r\n.\r\n", *TRANSACTION[1:], BODY + b"two\r\n.\r\n", b"QUIT\r\n"
    )
    assert [reply[:3] for reply in replies].count(b"250") == 7
    assert replies[-1].startswith(b"221")
