"""kill -9 of processes that take mail in, and of the one that writes, under load: the phones are the judges."""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from core_support import wait_for
from killable import Killable
from test_crash import CLIENTS, ROUNDS, SETTLE_SECONDS, Load, arrivals, hammer, unfinished

PROCESSES = 3


def children(server: Killable) -> list[int]:
    assert server.process is not None
    pid = server.process.pid
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@contextmanager
def several(folder: Path) -> Iterator[Killable]:
    server = Killable(folder)
    server._settings["MAILGATE_SMTP__PROCESSES"] = str(PROCESSES)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@contextmanager
def storm(server: Killable, load: Load) -> Iterator[None]:
    stop = threading.Event()
    clients = [threading.Thread(target=hammer, args=(server, load, stop)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        time.sleep(random.uniform(0.3, 1.0))
        yield
        time.sleep(random.uniform(0.1, 0.5))
    finally:
        stop.set()
        for client in clients:
            client.join()


def send_again(server: Killable, load: Load) -> None:
    """As a relay does with whatever was not answered."""
    with server.mail_client() as client:
        for token, raw in list(load.unanswered.items()):
            load.send(client, token, raw)


def kill_some_children(server: Killable, load: Load) -> None:
    with storm(server, load):
        for victim in random.sample(children(server), random.randint(1, PROCESSES)):
            os.kill(victim, signal.SIGKILL)
            time.sleep(random.uniform(0, 0.1))
    wait_for(lambda: len(children(server)) == PROCESSES, 20)
    send_again(server, load)


def kill_the_writer(server: Killable, load: Load) -> None:
    orphans: list[int] = []
    with storm(server, load):
        orphans = children(server)
        server.kill()
        server.start()  # on the same port: no child holds it
    wait_for(lambda: all(map(ended, orphans)), 10)
    send_again(server, load)


@pytest.mark.timeout(120 + ROUNDS * 90)
def test_nothing_accepted_is_lost_or_doubled_whoever_dies(tmp_path: Path) -> None:
    load = Load()
    with several(tmp_path) as server:
        assert server.run("account", "credit", "demo", "1000000").returncode == 0
        for _ in range(ROUNDS):
            kill_some_children(server, load)
            kill_the_writer(server, load)
        deadline = time.monotonic() + SETTLE_SECONDS
        while unfinished(server) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert unfinished(server) == []
        every, unmarked = arrivals(server)
        check = server.run("check")
        last = children(server)
        assert server.stop() == 0
    assert all(map(ended, last))
    assert len(load.accepted) > 20 * ROUNDS, "the load was no load"
    assert load.unanswered == {}
    assert {token for token in load.accepted if not every[token]} == set(), "accepted and lost"
    assert [token for token, count in unmarked.items() if count > 1] == [], "doubled and not marked"
    assert [token for token, count in every.items() if count > 1 + 1] == [], (
        "more often than the resend budget"
    )
    assert (check.returncode, "every balance is the sum" in check.stdout) == (0, True), check.stdout
    assert "is started again" in server.log.read_text()
