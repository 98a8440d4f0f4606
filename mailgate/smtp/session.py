"""The dialogue (RFC 5321 §4): a command line in, a reply out. No sockets: `connection` moves the bytes and the time.

A method returns its reply, or None when the reply comes later through `answer`; no other call may come in between.
`mode` says what the bytes that follow are.
"""

import enum
from collections.abc import Callable
from typing import ClassVar

from gateway_core.errors import GatewayError
from mailgate import smtp_replies
from mailgate.checks import Envelope
from mailgate.errors import MailTooLarge
from mailgate.settings import LegacySettings
from mailgate.smtp import syntax
from mailgate.smtp.auth import Exchange, Logins
from mailgate.smtp.handler import Answer, Handler, Transaction
from mailgate.smtp.shared import Shared
from mailgate.smtp.syntax import Malformed

OK = "250 2.0.0 OK"
_MOST_TRIED = 10_000  # RCPT commands of one mail; those beyond MOST_RECIPIENTS only cost time
_BAD_LINE = "500 5.5.2 end each line with CR LF"
_NAME = "501 5.5.4 say who you are"


class Mode(enum.Enum):
    COMMAND = enum.auto()
    DATA = enum.auto()  # a mail, up to its final dot
    STARTTLS = enum.auto()  # the reply, then a TLS handshake
    CLOSE = enum.auto()  # the reply, then the end


class Session:
    """One connection's dialogue. `peer` is the IP address that counts, behind a trusted balancer the client's."""

    def __init__(
        self,
        shared: Shared,
        handler: Handler,
        logins: Logins,
        peer: str,
        answer: Answer,
        *,
        tls: bool = False,
        profile: LegacySettings | None = None,
    ) -> None:
        self._shared = shared
        self._handler = handler
        self._logins = logins
        self._answer = answer
        self._profile = profile
        self.peer = peer
        self.tls = tls
        self.mode = Mode.COMMAND
        self.transaction: Transaction | None = None
        self.accepted = 0  # mails
        self._greeted = ""  # what HELO or EHLO said
        self._user = ""  # the sender rule that AUTH proved
        self._password_hash = ""  # of that moment: a changed password ends what the old one opened
        self._exchange: Exchange | None = None
        self._bogus = 0
        self._idle = 0
        self._refused = 0
        self._failed_logins = 0

    def greeting(self) -> str:
        return f"220 {self._shared.hostname} ESMTP"

    # --- commands ---------------------------------------------------------------------------------------

    def command(self, line: bytes) -> str | None:
        if b"\n" in line or b"\r" in line or b"\0" in line:
            return self._bogus_command(_BAD_LINE)
        try:
            if self._exchange is not None:
                return self._step(self._exchange.answer(line))
            verb = line.partition(b" ")[0].upper()
            work = self._commands.get(verb)
            return work(self, line) if work else self._other(verb)
        except Malformed as error:
            return self._bogus_command(str(error))
        except Exception as error:  # noqa: BLE001 - the edge: the peer tries again
            return self._handler.failed("smtp command failed", error, self.transaction)

    def _other(self, verb: bytes) -> str:
        if verb in self._idle_replies:
            return self._idle_command(self._idle_replies[verb])
        if verb in self._not_here:
            return self._bogus_command("502 5.5.1 not implemented")
        return self._bogus_command("500 5.5.2 no such command")

    def _bogus_command(self, reply: str) -> str:
        self._bogus += 1
        if self._bogus > self._shared.patience.bogus:
            return self._close("421 4.7.0 too many errors")
        return reply

    def _close(self, reply: str) -> str:
        self.mode = Mode.CLOSE
        return reply

    def _idle_command(self, reply: str) -> str:
        """What brings no mail nearer is counted: nobody keeps a line busy with NOOP for ever."""
        self._idle += 1
        if self._idle > self._shared.patience.idle_commands:
            return self._close("421 4.7.0 too many commands without a mail")
        return reply

    def _helo(self, line: bytes) -> str:
        name = self._greet(line)
        return self._idle_command(f"250 {self._shared.hostname}") if name else self._bogus_command(_NAME)

    def _ehlo(self, line: bytes) -> str:
        if not self._greet(line):
            return self._bogus_command(_NAME)
        lines = [self._shared.hostname, *self._extensions()]
        reply = "\r\n".join(f"250-{one}" for one in lines[:-1]) + f"\r\n250 {lines[-1]}"
        return self._idle_command(reply)

    def _greet(self, line: bytes) -> bool:
        name = line[5:].strip()
        if name:
            self._greeted = name.decode("ascii", "replace")[:255]
            self.transaction = None  # RFC 5321 §4.1.4
        return bool(name)

    def _extensions(self) -> list[str]:
        offered = [f"SIZE {self._shared.state.settings.smtp.max_message_bytes}"]
        offered += ["8BITMIME", "SMTPUTF8", "PIPELINING", "ENHANCEDSTATUSCODES", "DSN"]
        if self._may_start_tls() and not (self._profile and self._profile.hide_starttls):
            offered.append("STARTTLS")
        if self.tls and self._logins.usable():
            offered.append("AUTH PLAIN LOGIN")
        return offered

    def _may_start_tls(self) -> bool:
        return self._shared.certificates is not None and not self.tls

    def _rset(self, _line: bytes) -> str:
        self.transaction = None
        return self._idle_command(OK)

    def _quit(self, _line: bytes) -> str:
        return self._close("221 2.0.0 bye")

    # --- TLS and AUTH -----------------------------------------------------------------------------------

    def _starttls(self, line: bytes) -> str:
        if line[8:].strip():
            return self._bogus_command("501 5.5.4 STARTTLS has no argument")
        if not self._may_start_tls():
            return self._bogus_command("502 5.5.1 not available")
        self.mode = Mode.STARTTLS
        return "220 2.0.0 begin TLS"

    def secured(self) -> None:
        """TLS is on: everything said before is forgotten (RFC 3207 §4.2)."""
        self.tls, self.mode = True, Mode.COMMAND
        self.transaction, self._greeted, self._user = None, "", ""

    def _auth(self, line: bytes) -> str | None:
        if not self.tls:
            if self._may_start_tls():
                return self._bogus_command("530 5.7.0 say STARTTLS first")
            return self._bogus_command("502 5.5.1 not available")
        if not self._greeted or self._user or self.transaction or not self._logins.usable():
            return self._bogus_command("503 5.5.1 not now")
        self._exchange = Exchange()
        return self._step(self._exchange.begin(line))

    def _step(self, reply: str) -> str | None:
        """A challenge goes out, a fault ends the exchange, and what is complete is tried."""
        exchange = self._exchange
        if exchange is None or reply.startswith("334"):
            return reply
        self._exchange = None
        if reply:
            return self._bogus_command(reply)
        self._logins.check(self.peer, exchange.user, exchange.password, self._logged_in)
        return None

    def _logged_in(self, user: str, reply: str) -> None:
        self._user, self._password_hash = user, self._logins.password_hash(user)
        if not user and reply.startswith("535"):
            self._failed_logins += 1
            if self._failed_logins >= self._shared.patience.failed_logins:
                reply = self._close("421 4.7.0 too many failed logins")
        elif not user:
            reply = self._idle_command(reply)
        self._answer(reply)

    # --- a mail -----------------------------------------------------------------------------------------

    def _mail(self, line: bytes) -> str:
        if not self._greeted:
            return self._bogus_command("503 5.5.1 say EHLO first")
        if self.transaction is not None:
            return self._bogus_command("503 5.5.1 a mail is under way")
        if self._shared.draining:
            return self._close(smtp_replies.DRAINING)
        sender = syntax.sender(line)
        most = self._shared.state.settings.smtp.max_message_bytes
        if sender.size > most:
            return self._idle_command(smtp_replies.reply(MailTooLarge(f"at most {most} bytes")))
        if not self._shared.load.has_room(sender.size):
            return self._idle_command(smtp_replies.BUSY)
        if self._user and self._logins.password_hash(self._user) != self._password_hash:
            self._user = ""
        envelope = Envelope(sender.address, self.peer, auth=self._user, helo=self._greeted)
        self.transaction = Transaction(envelope, self._profile, sender.utf8, sender.asked)
        return "250 2.1.0 sender noted"

    def _rcpt(self, line: bytes) -> str | None:
        if self.transaction is None:
            return self._bogus_command("503 5.5.1 say MAIL first")
        target = syntax.target(line, utf8=self.transaction.utf8)
        reply = self._handler.recipient(self.transaction, target, self._recipient_answered)
        return self._judged(reply) if reply is not None else None

    def _recipient_answered(self, reply: str) -> None:
        self._answer(self._judged(reply))

    def _judged(self, reply: str) -> str:
        """Who only guesses is sent away; a recipient with an account shows a sender that was proved."""
        transaction = self.transaction
        if transaction and transaction.tried > _MOST_TRIED:
            return self._close("421 4.7.0 too many recipients")
        if reply[0] != "5" or (transaction and transaction.is_proved()):
            return reply
        self._refused += 1
        if self._refused > self._shared.patience.refused:
            return self._close("421 4.7.0 too many refused recipients")
        return reply

    def _data(self, line: bytes) -> str:
        if line[4:].strip():
            return self._bogus_command("501 5.5.4 DATA has no argument")
        if self.transaction is None or not self.transaction.recipients:
            return self._bogus_command("503 5.5.1 say MAIL and RCPT first")
        if not self._shared.load.has_room(0):
            self.transaction = None
            return smtp_replies.BUSY
        self.mode = Mode.DATA
        return "354 end with <CR><LF>.<CR><LF>"

    def mail(self, raw: bytes) -> str | None:
        """The mail has arrived."""
        reply = self._handler.mail(self._ended(), raw, self._mail_answered)
        return self._counted(reply) if reply is not None else None

    def no_mail(self, error: GatewayError) -> str:
        """What arrived was not kept: too large, or no room."""
        return self._handler.refuse(self._ended(), error)

    def _ended(self) -> Transaction:
        transaction, self.transaction, self.mode = self.transaction, None, Mode.COMMAND
        if transaction is None:
            raise RuntimeError("a mail without MAIL")
        return transaction

    def _mail_answered(self, reply: str) -> None:
        self._answer(self._counted(reply))

    def _counted(self, reply: str) -> str:
        if reply[0] == "2":
            self.accepted += 1
            self._bogus = self._idle = self._refused = 0
        elif reply[0] == "5":
            self._refused += 1
            if self._refused > self._shared.patience.refused:
                return self._close(reply)
        return reply

    # Who asks for these brings no mail nearer: counted, and answered alike to everybody (RFC 5321 §3.5.3, §7.3).
    _idle_replies: ClassVar[dict[bytes, str]] = {
        b"NOOP": OK,
        b"VRFY": "252 2.5.2 send some mail, and it will be decided",
        b"HELP": "214 2.0.0 RFC 5321",
    }
    _commands: ClassVar[dict[bytes, Callable[["Session", bytes], str | None]]] = {
        b"EHLO": _ehlo,
        b"HELO": _helo,
        b"MAIL": _mail,
        b"RCPT": _rcpt,
        b"DATA": _data,
        b"RSET": _rset,
        b"QUIT": _quit,
        b"STARTTLS": _starttls,
        b"AUTH": _auth,
    }
    _not_here = frozenset({b"EXPN", b"ETRN", b"TURN", b"BDAT", b"SEND", b"SOML", b"SAML"})
