"""A phone that answers every text, and a mailbox that answers every mail and does not say so: for how long?"""

import email
import email.policy
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
import time_machine
from core_support import wait_for
from mail_support import ALICE, ROWS, World, mail, world
from serve_support import words as plain
from sqlalchemy import select

from gateway_core import phones
from gateway_core.deliver import deliver
from gateway_core.sms import MO
from gateway_core.storage import ids, tables

PHONE, TO = "+447700900123", "447700900123@sms.localhost"
MOST, HOUR = 5, 3600
ACME, *OTHERS = ROWS["account"]


@pytest.fixture(params=["alarm_to", "operator", "outbox"])
def w(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Its alarms go to the address that `told` names."""
    people = ["ops@acme.example"] if request.param == "alarm_to" else []
    mine = {**ACME, "receipts": "failures", "replies_per_hour": MOST, "alarm_to": people}
    operator = {"operator": "op@gateway.example"} if request.param == "operator" else {}
    with world(tmp_path, {**ROWS, "account": [mine, *OTHERS]}, mail=operator) as running:
        yield running


class Robots:
    """What both have answered already."""

    def __init__(self, w: World) -> None:
        self.w = w
        self.heard: set[int] = set()
        self.read: set[Path] = set()

    def arrived(self) -> list[phones.Entry]:
        with self.w.gateway.reader.connect() as conn:
            return [entry for entry in phones.of_phone(conn, PHONE) if entry.direction == "in"]

    def mails(self, to: str) -> list[EmailMessage]:
        found = [
            email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            for path in self.w.outbox()
        ]
        return [one for one in found if isinstance(one, EmailMessage) and to in str(one["To"])]

    def phone_answers(self) -> None:
        for entry in self.arrived():
            if entry.id not in self.heard:
                self.heard.add(entry.id)
                said = MO(f"robot-{entry.id}", PHONE, entry.peer, f"I am driving ({len(self.heard)})")
                deliver(self.w.gateway, self.w.gateway.snapshot.routes[0].id, [said])

    def mailbox_answers(self) -> None:
        for path in sorted(set(self.w.outbox()) - self.read):
            self.read.add(path)
            got = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            if str(got["To"]) == ALICE:
                number = len(self.read)
                answer = mail(
                    f"I am away ({number})",
                    message_id=f"away-{number}-{time.time_ns()}@acme.example",
                    In_Reply_To=str(got["Message-ID"]),
                )
                self.w.send(answer, str(got["Reply-To"]))

    def run_until(self, texts: int, gathered: int) -> None:
        """Answer whatever comes, until so many texts arrived and so many hours were gathered."""

        def settled() -> bool:
            self.phone_answers()
            self.mailbox_answers()
            return len(self.arrived()) >= texts and count(self.w, "gathered") >= gathered

        wait_for(settled, 30)

    def stay_quiet(self) -> None:
        before = len(self.arrived())
        for _ in range(5):
            self.w.mail_notices()
            self.w.process._sweep()
            self.phone_answers()
            self.mailbox_answers()
        assert len(self.arrived()) == before


def count(w: World, kind: str, **more: str) -> int:
    with w.gateway.reader.connect() as conn:
        return len(conn.execute(select(tables.notice).filter_by(kind=kind, **more)).all())


def test_two_robots_slow_down_to_one_text_an_hour(w: World) -> None:
    robots, began = Robots(w), time.time()
    told = hears_alarms(w)
    w.send(mail("are you there?", message_id="first@acme.example"), TO)
    robots.run_until(texts=1 + MOST, gathered=1)
    robots.stay_quiet()
    assert len(robots.arrived()) == 1 + MOST
    (alarm,) = robots.mails(told)
    words = plain(alarm)
    for said in ("+44 7700 900123", ALICE, f"More than {MOST} texts", "GET /v1/replies", "replies_per_hour"):
        assert said in words

    for hour in (1, 2, 3):
        with time_machine.travel(began + hour * (HOUR + 60)):
            robots.run_until(texts=1 + MOST + hour, gathered=1 + hour)
            robots.stay_quiet()
            assert len(robots.arrived()) == 1 + MOST + hour
    assert len(robots.mails(told)) == 1  # once, not each hour

    together = robots.mails(ALICE)[MOST]
    assert "I am driving (6)" in plain(together)
    assert together["In-Reply-To"].startswith("<away-")  # under the last mail that was texted
    with w.gateway.reader.connect() as conn:  # what GET /v1/replies shows
        assert len(conn.execute(select(tables.mo)).all()) == len(robots.heard)


def hears_alarms(w: World) -> str:
    operator = w.state.settings.mail.operator
    (acme,) = (one for one in w.gateway.snapshot.accounts.values() if one.name == "acme")
    return (acme.terms.alarm_to or (operator or "postmaster",))[0]


def test_people_find_all_that_was_held_back_in_one_mail(w: World) -> None:
    began, route = time.time(), w.gateway.snapshot.routes[0].id
    w.send(mail("who comes?", message_id="party@acme.example", Subject="Party"), TO)
    wait_for(lambda: "who comes?" in w.texts(PHONE))
    said = [f"guest {number}: ja, å komme ☺" for number in range(1, MOST + 8)]
    for number, text in enumerate(said):
        deliver(w.gateway, route, [MO(f"mo-{number}", PHONE, "+447700900901", text)])
    robots = Robots(w)
    wait_for(lambda: count(w, "reply", state="DONE") == len(said))
    assert (len(robots.mails(ALICE)), count(w, "gathered")) == (MOST, 1)
    with time_machine.travel(began + HOUR + 60):
        wait_for(lambda: len(robots.mails(ALICE)) == MOST + 1)
        last = robots.mails(ALICE)[-1]
        assert last["Subject"] == "Re: Party"
        assert last["In-Reply-To"] == "<party@acme.example>"
        assert last["From"].addresses[0].addr_spec == TO
        assert last["Reply-To"].addresses[0].username.startswith("r.")
        assert last["X-Mailgate-Loop"] == w.state.loop_token
        singly = {plain(one).splitlines()[0] for one in robots.mails(ALICE)[:MOST]}
        lines = plain(last).splitlines()  # mails leave side by side: which five went singly is open
        assert [line.partition("  ")[2] for line in lines[:7]] == [
            text for text in said if text not in singly
        ]
        assert len(singly) == MOST
        assert ids.read("n", last["Message-ID"].strip("<>").partition("@")[0])
    with time_machine.travel(began + 3 * HOUR):  # an hour without any is over
        deliver(w.gateway, route, [MO("late", PHONE, "+447700900901", "late guest")])
        wait_for(lambda: any(plain(one).startswith("late guest") for one in robots.mails(ALICE)))


def test_without_a_cap_nothing_is_held_back(tmp_path: Path) -> None:
    mine = {**ACME, "receipts": "none", "replies_per_hour": 0}
    with world(tmp_path, {**ROWS, "account": [mine, *OTHERS]}) as w:
        route = w.gateway.snapshot.routes[0].id
        w.send(mail("count", message_id="count@acme.example"), TO)
        wait_for(lambda: "count" in w.texts(PHONE))
        for number in range(40):
            deliver(w.gateway, route, [MO(f"mo-{number}", PHONE, "+447700900901", f"{number}")])
        wait_for(lambda: len(w.outbox()) == 40)
