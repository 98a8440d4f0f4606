"""Postfix as relay in front of the gateway: what it splits, repeats and retries is one text for each handset."""

import smtplib
from contextlib import ExitStack
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from core_support import wait_for
from mail_support import ALICE, ROWS, World, mail, world
from peers.line import Cut, Held, over
from peers.postfix import SENT, relaying_to
from peers.programs import at_domain, database_in_trouble, origin_of, submissions

FIRST, SECOND, THIRD = (f"+44770090012{digit}" for digit in "345")
ALL = (FIRST, SECOND, THIRD)


def hand_in(port: int, raw: bytes, to: list[str]) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        assert client.sendmail(ALICE, to, raw) == {}


def assert_one_text_each(w: World, text: str, *people: str) -> None:
    wait_for(lambda: [w.texts(phone) for phone in people] == [[text]] * len(people))


def test_a_mail_that_is_split_is_one_text_for_each(tmp_path: Path) -> None:
    with world(tmp_path) as w, relaying_to(w.port, together=1) as postfix:
        hand_in(postfix.port, mail("to all of you", message_id="all@acme.example"), at_domain(*ALL))
        postfix.until_sent(3)
        wait_for(lambda: len(w.outbox()) == 3)
        assert_one_text_each(w, "to all of you", *ALL)


@pytest.mark.parametrize(("after_the_reply", "together"), [(True, 50), (False, 50), (True, 1)])
def test_a_lost_250_is_one_text(tmp_path: Path, *, after_the_reply: bool, together: int) -> None:
    """Also of one part of a mail that was split."""
    with (
        world(tmp_path) as w,
        over(Cut(w.port, after_the_reply=after_the_reply)) as line,
        relaying_to(line.port, together=together) as postfix,
    ):
        hand_in(postfix.port, mail("once only", message_id="once@acme.example"), at_domain(*ALL))
        postfix.until_sent(3)
        assert line.cut
        assert "lost connection" in postfix.log
        wait_for(lambda: len(w.outbox()) == 3)
        assert_one_text_each(w, "once only", *ALL)
        assert submissions(w) == (1 if together > 1 else 3)


@pytest.mark.parametrize("together", [50, 1])
def test_a_database_in_trouble_is_asked_again_later(tmp_path: Path, together: int) -> None:
    with world(tmp_path) as w, relaying_to(w.port, together=together) as postfix:
        with database_in_trouble(w):
            hand_in(postfix.port, mail("later", message_id="later@acme.example"), at_domain(*ALL))
            wait_for(lambda: postfix.log.count("said: 451 4.3.0") >= 3, 20)
            assert postfix.waiting() > 0
        postfix.until_sent(3)
        assert_one_text_each(w, "later", *ALL)


def test_a_listener_that_has_no_room_is_asked_again_later(tmp_path: Path) -> None:
    """452: somebody else's large mail is under way."""
    large = mail("the large one", X_Padding="x" * 1900)
    with (
        world(tmp_path, smtp={"max_inflight_bytes": 2048}) as w,
        relaying_to(w.port) as postfix,
        smtplib.SMTP("127.0.0.1", w.port, timeout=20) as other,
    ):
        other.ehlo()
        other.mail(ALICE)
        other.rcpt(*at_domain("447700900120"))
        assert other.docmd("DATA")[0] == 354
        other.send(large)
        wait_for(lambda: w.listener.load.bytes == len(large))
        hand_in(postfix.port, mail("when there is room", message_id="452@acme.example"), at_domain(*ALL))
        wait_for(lambda: "said: 452 4.3.1" in postfix.log, 20)
        assert w.texts(FIRST) == []
        assert other.docmd(".")[0] == 250
        postfix.until_sent(3)
        assert_one_text_each(w, "when there is room", *ALL)
        assert_one_text_each(w, "the large one", "+447700900120")


def test_what_a_sender_asks_of_reports_passes_through(tmp_path: Path) -> None:
    """Postfix hands the task on (RFC 3461 §5.2.2), and does not report the hand-over itself."""
    with world(tmp_path) as w, relaying_to(w.port) as postfix:
        with smtplib.SMTP("127.0.0.1", postfix.port, timeout=20) as client:
            client.ehlo("client.example")
            assert client.mail(ALICE, ["RET=HDRS", "ENVID=order-17"])[0] == 250
            for to, notify in zip(at_domain(*ALL), ("NEVER", "SUCCESS,FAILURE", "DELAY"), strict=True):
                assert client.rcpt(to, [f"NOTIFY={notify}", f"ORCPT=rfc822;{to}"])[0] == 250
            assert client.data(mail("with reports", message_id="dsn@acme.example"))[0] == 250
        postfix.until_sent(3)
        assert "from=<>" not in postfix.log
        assert_one_text_each(w, "with reports", *ALL)
        kept = origin_of(w, postfix.log[postfix.log.index(SENT) :])["dsn"]
        assert (kept["ret"], kept["envid"]) == ("HDRS", "order-17")
        assert {to: asked["notify"] for to, asked in kept["recipients"].items()} == {
            FIRST: ["NEVER"],
            SECOND: ["SUCCESS", "FAILURE"],
            THIRD: ["DELAY"],
        }
        (receipt,) = wait_for(
            w.outbox
        )  # the account wants all receipts, but the sender of this mail does not
        assert "Your text to +44 7700 900124 was delivered." in receipt.read_text()


def test_a_refusal_ends_as_one_bounce_that_goes_nowhere_further(tmp_path: Path) -> None:
    with world(tmp_path) as w, relaying_to(w.port) as postfix:
        hand_in(postfix.port, mail("x" * 2000, message_id="long@acme.example"), at_domain(FIRST))
        postfix.until_empty()
        wait_for(lambda: "said: 552 5.3.4" in postfix.log and "said: 550 5.7.1" in postfix.log)
        assert postfix.log.count("from=<>") == 1  # the bounce, which is refused in its turn
        assert w.texts(FIRST) == []
        assert w.outbox() == []


def test_a_listener_that_is_stopped_and_started_loses_nothing(tmp_path: Path) -> None:
    """421 to a mail that had just begun; then nobody is there; then somebody is."""
    with ExitStack() as stack:
        with world(tmp_path) as old:
            line = stack.enter_context(over(Held(old.port)))
            postfix = stack.enter_context(relaying_to(line.port))
            hand_in(postfix.port, mail("after the restart", message_id="421@acme.example"), at_domain(*ALL))
            assert line.reached.wait(20)
            old.drain()
            line.go_on.set()
            wait_for(lambda: postfix.log.count("421 4.3.2") == 3, 20)
        with world(tmp_path) as new:
            line.upstream = new.port
            postfix.until_sent(3)
            assert_one_text_each(new, "after the restart", *ALL)


def test_more_recipients_than_a_mail_may_have_come_in_two(tmp_path: Path) -> None:
    people = [f"+4477009{number:05d}" for number in range(10, 1012)]  # 0001 to 0009 play tricks
    rows: dict[str, Any] = deepcopy(ROWS)
    rows["account"][0] |= {"opening_credit": "100.00", "receipts": "none"}
    with (
        world(tmp_path, rows) as w,
        relaying_to(w.port, "smtpd_recipient_limit = 2000", together=2000) as postfix,
    ):
        hand_in(postfix.port, mail("a crowd", message_id="crowd@acme.example"), at_domain(*people))
        postfix.until_sent(1002)
        assert submissions(w) == 2
        wait_for(lambda: all(w.texts(phone) for phone in people), 30)
        assert {tuple(w.texts(phone)) for phone in people} == {("a crowd",)}
