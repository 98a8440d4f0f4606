"""Several processes on one port: the real program with two of them, under load, killed, drained and limited."""

import contextlib
import os
import re
import signal
import smtplib
import socket
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from serve_support import Serving, run, serving
from sqlalchemy import select
from wire import elsewhere, until

from gateway_core import phones
from gateway_core.storage import tables
from gateway_core.storage.engine import open_engine

TWO = {"MAILGATE_SMTP__PROCESSES": "2"}


def children(parent: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    return []


def alive(pid: int) -> bool:
    """A zombie has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextlib.contextmanager
def two(folder: Path, **more: str) -> Iterator[Serving]:
    """Serving, with both children there; whatever a test did, none is left behind."""
    with serving(folder, **TWO, **more) as served:
        try:
            assert until(lambda: served.log.count("event=serving") and len(children(served.child.pid)) == 2)
            assert until(lambda: all(established(served) for _ in range(4)))
            yield served
        finally:
            left = children(served.child.pid)
            if served.child.poll() is None:
                served.child.kill()
                served.child.wait()
            assert until(lambda: not any(map(alive, left)), 10), "a child outlives its parent"


def established(served: Serving) -> bool:
    with smtplib.SMTP("127.0.0.1", served.smtp, timeout=20) as client:
        return client.noop()[0] == 250


def raw(token: str) -> bytes:
    head = (
        f"From: load@example.com\r\nMessage-ID: <{token}@example.com>\r\nDate: now\r\nSubject: load\r\n\r\n"
    )
    return head.encode() + token.encode() + b"\r\n"


def send(client: smtplib.SMTP, token: str) -> None:
    client.sendmail("load@example.com", ["447700900123@sms.localhost"], raw(token))


def stored(served: Serving) -> Counter[str]:
    """How often each text was accepted: rows."""
    engine = open_engine(f"sqlite:///{served.folder}/var/mailgate.db")
    s, m = tables.submission.c, tables.message.c
    with engine.connect() as conn:
        texts = conn.execute(select(s.text).join(tables.message, m.submission_id == s.id)).scalars().all()
    engine.dispose()
    return Counter(texts)


def arrived(served: Serving) -> Counter[str]:
    """How often each text was shown by the simulated phone."""
    engine = open_engine(f"sqlite:///{served.folder}/var/mailgate.db")
    with engine.connect() as conn:
        found = phones.of_phone(conn, "+447700900123")
    engine.dispose()
    return Counter(entry.text for entry in found)


def counted(served: Serving) -> tuple[float, float]:
    """(mails answered 250, mails timed), as /metrics says."""
    with urllib.request.urlopen(f"http://127.0.0.1:{served.http}/metrics", timeout=20) as answer:
        shown = answer.read().decode()
    sums = [
        re.search(rf"^{re.escape(name)} (\S+)$", shown, re.MULTILINE)
        for name in ('mailgate_mails_total{code="250"}', "mailgate_mail_seconds_count")
    ]
    good, timed = (float(one[1]) if one else 0.0 for one in sums)
    return good, timed


def test_every_mail_arrives_once_and_is_counted(tmp_path):
    with two(tmp_path) as served:
        tokens = [f"token-{number}-end" for number in range(200)]

        def client(mine: list[str]) -> None:
            with smtplib.SMTP("127.0.0.1", served.smtp, timeout=20) as line:
                for token in mine:
                    send(line, token)

        threads = [threading.Thread(target=client, args=(tokens[start::8],)) for start in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert stored(served) == Counter(tokens)
        assert until(lambda: arrived(served) == Counter(tokens), 30)
        assert until(lambda: counted(served) == (200.0, 200.0), 5)


def test_connections_are_shared_out(tmp_path):
    with two(tmp_path) as served, contextlib.ExitStack() as lines:
        for _ in range(8):
            lines.enter_context(smtplib.SMTP("127.0.0.1", served.smtp, timeout=20))
        assert [smtp_sockets(pid, served.smtp) for pid in children(served.child.pid)] == [4, 4]


def smtp_sockets(pid: int, port: int) -> int:
    """Connections on this port that a process holds."""
    ours = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].rpartition(":")[2], 16) == port and fields[3] == "01":
            ours.add(f"socket:[{fields[9]}]")
    names = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            names.append(str(entry.readlink()))
    return len(ours.intersection(names))


def test_a_killed_child_loses_nothing(tmp_path):
    with two(tmp_path) as served:
        stop, lock = threading.Event(), threading.Lock()
        accepted: set[str] = set()
        unanswered: set[str] = set()

        def hammer(name: int) -> None:
            count = 0
            while not stop.is_set():
                with (
                    contextlib.suppress(OSError, smtplib.SMTPException),
                    smtplib.SMTP("127.0.0.1", served.smtp, timeout=20) as line,
                ):
                    while not stop.is_set():
                        count += 1
                        token = f"token-{name}-{count}-end"
                        with lock:
                            unanswered.add(token)
                        send(line, token)
                        with lock:
                            accepted.add(token)
                            unanswered.discard(token)

        threads = [threading.Thread(target=hammer, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        assert until(lambda: len(accepted) > 50)
        killed = children(served.child.pid)[0]
        os.kill(killed, signal.SIGKILL)
        before = len(accepted)
        assert until(lambda: len(accepted) > before + 50), "service goes on"
        assert until(lambda: len(pids := children(served.child.pid)) == 2 and killed not in pids)
        stop.set()
        for thread in threads:
            thread.join()
        with smtplib.SMTP("127.0.0.1", served.smtp, timeout=20) as line:
            for token in sorted(unanswered):  # as a relay does it
                send(line, token)
        everything = Counter(accepted | unanswered)
        assert stored(served) == everything
        assert until(lambda: arrived(served) == everything, 60)


def test_children_end_when_the_parent_is_killed(tmp_path):
    with two(tmp_path) as served, socket.create_connection(("127.0.0.1", served.smtp)):
        pids = children(served.child.pid)
        served.child.kill()
        served.child.wait()
        assert until(lambda: not any(map(alive, pids)), 10)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_drain_lets_a_mail_end_and_nobody_stays(tmp_path, how):
    with two(tmp_path) as served:
        pids = children(served.child.pid)
        idle = smtplib.SMTP("127.0.0.1", served.smtp, timeout=20)
        inside = smtplib.SMTP("127.0.0.1", served.smtp, timeout=20)
        inside.helo("c")
        inside.mail("load@example.com")
        inside.rcpt("447700900123@sms.localhost")
        inside.putcmd("data")
        assert inside.getreply()[0] == 354
        served.child.send_signal(how)
        assert idle.getreply()[0] == 421
        inside.send(raw("the last one") + b".\r\n")
        assert inside.getreply()[0] == 250
        assert served.child.wait(20) == 0, served.log
        assert not any(map(alive, pids))
        assert stored(served) == Counter({"the last one": 1})
        idle.close()
        inside.close()


def test_a_changed_rule_acts_in_all_children(tmp_path):
    with two(tmp_path) as served, contextlib.ExitStack() as stack:
        lines = [
            stack.enter_context(smtplib.SMTP("127.0.0.1", served.smtp, timeout=20)) for _ in range(4)
        ]  # two for each child

        def allowed() -> list[bool]:
            return [_rcpt(line, "new@changed.example") == 250 for line in lines]

        assert allowed() == [True] * 4  # by the rule for anybody
        rule = (
            "[[account]]\nname = 'demo'\n[[account.sender]]\naddress = '@changed.example'\n"
            "accept = 'ip'\nips = ['192.0.2.77/32']\n"
        )
        (tmp_path / "rows.toml").write_text(rule)
        done = run(tmp_path, "apply", "rows.toml")
        assert done.returncode == 0, done.stderr
        assert until(lambda: allowed() == [False] * 4, 3)


def _rcpt(line: smtplib.SMTP, sender: str) -> int:
    line.ehlo_or_helo_if_needed()
    line.rset()
    line.mail(sender)
    return line.rcpt("447700900123@sms.localhost")[0]


def test_the_limit_for_a_peer_holds_over_children(tmp_path):
    with elsewhere() as address, two(tmp_path, MAILGATE_LIMITS__CONNECTIONS="3") as served:

        def come() -> socket.socket:
            return socket.create_connection(
                ("127.0.0.1", served.smtp), timeout=20, source_address=(address, 0)
            )

        inside = [come() for _ in range(3)]
        assert [one.recv(3) for one in inside] == [b"220"] * 3
        with come() as fourth:
            assert fourth.recv(3) == b"421"
        inside.pop().close()

        def room() -> bool:
            with come() as again:
                return again.recv(3) == b"220"

        assert until(room, 5), "a connection that has ended makes room"
        for one in inside:
            one.close()


def test_the_limit_forgets_the_peers_of_a_killed_child(tmp_path):
    with elsewhere() as address, two(tmp_path, MAILGATE_LIMITS__CONNECTIONS="2") as served:

        def come() -> socket.socket:
            return socket.create_connection(
                ("127.0.0.1", served.smtp), timeout=20, source_address=(address, 0)
            )

        inside = [come(), come()]
        assert [one.recv(3) for one in inside] == [b"220"] * 2
        for pid in children(served.child.pid):
            os.kill(pid, signal.SIGKILL)
        for one in inside:
            one.close()

        def room() -> bool:
            with come() as again:
                return again.recv(3) == b"220"

        assert until(room, 10)


def test_a_quick_restart_serves_in_the_meantime(tmp_path):
    """Nobody is turned away while no child is there: who comes waits."""
    with two(tmp_path) as served:
        killed = children(served.child.pid)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        assert until(lambda: not any(map(alive, killed)))  # what a dying one was just given goes with it
        began = time.monotonic()
        assert established(served)
        assert time.monotonic() - began < 15
