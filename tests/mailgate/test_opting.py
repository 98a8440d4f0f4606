"""STOP as people and operators meet it: refused at RCPT, by HTTP, in explain; shown as mail; on the command line."""

import json
import smtplib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from cli_support import command_in
from core_support import wait_for
from mail_support import ALICE, World, mail, world
from sqlalchemy import Connection

from gateway_core import opting
from gateway_core.deliver import deliver
from gateway_core.gateway import Gateway
from gateway_core.optouts import ALL, Said
from gateway_core.sms import MO
from mailgate import checks
from mailgate.checks import Envelope

TO, NUMBER = "447700900123@sms.localhost", "+447700900901"
OTHER = "447700900124@sms.localhost"


@pytest.fixture
def w(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "var") as running:
        yield running


def says(w: World, text: str, ref: str = "stop") -> None:
    deliver(w.gateway, w.gateway.snapshot.routes[0].id, [MO(ref, "+447700900123", NUMBER, text)])
    w.gateway.directory.refresh()


def refused(w: World, to: str = TO) -> tuple[int, str]:
    with w.client() as smtp:
        smtp.ehlo()
        smtp.mail(ALICE)
        code, words = smtp.rcpt(to)
    return code, words.decode()


def test_it_is_refused_at_rcpt_and_shown_to_whoever_texted(w: World) -> None:
    w.send(mail("hello", message_id="one@acme.example"), TO)
    wait_for(lambda: "hello" in w.texts("+447700900123"))
    says(w, "STOP")
    assert refused(w) == (550, "5.7.1 +447700900123 has asked not to be texted")
    assert refused(w, OTHER)[0] == 250
    (reply,) = wait_for(lambda: [raw for p in w.outbox() if b"opted out" in (raw := p.read_bytes())])
    assert b"\r\nSTOP\r\n" in reply
    assert b"In-Reply-To: <one@acme.example>" in reply
    wait_for(lambda: "You will get no more texts" in "".join(w.texts("+447700900123")))
    says(w, "start", "start")
    assert refused(w)[0] == 250


def test_the_command_line_knows_who_and_why(
    w: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = command_in(tmp_path, monkeypatch, capsys)
    says(w, "Stop!")
    (row,) = json.loads(command("optout", "list", "--json").out)
    assert (row["handset"], row["scope"], row["active"], row["source"], row["words"]) == (
        *("+447700900123", "account:acme", True, "handset", "Stop!"),
    )
    assert command("optout", "remove", "+447700900123", "--account", "acme").code == 0
    w.gateway.directory.refresh()
    assert refused(w)[0] == 250
    assert "opted out" in command("optout", "add", "+447700900124", "--note", "asked by letter").out
    w.gateway.directory.refresh()
    assert refused(w, OTHER)[0] == 550
    assert "asked by letter" in command("optout", "list", "+447700900124").out
    assert "already" in command("optout", "add", "+447700900124").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["add", "07700900123"], "NUMBER"),
        (["add", "+447700900123", "--account", "nobody"], "no account 'nobody'"),
        (["add", "+447700900123", "--number", NUMBER], "not a shared number"),
    ],
)
def test_what_the_command_line_cannot_use(
    w: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    ran = command_in(tmp_path, monkeypatch, capsys)("optout", *arguments)
    assert ran.code == 1
    assert words in ran.err


def test_smtplib_hears_it_as_a_refused_recipient(w: World) -> None:
    says(w, "unsubscribe")
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        w.send(mail("hello"), TO)


def test_only_who_may_be_concerned_is_looked_up(w: World) -> None:
    """What reads the database is no work for the event loop; without opt-outs nothing is."""
    ours, theirs = Envelope(ALICE, "127.0.0.1"), Envelope("bob@other.example", "127.0.0.1")
    assert not checks.reads(w.state, ours, TO)
    assert checks.reads(w.state, ours, "r.abc@sms.localhost")
    says(w, "stop")
    assert checks.reads(w.state, ours, TO)
    assert not checks.reads(w.state, theirs, TO)
    assert not checks.reads(w.state, Envelope("mallory@evil.example", "127.0.0.1"), TO)
    w.gateway.writer.put(_everybody, w.gateway).result(10)
    w.gateway.directory.refresh()
    assert checks.reads(w.state, theirs, TO)


def _everybody(conn: Connection, units: Sequence[Gateway]) -> list[list[bool]]:
    said = Said("+447700900124", ALL, active=True, source="operator")
    return [opting.keep(conn, gateway.context, [said]) for gateway in units]
