"""Postfix as relay in front of the gateway: what it splits, repeats and retries is one text for each handset."""

import smtplib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from core_support import wait_for
from mail_support import ALICE, World, mail, world
from peers.postfix import relaying_to
from sqlalchemy import select

from gateway_core.storage import tables

FIRST, SECOND, THIRD = (f"+44770090012{digit}" for digit in "345")


def at_domain(*numbers: str) -> list[str]:
    return [f"{number.removeprefix('+')}@sms.localhost" for number in numbers]


def hand_in(port: int, raw: bytes, to: list[str]) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        assert client.sendmail(ALICE, to, raw) == {}


def test_a_mail_that_is_split_is_one_text_for_each(tmp_path: Path) -> None:
    with world(tmp_path) as w, relaying_to(w.port, together=1) as postfix:
        hand_in(
            postfix.port,
            mail("to all of you", message_id="all@acme.example"),
            at_domain(FIRST, SECOND, THIRD),
        )
        postfix.until_empty()
        assert postfix.log.count("status=sent (250 2.0.0 s") == 3
        wait_for(lambda: len(w.outbox()) == 3)
        assert [w.texts(phone) for phone in (FIRST, SECOND, THIRD)] == [["to all of you"]] * 3


class Cut:
    """A line between two mail servers that breaks once, at the worst moment: before the 250 gets back."""

    def __init__(self, upstream: int, *, after_the_reply: bool) -> None:
        self._upstream = upstream
        self._after_the_reply = after_the_reply  # False: the gateway may still be at work
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.cut = False
        self._ended = False  # the final dot has gone to the gateway
        self._start(self._accept)

    @staticmethod
    def _start(work: Callable[..., None], *arguments: socket.socket) -> None:
        threading.Thread(target=work, args=arguments, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                gateway = socket.create_connection(("127.0.0.1", self._upstream))
                self._start(self._to_gateway, client, gateway)
                self._start(self._to_client, client, gateway)

    def _to_gateway(self, client: socket.socket, gateway: socket.socket) -> None:
        tail = b""
        with suppress(OSError):
            while data := client.recv(65_536):
                tail = (tail + data)[-256:]
                if not self.cut and b"\r\n.\r\n" in tail:
                    self._ended = True
                gateway.sendall(data)
                if self._ended and not self._after_the_reply and not self.cut:
                    break
        self._hang_up(client, gateway)

    def _to_client(self, client: socket.socket, gateway: socket.socket) -> None:
        with suppress(OSError):
            while data := gateway.recv(65_536):
                if self._ended and not self.cut:
                    break
                client.sendall(data)
        self._hang_up(client, gateway)

    def _hang_up(self, client: socket.socket, gateway: socket.socket) -> None:
        self.cut |= self._ended
        for end in (client, gateway):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def cut_once(upstream: int, *, after_the_reply: bool) -> Iterator[Cut]:
    made = Cut(upstream, after_the_reply=after_the_reply)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("after_the_reply", [True, False])
def test_a_lost_250_is_one_text(tmp_path: Path, *, after_the_reply: bool) -> None:
    with (
        world(tmp_path) as w,
        cut_once(w.port, after_the_reply=after_the_reply) as line,
        relaying_to(line.port) as postfix,
    ):
        hand_in(postfix.port, mail("once only", message_id="once@acme.example"), at_domain(FIRST, SECOND))
        postfix.until_empty()
        assert line.cut
        assert "lost connection" in postfix.log
        assert postfix.log.count("status=sent (250 2.0.0 s") == 2
        wait_for(lambda: len(w.outbox()) == 2)
        assert [w.texts(FIRST), w.texts(SECOND)] == [["once only"]] * 2
        with w.gateway.reader.connect() as conn:
            assert len(conn.execute(select(tables.submission)).all()) == 1


def test_a_database_in_trouble_is_asked_again_later(tmp_path: Path) -> None:
    with world(tmp_path) as w, relaying_to(w.port) as postfix:
        rename(w, "submission", "gone")
        hand_in(postfix.port, mail("later", message_id="later@acme.example"), at_domain(FIRST))
        wait_for(lambda: "said: 451 4.3.0" in postfix.log, 20)
        assert postfix.waiting() == 1
        rename(w, "gone", "submission")
        postfix.until_empty()
        assert "status=sent (250 2.0.0 s" in postfix.log
        wait_for(lambda: w.texts(FIRST) == ["later"])


def rename(w: World, old: str, new: str) -> None:
    with w.gateway.reader.begin() as conn:
        conn.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")


def test_a_refusal_ends_as_one_bounce_that_goes_nowhere_further(tmp_path: Path) -> None:
    with world(tmp_path) as w, relaying_to(w.port) as postfix:
        hand_in(postfix.port, mail("x" * 2000, message_id="long@acme.example"), at_domain(FIRST))
        postfix.until_empty()
        assert "said: 552 5.3.4" in postfix.log
        assert postfix.log.count("from=<>") == 1  # the bounce, which is refused in its turn
        assert w.texts(FIRST) == []
        assert w.outbox() == []
