"""What a user would build instead: Postfix, a pipe transport, a shell script with curl, Kannel, a carrier.

All real and on free ports of loopback: a Postfix of its own (as the tests have it), Kannel's bearerbox and smsbox,
and its fakesmsc as the carrier. The script does less than mailgate: no MIME, no senders, no repeats, no receipts.
"""

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from load import Broken
from postfix import Postfix, relaying_to
from serve_support import accepts, free_port
from servers import until_it_accepts

_BEARERBOX, _SMSBOX = "/usr/sbin/bearerbox", "/usr/sbin/smsbox"
_CARRIER = "/usr/lib/kannel/test/fakesmsc"  # Debian's kannel-extras
_NEEDED = ("/usr/lib/postfix/sbin/master", _BEARERBOX, _SMSBOX, _CARRIER, "/usr/bin/curl")
_ATTEMPTS = 3
_GOT = re.compile(rb"Got message \d+: <447700900900 447700900123 text ")
_KANNEL = """
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = {password}
smsbox-port = {boxes}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1

group = smsc
smsc = fake
smsc-id = carrier
port = {carrier}
connect-allow-ip = 127.0.0.1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {http}
sendsms-interface = 127.0.0.1
global-sender = 447700900900

group = sendsms-user
username = bridge
password = {password}

group = sms-service
keyword = default
text = "none"
"""
_SCRIPT = """#!/bin/sh
# 75 is EX_TEMPFAIL: Postfix keeps the mail and tries again.
curl --silent --show-error --fail --max-time 20 --output /dev/null --get \\
  --data-urlencode "text=$(sed '1,/^$/d')" --data-urlencode "to=$1" \\
  --data username=bridge --data password={password} http://127.0.0.1:{http}/cgi-bin/sendsms || exit 75
"""
_MAIN = """
default_transport = kannel
kannel_destination_recipient_limit = 1
kannel_destination_concurrency_limit = {pipes}
kannel_initial_destination_concurrency = {pipes}
in_flow_delay = 0
"""
_MASTER = "kannel unix - n n - {pipes} pipe flags=q user=nobody argv={script} ${{user}}\n"


def missing() -> str:
    """Why there is no chain here; empty when there is."""
    absent = [Path(name).name for name in _NEEDED if not shutil.which(name)]
    if absent:
        return f"{', '.join(absent)} missing; make test-deps installs them"
    return "" if os.getuid() == 0 else "Postfix needs root"


class Chain:
    """Hand it mail at `port`; texts arrive at the carrier."""

    def __init__(self, postfix: Postfix, carrier_log: Path) -> None:
        self.port = postfix.port
        self._postfix = postfix
        self._log = carrier_log
        self._read, self._arrived, self._handed_over = 0, 0, 0

    def arrived(self) -> int:
        """How many texts the carrier has. It counts a line of a text as a message; we count the texts."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            whole, newline, _ = log.read().rpartition(b"\n")
        self._read += len(whole) + len(newline)
        self._arrived += len(_GOT.findall(whole))
        return self._arrived

    def until_arrived(self, more: int, seconds: float = 120) -> None:
        """So many mails were handed over since the last time."""
        self._handed_over += more
        deadline = time.monotonic() + seconds
        while (arrived := self.arrived()) < self._handed_over:
            if time.monotonic() > deadline:
                counts = f"{self._handed_over} mails, {arrived} texts through Kannel"
                raise Broken(f"{counts}; Postfix:\n{self._postfix.log[-2000:]}")
            time.sleep(0.02)
        if arrived > self._handed_over:
            raise Broken(f"{self._handed_over} mails, {arrived} texts through Kannel")


@contextlib.contextmanager
def chain(folder: Path, *, pipes: int) -> Iterator[Chain]:
    """Everything in `folder`, ended by process id."""
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        script = _start_kannel(stack, folder)
        postfix = stack.enter_context(relaying_to(free_port()))
        _pipe_to_kannel(postfix, script, pipes)
        yield Chain(postfix, folder / "fakesmsc.log")


def _start_kannel(stack: contextlib.ExitStack, folder: Path) -> str:
    """The script that hands it a mail. A port that was free may be taken when Kannel comes to it: then again."""
    for attempt in range(_ATTEMPTS):
        with contextlib.ExitStack() as boxes:
            try:
                script = _open_boxes(boxes, folder)
            except Broken as error:
                if attempt == _ATTEMPTS - 1:
                    log = (folder / "bearerbox.log").read_text(errors="replace")
                    raise Broken(f"{error}:\n{log[-2000:]}") from None
            else:
                stack.push(boxes.pop_all())
                return script
    raise AssertionError


def _open_boxes(stack: contextlib.ExitStack, folder: Path) -> str:
    ports = {name: free_port() for name in ("admin", "boxes", "carrier", "http")}
    password = os.urandom(8).hex()
    (folder / "kannel.conf").write_text(_KANNEL.format(**ports, password=password))
    box = stack.enter_context(_running(folder, _BEARERBOX, "-v", "2", "kannel.conf"))
    until_it_accepts(ports["admin"], box)
    until_it_accepts(ports["carrier"], box)
    carrier = [_CARRIER, "-v", "0", "-H", "127.0.0.1", "-r", str(ports["carrier"]), "-m", "0"]
    stack.enter_context(_running(folder, *carrier, "1 2 text none"))  # receives only
    sms = stack.enter_context(_running(folder, _SMSBOX, "-v", "2", "kannel.conf"))
    until_it_accepts(ports["http"], sms)
    return _SCRIPT.format(http=ports["http"], password=password)


def _pipe_to_kannel(postfix: Postfix, script: str, pipes: int) -> None:
    path = postfix.folder / "to-kannel"
    path.write_text(script)
    path.chmod(0o755)
    settings = (postfix.folder / "main.cf").read_text()
    # A key given twice makes each process complain to postlogd, which complains to itself and may wait for ever.
    kept = re.sub(r"^relayhost = .*\n", "", settings, flags=re.MULTILINE)
    (postfix.folder / "main.cf").write_text(kept + _MAIN.format(pipes=pipes))
    with (postfix.folder / "master.cf").open("a") as master:
        master.write(_MASTER.format(pipes=pipes, script=path))
    reload = ["/usr/sbin/postfix", "-c", str(postfix.folder), "reload"]
    done = subprocess.run(reload, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode or not accepts(postfix.port):
        raise Broken(f"postfix reload: {done.stderr}")


@contextlib.contextmanager
def _running(folder: Path, *command: str) -> "Iterator[subprocess.Popen[bytes]]":
    with (folder / f"{Path(command[0]).name}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
