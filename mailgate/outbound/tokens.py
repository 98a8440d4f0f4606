"""Access tokens for XOAUTH2, from the token server of the mail provider (RFC 6749)."""

import asyncio
import json
import math
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from aiosmtplib import SMTPException

from mailgate.settings_outbound import OutboundSettings

_TIMEOUT_SECONDS = 15
_LONGEST_ANSWER = 65_536
_MARGIN_SECONDS = 60  # before its end a token is no longer used: a login takes a while
_DEFAULT_SECONDS = 300  # of a token whose answer does not say how long it lives


class Tokens:
    """The token in use, fetched when there is none. For one event loop."""

    def __init__(self, settings: OutboundSettings) -> None:
        self._url = settings.oauth2_token_url
        self._refresh_token = settings.oauth2_refresh_token
        self._form = {"client_id": settings.oauth2_client_id}
        if settings.oauth2_client_secret:
            self._form["client_secret"] = settings.oauth2_client_secret
        if settings.oauth2_scope:
            self._form["scope"] = settings.oauth2_scope
        self._token = ""
        self._until = 0.0  # time.monotonic()
        self._lock = asyncio.Lock()  # so that sessions that begin together share one

    async def get(self) -> tuple[str, bool]:
        """(token, whether it was fetched just now). Raises SMTPException, with words that hold no secret."""
        async with self._lock:
            if self._token and time.monotonic() < self._until:
                return self._token, False
            answer = await asyncio.to_thread(_ask, self._url, self._asked())
            self._take(answer)
            return self._token, True

    def forget(self, token: str) -> None:
        """The mail server did not take it."""
        if self._token == token:
            self._token = ""

    def _asked(self) -> dict[str, str]:
        if self._refresh_token:
            return {**self._form, "grant_type": "refresh_token", "refresh_token": self._refresh_token}
        return {**self._form, "grant_type": "client_credentials"}

    def _take(self, answer: dict[str, Any]) -> None:
        token = answer.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise SMTPException("the token server answered without an access_token")
        try:
            seconds = float(answer.get("expires_in", _DEFAULT_SECONDS))
        except (TypeError, ValueError):
            seconds = _DEFAULT_SECONDS
        if not math.isfinite(seconds):
            seconds = _DEFAULT_SECONDS
        self._token = token
        self._until = time.monotonic() + max(seconds / 2, seconds - _MARGIN_SECONDS)
        renewed = answer.get("refresh_token")
        if self._refresh_token and isinstance(renewed, str) and renewed:
            self._refresh_token = renewed  # until the next start: the one of the settings is used again then


def _ask(url: str, form: dict[str, str]) -> dict[str, Any]:
    """The answer to a POST (RFC 6749 §4.4.2, §6). Raises SMTPException."""
    request = urllib.request.Request(  # noqa: S310 - https, or loopback: checked at start
        url, urllib.parse.urlencode(form).encode(), {"Accept": "application/json"}
    )
    try:
        with _OPENER.open(request, timeout=_TIMEOUT_SECONDS) as answer:
            read = json.loads(answer.read(_LONGEST_ANSWER))
    except urllib.error.HTTPError as error:
        with error:
            raise SMTPException(f"the token server answered {error.code}{_reason(error)}") from None
    except (OSError, ValueError) as error:
        words = getattr(error, "reason", None) or error
        raise SMTPException(f"no answer of the token server: {words}") from None
    if not isinstance(read, dict):
        raise SMTPException("the token server answered without an access_token")
    return read


def _reason(error: urllib.error.HTTPError) -> str:
    """Its word for what is wrong, such as invalid_grant (RFC 6749 §5.2)."""
    try:
        word = json.loads(error.read(_LONGEST_ANSWER))["error"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f" {word}" if isinstance(word, str) else ""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A secret goes to the host of the settings and to no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)
