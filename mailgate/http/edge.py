"""What every endpoint needs of its process, and what it needs to know of a request's other end."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import cast

from fastapi import Request

from gateway_core.gateway import Gateway
from gateway_core.process import Process
from gateway_core.refusals import Refusal, record
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
    """The address of the socket's other end; no header can change it."""
    return request.client.host if request.client else ""
