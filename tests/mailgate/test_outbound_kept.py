"""Connections to the smarthost: so many at once, kept open, replaced when the server has closed them."""

import contextlib
import email
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult
from core_support import wait_for
from mail_support import ALICE, mail, world
from outbound_support import GONE, Smarthost, outgoing, send, silent, smarthost, towards
from serve_support import free_port
from sqlalchemy import select, update

from gateway_core import notices
from gateway_core.storage import tables
from mailgate.outbound import Outbound, Times, client

TIMES = Times()
PEOPLE = [f"p{number}@x.example" for number in range(12)]


def batch(people: list[str] = PEOPLE) -> list[Any]:
    return [outgoing(f"n-{one}", one) for one in people]


@contextmanager
def door(folder: Path, port: int, *, times: Times = TIMES, **more: Any) -> Iterator[Outbound]:
    with contextlib.closing(Outbound(towards(folder, port, **more), times=times)) as opened:
        yield opened


@pytest.mark.parametrize("most", [1, 3])
def test_a_batch_goes_over_a_few_connections_and_the_next_one_finds_them(tmp_path: Path, most: int) -> None:
    handler, port = Smarthost(slow_seconds=0.02), free_port()
    with smarthost(handler, port), door(tmp_path, port, connections=most) as opened:
        assert opened.send(batch()) == [GONE] * len(PEOPLE)
        assert len(handler.sessions) == most
        assert opened.send(batch()) == [GONE] * len(PEOPLE)
        assert len(handler.sessions) == most
    assert sorted(to for _, (to,), _ in handler.taken) == sorted(PEOPLE * 2)


def test_threads_share_the_connections(tmp_path: Path) -> None:
    handler, port = Smarthost(slow_seconds=0.01), free_port()
    results: list[Any] = []
    with smarthost(handler, port), door(tmp_path, port, connections=2) as opened:
        threads = [threading.Thread(target=lambda: results.extend(opened.send(batch()))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert results == [GONE] * len(PEOPLE) * 4
    assert len(handler.sessions) == 2
    assert len(handler.taken) == len(PEOPLE) * 4


def test_an_idle_connection_is_ended(tmp_path: Path) -> None:
    handler, port = Smarthost(), free_port()
    with smarthost(handler, port), door(tmp_path, port, times=Times(kept=0.2)) as opened:
        assert opened.send([outgoing()]) == [GONE]
        (kept,) = handler.open.values()
        wait_for(kept.is_closing)
        assert opened.send([outgoing()]) == [GONE]
    assert len(handler.sessions) == 2


def test_a_connection_that_the_server_closed_is_replaced(tmp_path: Path) -> None:
    handler, port = Smarthost(), free_port()
    with smarthost(handler, port) as server, door(tmp_path, port) as opened:
        for _ in range(3):
            assert opened.send(batch()) == [GONE] * len(PEOPLE)
            handler.hang_up(server)
    assert sorted(to for _, (to,), _ in handler.taken) == sorted(PEOPLE * 3)


def test_a_server_that_ends_the_session_after_some_mails(tmp_path: Path) -> None:
    handler, port = Smarthost(most_of_session=2), free_port()
    with smarthost(handler, port), door(tmp_path, port, connections=2) as opened:
        assert opened.send(batch()) == [GONE] * len(PEOPLE)
    assert len(handler.taken) == len(PEOPLE)
    assert len(handler.sessions) >= len(PEOPLE) / 2


def test_a_server_that_allows_fewer_connections(tmp_path: Path) -> None:
    class Full(Smarthost):
        async def handle_EHLO(  # noqa: N802
            self, server: Any, session: Any, envelope: Any, name: str, responses: list[str]
        ) -> list[str]:
            if self.sessions and session.peer[1] not in self.sessions:
                return ["421 4.7.0 too many connections"]
            return await super().handle_EHLO(server, session, envelope, name, responses)

    handler, port = Full(slow_seconds=0.02), free_port()
    with smarthost(handler, port), door(tmp_path, port) as opened:
        assert opened.send(batch()) == [GONE] * len(PEOPLE)
    assert len(handler.sessions) == 1


def test_a_login_that_is_refused_is_not_tried_for_each_mail(tmp_path: Path) -> None:
    """Some servers lock out who fails too often."""
    tried: list[str] = []

    def refuse(_server: Any, _session: Any, _envelope: Any, mechanism: str, _data: Any) -> AuthResult:
        tried.append(mechanism)
        return AuthResult(success=False, handled=False)

    port = free_port()
    options = {"authenticator": refuse, "auth_require_tls": False, "auth_exclude_mechanism": ["LOGIN"]}
    url = f"smtp://us:wrong@127.0.0.1:{port}"
    with smarthost(Smarthost(), port, **options), door(tmp_path, port, smarthost=url) as opened:
        results = opened.send(batch())
    assert {(sent.gone, sent.retry, sent.words[:3]) for sent in results} == {(False, True, "535")}
    assert tried == ["PLAIN"]


def test_a_server_that_is_gone_is_not_asked_for_each_mail(tmp_path: Path) -> None:
    with silent() as port:
        begun = time.monotonic()
        results = send(towards(tmp_path, port), batch(), times=Times(connect=0.5))
        took = time.monotonic() - begun
    assert {(sent.gone, sent.retry) for sent in results} == {(False, True)}
    assert took < 3  # 12 mails


def test_a_batch_ends_within_its_lease(tmp_path: Path) -> None:
    times = TIMES
    assert times.batch < times.end < notices.LEASE_SECONDS
    handler, port = Smarthost(slow_seconds=60), free_port()
    with smarthost(handler, port):
        begun = time.monotonic()
        results = send(towards(tmp_path, port), batch(), times=Times(batch=0.2, end=0.5))
        took = time.monotonic() - begun
    assert {(sent.gone, sent.retry, sent.words) for sent in results} == {
        (False, True, "the mail server was too slow")
    }
    assert took < 5


def test_the_end_waits_for_no_server(tmp_path: Path) -> None:
    handler, port = Smarthost(slow_seconds=60), free_port()
    results: list[Any] = []
    with smarthost(handler, port):
        opened = Outbound(towards(tmp_path, port))
        sending = threading.Thread(target=lambda: results.extend(opened.send(batch())))
        sending.start()
        wait_for(lambda: sum(handler.sessions.values()))
        begun = time.monotonic()
        opened.close()
        sending.join(10)
        took = time.monotonic() - begun
    assert {(sent.gone, sent.retry) for sent in results} == {(False, True)}
    assert len(results) == len(PEOPLE)
    assert took < 5


def test_after_the_end_nothing_is_sent(tmp_path: Path) -> None:
    opened = Outbound(towards(tmp_path, free_port()))
    opened.close()
    (sent,) = opened.send([outgoing()])
    assert (sent.gone, sent.retry) == (False, True)
    opened.close()


def test_one_mail_that_breaks_us_keeps_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = client.transfer

    async def transfer(session: Any, mail_from: str, to: tuple[str, ...], content: bytes) -> Any:
        if to == (PEOPLE[0],):
            raise IndexError
        return await sound(session, mail_from, to, content)

    monkeypatch.setattr("mailgate.outbound.batch.transfer", transfer)
    handler, port = Smarthost(), free_port()
    with smarthost(handler, port), door(tmp_path, port, connections=1) as opened:
        broken, *others = opened.send(batch())
    assert (broken.gone, broken.retry) == (False, True)
    assert others == [GONE] * (len(PEOPLE) - 1)


def test_words_that_are_no_text_can_be_stored(tmp_path: Path) -> None:
    handler, port = Smarthost({f"rcpt {ALICE}": "550 na\udce9me\r\n"}), free_port()
    with smarthost(handler, port):
        (sent,) = send(towards(tmp_path, port), [outgoing()])
    assert not sent.retry
    sent.words.encode()


def test_a_reply_that_is_lost_after_the_mail_brings_the_same_mail_again(tmp_path: Path) -> None:
    """RFC 1047: it cannot be known that the server has it. The Message-ID tells the reader's program."""
    handler, port = Smarthost({f"data {ALICE}": "lost"}), free_port()
    with (
        smarthost(handler, port),
        world(tmp_path, outbound={"smarthost": f"smtp://127.0.0.1:{port}"}) as w,
    ):

        def notice() -> Any:
            with w.gateway.reader.connect() as conn:
                return conn.execute(select(tables.notice)).one_or_none()

        w.send(mail("hello", message_id="n@acme.example"))
        wait_for(lambda: (row := notice()) and row.state == "DUE" and row.words)
        handler.answers.clear()
        with w.gateway.reader.begin() as conn:
            conn.execute(update(tables.notice).values(due_at=0))
        w.mail_notices()
        wait_for(lambda: notice().state == "DONE")
    first, second = (email.message_from_bytes(content)["Message-ID"] for _, _, content in handler.taken)
    assert first == second
