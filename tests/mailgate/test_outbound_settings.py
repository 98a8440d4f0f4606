"""Settings of [outbound] that contradict each other: an error at start that names the key, a line of `check`."""

from pathlib import Path
from typing import Any

import pytest
import signing
from cli_support import command_in
from mail_support import settings_for
from outbound_support import Smarthost, smarthost
from serve_support import free_port

from gateway_core.errors import SettingsError
from mailgate.outbound import Outbound

URL, HOST = "https://tokens.example/token", "smtp://us@mail.example"
OAUTH2 = {"smarthost": HOST, "oauth2_token_url": URL, "oauth2_client_id": "us", "oauth2_client_secret": "s"}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"smarthost": "mx:"}, "smarthost: must be"),
    ({"smarthost": "smtp://[::1"}, "smarthost: must be"),
    ({"smarthost": "smtp://us@mail.example"}, "smarthost: a login takes a user and a secret"),
    ({"smarthost": "smtp://:secret@mail.example"}, "smarthost: a login takes a user and a secret"),
    ({"smarthost": "mx", "verify_certificates": False}, "verify_certificates: is for a smarthost; those of"),
    ({"smarthost": "mx", "tls_ca": "ca.pem"}, "tls_ca: is for a smarthost"),
    ({"tls_ca": "ca.pem"}, "tls_ca: is for a smarthost; none is set"),
    ({"smarthost": "mx", "oauth2_token_url": URL}, "oauth2_token_url: is for a smarthost"),
    (
        {"smarthost": "smtps://mail.example", "tls_ca": "ca.pem", "verify_certificates": False},
        "tls_ca: verifies nothing with outbound.verify_certificates = false",
    ),
    (
        {"smarthost": "smtp://mail.example", "oauth2_scope": "x"},
        "oauth2_scope: set without outbound.oauth2_token_url",
    ),
    (
        OAUTH2 | {"smarthost": "smtp://mail.example"},
        "smarthost: with oauth2_token_url it names the user only",
    ),
    (OAUTH2 | {"smarthost": "smtp://us:secret@mail.example"}, "smarthost: with oauth2_token_url it names"),
    (OAUTH2 | {"oauth2_token_url": "http://tokens.example"}, "oauth2_token_url: must be https://"),
    (OAUTH2 | {"oauth2_token_url": "file:///etc/passwd"}, "oauth2_token_url: must be https://"),
    (OAUTH2 | {"oauth2_token_url": "https://"}, "oauth2_token_url: must be https://"),
    (OAUTH2 | {"oauth2_token_url": "https://x:y"}, "oauth2_token_url: must be https://"),
    (OAUTH2 | {"oauth2_client_id": ""}, "oauth2_client_id: needed with"),
    (OAUTH2 | {"oauth2_client_secret": ""}, "oauth2_client_secret: needed without"),
    (
        {"dkim_domain": "sms.example"},
        "dkim_selector: needed too: DKIM takes dkim_domain, dkim_selector, dkim",
    ),
    ({"dkim_key": "key.pem", "dkim_selector": "s1"}, "dkim_domain: needed too"),
]


@pytest.mark.parametrize(("keys", "words"), WRONG)
def test_settings_that_contradict_each_other(tmp_path: Path, keys: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as error:
        Outbound(settings_for(tmp_path, outbound=keys))
    assert str(error.value).startswith(f"outbound.{words}")


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"smarthost": "mx"},
        {"smarthost": "mx", "require_tls": True},
        {"smarthost": "smtp://us%40acme.example:p%3Aw@mail.example:587"},
        {"smarthost": "smtps://[::1]", "verify_certificates": False},
        OAUTH2,
        OAUTH2 | {"oauth2_client_secret": "", "oauth2_refresh_token": "r"},
        OAUTH2 | {"oauth2_token_url": "http://localhost:8080/token"},
    ],
)
def test_settings_that_make_sense(tmp_path: Path, keys: dict[str, Any]) -> None:
    Outbound(settings_for(tmp_path, outbound=keys)).close()


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    chosen = settings_for(tmp_path, outbound={"smarthost": "smtp://us:hidden@mail.example"})
    assert "hidden" not in repr(chosen)


def test_check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    command = command_in(tmp_path, monkeypatch, capsys)

    def shown(**keys: str) -> tuple[int, str]:
        for name in ("SMARTHOST", "DKIM_DOMAIN", "DKIM_SELECTOR", "DKIM_KEY", "FROM_ADDRESS"):
            monkeypatch.delenv(f"MAILGATE_OUTBOUND__{name}", raising=False)
        for name, value in keys.items():
            monkeypatch.setenv(f"MAILGATE_OUTBOUND__{name.upper()}", value)
        done = command("check")
        return done.code, done.out

    code, out = shown(smarthost="mx")
    assert (code, "mx: none, mail goes straight to the servers of each domain" in out) == (0, True)
    port, handler = free_port(), Smarthost()
    with smarthost(handler, port):
        code, out = shown(smarthost=f"smtp://127.0.0.1:{port}")
        assert (code, f"127.0.0.1:{port} answers" in out) == (0, True)
        code, out = shown(smarthost=f"smtp://us:secret@127.0.0.1:{port}")
        assert (code, "outbound.smarthost: takes no mail: " in out) == (1, True)
        assert "secret" not in out.partition("takes no mail")[2].partition("\n")[0]
    (tmp_path / "dkim.pem").write_bytes(signing.key().private)
    signs = {"dkim_domain": "sms.example", "dkim_selector": "s1", "dkim_key": str(tmp_path / "dkim.pem")}
    code, out = shown(**signs, from_address="gateway@sms.example")
    assert (code, "mail from mail.domains is outside, and not signed" in out) == (0, True)  # answers
    monkeypatch.setenv("MAILGATE_MAIL__DOMAINS", '["sms.example"]')
    code, out = shown(**signs, from_address="gateway@sms.example")
    assert (code, "the public key belongs at s1._domainkey.sms.example\n" in out) == (0, True)
    code, out = shown(**signs, from_address="gateway@other.example")
    assert (code, "outbound.from_address is outside, and not signed" in out) == (0, True)
    code, out = shown(**signs | {"dkim_key": "nowhere.pem"})
    assert (code, "outbound.dkim_key: nowhere.pem: No such file" in out) == (1, True)
