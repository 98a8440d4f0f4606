"""A real Postfix: its own folder, its own port, ended by the pid of its master. Here as relay in front of a gateway."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core_support import wait_for
from peers_support import require_peer
from serve_support import accepts, free_port

_PROGRAMS = Path("/usr/lib/postfix/sbin")
SENT = "status=sent (250 2.0.0 s"
_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = relay.example
mydestination =
local_recipient_maps =
alias_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtp_tls_security_level = none
smtp_connection_cache_on_demand = no
minimal_backoff_time = 1s
maximal_backoff_time = 1s
queue_run_delay = 1s
notify_classes =
"""
# service, type, private, unprivileged, chroot, wake-up, most processes, command
_MASTER = """
127.0.0.1:{listen} inet n - n - - smtpd
pickup unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
relay unix - - n - - smtp
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """Hand it mail at `port`; what it thinks of it is in `log`."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port

    @property
    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def waiting(self) -> int:
        """Mails that it still has. Looked for twice: one may move to a queue that was just looked into."""
        queues = ("maildrop", "incoming", "active", "deferred", "hold")
        places = [self.folder / "queue" / name for name in (*queues, *queues)]
        return len({path.name for place in places for path in place.rglob("*") if path.is_file()})

    def senders(self) -> list[str]:
        """The return path of each mail that it took or wrote itself, so far."""
        found = re.findall(r"qmgr\[\d+\]: (\w+): from=<([^>]*)>, size=", self.log)
        return list(dict(found).values())  # one that waits is logged again each time

    def until_sent(self, count: int) -> None:
        """So many recipients were accepted, and nothing waits. Its log comes a moment later than its deeds."""
        self.until_empty()
        wait_for(lambda: self.log.count(SENT) >= count)
        assert self.log.count(SENT) == count

    def until_empty(self) -> None:
        """It tries again by itself; now and then its timers oversleep, and it is asked to, as an operator would."""
        for _ in range(10):
            self._kick()
            with suppress(AssertionError):
                wait_for(lambda: self.waiting() == 0, 3)
                return
        print(self.log)  # what Postfix thought of it
        wait_for(lambda: self.waiting() == 0, 3)

    def _kick(self) -> None:
        """Every deferred mail now, whatever its next time, also to a destination that is taken for dead."""
        command = ["/usr/sbin/postkick", "-c", str(self.folder), "public", "qmgr", "FAD"]
        # It fails when the other end is quicker than itself.
        subprocess.run(command, capture_output=True, timeout=20, check=False)


@contextmanager
def relaying_to(port: int, *more: str, together: int = 50) -> Iterator[Postfix]:
    """Relays everything to this port; `more`: lines of main.cf; `together`: most recipients in one transaction."""
    where = (f"relayhost = [127.0.0.1]:{port}", f"smtp_destination_recipient_limit = {together}")
    with running(free_port(), *where, *more) as postfix:
        yield postfix


@contextmanager
def running(listen: int, *more: str) -> Iterator[Postfix]:
    """Takes mail at this port; where it goes is for `more`, lines of main.cf."""
    require_peer("Postfix, as root", (_PROGRAMS / "master").exists() and os.getuid() == 0)
    folder = Path(tempfile.mkdtemp(prefix="mailgate-postfix-"))
    master = None
    try:
        folder.chmod(0o755)
        _configure(folder, *more, listen=listen)
        master = subprocess.Popen(
            [str(_PROGRAMS / "master"), "-d", "-c", str(folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(lambda: accepts(listen), 20)
        yield Postfix(folder, listen)
    finally:
        if master:
            master.send_signal(signal.SIGTERM)  # the master ends its children
            master.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def _configure(folder: Path, *more: str, listen: int) -> None:
    (folder / "queue").mkdir()
    (folder / "data").mkdir()
    shutil.chown(folder / "data", "postfix")
    main = _MAIN.format(folder=folder)
    for name, text in (
        ("main.cf", "\n".join([main, *more, ""])),
        ("master.cf", _MASTER.format(listen=listen)),
    ):
        (folder / name).write_text(text)
        os.utime(folder / name, (0, 0))  # Postfix waits for two seconds to see whether a young file changes
    check = ["/usr/sbin/postfix", "-c", str(folder), "check"]
    done = subprocess.run(check, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
