"""Who is asking: an API key, used from where its account allows."""

import hmac
import re

from fastapi import Request

from gateway_core.accounts import Account, key_digest
from gateway_core.errors import UnknownSender
from mailgate import trust
from mailgate.http import edge as edges
from mailgate.http.problems import Problem

_BEARER = re.compile(r"bearer +([0-9a-f]{40})", re.IGNORECASE)
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="mailgate"'}  # RFC 6750 §3
_NO_KEY = "this needs an API key: Authorization: Bearer KEY"  # the same for a missing, bad and unknown key
_NO_OPERATOR = "this needs a key of the operator: Authorization: Bearer KEY"
_NOT_FROM_HERE = "this key may not be used from this address"


def operator(request: Request) -> None:
    """Whether the request has a key of the operator (http.operator_keys). Raises a 401 problem, and leaves a record."""
    edge = edges.of(request)
    found = _BEARER.fullmatch(request.headers.get("authorization", "").strip())
    given = key_digest(found[1]) if found else ""
    known = edge.intake.settings.http.operator_keys
    if not any(hmac.compare_digest(given, key_digest(key)) for key in known):
        edge.refused(edges.peer(request), UnknownSender.code, _NO_OPERATOR)
        raise Problem(401, UnknownSender.code, _NO_OPERATOR, headers=_CHALLENGE)


def caller(request: Request) -> Account:
    """The account of the request's key. Raises a 401 or 403 problem, and leaves a record of it."""
    edge, peer = edges.of(request), edges.peer(request)
    found = _BEARER.fullmatch(request.headers.get("authorization", "").strip())
    snapshot = edge.gateway.snapshot
    account_id = snapshot.keys.get(key_digest(found[1])) if found else None
    account = snapshot.accounts.get(account_id) if account_id is not None else None
    if account is None:
        edge.refused(peer, UnknownSender.code, _NO_KEY)
        raise Problem(401, UnknownSender.code, _NO_KEY, headers=_CHALLENGE)
    if not trust.inside(peer, account.terms.api_ips):
        edge.refused(peer, UnknownSender.code, _NOT_FROM_HERE, account=account.name)
        raise Problem(403, UnknownSender.code, _NOT_FROM_HERE)
    return account
