"""What `mailgate apply` may write, as models: each key checked before anything is written."""

from typing import Annotated, Any, Literal

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from gateway_core import hours, money, numbers, routing, words
from gateway_core.accounts import Network, Receipts, SenderID, Terms, sender_id
from gateway_core.carriers import CARRIERS
from gateway_core.errors import BadNumber
from gateway_core.settings import Section
from mailgate import addresses, trust
from mailgate.wording import trial


def address(value: str) -> str:
    """One mail address, in the form in which addresses are compared. Domains such as .test are allowed."""
    try:
        checked = validate_email(value, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        raise ValueError(f"{value!r} is not a mail address: {error}") from None
    return trust.normal(checked.normalized)


def _sender_address(value: str) -> str:
    if value == trust.ANYBODY:
        raise ValueError("* is for the embedded default only; name an address or a domain (@acme.example)")
    if value.startswith("@"):
        return address("somebody" + value).removeprefix("somebody")
    return address(value)


def _money(value: Any) -> int:
    if isinstance(value, int | float):
        raise ValueError('write money as a string: "10.00"')  # noqa: TRY004 - pydantic wants ValueError
    return money.parse(str(value))


def _e164(value: str) -> str:
    try:
        return numbers.parse_e164(value)
    except BadNumber as error:
        raise ValueError(f"{value!r}: {error}") from None


def _own_number(value: str) -> str:
    try:
        return numbers.parse_own(value)
    except BadNumber as error:
        raise ValueError(f"{value!r}: {error}") from None


def _prefix(value: str) -> str:
    if value != "*" and not (value.startswith("+") and value[1:].isdigit()):
        raise ValueError(f"{value!r} must be * or a prefix such as +44")
    return value


def _target(value: str) -> str:
    if value.startswith(("http://", "https://")):
        raise ValueError("URLs are for a later version; this one forwards to mailto:somebody@example.com")
    if not value.startswith("mailto:"):
        raise ValueError(f"{value!r} must be mailto:somebody@example.com")
    return "mailto:" + address(value.removeprefix("mailto:"))


def _destination(value: str) -> str:
    """A region such as GB, or a prefix."""
    return value.upper() if len(value) == 2 and value.isalpha() else _prefix(value)


def _resend(value: int | str) -> str:
    if str(value) not in {"never", "once", "idempotent"} and not str(value).isdigit():
        raise ValueError("must be never, once, a number, or idempotent")
    return str(value)


def _word(value: str) -> str:
    """As texts are compared with it; * is for what begins with no other."""
    word = value if value == "*" else words.normal(value)
    if not word:
        raise ValueError("must have a letter or a digit, or be *")
    return word


def _off(value: Any) -> Any:
    if value:
        raise ValueError("reserved; this version does not have it yet")
    return value


Mailbox = Annotated[str, AfterValidator(address)]
Money = Annotated[int, BeforeValidator(_money)]
Prefix = Annotated[str, AfterValidator(_prefix)]
Target = Annotated[str, AfterValidator(_target)]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]
Key = Annotated[str, Field(pattern="^[0-9a-fA-F]{40}$")]
Reserved = Annotated[Any, AfterValidator(_off)]
Word = Annotated[str, Field(max_length=40), AfterValidator(_word)]


def _sender_id_or_kind(value: str) -> str:
    return value if value in routing.KINDS else sender_id(value)


SenderIDKind = Annotated[str, AfterValidator(_sender_id_or_kind)]


def _hours(value: str) -> str:
    hours.parse(value)
    return value


class SenderRow(Section):
    address: Annotated[str, AfterValidator(_sender_address)]
    ips: tuple[Network, ...] = trust.LOOPBACK
    accept: Literal["ip", "dmarc", "ip-or-dmarc", "ip-and-dmarc", "spf", "auth", "secret"] = "ip"
    monitoring: bool = False
    lists: bool = False
    password: str = Field("", max_length=1024, repr=False)
    secret: str = Field("", pattern=r"^([A-Za-z0-9._-]{8,40})?$", repr=False)  # it fits a local part
    destinations: tuple[Annotated[str, AfterValidator(_destination)], ...] = ("*",)
    sender_ids: tuple[SenderID, ...] = ()
    hours: Annotated[str, AfterValidator(_hours)] = ""
    daily_spend: Money | None = Field(None, validate_default=False)
    recipients: Literal["envelope", "body", "subject"] = "envelope"
    receipts: Receipts | Literal[""] = ""
    remove: bool = False


class ContactRow(Section):
    remove: bool = False  # the first one: less is asked of the others then
    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9._-]*$", max_length=64)
    numbers: tuple[Annotated[str, AfterValidator(_e164)], ...] = Field(
        (), max_length=1000, validate_default=True
    )

    @field_validator("name")
    @classmethod
    def _reachable(cls, value: str, known: ValidationInfo) -> str:
        if value.lower() in addresses.OPERATOR_NAMES and not known.data.get("remove"):
            raise ValueError(f"mail to {value} goes to the operator; choose another name")
        return value

    @field_validator("numbers")
    @classmethod
    def _somebody(cls, value: tuple[str, ...], known: ValidationInfo) -> tuple[str, ...]:
        if not value and not known.data.get("remove"):
            raise ValueError("name at least one number")
        return value


def _templates(value: dict[str, str]) -> dict[str, str]:
    trial.check(value)
    return value


class AccountRow(Terms):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)
    billing: Literal["prepaid", "invoice"] = "prepaid"
    currency: Currency = "GBP"
    opening_credit: Money = Field(0, validate_default=False)
    credit_limit: Money = Field(0, validate_default=False)
    credit_alarm: Money | None = Field(None, validate_default=False)
    max_price: Money | None = Field(None, validate_default=False)
    alarm_to: tuple[Mailbox, ...] = ()
    replies_to: tuple[Mailbox, ...] = ()
    statement_to: tuple[Mailbox, ...] = ()
    destinations: tuple[Annotated[str, AfterValidator(_destination)], ...] = ("*",)
    templates: Annotated[dict[str, str], AfterValidator(_templates)] = Field(default_factory=dict)
    api_keys: tuple[Key, ...] = ()
    sender: tuple[SenderRow, ...] = ()
    contact: tuple[ContactRow, ...] = ()
    quiet_hours: Reserved = ""
    storm: Reserved = ""


class NumberRow(Section):
    msisdn: Annotated[str, AfterValidator(_own_number)]
    account: str = ""
    shared: bool = False
    pool: bool = True
    forward_to: tuple[Target, ...] = ()
    remove: bool = False


class KeywordRow(Section):
    number: Annotated[str, AfterValidator(_own_number)]
    word: Word
    account: str
    forward_to: tuple[Target, ...] = ()
    remove: bool = False


class RouteRow(Section):
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)
    carrier: str
    settings: dict[str, Any] = Field(default_factory=dict)
    prefixes: tuple[Prefix, ...] = ("*",)
    priority: int = Field(10, ge=0, le=1_000_000)
    weight: int = Field(1, ge=0, le=1_000_000)
    segments_per_second: int = Field(0, ge=0, le=1_000_000)
    resend: Annotated[str, BeforeValidator(_resend)] = "once"
    paused: bool = False
    accounts: tuple[str, ...] = ()
    sender_ids: tuple[SenderIDKind, ...] = ()
    costs: dict[Prefix, Money] = Field(default_factory=dict)

    @field_validator("carrier")
    @classmethod
    def _carrier(cls, value: str) -> str:
        if value not in CARRIERS:
            raise ValueError(f"{value!r} is not a carrier; known: {', '.join(CARRIERS)}")
        return value


class SenderIDRuleRow(Section):
    prefix: Prefix
    allowed: tuple[SenderIDKind, ...] = ()
    instead: SenderID = ""
    remove: bool = False


class PriceRow(Section):
    prefix: Prefix
    per_segment: Money
    currency: Currency
    remove: bool = False


class Document(Section):
    """A whole file for `mailgate apply`; each row is checked again together with what is stored."""

    account: tuple[dict[str, Any], ...] = ()
    number: tuple[dict[str, Any], ...] = ()
    keyword: tuple[dict[str, Any], ...] = ()
    route: tuple[dict[str, Any], ...] = ()
    price: tuple[dict[str, Any], ...] = ()
    sender_id_rule: tuple[dict[str, Any], ...] = ()
