"""`make bench`: durable intake and mail-to-DLR, beside a bare aiosmtpd sink in the same run.

Load by Postfix' smtp-source, 32 kept-open sessions, two mails: its own short one, with a Message-ID of its own each,
and a realistic one of 1 KB with eight headers as devices send it, without one. All take turns, so that a change of
the machine's speed meets all of them; medians are reported, and their ratios. Nothing is asserted.
"""

import argparse
import contextlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from killable import Killable, free_port, killable
from sqlalchemy import func, select

from gateway_core.storage import tables
from gateway_core.storage.engine import open_engine

HERE = Path(__file__).parent
SOURCE = "/usr/sbin/smtp-source"
SESSIONS = 32
RECIPIENT = "447700900123@sms.localhost"
OWN, DEVICE = ("-l", "140"), ("-F", str(HERE / "mail.txt"))


def load(port: int, mails: int, mail: tuple[str, str] = OWN) -> None:
    command = [SOURCE, "-d", "-s", str(SESSIONS), "-m", str(mails), "-f", "load@example.com", "-t", RECIPIENT]
    subprocess.run([*command, *mail, f"127.0.0.1:{port}"], check=True, timeout=300)


def rate(port: int, mails: int, mail: tuple[str, str]) -> float:
    began = time.perf_counter()
    load(port, mails, mail)
    return mails / (time.perf_counter() - began)


@contextlib.contextmanager
def sink() -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen([sys.executable, str(HERE / "sink.py"), str(port)])
    try:
        time.sleep(1)
        yield port
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def gateway(folder: Path, *, paused: bool) -> Iterator[Killable]:
    folder.mkdir()
    with killable(folder) as server:
        rows = "[[account]]\nname = 'demo'\nreceipts = 'failures'\nmax_segments = 10\n"
        rows += f"[[route]]\nname = 'sim'\npaused = {str(paused).lower()}\n"
        (folder / "rows.toml").write_text(rows)
        for arguments in (("apply", "rows.toml"), ("account", "credit", "demo", "1000000")):
            done = server.run(*arguments)
            if done.returncode:
                raise SystemExit(done.stderr)
        time.sleep(2)  # changes of rows act within two seconds
        yield server


def messages(server: Killable, state: str | None = None) -> int:
    engine = open_engine(f"sqlite:///{server.folder}/var/mailgate.db")
    counted = select(func.count()).select_from(tables.message)
    if state:
        counted = counted.where(tables.message.c.state == state)
    with engine.connect() as conn:
        found = conn.execute(counted).scalar_one()
    engine.dispose()
    return int(found)


def to_dlr(server: Killable, mails: int) -> float:
    """Mails a second until the last of them is DELIVERED."""
    wanted = messages(server, "DELIVERED") + mails
    began = time.perf_counter()
    load(server.smtp, mails)
    while messages(server, "DELIVERED") < wanted:
        if time.perf_counter() - began > 120:
            raise SystemExit(f"{wanted - messages(server, 'DELIVERED')} were not delivered")
        time.sleep(0.02)
    return mails / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if not shutil.which(SOURCE):
        raise SystemExit(f"{SOURCE} is missing: make test-deps installs Postfix, which brings it")
    found: dict[str, list[float]] = {
        name: [] for name in ("sink, short", "intake, short", "mail to DLR", "sink, 1 KB", "intake, 1 KB")
    }
    with tempfile.TemporaryDirectory() as folder, sink() as port:
        place = Path(folder)
        with (
            gateway(place / "paused", paused=True) as intake,
            gateway(place / "running", paused=False) as whole,
        ):
            for server in (intake, whole):
                load(server.smtp, 200)  # warm
            for _ in range(arguments.rounds):
                found["sink, short"].append(rate(port, arguments.mails, OWN))
                found["intake, short"].append(rate(intake.smtp, arguments.mails, OWN))
                found["mail to DLR"].append(to_dlr(whole, arguments.mails))
                found["sink, 1 KB"].append(rate(port, arguments.mails, DEVICE))
                found["intake, 1 KB"].append(rate(intake.smtp, arguments.mails, DEVICE))
            kept = messages(intake)
            if kept != 200 + 2 * arguments.rounds * arguments.mails:
                raise SystemExit(f"{kept} messages were kept")
    report(found)


def report(found: dict[str, list[float]]) -> None:
    print(f"{'':14}{'min':>8}{'median':>8}{'max':>8}   mails/s; ratio to the bare sink with the same mail")
    for name, rates in found.items():
        base = statistics.median(found["sink, 1 KB" if "1 KB" in name else "sink, short"])
        median = statistics.median(rates)
        print(f"{name:14}{min(rates):8.0f}{median:8.0f}{max(rates):8.0f}   {median / base:.2f}")


if __name__ == "__main__":
    main()
