"""The real program as a process that tests kill and start again, on the same ports and in the same folder."""

import contextlib
import json
import signal
import smtplib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from serve_support import MAILGATE, clean_environment, free_port, run

__all__ = ["Killable", "free_port", "killable"]


class Killable:
    """`mailgate serve` in `folder`."""

    def __init__(self, folder: Path, url: str = "") -> None:
        """`url`: of an empty PostgreSQL database, which the embedded default then uses instead of its own file."""
        self.folder = folder
        self.url = url or f"sqlite:///{folder}/var/mailgate.db"
        self.smtp, self.http = free_port(), free_port()
        self._settings = {
            "MAILGATE_SMTP__LISTEN": json.dumps([f"127.0.0.1:{self.smtp}"]),
            "MAILGATE_HTTP__LISTEN": f"127.0.0.1:{self.http}",
        }
        if url:
            secrets = json.dumps(["a secret of the tests"])
            self._settings |= {"MAILGATE_DATABASE__URL": url, "MAILGATE_SECURITY__SECRETS": secrets}
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "serve.log"

    def start(self, seconds: float = 20) -> None:
        """Start and wait until mail is taken."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*MAILGATE, "serve"],
                cwd=self.folder,
                env=clean_environment(**self._settings),
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError), self.mail_client() as client:
                client.noop()
                return
            time.sleep(0.02)
        raise AssertionError(f"serve did not start:\n{self.log.read_text()}")

    def mail_client(self) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.smtp, timeout=20)

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Another command in the same folder."""
        return run(self.folder, *arguments, **self._settings)

    def kill(self) -> None:
        """As the machine would: no goodbye."""
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def stop(self, seconds: float = 40) -> int:
        """As an operator would. Returns the exit code."""
        if self.process is None or self.process.poll() is not None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


@contextlib.contextmanager
def killable(folder: Path, url: str = "") -> Iterator[Killable]:
    running = Killable(folder, url)
    try:
        running.start()
        yield running
    finally:
        running.kill()
