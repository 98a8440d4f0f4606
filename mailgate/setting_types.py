"""Types of single settings: what text a host, an address, a mailbox or a code page may be."""

import ipaddress
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator

from mailgate.mail import charsets


def domain_name(value: str) -> str:
    domain = value.strip().lower().rstrip(".")
    if not domain or " " in domain or "@" in domain:
        raise ValueError(f"{value!r} is not a domain")
    return domain


def _address(value: str) -> str:
    host, separator, port = value.strip().rpartition(":")
    if not separator or not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535):
        raise ValueError(f"{value!r} is not host:port; example: 127.0.0.1:8025")
    if ":" in host:
        try:
            ipaddress.IPv6Address(host[1:-1] if host.startswith("[") and host.endswith("]") else "")
        except ValueError:
            raise ValueError(f"{value!r} is not host:port; IPv6 is written [::1]:{port}") from None
    return f"{host}:{port}"


def _mailbox(value: str) -> str:
    try:
        return validate_email(value, check_deliverability=False, globally_deliverable=False).normalized
    except EmailNotValidError:
        raise ValueError(f"{value!r} is not a mail address") from None


def _mailbox_or_none(value: str) -> str:
    return _mailbox(value) if value else value


def _code_page(value: str) -> str:
    if value and not charsets.known(value):
        raise ValueError(f"{value!r} is not a code page that ASCII is a part of; example: cp437")
    return value


def _dns_server(value: str) -> str:
    """IP, IP:port or [IPv6]:port."""
    text = value.strip()
    host, _, port = text.rpartition(":") if text.count(":") == 1 or "]:" in text else (text, "", "53")
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        raise ValueError(f"{value!r} is not an IP address; example: 192.0.2.53 or 127.0.0.1:5353") from None
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"{value!r}: {port!r} is not a port")
    return text


Listen = Annotated[str, AfterValidator(_address)]
Domain = Annotated[str, AfterValidator(domain_name)]
Mailbox = Annotated[str, AfterValidator(_mailbox)]
MailboxOrNone = Annotated[str, AfterValidator(_mailbox_or_none)]
CodePage = Annotated[str, AfterValidator(_code_page)]
DnsServer = Annotated[str, AfterValidator(_dns_server)]
