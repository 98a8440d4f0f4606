"""Postfix's smtp-sink as smarthost: receipts arrive once; no fault of a server loses one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from core_support import wait_for
from mail_support import ALICE, World, mail, world
from peers.line import Cut, over
from peers.smtp_sink import arrived, sink
from serve_support import free_port
from sqlalchemy import select, update

from gateway_core.storage import ids, tables

COUNT = 5


@contextmanager
def gateway(folder: Path, port: int) -> Iterator[World]:
    with world(folder, outbound={"smarthost": f"smtp://127.0.0.1:{port}"}) as w:
        yield w


def text_everybody(w: World) -> None:
    for number in range(COUNT):
        to = f"44770090030{number}@sms.localhost"
        w.send(mail(f"text {number}", message_id=f"{number}@acme.example", Subject=f"No {number}"), to)


def notices(w: World) -> list[Any]:
    with w.gateway.reader.connect() as conn:
        return list(conn.execute(select(tables.notice).order_by(tables.notice.c.id)))


def states(w: World) -> list[str]:
    return [row.state for row in notices(w)]


def test_receipts_arrive_with_the_null_return_path(tmp_path: Path) -> None:
    port = free_port()
    with sink(port) as folder, gateway(tmp_path, port) as w:
        text_everybody(w)
        wait_for(lambda: states(w) == ["DONE"] * COUNT)
        mails = arrived(folder)
    assert sorted(str(one["In-Reply-To"]) for one in mails) == [f"<{n}@acme.example>" for n in range(COUNT)]
    assert {str(one["X-Mail-Args"]).split()[0] for one in mails} == {"<>"}
    assert {str(one["X-Rcpt-Args"]).split()[0] for one in mails} == {f"<{ALICE}>"}
    assert w.outbox() == []


# the server's fault: what becomes of each notice, and what is noted of it
FAULTS = {
    "soft at MAIL": (["-r", "mail"], "DUE", "450"),
    "soft at RCPT": (["-r", "rcpt"], "DUE", "450"),
    "soft at DATA": (["-r", "data"], "DUE", "450"),
    "soft at the end": (["-r", "."], "DUE", "450"),
    "hang-up at RCPT": (["-q", "rcpt"], "DUE", ""),
    "hang-up at the end": (["-q", "."], "DUE", ""),
    "hard at MAIL": (["-f", "mail"], "DEAD", "500"),
    "hard at RCPT": (["-f", "rcpt"], "DEAD", "500"),
    "hard at the end": (["-f", "."], "DEAD", "500"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_no_fault_loses_a_notice(tmp_path: Path, case: str) -> None:
    options, state, words = FAULTS[case]
    port = free_port()
    with gateway(tmp_path, port) as w:
        with sink(port, *options):
            text_everybody(w)
            wait_for(lambda: len(rows := notices(w)) == COUNT and all(row.words for row in rows))
        assert states(w) == [state] * COUNT
        assert all(words in row.words for row in notices(w))
        with sink(port) as folder:  # the server is well again
            with w.gateway.reader.begin() as conn:
                conn.execute(update(tables.notice).values(due_at=0))
            w.mail_notices()
            gone = "DONE" if state == "DUE" else "DEAD"
            wait_for(lambda: states(w) == [gone] * COUNT)
            assert len(arrived(folder)) == (COUNT if state == "DUE" else 0)


@pytest.mark.parametrize("after_the_reply", [True, False])
def test_a_lost_250_is_the_same_mail_again(tmp_path: Path, *, after_the_reply: bool) -> None:
    """The server has it, and we do not know: whoever gets it twice can tell by its Message-ID."""
    port = free_port()
    with (
        sink(port) as folder,
        over(Cut(port, after_the_reply=after_the_reply)) as line,
        gateway(tmp_path, line.port) as w,
    ):
        w.send(mail("once", message_id="once@acme.example"), "447700900301@sms.localhost")
        wait_for(lambda: line.cut and [row for row in notices(w) if row.words])
        with w.gateway.reader.begin() as conn:
            conn.execute(update(tables.notice).values(due_at=0))
        w.mail_notices()
        wait_for(lambda: states(w) == ["DONE"])
        (notice,) = notices(w)
        found = [str(one["Message-ID"]) for one in arrived(folder)]
    assert set(found) == {f"<{ids.show('n', notice.id)}@sms.localhost>"}
    assert len(found) == 2 if after_the_reply else len(found) in {1, 2}


def test_a_slow_server_holds_up_nothing_but_its_own_mail(tmp_path: Path) -> None:
    """Each reply to DATA takes a second or more; nothing is sent twice, and texts go on meanwhile."""
    port = free_port()
    with sink(port, "-W", "data:1") as folder, gateway(tmp_path, port) as w:
        text_everybody(w)
        wait_for(lambda: len(w.texts("+447700900304")) == 1, 2)
        wait_for(lambda: states(w) == ["DONE"] * COUNT, 20)
        found = [str(one["Message-ID"]) for one in arrived(folder)]
    assert len(found) == len(set(found)) == COUNT
