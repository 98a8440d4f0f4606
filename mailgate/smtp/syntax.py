"""Arguments of MAIL and RCPT: a path in angle brackets and ESMTP parameters (RFC 5321 §4.1.1, §4.1.2). Pure."""

import re
from dataclasses import dataclass
from typing import TypeVar

from mailgate import dsn

# what nearly every command looks like; the rest takes the way round
_FROM = re.compile(rb"MAIL FROM:<((?!@)[!-;=?-~]{0,1000})>", re.IGNORECASE)
_TO = re.compile(rb"RCPT TO:<((?!@)[!-;=?-~]{1,1000})>", re.IGNORECASE)
_PATH = re.compile(r"\s*(FROM|TO)\s*:\s*<(?:@[^:<>]*:)?([^<>]*)>(?:\s+(.*))?", re.IGNORECASE | re.DOTALL)
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~\u00a1-\U0010ffff]+))?")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_PATH = 1000  # RFC 5321 §4.5.3.1.3 says 256; signed and UTF-8 ones are longer


T = TypeVar("T")


class Malformed(Exception):
    """The whole reply to a command that cannot be understood."""


@dataclass(frozen=True, slots=True)
class Sender:
    """MAIL FROM. `address` is "" for the null path; `size` in bytes as declared, 0 when it was not."""

    address: str
    size: int = 0
    utf8: bool = False
    asked: dsn.MailOptions = dsn.NO_MAIL_OPTIONS


@dataclass(frozen=True, slots=True)
class Target:
    """RCPT TO."""

    address: str
    asked: dsn.RecipientOptions = dsn.NO_RECIPIENT_OPTIONS


def sender(line: bytes) -> Sender:
    """Raises Malformed."""
    plain = _FROM.fullmatch(line)
    if plain:
        return Sender(plain[1].decode())
    address, parameters = _split(line, "FROM")
    options = _Options(parameters)
    size = options.take("SIZE")
    if size and not (size.isdecimal() and len(size) <= 20):
        raise Malformed("501 5.5.4 SIZE is a number of bytes")
    body = options.take("BODY")
    if body and body.upper() not in {"7BIT", "8BITMIME"}:
        raise Malformed("501 5.5.4 BODY is 7BIT or 8BITMIME")
    utf8 = options.flag("SMTPUTF8")
    _ascii(address, utf8=utf8)
    options.take("AUTH")  # RFC 4954 §5: who asks is decided by the session, not by what it says
    asked = _dsn(dsn.mail_options, options.take("RET"), options.take("ENVID"))
    options.end()
    return Sender(address, int(size or 0), utf8, asked)


def target(line: bytes, *, utf8: bool) -> Target:
    """Raises Malformed."""
    plain = _TO.fullmatch(line)
    if plain:
        return Target(plain[1].decode())
    address, parameters = _split(line, "TO")
    if not address:
        raise Malformed("501 5.1.3 a recipient is needed")
    _ascii(address, utf8=utf8)
    options = _Options(parameters)
    asked = _dsn(dsn.recipient_options, options.take("NOTIFY"), options.take("ORCPT"))
    options.end()
    return Target(address, asked)


def _split(line: bytes, keyword: str) -> tuple[str, str]:
    try:
        text = line[4:].decode()
    except UnicodeDecodeError:
        raise Malformed("501 5.5.2 neither ASCII nor UTF-8") from None
    found = _PATH.fullmatch(text)
    if found is None or found[1].upper() != keyword or _CONTROLS.search(text):
        verb = "MAIL" if keyword == "FROM" else "RCPT"
        raise Malformed(f"501 5.5.4 say {verb} {keyword}:<address>, with the angle brackets")
    address = found[2].strip()
    if len(address) > _LONGEST_PATH:
        raise Malformed("501 5.5.4 the address is too long")
    return address, (found[3] or "").strip()


def _ascii(address: str, *, utf8: bool) -> None:
    if not utf8 and not address.isascii():
        raise Malformed("553 5.6.7 an address beyond ASCII needs SMTPUTF8")


def _dsn(parse: dsn.Parser[T], first: str, second: str) -> T:
    try:
        return parse(first, second)
    except ValueError as error:
        raise Malformed(f"501 5.5.4 {error}") from None


class _Options:
    """ESMTP parameters, each at most once; what is left at the end is not known here."""

    def __init__(self, text: str) -> None:
        self._values: dict[str, str | None] = {}
        for word in text.split():
            found = _PARAMETER.fullmatch(word)
            if found is None:
                raise Malformed("501 5.5.4 parameters are NAME or NAME=value")
            name = found[1].upper()
            if name in self._values:
                raise Malformed(f"501 5.5.4 {name} is given twice")
            self._values[name] = found[2]

    def take(self, name: str) -> str:
        """The value; "" when it was not given."""
        if name not in self._values:
            return ""
        value = self._values.pop(name)
        if value is None:
            raise Malformed(f"501 5.5.4 {name} needs a value")
        return value

    def flag(self, name: str) -> bool:
        if name not in self._values:
            return False
        if self._values.pop(name) is not None:
            raise Malformed(f"501 5.5.4 {name} has no value")
        return True

    def end(self) -> None:
        if self._values:
            raise Malformed(f"555 5.5.4 {min(self._values)[:40]} is not supported")
