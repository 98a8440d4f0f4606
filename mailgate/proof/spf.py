"""Whether a domain lets an IP address send its mail (RFC 7208)."""

import ipaddress
from typing import Any

import spf  # type: ignore[import-untyped]

from mailgate.proof.names import DnsTrouble, Names

_RESULTS = frozenset({"pass", "fail", "softfail", "neutral", "none", "permerror"})
# Records of this kind stay under 512 octets (RFC 7208, section 3.4). The library's expressions take a time that
# grows with the square of the length.
_LONGEST_RECORD = 4096


class _Query(spf.query):  # type: ignore[misc]
    """The library's evaluation with our lookups; its own would ask the system's resolver, without an end."""

    def __init__(self, names: Names, ip: str, mail_from: str, helo: str, deadline: float) -> None:
        super().__init__(
            i=ip, s=mail_from, h=helo, strict=True
        )  # True: as the RFC says; 2 is for a validator
        self._names = names
        self._deadline = deadline

    def dns(self, name: Any, qtype: str, cnames: Any = None, ignore_void: bool = False) -> list[Any]:  # noqa: ARG002
        found = self._names.lookup(str(name), qtype, self._deadline)
        if not found and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > spf.MAX_VOID_LOOKUPS:
                raise spf.PermError(f"Void lookup limit of {spf.MAX_VOID_LOOKUPS} exceeded")
        if qtype != "TXT":
            return found
        if any(len(text) > _LONGEST_RECORD and spf.RE_SPF.match(text) for text in found):
            raise spf.PermError("The record is too long")
        return [[text] for text in found]

    def get_explanation(self, spec: str) -> str:  # noqa: ARG002
        """None is shown, so none is asked for; and the library would swallow every error of asking."""
        return ""


def check(names: Names, ip: str, mail_from: str, helo: str, deadline: float) -> str:
    """pass, fail, softfail, neutral, none or permerror. A null sender is none: HELO proves no account.

    `deadline` is a moment of time.monotonic(). Raises DnsTrouble where the RFC says temperror.
    """
    local, at, domain = mail_from.rpartition("@")
    # The library cuts at the first @, everybody else at the last: with two it would ask another domain.
    if not at or not domain or "@" in local or not mail_from.isascii():
        return "none"
    try:
        ip = str(ipaddress.ip_address(ip.partition("%")[0]))
    except ValueError:
        return "none"  # the library takes words like "list" for an address
    try:
        result = _Query(names, ip, f"{local}@{domain.rstrip('.')}", helo or "unknown", deadline).check()[0]
    except DnsTrouble:
        raise
    except Exception:  # noqa: BLE001 - the library on a record made to break it; the record is at fault
        return "permerror"
    if result == "temperror":
        raise DnsTrouble(f"SPF of {domain}")
    return result if result in _RESULTS else "permerror"
