"""Addresses of ours: what a recipient's local part names, and the signed ones that we make.

Signed local parts are lower case only, since Exchange and Notes change case, and at most 64 octets (RFC 5321
§4.5.3.1.1): `r.PAYLOAD.MAC` is a reply address (a conversation and its expiry), `b.PAYLOAD.MAC` the return path
of a mail that we sent (a notice).
"""

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway_core.storage import clock
from mailgate.errors import NotOurDomain, UnknownToken

OPERATOR_NAMES = frozenset({"postmaster", "abuse"})
_MAC_BYTES = 10


@dataclass(frozen=True, slots=True)
class Operator:
    """postmaster or abuse."""

    name: str


@dataclass(frozen=True, slots=True)
class ReplyToken:
    """A reply address of ours; it picks the conversation only."""

    conversation_id: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class ReturnPath:
    """The envelope sender of a notice: what comes here is a bounce of it."""

    notice_id: int


class Typed(NamedTuple):
    """A number or a name, as somebody typed it; `tag` is what followed a + behind it."""

    name: str
    tag: str


Recipient = Operator | ReplyToken | ReturnPath | Typed


def split(address: str) -> tuple[str, str]:
    """(local part without quotes, domain in lower case); the domain is "" when there is none."""
    local, _, domain = address.rpartition("@")
    if not _:
        local, domain = address, ""
    if len(local) > 1 and local[0] == local[-1] == '"':
        local = local[1:-1].replace("\\", "")
    return local, domain.lower().rstrip(".")


def is_signed(address: str) -> bool:
    """Whether it looks like a reply address, whose conversation is in the database."""
    return address[:2] in {"r.", "R."} or address[:3].lower() == '"r.'


def read(address: str, domains: Collection[str], secrets: Sequence[str]) -> Recipient:
    """What a recipient address names. Raises NotOurDomain, UnknownToken."""
    local, domain = split(address)
    name = local.lower()
    if name == "postmaster" and not domain:  # RFC 5321 §4.5.1
        return Operator(name)
    if domain not in domains:
        raise NotOurDomain(
            f"{domain} is not a domain of this gateway" if domain else "the address has no domain"
        )
    if name in OPERATOR_NAMES:
        return Operator(name)
    if name.startswith(("r.", "b.")) and name.count(".") == 2:
        return _read_signed(name, secrets)
    typed, tag = tagged(local)
    return Typed(typed, tag)


def hidden_tag(address: str) -> str:
    """As records show it: what follows a + may be a secret."""
    local, at, domain = address.rpartition("@")
    if not at:
        local, domain = domain, ""
    typed, tag = tagged(local)
    return f"{typed}+...{at}{domain}" if tag else address


def tagged(local: str) -> tuple[str, str]:
    """`447700900123+flash` and `oncall+flash` carry a tag; the + of `+447700900123` does not begin one."""
    head, plus, tag = local[1:].partition("+")
    return (local[:1] + head, tag) if plus else (local, "")


# --- signed ones ------------------------------------------------------------------------------------------


def reply_local(conversation_id: int, expires_at: int, secrets: Sequence[str]) -> str:
    """The local part of a reply address, signed with the first secret; it lives to the end of its last day."""
    return _sign("r", struct.pack(">QI", conversation_id, -(-expires_at // clock.DAY)), secrets[0])


def return_local(notice_id: int, secrets: Sequence[str]) -> str:
    return _sign("b", struct.pack(">Q", notice_id), secrets[0])


def _read_signed(local: str, secrets: Sequence[str]) -> ReplyToken | ReturnPath:
    kind, text, _ = local.split(".")
    payload = _decode(text)
    if payload is None or not any(
        hmac.compare_digest(local.encode(), _sign(kind, payload, secret).encode()) for secret in secrets
    ):
        raise UnknownToken("this address is not one of ours")
    if kind == "b" and len(payload) == 8:
        return ReturnPath(*struct.unpack(">Q", payload))
    if kind == "r" and len(payload) == 12:
        conversation_id, day = struct.unpack(">QI", payload)
        return ReplyToken(conversation_id, day * clock.DAY)
    raise UnknownToken("this address is not one of ours")


def _sign(kind: str, payload: bytes, secret: str) -> str:
    mac = hmac.digest(secret.encode(), f"mailgate address {kind} ".encode() + payload, hashlib.sha256)
    return f"{kind}.{_encode(payload)}.{_encode(mac[:_MAC_BYTES])}"


def _encode(payload: bytes) -> str:
    return base64.b32encode(payload).decode().rstrip("=").lower()


def _decode(text: str) -> bytes | None:
    try:
        return base64.b32decode(text.upper() + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError):
        return None
