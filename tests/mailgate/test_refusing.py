"""Refusals by mail, for doors without a dialogue: to whom, how often, and what they say."""

import email.policy
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import time_machine
from core_support import wait_for
from mail_support import ALICE, ROWS, World, mail, world
from serve_support import words
from sqlalchemy import select

from gateway_core.errors import OptedOut, Refused, TooLong
from gateway_core.storage import tables
from mailgate import refusing
from mailgate.checks import Envelope
from mailgate.mail import parse
from mailgate.refused import Case

TO, NEAR, FAR = "447700900123@sms.localhost", "127.0.0.1", "203.0.113.9"
TOO_LONG, OPTED_OUT = TooLong("the text needs 9 segments; 3 are allowed"), OptedOut("it has asked not to be")


@pytest.fixture
def w(tmp_path: Path) -> Iterator[World]:
    acme, *others = ROWS["account"]
    with world(tmp_path, {**ROWS, "account": [{**acme, "language": "de"}, *others]}) as running:
        yield running


def told(
    w: World, error: Refused = TOO_LONG, *, peer: str = NEAR, sender: str = ALICE, **headers: str
) -> bool:
    """Whether the author of a mail in a mailbox is told that it was refused."""
    found = parse(mail("x" * 999, message_id="long@acme.example", Subject="Long", **headers))
    case = Case(Envelope(sender, peer, "imap"), found.from_[0])
    kept = refusing.tell(w.state, case, found, TO, error)
    return kept is not None and kept.result(10) is None


def owed(w: World) -> list[Any]:
    with w.gateway.reader.connect() as conn:
        return list(conn.execute(select(tables.notice).where(tables.notice.c.kind == "refusal")))


def test_the_author_learns_why(w: World) -> None:
    assert told(w)
    (path,) = wait_for(w.outbox)
    got = message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(got, EmailMessage)
    assert (got["To"], got["Subject"], got["In-Reply-To"]) == (ALICE, "Re: Long", "<long@acme.example>")
    assert got["Auto-Submitted"] == "auto-generated"
    assert words(got).splitlines() == [
        "Ihre Mail wurde niemandem als SMS gesendet.",
        "der Text ist zu lang",
        f"Sie war für {TO}.",
        "",
        "Je Grund kommt höchstens eine solche Mail am Tag.",
    ]


def test_once_for_each_sender_reason_and_day(w: World) -> None:
    with time_machine.travel("2026-03-01T10:00:00Z", tick=False) as at:
        for error in (TOO_LONG, TOO_LONG, OPTED_OUT, OPTED_OUT):
            assert told(w, error)
        assert [row.facts["code"] for row in owed(w)] == ["too_long", "opted_out"]
        at.shift(24 * 60 * 60)
        assert told(w)
        assert len(owed(w)) == 3


NOBODY: dict[str, dict[str, Any]] = {
    "not proved": {"peer": FAR},
    "a stranger": {"sender": "eve@evil.example"},
    "the null sender": {"sender": ""},
    "of another account": {"sender": "bob@other.example"},
    "a machine": {"Auto_Submitted": "auto-generated"},
    "an absence notice": {"Auto_Submitted": "auto-replied"},
    "a list": {"List_Id": "<news.acme.example>"},
    "bulk": {"Precedence": "bulk"},
}


@pytest.mark.parametrize("case", NOBODY)
def test_who_is_mailed_nothing(w: World, case: str) -> None:
    assert not told(w, **NOBODY[case])
    assert owed(w) == []
