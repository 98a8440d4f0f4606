"""XOAUTH2: tokens from a real token server, kept while they live, fetched anew when the mail server refuses one."""

import base64
import json
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult
from mail_support import settings_for
from outbound_support import GONE, Smarthost, outgoing, send, smarthost
from serve_support import free_port

from mailgate.outbound import Outbound, Times
from mailgate.settings import Settings

SECRETS = ("the client's secret", "the refresh token", "token-")


@dataclass
class Tokens:
    """A token server: `asked` are the forms of the requests."""

    answer: dict[str, Any] = field(default_factory=lambda: {"expires_in": 3600})
    status: int = 200
    asked: list[dict[str, str]] = field(default_factory=list)

    def respond(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        self.asked.append(form)
        if self.status != 200:
            return self.status, {"error": "invalid_client", "error_description": "no"}
        return 200, {"access_token": f"token-{len(self.asked)}", "token_type": "Bearer"} | self.answer

    @contextmanager
    def serving(self) -> Iterator[str]:
        tokens = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, answer = tokens.respond(dict(urllib.parse.parse_qsl(body)))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/token"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class Provider(Smarthost):
    """A mail server that knows XOAUTH2 and refuses tokens of `refused`."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []
        self.refused: set[str] = set()

    async def auth_XOAUTH2(self, server: Any, words: list[str]) -> AuthResult:  # noqa: N802
        said = base64.b64decode(words[1]).decode()
        user, _, rest = said.partition("\x01")
        token = rest.removeprefix("auth=Bearer ").removesuffix("\x01\x01")
        self.heard.append(token)
        if user == "user=us@acme.example" and token not in self.refused:
            return AuthResult(success=True, auth_data=token)
        await server.push("334 eyJzdGF0dXMiOiI0MDEifQ==")
        assert await server._reader.readline() == b"\r\n"
        return AuthResult(success=False, handled=False)


@contextmanager
def provider() -> Iterator[tuple[Provider, int, Any]]:
    """It, its port, and what makes it hang up."""
    handler, port = Provider(), free_port()
    options = {"auth_require_tls": False, "auth_exclude_mechanism": ["PLAIN", "LOGIN"]}
    with smarthost(handler, port, **options) as server:
        yield handler, port, lambda: handler.hang_up(server)


def settings(folder: Path, port: int, url: str, **more: Any) -> Settings:
    keys = {
        "smarthost": f"smtp://us%40acme.example@127.0.0.1:{port}",
        "oauth2_token_url": url,
        "oauth2_client_id": "mailgate",
        "oauth2_client_secret": SECRETS[0],
        "oauth2_scope": "mail.send offline",
    }
    return settings_for(folder, outbound=keys | more)


def test_one_token_serves_all_sessions_until_shortly_before_its_end(tmp_path: Path) -> None:
    tokens = Tokens()
    with provider() as (handler, port, _), tokens.serving() as url:
        with closing(Outbound(settings(tmp_path, port, url, connections=3))) as door:
            batch = [outgoing(f"n{number}", f"p{number}@x.example") for number in range(8)]
            assert door.send(batch) == [GONE] * 8
            assert door.send(batch) == [GONE] * 8
        assert len(handler.sessions) >= 2
        assert set(handler.heard) == {"token-1"}
    assert tokens.asked == [
        {
            "grant_type": "client_credentials",
            "client_id": "mailgate",
            "client_secret": SECRETS[0],
            "scope": "mail.send offline",
        }
    ]


def test_a_token_that_is_over_is_fetched_anew(tmp_path: Path) -> None:
    tokens = Tokens({"expires_in": 0})
    with (
        provider() as (handler, port, hang_up),
        tokens.serving() as url,
        closing(Outbound(settings(tmp_path, port, url))) as door,
    ):
        for _ in range(2):
            assert door.send([outgoing()]) == [GONE]
            hang_up()
    assert handler.heard == ["token-1", "token-2"]


def test_a_refresh_token_and_its_successor(tmp_path: Path) -> None:
    tokens = Tokens({"expires_in": 0, "refresh_token": "the next one"})
    with provider() as (_, port, hang_up), tokens.serving() as url:
        chosen = settings(tmp_path, port, url, oauth2_refresh_token=SECRETS[1], oauth2_client_secret="")
        with closing(Outbound(chosen)) as door:
            assert door.send([outgoing()]) == [GONE]
            hang_up()
            assert door.send([outgoing()]) == [GONE]
    assert [form["refresh_token"] for form in tokens.asked] == [SECRETS[1], "the next one"]
    assert tokens.asked[0]["grant_type"] == "refresh_token"
    assert "client_secret" not in tokens.asked[0]


def test_a_token_that_the_mail_server_refuses_is_fetched_anew_once(tmp_path: Path) -> None:
    tokens = Tokens()
    with provider() as (handler, port, hang_up), tokens.serving() as url:
        with closing(Outbound(settings(tmp_path, port, url, connections=1), times=Times(kept=0))) as door:
            assert door.send([outgoing()]) == [GONE]
            hang_up()
            handler.refused.add("token-1")  # revoked
            assert door.send([outgoing()]) == [GONE]
            assert handler.heard == ["token-1", "token-1", "token-2"]
            hang_up()
            handler.refused |= {"token-2", "token-3"}
            (sent,) = door.send([outgoing()])
            assert (sent.gone, sent.retry, sent.words[:3]) == (False, True, "535")
        assert len(tokens.asked) == 3
        assert len(handler.taken) == 2


@pytest.mark.parametrize(
    ("status", "answer", "words"),
    [
        (400, {}, "the token server answered 400 invalid_client"),
        (500, {}, "the token server answered 500 invalid_client"),
        (302, {}, "the token server answered 302 invalid_client"),
        (200, {"access_token": None}, "the token server answered without an access_token"),
        (200, {"access_token": "a\r\nb"}, "the token server answered without an access_token"),
    ],
)
def test_a_token_server_that_gives_none(
    tmp_path: Path, status: int, answer: dict[str, Any], words: str
) -> None:
    tokens = Tokens(answer, status)
    with provider() as (handler, port, _), tokens.serving() as url:
        (sent,) = send(settings(tmp_path, port, url), [outgoing()])
    assert (sent.gone, sent.retry, sent.words) == (False, True, words)
    assert handler.heard == []


def test_a_token_server_that_is_gone(tmp_path: Path) -> None:
    with provider() as (_, port, _):
        (sent,) = send(settings(tmp_path, port, f"http://127.0.0.1:{free_port()}/"), [outgoing()])
    assert (sent.gone, sent.retry) == (False, True)
    assert sent.words.startswith("no answer of the token server: ")


def test_a_mail_server_without_xoauth2(tmp_path: Path) -> None:
    tokens, port = Tokens(), free_port()
    with smarthost(Smarthost(), port), tokens.serving() as url:
        (sent,) = send(settings(tmp_path, port, url), [outgoing()])
    assert (sent.gone, sent.retry, sent.words) == (False, True, "127.0.0.1 offers no login by XOAUTH2")
    assert tokens.asked == []


def test_no_secret_is_shown(tmp_path: Path) -> None:
    chosen = settings(tmp_path, 25, "https://tokens.example", oauth2_refresh_token=SECRETS[1])
    assert not any(secret in repr(chosen) for secret in SECRETS)
