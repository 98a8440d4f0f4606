"""The door out: the outbox keeps each mail once; a real smarthost may refuse, close, be slow or be gone."""

import email
import threading
from pathlib import Path
from typing import Any

import pytest
from core_support import wait_for
from mail_support import ALICE, World, mail, settings_for, world
from outbound_support import GONE, RAW, Smarthost, outgoing, send, silent, smarthost, towards
from serve_support import free_port
from sqlalchemy import select, update

from gateway_core.errors import SettingsError
from gateway_core.storage import tables
from mailgate.outbound import Outbound, Sent, Times
from mailgate.outgoing import Outgoing

# --- the outbox -------------------------------------------------------------------------------------------


def test_the_outbox_keeps_each_mail_once(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    for _ in range(3):
        assert send(settings, [outgoing(), outgoing("n2")]) == [GONE, GONE]
    kept = sorted(
        path.relative_to(tmp_path / "outbox").as_posix() for path in tmp_path.rglob("n*") if path.is_file()
    )
    assert kept == ["new/n1", "new/n2"]
    assert (tmp_path / "outbox" / "new" / "n1").read_bytes() == RAW


def test_an_outbox_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file where a folder should be")
    (sent,) = send(settings_for(tmp_path), [outgoing()])
    assert (sent.gone, sent.retry) == (False, True)
    assert sent.words.startswith("outbox: ")


@pytest.mark.parametrize(
    "url",
    [
        "mail.example",
        "http://mail.example",
        "smtp://",
        "smtp://host:port",
        "smtp://host:99999",
        "smtps://:25",
    ],
)
def test_a_wrong_smarthost(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match=r"^outbound\.smarthost: must be smtp://"):
        Outbound(settings_for(tmp_path, outbound={"smarthost": url}))


# --- a smarthost ------------------------------------------------------------------------------------------


def test_it_is_handed_over_as_it_is(tmp_path: Path) -> None:
    handler, port = Smarthost(), free_port()
    with smarthost(handler, port):
        batch = [outgoing(), outgoing("n2", "bob@other.example", mail_from="b.x.y@sms.localhost")]
        assert send(towards(tmp_path, port), batch) == [GONE, GONE]
    assert sorted(handler.taken) == [
        ("", [ALICE], RAW),
        ("b.x.y@sms.localhost", ["bob@other.example"], RAW),
    ]


def test_one_refusal_is_that_mails_own(tmp_path: Path) -> None:
    words = {
        "rcpt soft@x.example": "450 4.2.1 later",
        "rcpt hard@x.example": "550 5.1.1 nobody",
        "data odd@x.example": "554 5.6.0 not like this",
        "data full@x.example": "452 4.3.1 disk full",
    }
    handler, port = Smarthost(words), free_port()
    people = ["soft", "hard", "odd", "full", "good"]
    with smarthost(handler, port):
        batch = [outgoing(name, f"{name}@x.example") for name in people]
        results = dict(zip(people, send(towards(tmp_path, port), batch), strict=True))
    assert results == {
        "soft": Sent(gone=False, retry=True, words="450 4.2.1 later"),
        "hard": Sent(gone=False, retry=False, words="550 5.1.1 nobody"),
        "odd": Sent(gone=False, retry=False, words="554 5.6.0 not like this"),
        "full": Sent(gone=False, retry=True, words="452 4.3.1 disk full"),
        "good": GONE,
    }


@pytest.mark.parametrize(
    ("answers", "sent"),
    [
        (("550 5.1.1 nobody", "250 OK"), Sent(gone=True, words="not to ops@x.example: 550 5.1.1 nobody")),
        (("450 4.2.1 later", "250 OK"), Sent(gone=True, words="not to ops@x.example: 450 4.2.1 later")),
        (
            ("550 5.1.1 nobody", "450 4.2.1 later"),
            Sent(gone=False, retry=True, words="550 5.1.1 nobody"),
        ),
        (("550 5.1.1 nobody", "550 5.1.1 nobody"), Sent(gone=False, words="550 5.1.1 nobody")),
    ],
)
def test_a_mail_to_several_is_gone_when_somebody_has_it(
    tmp_path: Path, answers: tuple[str, str], sent: Sent
) -> None:
    people = ("ops@x.example", "boss@x.example")
    handler = Smarthost({f"rcpt {one}": answer for one, answer in zip(people, answers, strict=True)})
    port = free_port()
    with smarthost(handler, port):
        assert send(towards(tmp_path, port), [Outgoing("n1", "", people, RAW)]) == [sent]
    assert len(handler.taken) == (1 if sent.gone else 0)


def test_a_lost_connection_is_one_mails_own(tmp_path: Path) -> None:
    handler, port = Smarthost({"data second@x.example": "421 4.3.2 going down"}), free_port()
    with smarthost(handler, port):
        batch = [outgoing(name, f"{name}@x.example") for name in ("first", "second", "third")]
        first, second, third = send(towards(tmp_path, port), batch)
    assert first == GONE
    assert (second.gone, second.retry) == (False, True)
    assert third == GONE  # over a new connection
    assert sorted(to for _, to, _ in handler.taken) == [["first@x.example"], ["third@x.example"]]


@pytest.mark.parametrize("fault", ["closed", "silent"])
def test_a_smarthost_that_does_not_answer(tmp_path: Path, fault: str) -> None:
    with silent() as port:
        settings = towards(tmp_path, free_port() if fault == "closed" else port)
        results = send(settings, [outgoing(), outgoing("n2")], times=Times(connect=0.3))
    assert [(sent.gone, sent.retry) for sent in results] == [(False, True)] * 2
    assert all(sent.words for sent in results)


@pytest.mark.parametrize(("understands", "gone"), [(True, True), (False, False)])
def test_an_address_beyond_ascii(tmp_path: Path, *, understands: bool, gone: bool) -> None:
    handler, port = Smarthost(), free_port()
    with smarthost(handler, port, enable_SMTPUTF8=understands):
        batch = [outgoing("n1", "jørgen@x.example"), outgoing("n2")]
        odd, plain = send(towards(tmp_path, port), batch)
    assert (odd.gone, odd.retry) == (gone, False)
    assert plain == GONE  # never held up by its neighbour


@pytest.mark.parametrize(
    "to",
    [
        "x\r\nRCPT TO:evil@x.example",
        "a b@x.example",
        "x@x.example> SIZE=1",
        "a\x01b@x.example",
        "a\udcffb@x.example",
        "",
    ],
)
def test_an_address_that_is_none_breaks_out_of_nothing(tmp_path: Path, to: str) -> None:
    handler, port = Smarthost(), free_port()
    with smarthost(handler, port, enable_SMTPUTF8=True):
        batch = [outgoing("n1", to), outgoing("n2")]
        _, plain = send(towards(tmp_path, port, connections=1), batch)
    assert plain == GONE
    assert handler.taken[-1][1] == [ALICE]
    assert all(len(people) == 1 for _, people, _ in handler.taken)


def test_eight_bits_are_announced(tmp_path: Path) -> None:
    """RFC 6152; mail that is passed on as it came may hold them."""
    announced: list[bool] = []

    class Eight(Smarthost):
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
            announced.append("BODY=8BITMIME" in envelope.mail_options)
            return await super().handle_DATA(server, session, envelope)

    handler, port = Eight(), free_port()
    raw = RAW + "blåbær\r\n".encode()
    with smarthost(handler, port):
        for content in (raw, RAW):
            assert send(towards(tmp_path, port), [Outgoing("n1", "", (ALICE,), content)]) == [GONE]
    assert announced == [True, False]
    assert handler.taken[0][2] == raw


def test_a_mail_to_nobody(tmp_path: Path) -> None:
    (sent,) = send(towards(tmp_path, free_port()), [Outgoing("n1", "", (), RAW)])
    assert sent == Sent(gone=False, words="it is to nobody")


def test_what_is_for_this_gateway_stays_here(tmp_path: Path) -> None:
    handler, port = Smarthost(), free_port()
    with smarthost(handler, port):
        batch = [outgoing(), outgoing("n2", "postmaster", local=True)]
        assert send(towards(tmp_path, port), batch) == [GONE, GONE]
    assert [to for _, to, _ in handler.taken] == [[ALICE]]
    assert [path.name for path in (tmp_path / "outbox" / "new").iterdir()] == ["n2"]


# --- notices, from the row to the smarthost ---------------------------------------------------------------


def test_a_notice_is_tried_until_it_is_gone(tmp_path: Path) -> None:
    handler, port = Smarthost({f"rcpt {ALICE}": "450 4.2.1 greylisted"}), free_port()
    with world(tmp_path, outbound={"smarthost": f"smtp://127.0.0.1:{port}"}) as w:

        def notice() -> Any:
            with w.gateway.reader.connect() as conn:
                return conn.execute(select(tables.notice)).one_or_none()

        def due_now() -> None:
            with w.gateway.reader.begin() as conn:
                conn.execute(update(tables.notice).values(due_at=0))
            w.mail_notices()

        w.send(mail("hello", message_id="n@acme.example", Subject="Hi"))
        wait_for(lambda: (row := notice()) and "no connection" not in row.words and row.words)
        assert notice().state == "DUE"
        with smarthost(handler, port):
            due_now()
            wait_for(lambda: notice().words == "450 4.2.1 greylisted")
            assert notice().state == "DUE"
            handler.answers.clear()
            due_now()
            wait_for(lambda: notice().state == "DONE")
            due_now()
        ((mail_from, to, content),) = handler.taken
        assert (mail_from, to) == ("", [ALICE])  # a receipt has the null return path
        assert email.message_from_bytes(content)["In-Reply-To"] == "<n@acme.example>"


def test_a_database_in_trouble_kills_no_notice(tmp_path: Path) -> None:
    with world(tmp_path) as w:
        w.send(mail("hello", message_id="n@acme.example"))
        wait_for(w.outbox)

        def move(old: str, new: str, **notice: Any) -> None:
            with w.gateway.reader.begin() as conn:
                conn.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")
                conn.execute(update(tables.notice).values(**notice))

        wait_for(lambda: notice_of(w) == ("DONE", 1))
        move("submission", "gone", state="DUE", due_at=0)  # the sweeper finds it
        wait_for(lambda: notice_of(w) == ("DUE", 2))
        move("gone", "submission", due_at=0)
        wait_for(lambda: notice_of(w) == ("DONE", 3))
        assert len(w.outbox()) == 1


def notice_of(w: World) -> tuple[str, int]:
    """(state, how often it was tried)."""
    with w.gateway.reader.connect() as conn:
        return tuple(conn.execute(select(tables.notice.c.state, tables.notice.c.tries)).one())


def test_a_notice_that_is_refused_for_good_is_kept_as_dead(tmp_path: Path) -> None:
    handler, port = Smarthost({f"rcpt {ALICE}": "550 5.1.1 no such user"}), free_port()
    with (
        smarthost(handler, port),
        world(tmp_path, outbound={"smarthost": f"smtp://127.0.0.1:{port}"}) as w,
    ):
        w.send(mail("hello", message_id="n@acme.example"))

        def dead() -> bool:
            with w.gateway.reader.connect() as conn:
                row = conn.execute(select(tables.notice)).one_or_none()
            return bool(row and (row.state, row.words) == ("DEAD", "550 5.1.1 no such user"))

        wait_for(dead)
    assert threading.active_count() < 20
