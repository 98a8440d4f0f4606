"""kill -9 while reports leave for a smarthost: each arrives, and one that arrives twice is the same mail."""

import os
import random
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from core_support import wait_for
from killable import Killable
from peers.smtp_sink import arrived, sink
from serve_support import free_port

from gateway_core.storage import ids

TEXTS, ROUNDS = 150, int(os.environ.get("ROUNDS", "3"))


def rows(server: Killable, statement: str) -> list[Any]:
    with closing(sqlite3.connect(server.folder / "var" / "mailgate.db", timeout=20)) as database, database:
        return database.execute(statement).fetchall()


def text_everybody(server: Killable, number: int) -> None:
    with server.mail_client() as client:
        for text in range(TEXTS):
            raw = (
                f"From: load@example.com\r\nMessage-ID: <{number}.{text}@example.com>\r\n\r\ntext {text}\r\n"
            )
            client.sendmail("load@example.com", ["447700900123@sms.localhost"], raw.encode())


def test_every_report_arrives_and_none_is_another_mail(tmp_path: Path) -> None:
    port = free_port()
    server = Killable(tmp_path)
    server._settings["MAILGATE_OUTBOUND__SMARTHOST"] = f"smtp://127.0.0.1:{port}"
    with sink(port) as folder:
        try:
            server.start()
            for number in range(ROUNDS):
                text_everybody(server, number)
                time.sleep(random.uniform(0, 0.05))
                server.kill()
                rows(server, "UPDATE notice SET due_at = 0 WHERE state = 'DUE'")  # as if its leases were over
                server.start()
            due = "SELECT id FROM message WHERE state != 'DELIVERED' UNION SELECT id FROM notice WHERE state = 'DUE'"
            wait_for(lambda: not rows(server, due), 90)
            owed = {
                f"<{ids.show('n', one)}@sms.localhost>" for (one,) in rows(server, "SELECT id FROM notice")
            }
        finally:
            server.kill()
        found = Counter(str(one["Message-ID"]) for one in arrived(folder))
    assert len(owed) == ROUNDS * TEXTS
    assert found.keys() == owed
    print(f"{ROUNDS} crashes, {len(owed)} reports, {found.total() - len(owed)} of them twice, 0 lost")
