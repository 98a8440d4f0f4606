"""Mail of ours that comes back: what is read of it, and that no more goes to an address that is dead."""

import smtplib
from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import corpus
import pytest
from cli_support import command_in
from core_support import wait_for
from mail_support import ALICE, ROWS, World, mail, world
from sqlalchemy import select, update

from gateway_core.deliver import deliver
from gateway_core.jobs.queue import NOTICES
from gateway_core.sms import MO
from gateway_core.storage import clock, tables
from mailgate import addresses, bounces
from mailgate.bounces import ANSWER, DEAD, LATER, REFUSED, UNREADABLE

PHONE, TO, NUMBER = "+447700900123", "447700900123@sms.localhost", "+447700900901"
OPS = "ops@acme.example"


def report(action: str, status: str, words: str = "smtp; 550 5.1.1 <alice> no such user") -> bytes:
    """As Postfix writes one."""
    fields = f"Final-Recipient: rfc822; alice@acme.example\r\nAction: {action}\r\nStatus: {status}\r\n"
    return (
        "From: MAILER-DAEMON@acme.example\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\n\r\nI am sorry.\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        f"Reporting-MTA: dns; mx.acme.example\r\n\r\n{fields}Diagnostic-Code: {words}\r\n\r\n--b--\r\n"
    ).encode()


# what came back: what is made of it
READ: dict[str, tuple[bytes, str]] = {
    "no such user": (report("failed", "5.1.1"), DEAD),
    "in capitals, with comments": (report("Failed (for good); x", "5.1.1(unknown)"), DEAD),
    "without a status": (report("failed", ""), REFUSED),
    "unsaid why": (report("failed", "5.0.0"), DEAD),
    "given up after days": (report("failed", "4.4.7"), REFUSED),
    "disabled": (report("failed", "5.2.1"), DEAD),
    "mailbox full": (report("failed", "5.2.2"), REFUSED),
    "policy": (report("failed", "5.7.1"), REFUSED),
    "too large": (report("failed", "5.3.4"), REFUSED),
    "bad sender": (report("failed", "5.1.8"), REFUSED),
    "late": (report("delayed", "4.4.1"), LATER),
    "relayed": (report("relayed", "2.0.0"), LATER),
    "out of office": (mail("I am away", Auto_Submitted="auto-replied", Subject="Out of office"), ANSWER),
    "Exim": (mail("could not be delivered", X_Failed_Recipients="alice@acme.example"), DEAD),
    "a person": (mail("what is this address?"), UNREADABLE),
    "nothing": (b"", UNREADABLE),
    "half a report": (report("failed", "5.1.1")[:330], UNREADABLE),
}


@pytest.mark.parametrize("case", READ.keys() - {"nothing"})
def test_what_is_read_of_it(case: str) -> None:
    raw, kind = READ[case]
    assert bounces.read(raw).kind == kind


def test_the_words_are_one_line() -> None:
    said = bounces.read(report("failed", "5.1.1", "smtp; 550 no such\r\n user\r\n here")).words
    assert said == "550 no such user here"


def test_bounces_of_the_world() -> None:
    """Of 292, most are understood; none of the answers of machines and complaints is taken for a dead mailbox."""
    if not corpus.CORPUS.exists():
        pytest.skip("no corpus beside the repository")
    lines = (corpus.CORPUS / "expected.tsv").read_text(encoding="utf-8").splitlines()[1:]
    seen: dict[str, Counter[str]] = {}
    for file, kind, expected, *_ in (line.split("\t") for line in lines):
        if kind == "class" and file.startswith("sisimai"):
            found = bounces.read((corpus.CORPUS / file).read_bytes()).kind
            seen.setdefault(expected, Counter())[found] += 1
    assert seen["bounce"][DEAD] >= 166
    assert seen["bounce"][DEAD] + seen["bounce"][REFUSED] + seen["bounce"][LATER] >= 240
    assert all(seen[other][DEAD] == 0 for other in seen if other != "bounce")


# --- what becomes of it -----------------------------------------------------------------------------------


@pytest.fixture
def w(tmp_path: Path) -> Iterator[World]:
    acme, *others = ROWS["account"]
    quiet = {**acme, "receipts": "none", "alarm_to": [OPS]}
    with world(tmp_path, {**ROWS, "account": [quiet, *others]}) as running:
        yield running


def raw_mails(w: World, to: str = "") -> list[Message]:
    found = [message_from_bytes(path.read_bytes()) for path in w.outbox()]
    return [one for one in found if to in str(one["To"])]


def answered(w: World, said: str, count: int) -> list[Message]:
    """The phone answers; the mails to Alice, of which there are so many then."""
    deliver(w.gateway, w.gateway.snapshot.routes[0].id, [MO(said, PHONE, NUMBER, said)])
    return list(wait_for(lambda: found if len(found := raw_mails(w, ALICE)) == count else None))


def ended(w: World, kind: str) -> list[tuple[str, str]]:
    """(state, words) of the notices of a kind, once none of any kind is due."""

    def settled() -> Any:
        with w.gateway.reader.connect() as conn:
            rows = conn.execute(select(tables.notice).order_by(tables.notice.c.id)).all()
        return rows if "DUE" not in {row.state for row in rows} else None

    rows = wait_for(settled)
    return [(row.state, row.words) for row in rows if row.kind == kind]


def return_path(w: World) -> str:
    """Of the newest answer that was mailed."""
    n = tables.notice.c
    with w.gateway.reader.connect() as conn:
        newest = conn.execute(select(n.id).where(n.kind == "reply").order_by(n.id.desc())).scalars().first()
    return f"{addresses.return_local(newest or 0, w.state.secrets)}@sms.localhost"


def begun(w: World) -> None:
    w.send(mail("Dinner?", message_id="one@acme.example"), TO)
    answered(w, "yes", 1)


def test_nothing_more_is_mailed_to_a_dead_address(w: World) -> None:
    begun(w)
    w.send(report("failed", "5.1.1"), return_path(w), mail_from="")
    ((state, said),) = ended(w, "bounce")
    assert state == "DONE"
    assert said.endswith("came back: 550 5.1.1 <alice> no such user")
    (alarm,) = wait_for(lambda: raw_mails(w, OPS))
    assert alarm["Subject"] == f"Mail to {ALICE} comes back"
    wait_for(lambda: ALICE in w.state.book.dead)
    deliver(w.gateway, w.gateway.snapshot.routes[0].id, [MO("two", PHONE, NUMBER, "two")])
    assert ended(w, "reply")[-1] == ("DEAD", f"mail to {ALICE} comes back: 550 5.1.1 <alice> no such user")
    assert len(raw_mails(w, ALICE)) == 1
    w.send(report("failed", "5.1.1", "again"), return_path(w), mail_from="")
    ended(w, "bounce")
    assert len(raw_mails(w, OPS)) == 1  # once is enough
    assert w.texts(PHONE) == ["Dinner?"]


def test_who_mails_us_is_not_dead(w: World) -> None:
    begun(w)
    w.send(report("failed", "5.1.1"), return_path(w), mail_from="")
    wait_for(lambda: ALICE in w.state.book.dead)
    w.send(mail("I am here", message_id="two@acme.example"), TO)
    wait_for(lambda: ALICE not in w.state.book.dead)
    answered(w, "good", 2)


def test_a_week_later_it_is_tried_again(w: World) -> None:
    begun(w)
    w.send(report("failed", "5.1.1"), return_path(w), mail_from="")
    wait_for(lambda: ALICE in w.state.book.dead)
    with w.gateway.reader.begin() as conn:
        conn.execute(update(bounces.dead_address).values(until_at=clock.now() - 1))
    answered(w, "still there?", 2)
    w.send(report("failed", "5.1.1", "smtp; still not"), return_path(w), mail_from="")
    ended(w, "bounce")
    with w.gateway.reader.connect() as conn:
        assert bounces.dead(conn, [ALICE]) == {ALICE: "still not"}
    assert len(raw_mails(w, OPS)) == 1  # within one week


def test_what_a_machine_mails_proves_nothing(w: World) -> None:
    """It may have no mailbox at all: its alarms would wake the bounces each time."""
    begun(w)
    w.send(report("failed", "5.1.1"), return_path(w), mail_from="")
    wait_for(lambda: ALICE in w.state.book.dead)
    w.send(mail("disk full", message_id="m@acme.example", Auto_Submitted="auto-generated"), TO)
    wait_for(lambda: "disk full" in w.texts(PHONE))
    with w.gateway.reader.connect() as conn:
        assert ALICE in bounces.dead(conn, [ALICE])


def test_one_of_many_behind_an_address_does_not_speak_for_it(w: World) -> None:
    """A list, or a forward: somebody who left is named, not the mailbox that we wrote to."""
    begun(w)
    gone = report("failed", "5.1.1").replace(b"rfc822; alice@", b"rfc822; somebody@")
    w.send(gone, return_path(w), mail_from="")
    assert [state for state, _ in ended(w, "forward")] == ["DONE"]
    answered(w, "more", 2)


def test_an_old_path_stops_nothing(w: World) -> None:
    begun(w)
    with w.gateway.reader.begin() as conn:
        conn.execute(update(tables.notice).values(created_at=clock.now() - 15 * clock.DAY))
    w.send(report("failed", "5.1.1"), return_path(w), mail_from="")
    assert [state for state, _ in ended(w, "forward")] == ["DONE"]


def test_a_bounce_that_is_quicker_than_our_own_note_waits_for_it(w: World) -> None:
    begun(w)
    ended(w, "reply")
    n = tables.notice.c
    later = clock.now() + clock.DAY
    with w.gateway.reader.begin() as conn:  # as if it were on its way
        conn.execute(update(tables.notice).where(n.kind == "reply").values(state="DUE", due_at=later))
    w.send(report("failed", "5.1.1"), return_path(w), mail_from="")

    def asked() -> Any:
        with w.gateway.reader.connect() as conn:
            return conn.execute(
                select(n.state, n.tries).where(n.kind == "bounce", n.tries == 1)
            ).one_or_none()

    assert wait_for(asked).state == "DUE"
    with w.gateway.reader.begin() as conn:
        conn.execute(update(tables.notice).where(n.kind == "reply").values(state="DONE"))
        conn.execute(update(tables.notice).where(n.kind == "bounce").values(due_at=0))
    w.gateway.queue.hint(NOTICES)
    wait_for(lambda: ALICE in w.state.book.dead)


@pytest.mark.parametrize("case", ["late", "out of office"])
def test_what_stops_nothing_and_bothers_nobody(w: World, case: str) -> None:
    begun(w)
    w.send(READ[case][0], return_path(w), mail_from="")
    ((state, _),) = ended(w, "bounce")
    assert state == "DONE"
    answered(w, "more", 2)
    assert raw_mails(w, OPS) == []
    assert len(raw_mails(w)) == 2


@pytest.mark.parametrize("case", ["mailbox full", "a person", "nothing"])
def test_what_stops_nothing_and_goes_to_the_operator(w: World, case: str) -> None:
    begun(w)
    w.send(READ[case][0] or b"\r\n", return_path(w), mail_from="")
    assert [state for state, _ in ended(w, "bounce")] == ["DONE"]
    assert [state for state, _ in ended(w, "forward")] == ["DONE"]
    answered(w, "more", 2)


def test_a_bounce_that_breaks_its_reader_goes_to_the_operator(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(w)
    monkeypatch.setattr(bounces, "all_failures", lambda _mail: 1 / 0)
    w.send(mail("odd"), return_path(w), mail_from="")
    assert [state for state, _ in ended(w, "forward")] == ["DONE"]


def test_nobody_stops_mail_without_the_signed_path(w: World) -> None:
    begun(w)
    forged = return_path(w).replace("b.", "b.a", 1)
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        w.send(report("failed", "5.1.1"), forged, mail_from="")


def test_a_report_from_somebody_stops_nothing(w: World) -> None:
    begun(w)
    w.send(report("failed", "5.1.1"), return_path(w), mail_from="bob@other.example")
    assert [state for state, _ in ended(w, "forward")] == ["DONE"]
    answered(w, "more", 2)


def test_on_the_command_line(
    w: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begun(w)
    w.send(report("failed", "5.1.1"), return_path(w), mail_from="")
    wait_for(lambda: ALICE in w.state.book.dead)
    (tmp_path / "var").symlink_to(tmp_path)  # where commands look
    command = command_in(tmp_path, monkeypatch, capsys)
    listed = command("bounce", "list")
    assert ALICE in listed.out
    assert "no such user" in listed.out
    gone = command("bounce", "remove", "Alice@ACME.example")
    assert (gone.code, gone.out) == (0, "mail goes to Alice@ACME.example again\n")
    assert command("bounce", "remove", ALICE).fault == f"mail to {ALICE} does not come back"
    wait_for(lambda: ALICE not in w.state.book.dead)
    assert "alarm" in command("notice", "list").out
    assert f"reply DONE to {ALICE}" in command("message", "show", "one@acme.example").out
