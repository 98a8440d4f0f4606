"""A whole site for journeys: people's mailboxes in Dovecot, a Postfix that routes both ways, and the gateway."""

import email.policy
import itertools
import smtplib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime, localtime
from pathlib import Path
from typing import Any

from core_support import wait_for
from mail_support import ROWS, World, world
from peers.dovecot import Dovecot, mailboxes
from peers.postfix import Postfix
from peers.smarthost import smarthost
from serve_support import free_port
from sqlalchemy import select

from gateway_core import phones
from gateway_core.deliver import deliver
from gateway_core.messages import FINAL
from gateway_core.sms import MO
from gateway_core.storage import tables

DOMAIN, GATEWAYS = "acme.example", "sms.localhost"
ALICE, BOB = f"alice@{DOMAIN}", f"bob@{DOMAIN}"
NUMBER, SECOND_NUMBER = "+447700900901", "+447700900903"
ACME, *OTHERS = ROWS["account"]


def rows_with(*numbers: str, **terms: Any) -> dict[str, Any]:
    """One account, acme, whose people all may text, with these numbers."""
    account = {**ACME, "sender": [{"address": f"@{DOMAIN}"}], **terms}
    owned = [{"msisdn": one, "account": "acme"} for one in numbers]
    return {**ROWS, "account": [account, *OTHERS], "number": owned}


@dataclass
class Site:
    """Journeys write mail through `postfix`, read it in `dovecot`, and hold the phones."""

    w: World
    postfix: Postfix
    dovecot: Dovecot
    sent: list[EmailMessage] = field(default_factory=list)  # by people
    typed: Iterator[int] = field(default_factory=itertools.count)  # numbers of what phones wrote

    def send(self, mail: EmailMessage, mail_from: str | None = None) -> EmailMessage:
        """As a mail program does: to all whom it names."""
        author = mail["From"].addresses[0].addr_spec
        to = [one.addr_spec for name in ("To", "Cc") if mail[name] for one in mail[name].addresses]
        with smtplib.SMTP("127.0.0.1", self.postfix.port, timeout=20) as client:
            sender = author if mail_from is None else mail_from
            assert client.sendmail(sender, to, mail.as_bytes(policy=email.policy.SMTP)) == {}
        self.sent.append(mail)
        return mail

    def heard(self, phone: str) -> list[tuple[str, str]]:
        """(number, text) of each that came to this phone."""
        with self.w.gateway.reader.connect() as conn:
            return [(entry.peer, entry.text) for entry in phones.of_phone(conn, phone)]

    def wait_for_text(self, phone: str, text: str) -> str:
        """The number that it came from."""
        numbers = wait_for(lambda: [number for number, heard in self.heard(phone) if heard == text], 20)
        (number,) = numbers
        return str(number)

    def type(self, phone: str, number: str, text: str) -> None:
        """Somebody writes a text on this phone."""
        said = MO(f"mo-{next(self.typed)}", phone, number, text)
        deliver(self.w.gateway, self.w.gateway.snapshot.routes[0].id, [said])

    def wait_for_mail(self, user: str, words: str) -> EmailMessage:
        """The one in this user's mailbox that begins with these words."""

        def found() -> list[EmailMessage]:
            return [mail for mail in self.dovecot.mails(user) if plain(mail).startswith(words)]

        (mail,) = list[EmailMessage](wait_for(found, 20))
        return mail

    def until_quiet(self) -> None:
        """Nobody has anything to do any more. Each keeps a mail until the next one has it; so who passes by Postfix
        while the gateway is looked into is either there afterwards, or has left a line in its log.
        """

        def quiet() -> bool:
            before = self.postfix.senders()
            idle = not self.postfix.waiting() and self._idle() and not self.postfix.waiting()
            return idle and self.postfix.senders() == before

        wait_for(quiet, 20)

    def _idle(self) -> bool:
        """Whether the gateway owes neither a text nor a mail."""
        m, n = tables.message.c, tables.notice.c
        with self.w.gateway.reader.connect() as conn:
            texts = conn.execute(select(m.id).where(m.state.not_in(FINAL))).first()
            return texts is None and conn.execute(select(n.id).where(n.state == "DUE")).first() is None


@contextmanager
def site(
    folder: Path,
    given: dict[str, Any],
    *main: str,
    people: Sequence[str],
    rules: Mapping[str, str] | None = None,
) -> Iterator[Site]:
    """`people` have a mailbox, some with rules in Sieve. `main`: more lines of Postfix's main.cf."""
    listen, smtp = free_port(), free_port()
    with (
        mailboxes(*people, submission=listen, rules=rules or {}) as dovecot,
        smarthost(
            listen, *main, mailboxes=DOMAIN, lmtp=dovecot.lmtp, gateways=GATEWAYS, smtp=smtp
        ) as postfix,
        world(
            folder,
            given,
            smtp={"listen": [f"127.0.0.1:{smtp}"]},
            outbound={"smarthost": f"smtp://127.0.0.1:{listen}"},
        ) as w,
    ):
        yield Site(w, postfix, dovecot)


# --- as mail programs write -------------------------------------------------------------------------------


def written(sender: str, to: str, body: str, *, own: str, subject: str = "", **fields: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = to
    mail["Message-ID"] = f"<{own}@client.example>"
    mail["Date"] = format_datetime(localtime())
    if subject:
        mail["Subject"] = subject
    for name, value in fields.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(body)
    return mail


def answered(
    mail: EmailMessage, sender: str, new: str, *, own: str, to: str = "", **fields: str
) -> EmailMessage:
    """An answer: to the Reply-To, new words on top, what they answer quoted below (RFC 5322 §3.6.3, §3.6.4)."""
    subject = str(mail["Subject"])
    quoted = "\n".join(f"> {line}".rstrip() for line in plain(mail).splitlines())
    return written(
        sender,
        to or str(mail["Reply-To"] or mail["From"]),
        f"{new}\n\nOn {mail['Date']}, {mail['From']} wrote:\n{quoted}\n",
        own=own,
        subject=subject if subject.lower().startswith("re:") else f"Re: {subject}",
        In_Reply_To=str(mail["Message-ID"]),
        References=f"{mail['References'] or ''} {mail['Message-ID']}".strip(),
        **fields,
    )


def plain(mail: EmailMessage) -> str:
    """The words of a mail that every program can show, with plain line ends."""
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")
