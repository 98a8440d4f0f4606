"""What a peer may take of time, connections, memory and patience; each limit met on the wire."""

import contextlib
import socket
import struct
import threading
import time

import pytest
from mail_support import mail, world
from wire import Wire, elsewhere, until

from mailgate.smtp.handler import MOST_RECIPIENTS
from mailgate.smtp.shared import Patience

HURRIED = Patience(first=1, idle=2, session=5, slow_after=1, slowest=100_000, reading=1)


@pytest.fixture(scope="module")
def hurried(tmp_path_factory):
    with world(tmp_path_factory.mktemp("hurried"), patience=HURRIED) as running:
        yield running


@pytest.fixture(scope="module")
def w(tmp_path_factory):
    with world(tmp_path_factory.mktemp("limits")) as running:
        yield running


# --- time -------------------------------------------------------------------------------------------------


def test_who_says_nothing_is_parted_from(hurried):
    with Wire(hurried.port) as wire:
        began = time.monotonic()
        assert wire.reply().startswith(b"421 4.4.2")
        assert 0.9 < time.monotonic() - began < 8
        assert wire.closed()


def test_after_a_mail_there_is_more_time(hurried):
    with Wire(hurried.port) as wire:
        assert wire.mail(mail("one")).startswith(b"250")
        began = time.monotonic()
        assert wire.reply().startswith(b"421 4.4.2")
        assert time.monotonic() - began > HURRIED.first + 0.5


def test_noops_do_not_keep_a_session_for_ever(hurried):
    with Wire(hurried.port) as wire:
        began = time.monotonic()
        reply = b"250"
        while reply.startswith(b"250"):
            time.sleep(0.5)
            reply = wire.say(b"NOOP")
        assert reply.startswith(b"421 4.4.2")
        assert HURRIED.session - 1 < time.monotonic() - began < HURRIED.session + 5


def test_mails_keep_a_session(hurried):
    with Wire(hurried.port) as wire:
        began = time.monotonic()
        while time.monotonic() - began < HURRIED.session + 2:
            assert wire.mail(mail("again")).startswith(b"250")
            time.sleep(0.5)


def test_a_mail_that_begins_fast_and_then_trickles_is_cut(hurried):
    with Wire(hurried.port) as wire:
        wire.begin()
        wire.send(b"x" * 900 + b"\r\n" + (b"y" * 998 + b"\r\n") * 2000)
        stop = threading.Event()
        trickling = threading.Thread(target=_trickle, args=(wire, stop))
        trickling.start()
        assert wire.reply().startswith(b"421 4.4.2")
        stop.set()
        trickling.join()


def test_a_mail_that_never_ends_is_cut(tmp_path):
    endless = Patience(mail=2, slow_after=100)
    small = {"max_message_bytes": 10_000}
    with world(tmp_path, patience=endless, smtp=small) as running, Wire(running.port) as wire:
        wire.begin()
        stop = threading.Event()
        pouring = threading.Thread(target=_trickle, args=(wire, stop))
        pouring.start()
        assert wire.reply().startswith(b"421 4.4.2")
        stop.set()
        pouring.join()


def test_a_mail_that_trickles_in_is_cut(hurried):
    with Wire(hurried.port) as wire:
        assert wire.begin().startswith(b"354")
        began = time.monotonic()
        stop = threading.Event()
        trickling = threading.Thread(target=_trickle, args=(wire, stop))
        trickling.start()
        try:
            assert wire.reply().startswith(b"421 4.4.2")
        finally:
            stop.set()
            trickling.join()
        assert time.monotonic() - began < 8
    assert not any("trickle" in text for text in hurried.texts("+447700900123"))


def _trickle(wire, stop):
    while not stop.wait(0.1):
        try:
            wire.send(b"trickle\r\n")
        except OSError:
            return


def test_who_takes_no_replies_is_cut(tmp_path):
    deaf = Patience(reading=1, idle_commands=10**9)
    with world(tmp_path, patience=deaf) as running, Wire(running.port) as wire:
        (connection,) = running.listener.open_connections
        wire.socket.settimeout(0.5)
        with contextlib.suppress(OSError):  # the window closes
            for _ in range(10_000):
                wire.send(b"EHLO client.example\r\n" * 1000)
        assert connection.blocked
        stop = threading.Event()
        trickling = threading.Thread(
            target=_trickle, args=(wire, stop)
        )  # who goes on talking is cut all the same
        trickling.start()
        assert until(lambda: running.listener.connections == 0)
        stop.set()
        trickling.join()


# --- counts -----------------------------------------------------------------------------------------------


def test_nonsense_is_heard_a_few_times_only(w):
    with Wire(w.port) as wire:
        replies = [wire.say(b"GET / HTTP/1.1") for _ in range(w.patience.bogus + 1)]
        assert {reply[:9] for reply in replies[:-1]} == {b"500 5.5.2"}
        assert replies[-1].startswith(b"421 4.7.0")
        assert wire.closed()


@pytest.mark.parametrize("command", [b"NOOP", b"RSET", b"VRFY x", b"HELP", b"EHLO c"])
def test_commands_without_a_mail_are_counted(w, command):
    with Wire(w.port) as wire:
        replies = [wire.say(command) for _ in range(w.patience.idle_commands + 1)]
        assert all(reply[:1] == b"2" for reply in replies[:-1])
        assert replies[-1].startswith(b"421 4.7.0")


def test_guessing_behind_postmaster_ends_too(w):
    with Wire(w.port) as wire:
        wire.say(b"EHLO c")
        wire.say(b"MAIL FROM:<mallory@evil.example>")
        assert wire.say(b"RCPT TO:<postmaster>").startswith(b"250")  # whoever asks: it proves nothing
        replies = [wire.say(b"RCPT TO:<%d@sms.localhost>" % n) for n in range(w.patience.refused + 1)]
        assert replies[-1].startswith(b"421 4.7.0")


def test_refusals_of_mail_are_counted(w):
    with Wire(w.port) as wire:
        wire.say(b"EHLO c")
        huge = b"MAIL FROM:<a@b.example> SIZE=99999999999"
        replies = [wire.say(huge)[:3] for _ in range(w.patience.idle_commands)]
        assert set(replies[:-1]) == {b"552"}
        assert replies[-1] == b"421"


def test_guessing_at_recipients_ends_soon(w):
    with Wire(w.port) as wire:
        wire.say(b"EHLO c")
        wire.say(b"MAIL FROM:<alice@acme.example>")
        replies = [wire.say(b"RCPT TO:<guess%d@sms.localhost>" % n) for n in range(w.patience.refused + 1)]
        assert {reply[:7] for reply in replies[:-1]} == {b"550 5.1"}
        assert replies[-1].startswith(b"421 4.7.0")


def test_recipients_of_one_mail_are_capped_and_the_mail_is_not_lost(w):
    with Wire(w.port) as wire:
        wire.say(b"EHLO c")
        wire.say(b"MAIL FROM:<alice@acme.example>")
        wire.send(b"RCPT TO:<447700900123@sms.localhost>\r\n" * (MOST_RECIPIENTS + 5))
        replies = [wire.reply() for _ in range(MOST_RECIPIENTS + 5)]
        assert {reply[:9] for reply in replies[:MOST_RECIPIENTS]} == {b"250 2.1.5"}
        assert {reply[:9] for reply in replies[MOST_RECIPIENTS:]} == {b"452 4.5.3"}
        assert wire.say(b"DATA").startswith(b"354")
        assert wire.say(mail("once to each number") + b".").startswith(b"250")


def test_a_command_line_has_an_end(w):
    with Wire(w.port) as wire:
        wire.send(b"EHLO " + b"x" * 20_000)
        assert wire.reply().startswith(b"500 5.5.2")
        assert wire.closed()


# --- memory -----------------------------------------------------------------------------------------------


def test_mail_beyond_max_inflight_bytes_comes_back_later(tmp_path):
    with world(tmp_path, smtp={"max_inflight_bytes": 200_000}) as small, Wire(small.port) as first:
        first.begin()
        first.send(b"Subject: large\r\n\r\n" + b"x" * 150_000)
        assert until(lambda: small.listener.load.bytes > 150_000)
        with Wire(small.port) as second:
            second.begin()
            line = b"y" * 998 + b"\r\n"
            assert second.say(line * 100 + b".").startswith(b"452 4.3.1")
            assert second.say(b"MAIL FROM:<alice@acme.example> SIZE=100000").startswith(b"452 4.3.1")
            assert second.mail(mail("a small one")).startswith(b"250")
            assert small.listener.load.bytes < 200_000  # what was dropped is not counted
        first.send(b"\r\n.\r\n")
        assert first.reply().startswith(b"5")
        assert until(lambda: small.listener.load.bytes == 0)
        assert first.mail(mail("and now")).startswith(b"250")


def test_bytes_of_who_goes_away_are_given_back(tmp_path):
    with world(tmp_path) as running:
        with Wire(running.port) as wire:
            wire.begin()
            wire.send(b"x" * 100_000)
            assert until(lambda: running.listener.load.bytes >= 100_000)
        assert until(lambda: running.listener.load.bytes == 0)


# --- peers ------------------------------------------------------------------------------------------------


def test_connections_of_one_peer_are_capped(tmp_path):
    with (
        elsewhere() as host,
        world(
            tmp_path,
            smtp={"listen": [f"{host}:0", "127.0.0.1:0"]},
            limits={"connections": 3, "connections_per_minute": 100},
        ) as running,
    ):
        there, here = running.ports
        open_ones = [Wire(there, host) for _ in range(3)]
        with Wire(there, host) as fourth:
            assert fourth.greeting.startswith(b"421 4.7.0")
            assert fourth.closed()
        loopback = [Wire(here) for _ in range(10)]  # which has no limit
        assert [wire.greeting[:3] for wire in loopback] == [b"220"] * 10
        open_ones.pop().close()
        assert until(lambda: greeting(there, host).startswith(b"220"))
        for wire in (*open_ones, *loopback):
            wire.close()


def greeting(port, host):
    with Wire(port, host) as wire:
        return wire.greeting


def test_who_resets_at_once_leaves_its_peer(tmp_path):
    with (
        elsewhere() as host,
        world(
            tmp_path,
            smtp={"listen": [f"{host}:0"]},
            limits={"connections": 3, "connections_per_minute": 0},
        ) as running,
    ):
        for _ in range(20):
            probe = socket.create_connection((host, running.port), source_address=(host, 0))
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            probe.close()
        assert until(lambda: greeting(running.port, host).startswith(b"220"))


def test_connections_of_one_peer_have_a_pace(tmp_path):
    with (
        elsewhere() as host,
        world(
            tmp_path,
            smtp={"listen": [f"{host}:0"]},
            limits={"connections": 100, "connections_per_minute": 5},
        ) as running,
    ):
        greetings = [greeting(running.port, host) for _ in range(6)]
        assert [words[:3] for words in greetings[:5]] == [b"220"] * 5
        assert greetings[5].startswith(b"421 4.7.0")


def test_who_talks_before_the_banner_is_a_robot(tmp_path):
    with elsewhere() as host, world(tmp_path, smtp={"listen": [f"{host}:0"]}) as running:
        with Wire(running.port, host, greeted=False) as wire:
            wire.send(b"EHLO robot\r\n")
            assert wire.reply().startswith(b"554 5.5.1")
            assert wire.closed()
        with Wire(running.port, host) as patient:
            assert patient.greeting.startswith(b"220")
