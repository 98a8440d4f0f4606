"""The servers that take turns: bare sinks, and `mailgate serve`, whose database is asked what it has kept."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from killable import Killable
from load import Broken
from serve_support import accepts, free_port
from sqlalchemy import Connection, func, select

from gateway_core.messages import State
from gateway_core.storage import tables
from gateway_core.storage.engine import open_engine

C_SINK = "/usr/sbin/smtp-sink"
SINK = str(Path(__file__).with_name("sink.py"))
_ROWS = """
[[account]]
name = "demo"
receipts = "failures"
max_segments = 10
too_long = "truncate"

[[route]]
name = "sim"
paused = {paused}
"""


@contextlib.contextmanager
def bare_aiosmtpd() -> Iterator[int]:
    """Its port."""
    with _listening(sys.executable, SINK, "{port}") as port:
        yield port


@contextlib.contextmanager
def smtp_sink() -> Iterator[int]:
    """Postfix' own, in C. Its port."""
    user = ("-u", "nobody") if os.getuid() == 0 else ()
    with _listening(C_SINK, *user, "127.0.0.1:{port}", "1024") as port:
        yield port


@contextlib.contextmanager
def _listening(*command: str) -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen([part.format(port=port) for part in command])
    try:
        until_it_accepts(port, process)
        yield port
    finally:
        process.kill()
        process.wait()


def until_it_accepts(port: int, process: "subprocess.Popen[bytes]", seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not accepts(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise Broken(f"{process.args!r} does not listen on port {port}")
        time.sleep(0.02)


class Gateway(Killable):
    """`mailgate serve` with credit. A paused route shows intake alone."""

    def __init__(self, folder: Path, *, paused: bool, **settings: str) -> None:
        super().__init__(folder)
        self._settings.update(settings)
        self._paused = paused
        self._mark = 0
        self._engine = open_engine(f"sqlite:///{folder}/var/mailgate.db")

    def prepare(self) -> None:
        try:
            self.start()
        except AssertionError as error:
            raise Broken(str(error)) from None
        (self.folder / "rows.toml").write_text(_ROWS.format(paused=str(self._paused).lower()))
        for arguments in (("apply", "rows.toml"), ("account", "credit", "demo", "1000000")):
            done = self.run(*arguments)
            if done.returncode:
                raise Broken(f"mailgate {' '.join(arguments)}: {done.stderr}")
        time.sleep(2)  # changes of rows act within two seconds

    def end(self) -> None:
        self._engine.dispose()
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            print(f"mailgate serve did not stop:\n{self.log.read_text()[-2000:]}", file=sys.stderr)
        finally:
            self.kill()

    def mark(self) -> None:
        """Count from here."""
        with self._engine.connect() as conn:
            self._mark = conn.execute(select(func.max(tables.message.c.id))).scalar_one() or 0

    def kept(self, state: State | None = None) -> int:
        """Messages since the mark; those in a state."""
        if self.process is None or self.process.poll() is not None:
            raise Broken(f"mailgate serve died:\n{self.log.read_text()[-2000:]}")
        counted = select(func.count()).select_from(tables.message).where(tables.message.c.id > self._mark)
        if state:
            counted = counted.where(tables.message.c.state == state)
        with self._engine.connect() as conn:
            return int(conn.execute(counted).scalar_one())

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction beside it, as a command makes one."""
        engine = open_engine(f"sqlite:///{self.folder}/var/mailgate.db", writes=True)
        try:
            with engine.begin() as conn:
                yield conn
        finally:
            engine.dispose()

    def must_have_kept(self, texts: int) -> None:
        if (kept := self.kept()) != texts:
            raise Broken(f"{texts} texts were accepted, {kept} are in the database")

    def until_delivered(self, texts: int, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while (delivered := self.kept(State.DELIVERED)) < texts:
            if time.monotonic() > deadline:
                raise Broken(
                    f"{texts} texts were accepted, {delivered} were delivered in {seconds:.0f} s more"
                )
            time.sleep(0.02)
        self.must_have_kept(texts)

    def memory(self) -> float:
        """MiB that are resident."""
        assert self.process
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024


@contextlib.contextmanager
def gateway(folder: Path, *, paused: bool, **settings: str) -> Iterator[Gateway]:
    folder.mkdir()
    running = Gateway(folder, paused=paused, **settings)
    try:
        running.prepare()
        yield running
    finally:
        running.end()
