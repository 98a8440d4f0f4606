"""What every endpoint needs of its process, and what it needs to know of a request's other end."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import cast

from fastapi import Request

from gateway_core.gateway import Gateway
from gateway_core.process import Process
from gateway_core.refusals import Refusal, record
from mailgate import trust
from mailgate.checks import Intake
from mailgate.http.problems import RETRY_SECONDS, Problem


@dataclass
class Edge:
    """`in_progress` and `beat` are touched in the event loop only."""

    intake: Intake
    process: Process
    embedded: bool
    draining: Callable[[], bool]
    in_progress: set[tuple[int, str]] = field(default_factory=set)  # (account, idempotency key)
    beat: Future[None] | None = None  # the commit that /readyz waits for

    @property
    def gateway(self) -> Gateway:
        return self.intake.gateway

    def accepting(self) -> None:
        """Raises a 503 problem while the process drains."""
        if self.draining():
            retry = {"Retry-After": str(RETRY_SECONDS)}
            raise Problem(503, "draining", "this process is ending; ask again", headers=retry)

    def refused(self, peer: str, code: str, words: str, *, account: str = "", recipient: str = "") -> None:
        """Leave a record; nobody waits for it. The account stands as sender too: rows are counted by sender."""
        refusal = Refusal(self.gateway.ids, "http", code, words, account, account, peer, recipient)
        self.gateway.writer.put(record, refusal)


def of(request: Request) -> Edge:
    return cast("Edge", request.app.state.edge)


def peer(request: Request) -> str:
    """The address of the socket's other end; behind a proxy of http.forwarded_from, whom that proxy names.

    Each proxy adds at the end of X-Forwarded-For where it was asked from, so the last address that is no such proxy
    counts; what stands before it was sent by the client and says nothing. "" when a proxy wrote what is no address:
    then the client is in nobody's network.
    """
    found = request.client.host if request.client else ""
    proxies = of(request).intake.settings.http.forwarded_from
    if not proxies or not trust.inside(found, proxies):
        return found
    headers = request.headers.getlist("x-forwarded-for")
    for address in map(str.strip, reversed(",".join(headers).split(",") if headers else [])):
        if trust.ip_of(address) is None:
            return ""
        found = address
        if not trust.inside(address, proxies):
            break
    return found
