"""Where the listener listens: several addresses, IPv6, sockets of systemd; and who counts as this machine."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from mail_support import mail, settings_for, world
from serve_support import MAILGATE, clean_environment, free_port
from wire import Wire, until

from mailgate.cli import opening


def test_several_addresses_and_ipv6(tmp_path):
    with world(tmp_path, smtp={"listen": ["127.0.0.1:0", "[::1]:0"]}) as w:
        four, six = w.ports
        for host, port in (("127.0.0.1", four), ("::1", six)):
            with Wire(port, host) as wire:
                assert wire.mail(mail(f"to {host}")).startswith(b"250")
        assert until(lambda: set(w.texts("+447700900123")) == {"to 127.0.0.1", "to ::1"})


def test_a_socket_of_systemd(tmp_path):
    """The real program, started as systemd starts it: LISTEN_PID is its own, the socket is descriptor 3."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        child = start(tmp_path, listening, "smtp")
        try:
            with Wire(listening.getsockname()[1]) as wire:  # waits in the backlog until it serves
                assert wire.say(b"EHLO c").startswith(b"250")
                assert wire.say(b"MAIL FROM:<me@example.com>").startswith(b"250")
                reply = wire.say(b"RCPT TO:<447700900123@sms.localhost>")
                assert reply.startswith(b"550 5.7.1")  # who may come in by it is not known: not just anybody
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(20)
    assert child.returncode == 0, (tmp_path / "log").read_text()


def test_an_implicit_tls_socket_needs_a_certificate(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        child = start(tmp_path, listening, "smtps")
        assert child.wait(20) == 1
    assert "smtp.tls_certificate: the inherited socket smtps needs it" in (tmp_path / "log").read_text()


_AS_SYSTEMD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


def start(folder: Path, listening: socket.socket, name: str) -> "subprocess.Popen[bytes]":
    environment = clean_environment(
        LISTEN_FDS="1",
        LISTEN_FDNAMES=name,
        MAILGATE_HTTP__LISTEN=f"127.0.0.1:{free_port()}",
        MAILGATE_SMTP__LISTEN='["127.0.0.1:1"]',
    )
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-c", _AS_SYSTEMD, str(listening.fileno()), *MAILGATE, "serve"],
            cwd=folder,
            env=environment,
            pass_fds=(listening.fileno(),),
            stdout=log,
            stderr=log,
        )


# settings: whether only this machine can come in, and the rule for anybody may live
REACH = [
    ({}, True),
    ({"smtp": {"listen": ["127.0.0.1:25", "[::1]:25", "localhost:2525"]}}, True),
    ({"smtp": {"listen": ["127.0.0.1:25", "0.0.0.0:25"]}}, False),
    ({"smtp": {"listen": ["*:25"]}}, False),
    ({"smtp": {"listen_tls": ["0.0.0.0:465"], "tls_certificate": "a", "tls_key": "b"}}, False),
    ({"smtp": {"proxy_protocol_from": ["127.0.0.1"]}}, False),
    ({"http": {"listen": "*:8080"}}, False),
]


@pytest.mark.parametrize(("sections", "alone"), REACH)
def test_who_can_come_in(tmp_path, sections, alone):
    assert opening.listens_on_loopback(settings_for(tmp_path, **sections)) is alone


def test_inherited_sockets_may_be_anywhere(tmp_path, monkeypatch):
    monkeypatch.setenv("LISTEN_FDS", "1")
    assert not opening.listens_on_loopback(settings_for(tmp_path))
