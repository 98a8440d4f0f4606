"""A real Dovecot with mailboxes of people: its own folder, its own ports, ended by the pid of its master."""

import email.policy
import imaplib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path

from core_support import wait_for
from peers_support import require_peer
from serve_support import accepts, free_port

_PROGRAM = Path("/usr/sbin/dovecot")
PASSWORD = "a password of the tests"
# Of Dovecot 2.3; 2.4 has another language for the same.
_CONFIGURATION = """
protocols = imap lmtp
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_username_format = %Lu
mail_location = maildir:~/mail
first_valid_uid = 1
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {folder}/users
}}
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
submission_host = 127.0.0.1:{submission}
protocol lmtp {{
  mail_plugins = sieve
}}
plugin {{
  sieve = ~/rules.sieve
  sieve_redirect_envelope_from = recipient
}}
"""
# Rules in Sieve (RFC 5228), as people make them with a form of their mail program.
ABSENCE = """
require ["vacation"];
vacation :days 1 :subject "I am away" "Back on Monday. Ask Bob meanwhile.";
"""
FORWARDING = 'require ["copy"]; redirect :copy "{to}";'


class Dovecot:
    """Takes mail at the port `lmtp`, for those who have a mailbox; what it thinks of it is in `log`."""

    def __init__(self, folder: Path, imap: int, lmtp: int) -> None:
        self.folder, self.imap, self.lmtp = folder, imap, lmtp

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def mails(self, user: str) -> list[EmailMessage]:
        """What this user's mail program gets of INBOX by IMAP, oldest first."""
        with imaplib.IMAP4("127.0.0.1", self.imap, timeout=20) as client:
            client.login(user, PASSWORD)
            client.select("INBOX", readonly=True)
            _, (found,) = client.uid("SEARCH", "ALL")
            if not found:
                return []
            _, parts = client.uid("FETCH", found.replace(b" ", b",").decode(), "(BODY.PEEK[])")
        read = [
            message_from_bytes(one[1], policy=email.policy.default) for one in parts if isinstance(one, tuple)
        ]
        return [one for one in read if isinstance(one, EmailMessage)]

    def wait_for_mails(self, user: str, count: int) -> list[EmailMessage]:
        found = list(wait_for(lambda: found if len(found := self.mails(user)) >= count else None, 20))
        assert len(found) == count
        return found


@contextmanager
def mailboxes(*users: str, submission: int, rules: Mapping[str, str]) -> Iterator[Dovecot]:
    """One for each address, some with rules; what these send goes to the server at the port `submission`."""
    require_peer("Dovecot 2.3, as root", os.getuid() == 0 and _version().startswith("2.3."))
    folder = Path(tempfile.mkdtemp(prefix="mailgate-dovecot-"))
    dovecot = Dovecot(folder, free_port(), free_port())
    master = None
    try:
        _configure(dovecot, users, submission, rules)
        command = [str(_PROGRAM), "-F", "-c", str(folder / "dovecot.conf")]
        master = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: accepts(dovecot.imap) and accepts(dovecot.lmtp), 20)
        yield dovecot
    finally:
        if master:
            master.send_signal(signal.SIGTERM)  # the master ends its children
            master.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def _version() -> str:
    if not _PROGRAM.exists():
        return ""
    return subprocess.run([_PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout


def _configure(dovecot: Dovecot, users: Sequence[str], submission: int, rules: Mapping[str, str]) -> None:
    folder = dovecot.folder
    folder.chmod(0o755)
    (folder / "dovecot.conf").write_text(
        _CONFIGURATION.format(folder=folder, imap=dovecot.imap, lmtp=dovecot.lmtp, submission=submission)
    )
    lines = []
    for user in users:
        home = folder / "homes" / user
        home.mkdir(parents=True)
        if user in rules:
            (home / "rules.sieve").write_text(rules[user])
        shutil.chown(home, "nobody", "nogroup")
        owner = home.stat()
        lines.append(f"{user}:{PASSWORD}:{owner.st_uid}:{owner.st_gid}::{home}\n")
    (folder / "users").write_text("".join(lines))
    check = ["/usr/bin/doveconf", "-n", "-c", str(folder / "dovecot.conf")]
    done = subprocess.run(check, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
