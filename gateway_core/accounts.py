"""Accounts: who pays, and on which terms."""

import hashlib
import ipaddress
import zoneinfo
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

import phonenumbers
from pydantic import AfterValidator, Field
from sqlalchemy import Connection, select

from gateway_core.settings import Section
from gateway_core.storage import tables


def _region(value: str) -> str:
    if value.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("must be a two-letter region such as GB")
    return value.upper()


def _timezone(value: str) -> str:
    if value not in zoneinfo.available_timezones():
        raise ValueError("must be a time zone such as Europe/London")
    return value


def _network(value: str) -> str:
    return str(ipaddress.ip_network(value, strict=False))


def sender_id(value: str) -> str:
    """Alphanumeric: 1 to 11 characters (3GPP TS 23.040 §9.1.2.5). Else digits, perhaps with +."""
    digits = value.removeprefix("+")
    if digits.isdigit() and digits.isascii() and 3 <= len(digits) <= 15:
        return value
    if value and (len(value) > 11 or not value.isascii() or not value.isprintable()):
        raise ValueError("must be a number, or up to 11 letters and digits")
    return value


def _percent(value: str) -> str:
    try:
        good = not value or 0 <= Decimal(value) <= 100
    except InvalidOperation:
        good = False
    if not good:
        raise ValueError('must be a percentage such as "20" or "7.7"')
    return value


def _mark(value: str) -> str:
    if not 2 <= len(value) <= 80 or not value.isprintable() or value != value.strip():
        raise ValueError("must have 2 to 80 characters, in one line, without blanks around them")
    return value


def _limit() -> Any:
    """Segments; 0: no limit."""
    return Field(0, ge=0, le=1_000_000_000)


Network = Annotated[str, AfterValidator(_network)]
SenderID = Annotated[str, AfterValidator(sender_id)]
Mark = Annotated[str, AfterValidator(_mark)]
_STOP_REPLY = "You will get no more texts from us. Text START to get them again."
_START_REPLY = "You will get texts from us again. Text STOP to end them."
Receipts = Literal["none", "failures", "all", "digest"]
WHOSE, PER = ("", "sender_", "handset_"), ("minute", "day")  # limits in segments
ANYWHERE: tuple[str, ...] = ("0.0.0.0/0", "::/0")


class Terms(Section):
    """Everything that an account's row says but its name and money. Changed by `apply`, kept as JSON."""

    credit_alarm: int | None = None  # 1/10,000; the balance that is worth an alarm
    statement_to: tuple[str, ...] = ()  # mail addresses
    vat_percent: Annotated[str, AfterValidator(_percent)] = ""
    refunds: Literal["unaccepted", "undelivered", "none"] = "unaccepted"  # refunds.GIVEN_BACK
    alarm_to: tuple[str, ...] = ()
    replies_to: tuple[str, ...] = ()
    sender_id: SenderID = ""
    region: Annotated[str, AfterValidator(_region)] = "GB"
    timezone: Annotated[str, AfterValidator(_timezone)] = "Europe/London"
    receipts: Receipts = "failures"
    digest_minutes: int = Field(60, ge=1, le=7 * 24 * 60)  # the longest that a digest waits for the last text
    delay_warning_minutes: int = Field(240, ge=0, le=30 * 24 * 60)  # not ended by then: a warning; 0: none
    language: Literal["en", "de", "fr", "es"] = "en"  # of what is mailed
    templates: dict[str, str] = Field(default_factory=dict)  # by name; opaque to the core
    replies_per_hour: int = Field(30, ge=0, le=1000)  # of one handset, mailed to one mailbox; 0: no cap
    text_from: Literal["body", "subject", "both", "auto"] = "auto"
    markers: tuple[tuple[Mark, Mark], ...] = Field((), max_length=10)  # before and behind the text of a mail
    end_markers: tuple[Mark, ...] = Field((), max_length=10)  # whole lines that end it
    footers: tuple[Mark, ...] = Field((), max_length=20)  # how lines begin that end it, as a company's notice
    max_group: int = Field(100, ge=1, le=1000)  # numbers that one name, or a mail's own lines, may reach
    max_segments: int = Field(3, ge=1, le=255)  # 255: the UDH's octet (3GPP TS 23.040 §9.2.3.24.1)
    too_long: Literal["refuse", "truncate"] = "refuse"
    unsupported: Literal["unicode", "transliterate", "remove", "refuse"] = "unicode"
    validity_minutes: int = Field(2880, ge=1, le=60 * 24 * 30)
    receipt_grace_minutes: int = Field(4320, ge=1, le=60 * 24 * 30)
    destinations: tuple[str, ...] = ("*",)
    max_price: int | None = None  # 1/10,000 a segment; dearer destinations are not allowed
    segments_per_minute: int = _limit()
    segments_per_day: int = _limit()
    sender_segments_per_minute: int = _limit()
    sender_segments_per_day: int = _limit()
    handset_segments_per_minute: int = _limit()
    handset_segments_per_day: int = _limit()
    stop_words: tuple[Mark, ...] = Field((), max_length=50)  # besides optouts.STOP
    start_words: tuple[Mark, ...] = Field((), max_length=50)
    stop_reply: str = Field(_STOP_REPLY, max_length=300)  # the one text that confirms; "": none
    start_reply: str = Field(_START_REPLY, max_length=300)
    duplicate_window_minutes: int = Field(
        0, ge=0, le=7 * 24 * 60
    )  # the same text again is not texted; 0: it is
    api_ips: tuple[Network, ...] = ANYWHERE
    test: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    id: int
    name: str
    billing: str
    currency: str
    credit_limit: int
    terms: Terms
    limited: bool = False  # whether any limit in segments is set: asked for each text


_a = tables.account.c
_ACCOUNTS = select(_a.id, _a.name, _a.billing, _a.currency, _a.credit_limit, _a.terms)


def load(conn: Connection) -> dict[int, Account]:
    return {row.id: _account(row) for row in conn.execute(_ACCOUNTS)}


def get(conn: Connection, account_id: int) -> Account:
    """As its row is now. Raises NoResultFound."""
    return _account(conn.execute(_ACCOUNTS.where(_a.id == account_id)).one())


def _account(row: Any) -> Account:
    terms = Terms.model_validate(row.terms)
    limited = any(getattr(terms, f"{whose}segments_per_{per}") for whose in WHOSE for per in PER)
    return Account(row.id, row.name, row.billing, row.currency, row.credit_limit, terms, limited)


def key_digest(key: str) -> str:
    """What is kept of an API key. Keys are 160 random bits, so a fast hash is enough."""
    return hashlib.sha256(key.lower().encode()).hexdigest()


def load_keys(conn: Connection) -> dict[str, int]:
    """Account id by digest of key."""
    k = tables.api_key.c
    return {row.digest: row.account_id for row in conn.execute(select(k.digest, k.account_id))}
