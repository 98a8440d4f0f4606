"""DKIM signatures of our mail (RFC 6376, RFC 8301): rsa-sha256, relaxed/relaxed."""

import re
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import getaddresses
from pathlib import Path

import dkim  # type: ignore[import-untyped]
import structlog
from dkim.crypto import (  # type: ignore[import-untyped]
    UnparsableKeyError,
    parse_pem_private_key,
)

from gateway_core.errors import SettingsError
from mailgate.outbound import way
from mailgate.outgoing import Outgoing
from mailgate.settings_outbound import OutboundSettings

_SIGNED = (
    *("From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References"),
    *("Auto-Submitted", "Reply-To", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"),
)
_SHORTEST_KEY = 1024  # bits (RFC 8301 §3.2)
_MARK = b"X-Mailgate-Loop:"  # what mail that is passed on as it came begins with
_LINE_END = re.compile(rb"\r\n|\r|\n")

log = structlog.get_logger(__name__)


class Signer:
    """Signs what this gateway wrote, from an address at its domain or below; nothing else."""

    def __init__(self, domain: str, selector: str, key: bytes) -> None:
        self._domain = domain.encode("idna")
        self._selector = selector.encode()
        self._key = key

    def sign(self, mail: Outgoing) -> bytes:
        """The mail with its signature on top, or as it is. Takes milliseconds, and raises nothing."""
        head = BytesHeaderParser().parsebytes(mail.content)
        if not self._is_ours(mail, head):
            return mail.content
        content = _LINE_END.sub(b"\r\n", mail.content)  # as it is sent
        covered = [name.lower().encode() for name in _SIGNED if name in head]
        try:
            return self._signature(content, [*covered, b"from"]) + content
        except (dkim.DKIMException, ValueError) as error:
            log.warning("mail goes unsigned", mail=mail.id, error=str(error))
            return mail.content

    def probe(self) -> None:
        """Raises what dkimpy does with a key that is none."""
        self._signature(b"From: nobody\r\n\r\n", [b"from"])

    def _is_ours(self, mail: Outgoing, head: Message) -> bool:
        """Mail that is passed on may have any From: signed, a forged one would seem to be ours."""
        if mail.content.startswith(_MARK) or not str(head["Message-ID"]).startswith(f"<{mail.id}@"):
            return False
        authors = getaddresses([str(one) for one in head.get_all("From", [])])
        if len(authors) != 1:
            return False
        try:
            author = authors[0][1].rpartition("@")[2].lower().encode("idna")
        except UnicodeError:
            return False
        return author == self._domain or author.endswith(b"." + self._domain)

    def _signature(self, content: bytes, covered: list[bytes]) -> bytes:
        """The field. From is named once more than it is there, so that nobody adds one (RFC 6376 §5.4.2)."""
        made: bytes = dkim.sign(
            content,
            self._selector,
            self._domain,
            self._key,
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=covered,
        )
        return made


def signer(settings: OutboundSettings) -> Signer | None:
    """None where mail is not signed. Raises SettingsError."""
    if not way.check_signing(settings):
        return None
    if not re.fullmatch(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", settings.dkim_selector, re.IGNORECASE):
        raise SettingsError(f"outbound.dkim_selector: {settings.dkim_selector!r} is not a name of the DNS")
    path = settings.dkim_key
    try:
        key = Path(path).read_bytes().replace(b"\r\n", b"\n")
    except OSError as error:
        raise SettingsError(f"outbound.dkim_key: {path}: {error.strerror or error}") from None
    if b"ENCRYPTED" in key:
        raise SettingsError(f"outbound.dkim_key: {path}: is encrypted; store it without a password")
    try:
        bits = parse_pem_private_key(key)["modulus"].bit_length()
        made = Signer(settings.dkim_domain, settings.dkim_selector, key)
        made.probe()
    except (UnparsableKeyError, dkim.DKIMException, ValueError, TypeError, IndexError, KeyError):
        raise SettingsError(f"outbound.dkim_key: {path}: holds no private RSA key in PEM form") from None
    if bits < _SHORTEST_KEY:
        raise SettingsError(f"outbound.dkim_key: {path}: {bits} bits are too few; 2048 are usual")
    return made
