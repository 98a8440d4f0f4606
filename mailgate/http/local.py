"""Pages without a login: for people at this machine only.

A web page elsewhere must not reach them through the visitor's own browser: the Host is checked because of DNS
rebinding, the type and Origin of a POST because of forms on other sites.
"""

import re

from fastapi import Request

from mailgate import trust
from mailgate.http import edge
from mailgate.http.bodies import require_json
from mailgate.http.problems import Problem, not_found

_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
_FORWARDING = frozenset({"forwarded", "via", "x-real-ip"})


def is_local(request: Request) -> bool:
    """From this machine, under its own name, and not through a proxy that might stand for the whole world."""
    forwarded = any(
        name in _FORWARDING or name.startswith("x-forwarded") for name in map(str.lower, request.headers)
    )
    host = request.headers.get("host", "")
    return trust.inside(edge.peer(request), trust.LOOPBACK) and not forwarded and bool(_HOST.fullmatch(host))


async def only_local(request: Request) -> None:
    """The dependency of every such page. Raises a 404 problem; of a POST also 403 and 415."""
    if not is_local(request):
        raise not_found()
    if request.method == "POST":
        _own_origin(request)
        require_json(request)


def _own_origin(request: Request) -> None:
    origin = request.headers.get("origin")
    host = request.headers["host"].lower()
    if origin is not None and origin.lower() not in {f"http://{host}", f"https://{host}"}:
        raise Problem(403, "foreign_origin", "this page takes posts from itself only")
