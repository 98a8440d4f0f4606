"""The server's certificate: loaded with modern defaults, and again when its files change."""

import datetime as dt
import os
import re
import ssl
from pathlib import Path

import structlog

from gateway_core.errors import SettingsError

# RFC 9325 §4.2: forward secrecy and AEAD only. TLS 1.3 has nothing else; its suites are OpenSSL's own list.
_TLS_1_2_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_CERTIFICATE, _KEY = "smtp.tls_certificate", "smtp.tls_key"

_Stamp = tuple[tuple[int, int, int], ...]

log = structlog.get_logger(__name__)


class Certificates:
    """A PEM certificate with its chain, and its PEM key.

    Raises SettingsError, naming smtp.tls_certificate or smtp.tls_key, when one of them is missing, cannot be read,
    is no PEM, is encrypted, or does not belong to the other.
    """

    def __init__(self, certificate: str, key: str) -> None:
        self._certificate, self._key = certificate, key
        if not certificate:
            raise SettingsError(f"{_CERTIFICATE}: needed beside {_KEY}")
        if not key:
            raise SettingsError(f"{_KEY}: needed beside {_CERTIFICATE}; it may be the same file")
        self._seen = self._stamp()
        self._context = _new_context()
        self._not_after = _load(self._context, certificate, key)

    @property
    def context(self) -> ssl.SSLContext:
        """For servers; to be asked for at each connection, since a new pair comes with a new context."""
        return self._context

    @property
    def not_after(self) -> dt.datetime:
        """When the certificate in use expires, in UTC."""
        return self._not_after

    def reload_if_changed(self) -> bool:
        """True when new files were loaded. A pair that cannot be used leaves the old one, with one line in the log.

        Two stat calls when nothing changed.
        """
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        try:
            # A context of its own: OpenSSL keeps a certificate for each kind of key, so an old one would stay in use.
            fresh = _new_context()
            not_after = _load(fresh, self._certificate, self._key)
            if self._stamp() != stamp:
                return False  # being written just now: the next call sees a stamp that it does not know
            self._context, self._not_after = fresh, not_after
        except SettingsError as error:
            self._seen = stamp
            log.error("new certificate not loaded, the old one stays in use", why=str(error))  # noqa: TRY400
            return False
        self._seen = stamp
        log.info("certificate loaded", expires=self._not_after.isoformat())
        return True

    def _stamp(self) -> _Stamp:
        return tuple(_stamp_of(path) for path in (self._certificate, self._key))


def _stamp_of(path: str) -> tuple[int, int, int]:
    """What changes when a file is written in place, replaced, or when a link to it is turned."""
    try:
        found = os.stat(path)  # noqa: PTH116 - follows links, as the reading does
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _new_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996
    context.set_ciphers(_TLS_1_2_CIPHERS)
    # CRIME; renegotiation as a lever for denial of service; our order, so that AES-GCM beats an odd client's choice.
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    return context


def _load(context: ssl.SSLContext, certificate: str, key: str) -> dt.datetime:
    """Load the pair; the certificate's end. Raises SettingsError."""
    pem = _PEM.search(_read(_CERTIFICATE, certificate))
    if pem is None:
        raise SettingsError(f"{_CERTIFICATE}: {certificate}: holds no PEM certificate")
    if "PRIVATE KEY-----" not in _read(_KEY, key):
        raise SettingsError(f"{_KEY}: {key}: holds no PEM private key")
    asked: list[bool] = []

    def no_password() -> str:  # else OpenSSL asks at the terminal, and waits
        asked.append(True)
        return ""

    try:
        context.load_cert_chain(certificate, key, no_password)
        return _not_after(ssl.PEM_cert_to_DER_cert(pem[0]))
    except (ssl.SSLError, OSError, ValueError, IndexError) as error:
        if asked:
            raise SettingsError(f"{_KEY}: {key}: is encrypted; store it without a password") from None
        raise SettingsError(_why(error, certificate, key)) from None


def _read(setting: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="latin-1")  # PEM is ASCII; comments around it may be anything
    except OSError as error:
        raise SettingsError(f"{setting}: {path}: {error.strerror or error}") from None


def _why(error: Exception, certificate: str, key: str) -> str:
    reason = (error.reason if isinstance(error, ssl.SSLError) else None) or str(error)
    if reason == "KEY_VALUES_MISMATCH":
        return f"{_KEY}: {key}: does not belong to the certificate {certificate}"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(certificate)
    except (ssl.SSLError, OSError):
        return f"{_CERTIFICATE}: {certificate}: not a certificate that OpenSSL can read ({reason})"
    return f"{_KEY}: {key}: not a key that OpenSSL can use with {certificate} ({reason})"


def _not_after(der: bytes) -> dt.datetime:
    """The end of a certificate's validity (RFC 5280 §4.1), which the ssl module tells of verified peers only."""
    _, outer, _ = _element(der)
    _, fields, _ = _element(outer)
    tag, _, rest = _element(fields)
    skipped = 4 if tag == 0xA0 else 3  # version (if explicit), serialNumber, signature, issuer
    for _ in range(skipped - 1):
        _, _, rest = _element(rest)
    _, validity, _ = _element(rest)
    _, _, rest = _element(validity)  # notBefore
    tag, value, _ = _element(rest)
    text = value.decode("ascii")
    if tag == 0x17:  # UTCTime has two digits for the year, 50 is 1950 (RFC 5280 §4.1.2.5.1)
        text = ("19" if text[:2] >= "50" else "20") + text
    return dt.datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=dt.UTC)


def _element(der: bytes) -> tuple[int, bytes, bytes]:
    """Tag, content, and what follows the first element (X.690 §8.1)."""
    tag, length, start = der[0], der[1], 2
    if length >= 0x80:
        start += length - 0x80
        length = int.from_bytes(der[2:start], "big")
    return tag, der[start : start + length], der[start + length :]
