"""TLS and logins toward a smarthost: verified unless told otherwise, and no secret in the clear."""

import contextlib
from pathlib import Path
from typing import Any

import certificates
import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from mail_support import settings_for
from outbound_support import GONE, Smarthost, outgoing, send, silent, smarthost, tls, towards
from serve_support import free_port

from gateway_core.errors import SettingsError
from mailgate.outbound import Outbound, Times, Unreachable
from mailgate.outbound.way import is_loopback, read
from mailgate.settings_outbound import OutboundSettings


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> certificates.Pair:
    return certificates.pair(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> certificates.Pair:
    """For another name."""
    return certificates.pair(tmp_path_factory.mktemp("strangers"), "mail.example")


def server_options(form: str, pair: certificates.Pair) -> dict[str, Any]:
    return {"ssl_context": tls(pair)} if form == "smtps" else {"tls_context": tls(pair)}


FORMS = pytest.mark.parametrize("form", ["smtp", "smtps"])


@FORMS
def test_mail_goes_over_tls_to_a_certificate_of_our_authority(
    tmp_path: Path, ours: certificates.Pair, form: str
) -> None:
    handler, port = Smarthost(), free_port()
    with smarthost(handler, port, **server_options(form, ours)):
        settings = towards(
            tmp_path, port, smarthost=f"{form}://localhost:{port}", tls_ca=str(ours.certificate)
        )
        assert send(settings, [outgoing(), outgoing("n2")]) == [GONE, GONE]
    assert handler.encrypted == [True, True]


@FORMS
@pytest.mark.parametrize("wrong", ["unknown authority", "other name"])
def test_a_wrong_certificate_is_refused_unless_told_otherwise(
    tmp_path: Path, ours: certificates.Pair, strangers: certificates.Pair, form: str, wrong: str
) -> None:
    handler, port = Smarthost(), free_port()
    if wrong == "other name":
        pair, host, more = strangers, "127.0.0.2", {"tls_ca": str(strangers.certificate)}
    else:
        pair, host, more = ours, "127.0.0.1", {}
    url = f"{form}://{host}:{port}"
    with smarthost(handler, port, host=host, **server_options(form, pair)):
        (sent,) = send(towards(tmp_path, port, smarthost=url, **more), [outgoing()])
        assert (sent.gone, sent.retry) == (False, True)
        assert sent.words.startswith("the certificate is not trusted: ")
        assert handler.taken == []  # nor in the clear
        told = towards(tmp_path, port, smarthost=url, verify_certificates=False)
        assert send(told, [outgoing()]) == [GONE]
    assert handler.encrypted == [True]


@pytest.mark.parametrize(("required", "gone"), [(False, True), (True, False)])
def test_a_server_without_starttls(tmp_path: Path, *, required: bool, gone: bool) -> None:
    handler, port = Smarthost(), free_port()
    with smarthost(handler, port):
        (sent,) = send(towards(tmp_path, port, require_tls=required), [outgoing()])
    assert (sent.gone, sent.retry) == (gone, not gone)
    assert ("STARTTLS" in sent.words) == required
    assert len(handler.taken) == gone


# --- logins -----------------------------------------------------------------------------------------------


class Logins:
    """What the server was told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, str]] = []

    def __call__(self, _server: Any, _session: Any, _envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.heard.append((mechanism, data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"p@ss:word", handled=False)


def with_login(port: int, secret: str = "p%40ss%3Aword") -> str:
    return f"smtp://us%40acme.example:{secret}@127.0.0.1:{port}"


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_it_logs_in(tmp_path: Path, ours: certificates.Pair, mechanism: str) -> None:
    handler, port, logins = Smarthost(), free_port(), Logins()
    other = {"PLAIN": "LOGIN", "LOGIN": "PLAIN"}[mechanism]
    options = {"authenticator": logins, "auth_required": True, "auth_exclude_mechanism": [other]}
    with smarthost(handler, port, tls_context=tls(ours), **options):
        more = {"smarthost": with_login(port), "tls_ca": str(ours.certificate)}
        assert send(towards(tmp_path, port, **more), [outgoing()]) == [GONE]
    assert logins.heard == [(mechanism, "us@acme.example", "p@ss:word")]


def test_a_login_that_is_refused_is_tried_again_later(tmp_path: Path, ours: certificates.Pair) -> None:
    handler, port = Smarthost(), free_port()
    with smarthost(handler, port, tls_context=tls(ours), authenticator=Logins(), auth_required=True):
        more = {"smarthost": with_login(port, "wrong"), "tls_ca": str(ours.certificate)}
        (sent,) = send(towards(tmp_path, port, **more), [outgoing()])
    assert (sent.gone, sent.retry, sent.words[:3]) == (False, True, "535")
    assert handler.taken == []


@pytest.mark.parametrize(
    ("url", "required", "needed"),
    [
        ("smtp://us:secret@mail.example:587", False, True),
        ("smtp://us:secret@localhost.example:587", False, True),
        ("smtp://us:secret@localhost:587", False, False),
        ("smtp://us:secret@127.0.0.1:587", False, False),
        ("smtp://us:secret@[::1]:587", False, False),
        ("smtp://us:secret@127.0.0.1:587", True, True),
        ("smtp://mail.example", False, False),
        ("smtp://mail.example", True, True),
    ],
)
def test_a_secret_is_not_sent_in_the_clear(url: str, *, required: bool, needed: bool) -> None:
    way = read(OutboundSettings(smarthost=url, require_tls=required))
    assert way is not None
    assert way.needs_tls == needed


def test_a_server_that_hides_starttls_hears_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a machine in between would do it: here the loopback counts as the network."""
    monkeypatch.setattr("mailgate.outbound.way.is_loopback", lambda _host: False)
    handler, port, logins = Smarthost(), free_port(), Logins()
    with smarthost(handler, port, authenticator=logins, auth_require_tls=False):
        (sent,) = send(towards(tmp_path, port, smarthost=with_login(port)), [outgoing()])
    assert (sent.gone, sent.retry) == (False, True)
    assert (handler.taken, logins.heard) == ([], [])


def test_on_this_machine_a_login_needs_no_tls(tmp_path: Path) -> None:
    handler, port, logins = Smarthost(), free_port(), Logins()
    with smarthost(handler, port, authenticator=logins, auth_require_tls=False):
        assert send(towards(tmp_path, port, smarthost=with_login(port)), [outgoing()]) == [GONE]
    assert len(logins.heard) == 1


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.8.8.8", True), ("::1", True), ("LOCALHOST", True), ("10.0.0.1", False), ("mail", False)],
)
def test_what_a_loopback_is(host: str, *, loopback: bool) -> None:
    assert is_loopback(host) == loopback


# --- looking whether it would work ------------------------------------------------------------------------


def test_reaching_it_logs_in(tmp_path: Path, ours: certificates.Pair) -> None:
    handler, port, logins = Smarthost(), free_port(), Logins()
    with smarthost(handler, port, tls_context=tls(ours), authenticator=logins, auth_required=True):
        for secret, good in (("p%40ss%3Aword", True), ("wrong", False)):
            more = {"smarthost": with_login(port, secret), "tls_ca": str(ours.certificate)}
            with contextlib.closing(Outbound(towards(tmp_path, port, **more))) as door:
                if good:
                    assert door.reach() == f"127.0.0.1:{port}"
                else:
                    with pytest.raises(Unreachable, match=r"^535 "):
                        door.reach()
    assert handler.taken == []


def test_reaching_one_that_says_nothing(tmp_path: Path) -> None:
    with (
        silent() as port,
        contextlib.closing(Outbound(towards(tmp_path, port), times=Times(connect=0.3))) as door,
        pytest.raises(Unreachable),
    ):
        door.reach()


@pytest.mark.parametrize(
    ("content", "words"), [(None, "No such file"), ("no certificate", "holds no PEM certificate")]
)
def test_a_file_of_authorities_that_is_none(tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    settings = settings_for(tmp_path, outbound={"smarthost": "smtp://mail.example", "tls_ca": str(path)})
    with pytest.raises(SettingsError, match=f"^outbound.tls_ca: .*{words}"):
        Outbound(settings)
