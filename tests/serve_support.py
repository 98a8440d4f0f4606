"""The real program as users run it: `mailgate serve` in a folder of its own, on free ports, as a subprocess."""

import email.policy
import json
import os
import re
import signal
import smtplib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from core_support import wait_for

MAILGATE = [sys.executable, "-m", "mailgate"]
OURS = re.compile(r"<([^<>]+)>")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def run(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """One command, to its end."""
    return subprocess.run(
        [*MAILGATE, *arguments],
        cwd=folder,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without settings of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAILGATE_")}
    return {**kept, **more}


@dataclass
class Serving:
    """A running `mailgate serve`. `seconds` is what it took from start to accepting."""

    folder: Path
    smtp: int
    http: int
    child: "subprocess.Popen[bytes]"
    seconds: float = 0.0

    def ask(self, path: str, body: Any = None, *, method: str = "", **headers: str) -> tuple[int, Any]:
        """(status, document) of an HTTP request; a body makes it a POST of JSON."""
        fields = {"Accept": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            fields["Content-Type"] = "application/json"
        url = f"http://127.0.0.1:{self.http}{path}"
        request = urllib.request.Request(url, data, fields, method=method or None)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, _document(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _document(error.read())

    def texts(self, phone: str) -> list[dict[str, Any]]:
        """What a simulated phone shows."""
        status, document = self.ask(f"/phones/{phone.removeprefix('+')}")
        assert status == 200, document
        return list(document["messages"])

    def type(self, phone: str, to: str, text: str) -> None:
        """Somebody writes a text on a simulated phone."""
        status, document = self.ask(f"/phones/{phone.removeprefix('+')}/messages", {"to": to, "text": text})
        assert status < 300, document

    def mails(self, to: str = "") -> list[EmailMessage]:
        """The outbox, oldest first; of one addressee when one is named."""
        listed = self.ask("/outbox")[1]["mails"]
        found = [self.mail(item["id"]) for item in reversed(listed)]
        return [mail for mail in found if to in str(mail["To"])]

    def mail(self, mail_id: str) -> EmailMessage:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/outbox/{mail_id}", timeout=20) as answer:
            found = message_from_bytes(answer.read(), policy=email.policy.default)
        assert isinstance(found, EmailMessage)
        return found

    def wait_for_mails(self, count: int, to: str = "") -> list[EmailMessage]:
        return list(wait_for(lambda: found if len(found := self.mails(to)) >= count else None, 20))

    def wait_for_texts(self, phone: str, count: int) -> list[dict[str, Any]]:
        return list(wait_for(lambda: found if len(found := self.texts(phone)) >= count else None, 20))

    def send(self, mail: EmailMessage, to: str | Sequence[str], mail_from: str = "") -> str:
        """Hand a mail in by SMTP; the 250 line's words."""
        sender = mail_from or mail["From"].addresses[0].addr_spec
        with smtplib.SMTP("127.0.0.1", self.smtp, timeout=20) as client:
            client.ehlo("client.example")
            assert client.mail(sender)[0] == 250
            for address in [to] if isinstance(to, str) else to:
                code, words = client.rcpt(address)
                assert code == 250, words
            code, words = client.data(mail.as_bytes(policy=email.policy.SMTP))
        assert code == 250, words
        return words.decode()

    def end(self, how: signal.Signals = signal.SIGINT) -> int:
        """Ask it to end, as Ctrl-C does; its exit code."""
        if self.child.poll() is None:
            self.child.send_signal(how)
        return self.child.wait(30)

    @property
    def log(self) -> str:
        return (self.folder / "stderr").read_text()

    @property
    def resident_bytes(self) -> int:
        pages = int(Path(f"/proc/{self.child.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def _document(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode("utf-8", "replace")


@contextmanager
def serving(folder: Path, *arguments: str, log: str = "stderr", **environment: str) -> Iterator[Serving]:
    """Started and accepting; ended at the end, whatever happens."""
    smtp, http = free_port(), free_port()
    ports = {"MAILGATE_SMTP__LISTEN": f'["127.0.0.1:{smtp}"]', "MAILGATE_HTTP__LISTEN": f"127.0.0.1:{http}"}
    began = time.monotonic()
    with (folder / "stdout").open("wb") as out, (folder / log).open("wb") as errors:
        child = subprocess.Popen(
            [*MAILGATE, "serve", *arguments],
            cwd=folder,
            env=clean_environment(**ports, **environment),
            stdout=out,
            stderr=errors,
        )
    made = Serving(folder, smtp, http, child)
    try:
        wait_for(lambda: child.poll() is not None or (accepts(smtp) and accepts(http)), 30)
        assert child.poll() is None, made.log
        made.seconds = time.monotonic() - began
        yield made
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()


def written(sender: str, body: str, *, message_id: str, subject: str = "", **headers: str) -> EmailMessage:
    """A mail as somebody's program writes it."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["Message-ID"] = f"<{message_id}>"
    mail["Date"] = "Tue, 04 Mar 2025 10:00:00 +0000"
    if subject:
        mail["Subject"] = subject
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(body)
    return mail


def answer_to(mail: EmailMessage, sender: str, new: str, *, message_id: str) -> EmailMessage:
    """An answer as mail programs write one: new words on top, what they answer quoted below (RFC 5322 §3.6.4)."""
    quoted = "\n".join(f"> {line}" for line in words(mail).splitlines())
    who = mail["From"].addresses[0].display_name
    return written(
        sender,
        f"{new}\n\nOn Tue, 4 Mar 2025 at 10:05, {who} wrote:\n{quoted}\n",
        message_id=message_id,
        subject=str(mail["Subject"]),
        In_Reply_To=str(mail["Message-ID"]),
        References=f"{mail['References']} {mail['Message-ID']}",
    )


def words(mail: EmailMessage) -> str:
    """The plain text of a mail, with plain line ends."""
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def thread(mail: EmailMessage) -> list[str]:
    """The chain of References, without brackets."""
    return OURS.findall(str(mail["References"] or ""))
