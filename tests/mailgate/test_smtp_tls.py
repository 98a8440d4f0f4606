"""STARTTLS, implicit TLS, AUTH and PROXY on the wire."""

import base64
import copy
import shutil
import socket
import ssl
import struct
import time
import warnings
from dataclasses import replace

import pytest
from certificates import pair
from mail_support import ROWS, mail, world
from wire import Wire, until

from mailgate import passwords
from mailgate.smtp.shared import Patience

USER, PASSWORD = "robot@acme.example", "correct horse battery staple"


def rows():
    given = copy.deepcopy(ROWS)
    given["account"][0]["sender"].append({"address": USER, "accept": "auth", "password": PASSWORD})
    return given


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return pair(tmp_path_factory.mktemp("certificate"))


def secure(certificate):
    return {
        "listen": ["127.0.0.1:0"],
        "listen_tls": ["127.0.0.1:0"],
        "tls_certificate": str(certificate.certificate),
        "tls_key": str(certificate.key),
    }


@pytest.fixture(scope="module")
def w(tmp_path_factory, certificate):
    hurried = Patience(handshake=1, failed_logins=3)
    with world(tmp_path_factory.mktemp("tls"), rows(), hurried, smtp=secure(certificate)) as running:
        yield running


def started(w, certificate):
    wire = Wire(w.port)
    assert b"250-STARTTLS" in wire.say(b"EHLO c") or b"250 STARTTLS" in wire.say(b"EHLO c")
    assert wire.say(b"STARTTLS").startswith(b"220 2.0.0")
    wire.start_tls(trusted=str(certificate.certificate))
    return wire


def implicit(w, certificate):
    wire = Wire(w.ports[1], greeted=False)
    wire.start_tls(trusted=str(certificate.certificate))
    assert wire.reply().startswith(b"220 ")
    return wire


@pytest.mark.parametrize("way", [started, implicit])
def test_a_mail_under_tls(w, certificate, way):
    with way(w, certificate) as wire:
        assert wire.socket.version() in {"TLSv1.2", "TLSv1.3"}
        assert b"STARTTLS" not in wire.say(b"EHLO c")
        assert wire.say(b"STARTTLS").startswith(b"502 5.5.1")
        text = f"under TLS, {way.__name__}"
        assert wire.mail(mail(text)).startswith(b"250 2.0.0")
    assert until(lambda: text in w.texts("+447700900123"))


def test_what_was_said_before_tls_is_forgotten(w, certificate):
    with Wire(w.port) as wire:
        wire.say(b"EHLO c")
        wire.say(b"MAIL FROM:<alice@acme.example>")
        wire.say(b"STARTTLS")
        wire.start_tls()
        assert wire.say(b"RCPT TO:<447700900123@sms.localhost>").startswith(b"503")
        assert wire.say(b"MAIL FROM:<alice@acme.example>").startswith(b"503")  # not greeted again yet


@pytest.mark.parametrize("injected", [b"NOOP\r\n", b"EHLO evil\r\nMAIL FROM:<alice@acme.example>\r\n"])
def test_commands_behind_starttls_are_not_obeyed(w, injected):
    """CVE-2024-34083: what a man in the middle appends in the clear must not be read as said under TLS."""
    with Wire(w.port) as wire:
        wire.say(b"EHLO c")
        wire.send(b"STARTTLS\r\n" + injected)
        assert wire.reply().startswith(b"220")
        wire.start_tls()
        wire.send(b"VRFY me\r\n")
        assert wire.reply().startswith(b"252")  # the first thing that is answered, and the only one
        assert wire.say(b"MAIL FROM:<alice@acme.example>").startswith(b"503")


def test_starttls_has_no_argument(w):
    with Wire(w.port) as wire:
        assert wire.say(b"STARTTLS now").startswith(b"501 5.5.4")


def test_a_handshake_that_never_comes_is_not_waited_for(w):
    with Wire(w.port) as wire, Wire(w.ports[1], greeted=False) as silent:
        wire.say(b"STARTTLS")
        began = time.monotonic()
        assert wire.closed(20)
        assert silent.closed(20)
        assert time.monotonic() - began < 15


def test_a_handshake_that_is_none(w):
    for port, first in ((w.port, b"STARTTLS\r\n"), (w.ports[1], b"")):
        with Wire(port, greeted=bool(first)) as wire:
            wire.send(first)
            if first:
                wire.reply()
            wire.send(b"this is no handshake\r\n" * 10)
            wire.socket.settimeout(10)
            assert wire.socket.recv(100)[:1] in {b"", b"\x15"}  # closed, or a TLS alert
    assert until(lambda: w.listener.connections == 0)


@pytest.mark.parametrize("old", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_refused(w, old):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore"):  # old is what we want
        context.minimum_version = context.maximum_version = old
    with socket.create_connection(("127.0.0.1", w.ports[1]), timeout=10) as plain:  # noqa: SIM117
        with pytest.raises(OSError, match=r"SSL|reset|EOF|closed"):
            context.wrap_socket(plain)


def test_a_renewed_certificate_is_used_without_a_restart(tmp_path, certificate):
    live = tmp_path / "live.pem", tmp_path / "live.key"
    for source, target in zip((certificate.certificate, certificate.key), live, strict=True):
        shutil.copy(source, target)
    successor = pair(tmp_path, "successor")
    settings = {"tls_certificate": str(live[0]), "tls_key": str(live[1])}
    with world(tmp_path / "w", smtp=settings) as running:
        running.listener.reload_seconds = 0.2
        with Wire(running.port) as wire:
            wire.say(b"STARTTLS")
            wire.start_tls(trusted=str(certificate.certificate))
            for source, target in zip((successor.certificate, successor.key), live, strict=True):
                shutil.copy(source, target.with_suffix(".new"))
                target.with_suffix(".new").replace(target)
            assert until(lambda: trusts(running.port, successor), 20)
            assert wire.say(b"NOOP").startswith(b"250")  # who is in stays in


def trusts(port, chosen):
    with Wire(port) as wire:
        wire.say(b"STARTTLS")
        try:
            wire.start_tls(trusted=str(chosen.certificate))
        except ssl.SSLError:
            return False
        return wire.say(b"NOOP").startswith(b"250")


# --- AUTH -------------------------------------------------------------------------------------------------


def b64(*parts):
    return base64.b64encode(b"\0".join(part.encode() for part in parts))


PLAIN = b64("", USER, PASSWORD)
# how a client logs in: each line, and how its reply begins
LOGINS = {
    "PLAIN at once": [(b"AUTH PLAIN " + PLAIN, b"235 2.7.0")],
    "in lower case": [(b"auth plain " + PLAIN, b"235 2.7.0")],
    "PLAIN, asked": [(b"AUTH PLAIN", b"334 "), (PLAIN, b"235 2.7.0")],
    "LOGIN": [(b"AUTH LOGIN", b"334 "), (b64(USER), b"334 "), (b64(PASSWORD), b"235 2.7.0")],
    "Login, user at once": [(b"AUTH Login " + b64(USER), b"334 "), (b64(PASSWORD), b"235 2.7.0")],
    "user in another case": [(b"AUTH PLAIN " + b64("", USER.upper(), PASSWORD), b"235 2.7.0")],
    "wrong password": [(b"AUTH PLAIN " + b64("", USER, "wrong"), b"535 5.7.8")],
    "no such user": [(b"AUTH PLAIN " + b64("", "nobody@acme.example", PASSWORD), b"535 5.7.8")],
    "a user without a password": [(b"AUTH PLAIN " + b64("", "alice@acme.example", ""), b"535 5.7.8")],
    "no base64": [(b"AUTH PLAIN !!!", b"501 5.5.2")],
    "no parts": [(b"AUTH PLAIN " + b64("only"), b"501 5.5.2")],
    "cancelled": [(b"AUTH LOGIN", b"334 "), (b"*", b"501 5.0.0"), (b"NOOP", b"250")],
    "another mechanism": [(b"AUTH CRAM-MD5", b"504 5.5.4")],
    "no mechanism": [(b"AUTH", b"504 5.5.4")],
    "twice": [(b"AUTH PLAIN " + PLAIN, b"235"), (b"AUTH PLAIN " + PLAIN, b"503 5.5.1")],
}


@pytest.mark.parametrize("way", [started, implicit])
@pytest.mark.parametrize("case", LOGINS)
def test_a_login(w, certificate, way, case):
    w.listener.forget_failures()
    with way(w, certificate) as wire:
        assert b"AUTH PLAIN LOGIN" in wire.say(b"EHLO c")
        for line, begins in LOGINS[case]:
            assert wire.say(line).startswith(begins)


def test_auth_is_neither_offered_nor_taken_in_the_clear(w):
    with Wire(w.port) as wire:
        assert b"AUTH" not in wire.say(b"EHLO c")
        assert wire.say(b"AUTH PLAIN " + PLAIN).startswith(b"530 5.7.0")


def test_auth_is_offered_only_where_a_rule_takes_it(tmp_path, certificate):
    with world(tmp_path, smtp=secure(certificate)) as running, implicit(running, certificate) as wire:
        assert b"AUTH" not in wire.say(b"EHLO c")
        assert wire.say(b"AUTH PLAIN " + PLAIN).startswith(b"503 5.5.1")


def test_a_login_proves_its_own_sender_and_no_other(w, certificate):
    w.listener.forget_failures()
    raw = mail("by a robot", sender=USER)
    with started(w, certificate) as wire:
        wire.say(b"EHLO c")
        wire.say(b"MAIL FROM:<" + USER.encode() + b">")
        assert wire.say(b"RCPT TO:<447700900123@sms.localhost>").startswith(b"550 5.7.1")
        wire.say(b"RSET")
        assert wire.say(b"AUTH PLAIN " + PLAIN).startswith(b"235")
        assert wire.begin(USER.encode()).startswith(b"354")
        assert wire.say(raw + b".").startswith(b"250")
        assert wire.begin(USER.encode()).startswith(b"354")
        assert wire.say(mail("as Bob", sender="bob@other.example") + b".").startswith(b"550 5.7.1")


def test_a_changed_password_ends_what_the_old_one_opened(w, certificate):
    w.listener.forget_failures()
    with started(w, certificate) as wire:
        wire.say(b"EHLO c")
        assert wire.say(b"AUTH PLAIN " + PLAIN).startswith(b"235")
        old = w.state.book.rules().by_address[USER]
        w.state.book.rules().by_address[USER] = replace(old, password_hash=passwords.make_hash("another"))
        try:
            wire.say(b"MAIL FROM:<" + USER.encode() + b">")
            assert wire.say(b"RCPT TO:<447700900123@sms.localhost>").startswith(b"550 5.7.1")
        finally:
            w.state.book.rules().by_address[USER] = old


def test_guessing_passwords_ends_the_session_and_then_the_tries(w, certificate):
    w.listener.forget_failures()
    wrong = b"AUTH PLAIN " + b64("", USER, "wrong")
    for _ in range(4):
        with implicit(w, certificate) as wire:
            wire.say(b"EHLO c")
            replies = [wire.say(wrong)[:9] for _ in range(3)]
            if b"454 4.7.0" in replies:
                break
            assert replies == [b"535 5.7.8", b"535 5.7.8", b"421 4.7.0"]
            assert wire.closed()
    with implicit(w, certificate) as wire:
        wire.say(b"EHLO c")
        assert wire.say(b"AUTH PLAIN " + PLAIN).startswith(b"454 4.7.0")
    w.listener.forget_failures()


# --- PROXY ------------------------------------------------------------------------------------------------


def v2(source, extra=b""):
    body = socket.inet_aton(source) + socket.inet_aton("192.0.2.9") + struct.pack(">HH", 40_000, 25) + extra
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x21, 0x11]) + struct.pack(">H", len(body)) + body


HEADERS = {"v1": lambda ip: f"PROXY TCP4 {ip} 192.0.2.9 40000 25\r\n".encode(), "v2": v2}


@pytest.fixture(scope="module")
def behind(tmp_path_factory, certificate):
    settings = {**secure(certificate), "proxy_protocol_from": ["127.0.0.1"]}
    hurried = Patience(proxy=1)
    with world(tmp_path_factory.mktemp("proxy"), None, hurried, smtp=settings) as running:
        yield running


@pytest.mark.parametrize("version", HEADERS)
@pytest.mark.parametrize(("source", "begins"), [("192.0.2.44", b"250"), ("198.51.100.4", b"550 5.7.1")])
def test_the_client_of_a_balancer_is_the_peer(behind, version, source, begins):
    """far@ may write from 192.0.2.0/24 only."""
    with Wire(behind.port, greeted=False) as wire:
        wire.send(HEADERS[version](source))
        assert wire.reply().startswith(b"220")
        wire.say(b"EHLO c")
        wire.say(b"MAIL FROM:<far@acme.example>")
        assert wire.say(b"RCPT TO:<447700900123@sms.localhost>").startswith(begins)


@pytest.mark.parametrize("version", HEADERS)
def test_proxy_before_implicit_tls(behind, certificate, version):
    with Wire(behind.ports[1], greeted=False) as wire:
        wire.send(HEADERS[version]("192.0.2.44"))
        wire.start_tls(trusted=str(certificate.certificate))
        assert wire.reply().startswith(b"220")
        wire.say(b"EHLO c")
        wire.say(b"MAIL FROM:<far@acme.example>")
        assert wire.say(b"RCPT TO:<447700900123@sms.localhost>").startswith(b"250")


def test_a_header_in_pieces(behind):
    with Wire(behind.port, greeted=False) as wire:
        for byte in HEADERS["v1"]("192.0.2.44"):
            wire.send(bytes([byte]))
            time.sleep(0.001)
        assert wire.reply().startswith(b"220")


def test_a_header_with_all_the_extras_that_there_may_be(behind):
    with Wire(behind.port, greeted=False) as wire:
        wire.send(v2("192.0.2.44", b"\x04" + struct.pack(">H", 4081) + b"\0" * 4081))
        assert wire.reply().startswith(b"220")


@pytest.mark.parametrize("first", [b"EHLO c\r\n", b"PROXY TCP4 nonsense\r\n", b""])
def test_a_balancer_without_its_header_is_not_served(behind, first):
    with Wire(behind.port, greeted=False) as wire:
        wire.send(first)
        assert wire.closed(10)


def test_a_stranger_may_not_say_proxy(w):
    with Wire(w.port, greeted=False) as wire:
        assert wire.reply().startswith(b"220")
        wire.send(HEADERS["v1"]("192.0.2.44"))
        assert wire.reply().startswith(b"500 5.5.2")  # its header is nonsense, and it is itself
        assert wire.say(b"EHLO c").startswith(b"250")
        assert wire.say(b"MAIL FROM:<far@acme.example>").startswith(b"250")
        assert wire.say(b"RCPT TO:<447700900123@sms.localhost>").startswith(b"550 5.7.1")
