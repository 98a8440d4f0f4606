"""kill -9 under load, again and again, judged by the simulated phones: they keep every arrival."""

import os
import random
import smtplib
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from killable import Killable, killable
from sqlalchemy import select

from gateway_core import phones
from gateway_core.storage import tables
from gateway_core.storage.engine import open_engine

ROUNDS = int(os.environ.get("ROUNDS", "3"))  # `make soak` asks for 50
CLIENTS = 4
SETTLE_SECONDS = 90  # CONTRACT: everything due moves again within


@dataclass
class Load:
    """What senders know: each token was accepted, or its reply never came."""

    accepted: set[str] = field(default_factory=set)
    unanswered: dict[str, bytes] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    count: int = 0

    def next_mail(self) -> tuple[str, bytes]:
        with self.lock:
            self.count += 1
            token = f"token-{self.count}-end"
        head = f"From: load@example.com\r\nMessage-ID: <{token}@example.com>\r\nDate: now\r\nSubject: load\r\n\r\n"
        return token, head.encode() + token.encode() + b"\r\n"

    def send(self, client: smtplib.SMTP, token: str, raw: bytes) -> None:
        with self.lock:
            self.unanswered[token] = raw
        client.sendmail("load@example.com", [recipient(token)], raw)
        with self.lock:
            self.accepted.add(token)
            del self.unanswered[token]


def recipient(token: str) -> str:
    """One of fifty ordinary phones: none whose number picks another outcome."""
    return f"4477009001{int(token.split('-')[1]) % 50 + 10}@sms.localhost"


def hammer(server: Killable, load: Load, stop: threading.Event) -> None:
    """One client on kept-open connections, until it is told to stop or the server is gone."""
    while not stop.is_set():
        try:
            with server.mail_client() as client:
                while not stop.is_set():
                    load.send(client, *load.next_mail())
        except (OSError, smtplib.SMTPException):
            if stop.wait(0.05):
                return


def crash_once(server: Killable, load: Load) -> None:
    """Load, then kill -9 at a random moment under it; a retry of whatever was not answered, as a relay does it."""
    stop = threading.Event()
    clients = [threading.Thread(target=hammer, args=(server, load, stop)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    time.sleep(random.uniform(0.3, 1.5))
    server.kill()
    stop.set()
    for client in clients:
        client.join()
    server.start()
    with server.mail_client() as client:
        for token, raw in list(load.unanswered.items()):
            load.send(client, token, raw)


def arrivals(server: Killable) -> tuple[Counter[str], Counter[str]]:
    """How often each token reached a phone, and how often unmarked."""
    engine = open_engine(server.url)
    every: Counter[str] = Counter()
    unmarked: Counter[str] = Counter()
    p = tables.phone_segment.c
    with engine.connect() as conn:
        for phone in conn.execute(select(p.phone).distinct()).scalars().all():
            for entry in phones.of_phone(conn, phone):
                every[entry.text] += 1
                unmarked[entry.text] += not entry.possible_duplicate
    engine.dispose()
    return every, unmarked


def unfinished(server: Killable) -> list[str]:
    engine = open_engine(server.url)
    m = tables.message.c
    with engine.connect() as conn:
        states = conn.execute(select(m.state).where(m.state != "DELIVERED")).scalars().all()
    engine.dispose()
    return list(states)


@pytest.mark.timeout(120 + ROUNDS * 60)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_nothing_accepted_is_lost_and_doubles_are_marked(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    load = Load()
    url = "" if database == "sqlite" else request.getfixturevalue("postgres").empty()
    with killable(tmp_path, url) as server:
        assert server.run("account", "credit", "demo", "1000000").returncode == 0
        for _ in range(ROUNDS):
            crash_once(server, load)
        deadline = time.monotonic() + SETTLE_SECONDS
        while unfinished(server) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert unfinished(server) == []
        every, unmarked = arrivals(server)
        check = server.run("check")
        assert server.stop() == 0
    assert len(load.accepted) > 5 * ROUNDS, "the load was no load"
    assert load.unanswered == {}
    assert {token for token in load.accepted if not every[token]} == set(), "accepted and lost"
    assert [token for token, count in unmarked.items() if count > 1] == [], "doubled and not marked"
    assert [token for token, count in every.items() if count > 1 + 1] == [], (
        "more often than the resend budget"
    )
    assert (check.returncode, "every balance is the sum" in check.stdout) == (0, True), check.stdout
    doubles = sum(count - 1 for count in every.values())
    print(f"{ROUNDS} crashes, {len(load.accepted)} accepted, 0 lost, {doubles} marked doubles")
