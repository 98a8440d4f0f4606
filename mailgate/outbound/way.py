"""Where mail goes by the settings, checked once at start. Everything here raises SettingsError."""

import ipaddress
import ssl
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from gateway_core.errors import SettingsError
from mailgate.settings_outbound import OutboundSettings

MX = "mx"
_PORTS = {"smtp": 25, "smtps": 465}
_OAUTH2 = ("client_id", "client_secret", "scope", "refresh_token")
_SIGNING = ("dkim_domain", "dkim_selector", "dkim_key")


@dataclass(frozen=True, slots=True)
class Smarthost:
    """One server that takes all mail. `tls`: from the first byte. `needs_tls`: else nothing is said to it."""

    host: str
    port: int
    tls: bool
    needs_tls: bool
    context: ssl.SSLContext
    user: str = ""
    password: str = field(default="", repr=False)


def read(settings: OutboundSettings) -> Smarthost | None:
    """None where there is no smarthost: straight to the exchanges of each domain (`mx`), or nowhere ("")."""
    if settings.smarthost in {"", MX}:
        _refuse_extras(settings)
        return None
    url = _url(settings.smarthost)
    user, password = unquote(url.username or ""), unquote(url.password or "")
    _check_login(settings, user, password)
    host = str(url.hostname)
    return Smarthost(
        host=host,
        port=url.port or _PORTS[url.scheme],
        tls=url.scheme == "smtps",
        needs_tls=settings.require_tls or (bool(user) and not is_loopback(host)),
        context=_context(settings),
        user=user,
        password=password,
    )


def is_loopback(host: str) -> bool:
    """Whether what is said to this host stays on this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"  # RFC 6761 §6.3; any other name is what the DNS says today


def check_signing(settings: OutboundSettings) -> bool:
    """Whether mail is signed."""
    missing = [name for name in _SIGNING if not getattr(settings, name)]
    if missing and len(missing) < len(_SIGNING):
        raise SettingsError(f"outbound.{missing[0]}: needed too: DKIM takes {', '.join(_SIGNING)}")
    return not missing


def _url(text: str) -> SplitResult:
    try:
        url = urlsplit(text)
        if url.scheme in _PORTS and url.hostname and (url.port is None or url.port > 0):
            return url
    except ValueError:
        pass
    raise SettingsError("outbound.smarthost: must be smtp://user:secret@host:587, smtps://… or mx")


def _refuse_extras(settings: OutboundSettings) -> None:
    """What only a smarthost has, although there is none."""
    names = ["tls_ca", "oauth2_token_url", *(f"oauth2_{name}" for name in _OAUTH2)]
    given = [name for name in names if getattr(settings, name)]
    if not settings.verify_certificates:
        given.append("verify_certificates")
    if given:
        why = "those of mail exchanges are never verified (RFC 7435)" if settings.smarthost else "none is set"
        raise SettingsError(f"outbound.{given[0]}: is for a smarthost; {why}")


def _check_login(settings: OutboundSettings, user: str, password: str) -> None:
    url = settings.oauth2_token_url
    if not url:
        if bool(user) != bool(password):
            raise SettingsError(
                "outbound.smarthost: a login takes a user and a secret: smtp://user:secret@host"
            )
        for name in _OAUTH2:
            if getattr(settings, f"oauth2_{name}"):
                raise SettingsError(f"outbound.oauth2_{name}: set without outbound.oauth2_token_url")
        return
    if not user or password:
        raise SettingsError(
            "outbound.smarthost: with oauth2_token_url it names the user only: smtp://user@host"
        )
    try:
        parsed = urlsplit(url)
        host, secure = parsed.hostname or "", parsed.scheme == "https"
        usable = bool(host) and (parsed.port is None or parsed.port > 0)
    except ValueError:
        usable = False
    if not usable or not (secure or (parsed.scheme == "http" and is_loopback(host))):
        raise SettingsError("outbound.oauth2_token_url: must be https://…; http:// only on this machine")
    if not settings.oauth2_client_id:
        raise SettingsError("outbound.oauth2_client_id: needed with outbound.oauth2_token_url")
    if not (settings.oauth2_client_secret or settings.oauth2_refresh_token):
        raise SettingsError("outbound.oauth2_client_secret: needed without outbound.oauth2_refresh_token")


def _context(settings: OutboundSettings) -> ssl.SSLContext:
    path = settings.tls_ca
    if path and not settings.verify_certificates:
        raise SettingsError("outbound.tls_ca: verifies nothing with outbound.verify_certificates = false")
    try:
        context = ssl.create_default_context(cafile=path or None)
    except ssl.SSLError as error:
        raise SettingsError(f"outbound.tls_ca: {path}: holds no PEM certificate ({error.reason})") from None
    except OSError as error:
        raise SettingsError(f"outbound.tls_ca: {path}: {error.strerror or error}") from None
    if not settings.verify_certificates:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
