"""Programs that people send mail with, started as people start them, and what a listener has left of them."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core_support import wait_for
from mail_support import ALICE, World
from peers_support import require_peer
from sqlalchemy import func, select

from gateway_core.storage import tables
from gateway_core.storage.ids import read as read_id

DOMAIN = "sms.localhost"
Done = subprocess.CompletedProcess[bytes]
_OPEN = {"01", "08"}  # ESTABLISHED, CLOSE_WAIT


def at_domain(*numbers: str) -> list[str]:
    return [f"{number.removeprefix('+')}@{DOMAIN}" for number in numbers]


def run(*command: str, raw: bytes = b"", seconds: float = 60) -> Done:
    """One program, to its end."""
    require_peer(command[0], shutil.which(command[0]) is not None)
    return subprocess.run(command, input=raw, capture_output=True, timeout=seconds, check=False)


def swaks(port: int, *more: str, to: str, sender: str = ALICE, raw: bytes = b"") -> Done:
    """Writes its own mail, or sends this one."""
    server = ("--server", "127.0.0.1", "--port", str(port), "--helo", "client.example")
    given = ("--data", "-") if raw else ("--header", "Subject: by swaks", "--h-From", ALICE)
    return run("swaks", *server, "--from", sender, "--to", to, *given, *more, raw=raw)


def submissions(w: World) -> int:
    with w.gateway.reader.connect() as conn:
        return int(conn.execute(select(func.count()).select_from(tables.submission)).scalar_one())


def origin_of(w: World, reply: str) -> dict[str, Any]:
    """What the submission keeps of the mail that this 250 line is the answer to."""
    found = read_id("s", reply.partition("250 2.0.0 ")[2].split()[0])
    with w.gateway.reader.connect() as conn:
        return dict(conn.execute(select(tables.submission.c.origin).filter_by(id=found)).scalar_one())


@contextmanager
def database_in_trouble(w: World) -> Iterator[None]:
    """Nothing can be accepted meanwhile: 451 4.3.0."""
    _rename(w, "submission", "gone")
    yield
    _rename(w, "gone", "submission")


def _rename(w: World, old: str, new: str) -> None:
    with w.gateway.reader.begin() as conn:
        conn.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")


def until_nobody_is_connected(port: int) -> None:
    """Whoever left, however, has no connection left on this port. Looks where Linux shows it."""
    wait_for(lambda: _connections(port) == 0)


def _connections(port: int) -> int:
    shown = Path("/proc/net/tcp")
    rows = [line.split() for line in shown.read_text().splitlines()[1:]] if shown.exists() else []
    return sum(row[1].endswith(f":{port:04X}") and row[3] in _OPEN for row in rows)
