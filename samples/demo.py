"""One round trip through mailgate, told step by step: mail, text, receipt, answer, and back again.

Needs Python's standard library only. Starts `mailgate serve` in a temporary folder on free ports, and leaves
nothing behind. Run it with `make demo`.
"""

import contextlib
import email.policy
import json
import os
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path
from typing import Any

PHONE = "+447700900123"
ADA = "ada@client.example"
_PATIENCE_SECONDS = 15


class Failed(Exception):
    """A step did not show what it should."""


@dataclass
class Gateway:
    """The ports of the running program."""

    smtp: int
    http: int

    def get(self, path: str) -> bytes:
        request = urllib.request.Request(self._url(path), headers={"Accept": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bytes(answer.read())

    def texts(self) -> list[dict[str, Any]]:
        return list(json.loads(self.get(f"/phones/{PHONE[1:]}"))["messages"])

    def type(self, to: str, text: str) -> None:
        body = json.dumps({"to": to, "text": text}).encode()
        path = self._url(f"/phones/{PHONE[1:]}/messages")
        request = urllib.request.Request(path, body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=10).close()

    def mails(self) -> list[EmailMessage]:
        listed = json.loads(self.get("/outbox"))["mails"]
        raw = [self.get(f"/outbox/{mail['id']}") for mail in reversed(listed)]
        return [message_from_bytes(one, EmailMessage, policy=email.policy.default) for one in raw]

    def send(self, mail: EmailMessage, to: str) -> str:
        with smtplib.SMTP("127.0.0.1", self.smtp, timeout=10) as client:
            client.ehlo("client.example")
            client.mail(ADA)
            code, words = client.rcpt(to)
            if code == 250:
                code, words = client.data(mail.as_bytes(policy=email.policy.SMTP))
        if code != 250:
            raise Failed(f"the mail to {to} was answered {code} {words.decode()}")
        return words.decode()

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.http}{path}"


def main() -> int:
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="mailgate-demo-") as folder, serving(Path(folder)) as gateway:
            round_trip(gateway)
    except (Failed, OSError, ValueError, smtplib.SMTPException) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    print(f"\nDone in {time.monotonic() - began:.1f} seconds. To try it by hand: make run")
    return 0


def round_trip(gateway: Gateway) -> None:
    text = mail_becomes_a_text(gateway)
    receipt_comes_back(gateway)
    reply = answer_becomes_a_mail(gateway, str(text["peer"]))
    answering_it_texts_the_phone(gateway, reply)


def mail_becomes_a_text(gateway: Gateway) -> dict[str, Any]:
    say("Ada mails 07700900123@sms.localhost from her usual mail program.")
    mail = written("Dinner at eight? I have found the good plates.\n", "dinner-1@client.example", "Tonight")
    show("the gateway answers", "250 " + gateway.send(mail, "07700900123@sms.localhost"))
    (text,) = wait_for("a text on the phone", gateway.texts, 1)
    show(f"the phone {PHONE} shows", text["text"])
    expect(
        text["text"] == "Dinner at eight? I have found the good plates.", "the text is not what was mailed"
    )
    return text


def receipt_comes_back(gateway: Gateway) -> None:
    say("Ada gets a receipt, below her mail in the same thread.")
    (receipt,) = wait_for("a receipt", gateway.mails, 1)
    show_mail(receipt)
    expect(
        receipt["In-Reply-To"] == "<dinner-1@client.example>", "the receipt is not threaded under the mail"
    )
    expect("delivered" in content(receipt), "the receipt does not say that the text was delivered")


def answer_becomes_a_mail(gateway: Gateway, number: str) -> EmailMessage:
    say("Somebody types an answer on that phone; it comes to Ada as mail.")
    gateway.type(number, "Lovely, I bring the wine")
    _, reply = wait_for("the answer as mail", gateway.mails, 2)
    show_mail(reply)
    expect("<dinner-1@client.example>" in str(reply["References"]), "the answer is not in the thread")
    expect(content(reply).startswith("Lovely, I bring the wine\n"), "the answer is not what was typed")
    return reply


def answering_it_texts_the_phone(gateway: Gateway, reply: EmailMessage) -> None:
    say("Ada presses Reply. What she quotes stays out of the text.")
    quoted = "".join(f"> {line}\n" for line in content(reply).splitlines())
    body = f"Red, please.\n\nOn Tue, 4 Mar 2025 at 18:05, +44 7700 900123 wrote:\n{quoted}"
    mail = written(body, "dinner-2@client.example", reply["Subject"])
    mail["In-Reply-To"] = reply["Message-ID"]
    mail["References"] = f"{reply['References']} {reply['Message-ID']}"
    expect(reply["Reply-To"] is not None, "the answer names no address to reply to")
    to = reply["Reply-To"].addresses[0].addr_spec
    show(f"to {to}", "250 " + gateway.send(mail, to))
    *_, last = wait_for("the second text on the phone", gateway.texts, 3)
    show(f"the phone {PHONE} shows", last["text"])
    expect(last["text"] == "Red, please.", "the second text holds more or less than the new words")


# --- telling ----------------------------------------------------------------------------------------------


def say(words: str) -> None:
    print(f"\n* {words}", flush=True)


def show(what: str, words: str) -> None:
    print(f"    {what}: {words}", flush=True)


def show_mail(mail: EmailMessage) -> None:
    for name in ("From", "To", "Subject", "In-Reply-To"):
        print(f"    {name}: {mail[name]}")
    for line in content(mail).splitlines():
        print(f"    | {line}")


def expect(good: bool, words: str) -> None:
    if not good:
        raise Failed(words)


def wait_for(what: str, look: Callable[[], list[Any]], count: int) -> list[Any]:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while len(found := look()) < count:
        if time.monotonic() > deadline:
            raise Failed(f"waited {_PATIENCE_SECONDS} seconds for {what} in vain")
        time.sleep(0.05)
    return found


# --- mail -------------------------------------------------------------------------------------------------


def written(body: str, message_id: str, subject: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = f"Ada <{ADA}>"
    mail["Subject"] = subject
    mail["Message-ID"] = f"<{message_id}>"
    mail.set_content(body)
    return mail


def content(mail: EmailMessage) -> str:
    return str(mail.get_body(("plain",)).get_content()).replace("\r\n", "\n")


# --- the program ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Gateway]:
    gateway = Gateway(free_port(), free_port())
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAILGATE_")}
    ports = {
        "MAILGATE_SMTP__LISTEN": f'["127.0.0.1:{gateway.smtp}"]',
        "MAILGATE_HTTP__LISTEN": f"127.0.0.1:{gateway.http}",
    }
    say("mailgate starts in an empty folder, with its embedded default.")
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-m", "mailgate", "serve"]
        child = subprocess.Popen(command, cwd=folder, env=kept | ports, stdout=log, stderr=log)
    try:
        wait_until_accepting(child, gateway, folder / "log")
        show("it accepts", f"mail at 127.0.0.1:{gateway.smtp}, HTTP at 127.0.0.1:{gateway.http}")
        yield gateway
        say("Ctrl-C: it finishes what is in hand, and ends.")
        child.send_signal(signal.SIGINT)
        expect(child.wait(_PATIENCE_SECONDS) == 0, "it did not end well")
    except subprocess.TimeoutExpired:
        raise Failed("it did not end") from None
    finally:
        child.kill()
        child.wait()


def wait_until_accepting(child: "subprocess.Popen[bytes]", gateway: Gateway, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not (accepts(gateway.smtp) and accepts(gateway.http)):
        if child.poll() is not None:
            raise Failed("mailgate did not start: " + log.read_text().strip())
        if time.monotonic() > deadline:
            raise Failed("mailgate does not accept connections")
        time.sleep(0.05)


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
