"""kill -9 while answers of a phone are mailed, and held back: each is mailed or owed once, and no hour has more."""

import contextlib
import json
import random
import sqlite3
import threading
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

from core_support import wait_for
from killable import Killable, killable

from gateway_core.storage import ids

PHONE, MOST, ROUNDS = "447700900123", 30, 4  # the cap is the default


def rows(server: Killable, statement: str) -> list[Any]:
    with closing(sqlite3.connect(server.folder / "var" / "mailgate.db", timeout=20)) as database, database:
        return database.execute(statement).fetchall()


def answered(server: Killable) -> int:
    return int(rows(server, "SELECT count(*) FROM mo")[0][0])


def type_texts(server: Killable, to: str, stop: threading.Event) -> None:
    """As somebody with quick thumbs, until the gateway is gone."""
    with contextlib.suppress(OSError):
        while not stop.is_set():
            body = json.dumps({"to": to, "text": f"answer {time.monotonic_ns()}"}).encode()
            url = f"http://127.0.0.1:{server.http}/phones/{PHONE}/messages"
            request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
            urllib.request.urlopen(request, timeout=20).close()


def crash_once(server: Killable, to: str) -> None:
    """Kill -9 at some moment behind the next ten answers, and start again."""
    stop = threading.Event()
    typing = [threading.Thread(target=type_texts, args=(server, to, stop)) for _ in range(2)]
    for thread in typing:
        thread.start()
    more = answered(server) + random.randint(10, 25)
    wait_for(lambda: answered(server) >= more, 60)
    server.kill()
    stop.set()
    for thread in typing:
        thread.join()
    # As if the leases of the dead process were over.
    rows(server, "UPDATE notice SET due_at = 0 WHERE state = 'DUE' AND kind != 'gathered'")
    server.start()


def test_no_answer_is_lost_and_none_counts_twice(tmp_path: Path) -> None:
    with killable(tmp_path) as server:
        with server.mail_client() as client:
            raw = b"From: load@example.com\r\nMessage-ID: <first@example.com>\r\n\r\nspeak\r\n"
            client.sendmail("load@example.com", [f"{PHONE}@sms.localhost"], raw)
        ((to,),) = wait_for(lambda: rows(server, "SELECT DISTINCT peer FROM phone_segment"))
        for _ in range(ROUNDS):
            crash_once(server, to)
        due = "SELECT id FROM notice WHERE state = 'DUE' AND kind IN ('reply', 'alarm')"
        wait_for(lambda: not rows(server, due), 60)

        answers = {number for (number,) in rows(server, "SELECT id FROM notice WHERE kind = 'reply'")}
        held = {
            number for (number,) in rows(server, "SELECT notice_id FROM reply_turn WHERE gathered_id > 0")
        }
        gathers = rows(server, "SELECT state FROM notice WHERE kind = 'gathered'")
        kept = {path.name for path in (tmp_path / "var" / "outbox" / "new").iterdir()}
        mailed = {number for number in answers if ids.show("n", number) in kept}
        assert len(answers) == answered(server) > MOST, "the load was no load"
        assert mailed | held == answers, "lost"
        assert mailed & held == set()
        assert len(mailed) == MOST
        assert gathers == [("DUE",)]
        assert rows(server, "SELECT count(*) FROM notice WHERE kind = 'alarm'") == [(1,)]
        print(
            f"{ROUNDS} crashes, {len(answers)} answers: {len(mailed)} mailed, {len(held)} held back, 0 lost"
        )
