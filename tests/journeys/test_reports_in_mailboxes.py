"""What becomes of a mail to several phones, as its author finds it in her mailbox; and a mailbox that is gone."""

import smtplib
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from core_support import wait_for
from flufl.bounce import all_failures
from mail_support import World
from peers.site import ALICE, BOB, NUMBER, Site, answered, plain, rows_with, site, written
from sqlalchemy import select

from gateway_core import opting
from gateway_core.optouts import Said
from gateway_core.storage import tables

FINE, DEAD, OUT = "+447700900123", "+447700900004", "+447700900125"


def at(number: str) -> str:
    return f"{number.removeprefix('+')}@sms.localhost"


def opt_out(w: World, handset: str) -> None:
    def fold(conn: Any, units: Any) -> list[Any]:
        return [opting.keep(conn, w.gateway.context, [Said(handset, "all", True, "operator", "")])]

    w.gateway.writer.put(fold, None).result(10)
    w.gateway.directory.refresh()


def reports(s: Site) -> list[EmailMessage]:
    """Ours, without those of Postfix."""
    mails = s.dovecot.mails(ALICE)
    return [one for one in mails if one.get_content_type() == "multipart/report" and "X-Mailgate-Loop" in one]


def test_three_phones(tmp_path: Path) -> None:
    """One has opted out: refused at RCPT. One is dead, one is fine: one digest says so."""
    with site(tmp_path, rows_with(NUMBER, receipts="digest"), people=[ALICE]) as s:
        opt_out(s.w, OUT)
        with smtplib.SMTP("127.0.0.1", s.w.port, timeout=20) as client:
            client.ehlo("client.example")
            client.mail(ALICE)
            code, words = client.rcpt(at(OUT))
        assert code == 550
        assert words.startswith(b"5.7.1 +447700900125 has asked not to be texted")
        mail = written(
            ALICE, ", ".join(map(at, (DEAD, OUT, FINE))), "Dinner?", own="three", subject="Tonight"
        )
        s.send(mail)
        (digest,) = wait_for(lambda: reports(s), 20)
        s.until_quiet()
        assert len(reports(s)) == 1
        by_postfix = [one for one in s.dovecot.mails(ALICE) if "MAILER-DAEMON" in str(one["From"])]
        assert s.heard(OUT) == []
    assert plain(digest).splitlines() == [
        "1 of 2 texts were delivered.",
        "",
        "+44 7700 900004  not delivered",
        "+44 7700 900123  delivered",
        "",
        "> Dinner?",
    ]
    assert (digest["In-Reply-To"], digest["Return-Path"]) == ("<three@client.example>", "<>")
    assert set(all_failures(digest)[1]) == {at(DEAD).encode()}
    (bounce,) = by_postfix
    assert set(all_failures(bounce)[1]) == {at(OUT).encode()}


def test_nothing_more_goes_to_a_mailbox_that_is_gone(tmp_path: Path) -> None:
    """Postfix takes the answer, finds nobody, and bounces it to its signed return path; then there is silence."""
    with site(tmp_path, rows_with(NUMBER, receipts="none", alarm_to=[BOB]), people=[BOB]) as s:
        s.send(written(ALICE, at(FINE), "Dinner?", own="gone", subject="Tonight"))
        s.wait_for_text(FINE, "Dinner?")
        s.type(FINE, NUMBER, "Yes")
        alarm = s.wait_for_mail(BOB, f"Mail of ours to {ALICE} came back.")
        assert "alice@acme.example" in str(alarm["Subject"])
        wait_for(lambda: ALICE in s.w.state.book.dead)
        s.type(FINE, NUMBER, "Hello?")
        s.type(FINE, NUMBER, "Anybody?")
        s.until_quiet()
        n = tables.notice.c
        with s.w.gateway.reader.connect() as conn:
            said = conn.execute(select(n.state, n.words).where(n.kind == "reply").order_by(n.id)).all()
        assert [state for state, _ in said] == ["DONE", "DEAD", "DEAD"]
        assert f"mail to {ALICE} comes back: " in said[1].words
        assert s.postfix.log.count(f"to=<{ALICE}>") == 1  # the one that bounced
        assert len(s.dovecot.mails(BOB)) == 1
        assert [text for _, text in s.heard(FINE)] == ["Dinner?"]


def test_who_answers_a_report_texts_the_phone(tmp_path: Path) -> None:
    with site(tmp_path, rows_with(NUMBER), people=[ALICE]) as s:
        s.send(written(ALICE, at(FINE), "Dinner?", own="report", subject="Tonight"))
        report = s.wait_for_mail(ALICE, "Your text to +44 7700 900123 was delivered.")
        s.send(answered(report, ALICE, "And bring wine", own="report-2"))
        assert s.wait_for_text(FINE, "And bring wine") == NUMBER
