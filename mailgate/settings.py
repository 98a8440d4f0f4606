"""Settings: a TOML file, each key overridable by environment, read once and passed on.

`MAILGATE_SMTP__LISTEN='["127.0.0.1:8025"]'` sets `listen` of `[smtp]`; values are TOML or JSON, or plain words.
"""

import difflib
import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import BaseModel, Field, ValidationError, ValidationInfo, field_validator

from gateway_core.accounts import Network
from gateway_core.errors import SettingsError
from gateway_core.settings import DatabaseSettings, QueueSettings, Section
from mailgate.setting_types import CodePage, DnsServer, Domain, Listen, MailboxOrNone
from mailgate.settings_outbound import OutboundSettings

PREFIX = "MAILGATE_"
_OWN_VARIABLES = {"MAILGATE_CONFIG"}


class SecuritySettings(Section):
    secrets: tuple[str, ...] = Field(
        (), description="The first signs reply addresses, all verify. Embedded default: kept in var/secret"
    )


class MailSettings(Section):
    domains: tuple[Domain, ...] = Field(
        ("sms.localhost",), min_length=1, description="What follows the @ of number@domain"
    )
    operator: MailboxOrNone = Field("", description="Where postmaster and abuse go; empty: the outbox")
    trusted_relays: tuple[Network, ...] = Field(
        (), description="Networks of mail servers whose Authentication-Results is believed"
    )
    authserv_id: str = Field(
        "", validate_default=True, description="The name under which they write it (RFC 8601)"
    )
    dns_servers: tuple[DnsServer, ...] = Field(
        (), description="Asked for SPF, DKIM, DMARC and MX: IP or IP:port; empty: the system's"
    )
    reply_token_days: int = Field(30, ge=1, le=3650, description="Life of a reply address")

    @field_validator("authserv_id")
    @classmethod
    def _authserv_id(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("trusted_relays") and not value.strip():
            raise ValueError("needed with mail.trusted_relays: without it any sender could write the field")
        return value.strip().lower()


class SmtpSettings(Section):
    listen: tuple[Listen, ...] = Field(
        ("127.0.0.1:8025",),
        min_length=1,
        description="Addresses for mail, plain; STARTTLS with a certificate; *: every address",
    )
    listen_tls: tuple[Listen, ...] = Field((), description="Addresses for mail, TLS from the first byte")
    tls_certificate: str = Field(
        "", validate_default=True, description="PEM file with its chain, read again when it changes"
    )
    tls_key: str = Field("", validate_default=True, description="Its PEM key, without a password")
    processes: int = Field(1, ge=1, le=64, description="How many processes serve mail")
    max_message_bytes: int = Field(26_214_400, ge=1024, description="A larger mail is refused (552)")
    max_inflight_bytes: int = Field(
        268_435_456, ge=1024, description="Mail under way in memory; beyond, a mail is refused for now (452)"
    )
    proxy_protocol_from: tuple[Network, ...] = Field(
        (), description="Networks of load balancers that speak the PROXY protocol"
    )

    @field_validator("tls_certificate")
    @classmethod
    def _certificate(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("listen_tls") and not value:
            raise ValueError("needed for smtp.listen_tls")
        return value

    @field_validator("tls_key")
    @classmethod
    def _key(cls, value: str, info: ValidationInfo) -> str:
        certificate = info.data.get("tls_certificate", value)
        if certificate and not value:
            raise ValueError("needed beside smtp.tls_certificate; it may be the same file")
        if value and not certificate:
            raise ValueError("set without smtp.tls_certificate")
        return value


OperatorKey = Annotated[str, Field(pattern="^[0-9a-fA-F]{40}$")]


class HttpSettings(Section):
    listen: Listen = Field("127.0.0.1:8080", description="Address of the HTTP entry point and the pages")
    public_url: str = Field("http://127.0.0.1:8080", description="How users reach it")
    forwarded_from: tuple[Network, ...] = Field(
        (), description="Networks of proxies whose X-Forwarded-For is believed"
    )
    operator_keys: tuple[OperatorKey, ...] = Field(
        (), description="Keys of the operator's own programs, 40 hex digits each", repr=False
    )


class LimitsSettings(Section):
    connections: int = Field(20, ge=0, le=1_000_000, description="At once, from one peer; 0: no limit")
    connections_per_minute: int = Field(60, ge=0, le=1_000_000, description="From one peer; 0: no limit")


class LegacySettings(Section):
    """What forgotten devices need. Each switch bends one rule, for the peers in `ips` only."""

    ips: tuple[Network, ...] = Field(min_length=1, description="Networks of the devices")
    hide_starttls: bool = Field(False, description="Do not offer STARTTLS")
    repair_line_ends: bool = Field(False, description="A bare LF or CR in a mail becomes CRLF")
    charset: CodePage = Field("", description="Code page of 8-bit text that declares none")
    recipients_from_to: bool = Field(False, description="The To field counts, not the envelope")
    record_first_contact: bool = Field(False, description="Keep the first session of each device")


class Settings(Section):
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    queue: QueueSettings = Field(default_factory=QueueSettings)
    security: SecuritySettings = Field(default_factory=SecuritySettings)
    mail: MailSettings = Field(default_factory=MailSettings)
    smtp: SmtpSettings = Field(default_factory=SmtpSettings)
    http: HttpSettings = Field(default_factory=HttpSettings)
    limits: LimitsSettings = Field(default_factory=LimitsSettings)
    outbound: OutboundSettings = Field(default_factory=OutboundSettings)
    legacy: dict[str, LegacySettings] = Field(default_factory=dict)

    @property
    def data(self) -> Path:
        """Where files of the running program go: beside the SQLite database, else ./var."""
        name = self.database.url.removeprefix("sqlite:///")
        return Path(name).parent if name != self.database.url else Path("var")


# What CONTRACT names and this version does not do yet: said plainly, instead of being ignored.
RESERVED = {"imap": set[str]()}


def load(path: str | None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this start. Raises SettingsError: one line that names the key, and the nearest known one."""
    variables = os.environ if environ is None else environ
    values = _from_file(path or variables.get("MAILGATE_CONFIG"))
    for name, value in variables.items():
        if name.startswith(PREFIX) and name not in _OWN_VARIABLES:
            _override(values, name, value)
    return _checked(values)


def is_embedded_default(path: str | None, environ: Mapping[str, str] | None = None) -> bool:
    """No settings file was given: demo account, data under ./var."""
    variables = os.environ if environ is None else environ
    return not (path or variables.get("MAILGATE_CONFIG"))


def _from_file(path: str | None) -> dict[str, Any]:
    if not path:
        return {}
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not TOML: {error}") from None


def _override(values: dict[str, Any], name: str, value: str) -> None:
    section, separator, key = name.removeprefix(PREFIX).lower().partition("__")
    if not separator:
        raise SettingsError(f"{name}: not a setting; the form is {PREFIX}SECTION__KEY")
    place = values.setdefault(section, {})
    if not isinstance(place, dict):
        raise SettingsError(f"{section}: must be a section")
    place[key] = _value(value)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # a plain word


def _checked(values: dict[str, Any]) -> Settings:
    for section, content in values.items():
        keys = set(content) if isinstance(content, dict) else set[str]()
        unbuilt = keys & RESERVED.get(section, set()) if section in RESERVED else set[str]()
        if unbuilt or (section in RESERVED and section not in Settings.model_fields):
            name = f"{section}.{min(unbuilt)}" if unbuilt else section
            raise SettingsError(f"{name}: reserved; this version does not have it yet")
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(explain(error, Settings)) from None


_WORDS = {  # what TOML calls it, not what Python does
    "tuple_type": 'must be a list, such as ["one", "two"]',
    "model_type": "must be a section",
    "dict_type": "must be a section",
}


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """The first fault of a validation as one line: where, what, and the nearest known key."""
    fault = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in fault["loc"])
    if fault["type"] != "extra_forbidden":
        words = _WORDS.get(fault["type"], fault["msg"].removeprefix("Value error, "))
        return f"{where}: {words}"
    near = difflib.get_close_matches(str(fault["loc"][-1]), _known(model, fault["loc"][:-1]), n=1, cutoff=0.0)
    return f"{where}: unknown key" + (f"; the nearest known one is {near[0]}" if near else "")


def _known(model: type[BaseModel], where: tuple[int | str, ...]) -> list[str]:
    for part in where:
        field = model.model_fields.get(str(part))
        annotation = field.annotation if field else None
        for found in (annotation, *get_args(annotation)):  # a section, or a dict of them: [legacy.NAME]
            if isinstance(found, type) and issubclass(found, BaseModel):
                model = found
    return list(model.model_fields)
