"""A real monit in a folder of its own, watching one file that is not there, with its own SMTP client."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from peers_support import require_peer

_CONTROL = """
set daemon 1
set pidfile {folder}/pid
set statefile {folder}/state
set idfile {folder}/id
set log {folder}/log
set eventqueue basedir {folder}/events slots 100
set mailserver {server}
{alerts}
check file backup with path {folder}/backup
    if not exist then alert
"""
_ALERT = "set alert {to} only on {{ nonexist }} with mail-format {{ from: {sender} }}"


@dataclass(frozen=True)
class Monit:
    folder: Path

    @property
    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def mend(self) -> None:
        """What it misses is there now."""
        (self.folder / "backup").touch()


@contextmanager
def monit(folder: Path, server: str, *to: str, sender: str) -> Iterator[Monit]:
    """`server` is what follows `set mailserver`. Looks at the file every second; ended by its pid."""
    require_peer("monit", shutil.which("monit") is not None)
    folder.mkdir()
    control = folder / "monitrc"
    alerts = "\n".join(_ALERT.format(to=address, sender=sender) for address in to)
    control.write_text(_CONTROL.format(folder=folder, server=server, alerts=alerts))
    control.chmod(0o600)  # it insists
    running = subprocess.Popen(
        ["monit", "-c", str(control), "-I"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield Monit(folder)
    finally:
        running.terminate()
        running.wait(20)
