"""Alive, able to commit, and moving: three different questions.

`/readyz` says only whether this process can commit: a dead carrier must not take the listeners out of service.
Whether work moves is in `/v1/health` and `/metrics`.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, func, select

from gateway_core import notices, owners
from gateway_core.errors import NotKept
from gateway_core.messages import State
from gateway_core.storage import clock, tables
from mailgate.http import edge
from mailgate.http.edge import Edge
from mailgate.http.local import only_local
from mailgate.http.problems import RETRY_SECONDS, Problem

_COMMIT_SECONDS = 2.0

router = APIRouter()


@router.api_route("/healthz", methods=["GET", "HEAD"], response_model=None)
async def alive() -> Response:
    return JSONResponse({"status": "ok"})


@router.api_route("/readyz", methods=["GET", "HEAD"], response_model=None)
async def ready(request: Request) -> Response:
    here = edge.of(request)
    here.accepting()
    if not await _can_commit(here):
        retry = {"Retry-After": str(RETRY_SECONDS)}
        raise Problem(503, "cannot_commit", "this process cannot commit now", headers=retry)
    return JSONResponse({"status": "ok"})


async def _can_commit(here: Edge) -> bool:
    """A real folded commit. Probes share one, so that a stuck database does not gather them."""
    if here.beat is None or here.beat.done():
        here.beat = here.gateway.writer.put(owners.beat, here.gateway.owner)
    try:
        # Shielded: the writer's future must not be cancelled by a time-out here.
        await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(here.beat)), _COMMIT_SECONDS)
    except (TimeoutError, NotKept):
        return False
    return True


# --- progress ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Progress:
    """Ages are 0 when nothing is due. They rise while work is due and does not move."""

    queue_age_seconds: float
    due_notice_age_seconds: float
    last_sweep_age_seconds: float
    writer_waiting: int
    in_flight: dict[str, int]  # segments that wait for the carrier's answer, by route

    def shown(self) -> dict[str, Any]:
        routes = [{"name": name, "in_flight": count} for name, count in self.in_flight.items()]
        return {**asdict(self), "in_flight": sum(self.in_flight.values()), "routes": routes}


def progress(here: Edge) -> Progress:
    """Reads the database: not for the event loop."""
    gateway = here.gateway
    routes = {route.id: route.name for route in gateway.snapshot.routes}
    with gateway.reader.connect() as conn:
        queued, owed = _oldest_queued(conn, list(routes)), notices.oldest_due(conn)
    return Progress(
        queue_age_seconds=_age(queued),
        due_notice_age_seconds=_age(owed),
        last_sweep_age_seconds=round(time.monotonic() - here.process.last_sweep, 3),
        writer_waiting=gateway.writer.depth(),
        in_flight={
            routes[route_id]: window.in_flight()
            for route_id, window in list(gateway.windows.items())
            if route_id in routes
        },
    )


def _oldest_queued(conn: Connection, route_ids: list[int]) -> int | None:
    """When the message fell due that has waited longest. A route at a time: each is one look into its index."""
    m = tables.message.c
    oldest = select(func.min(m.due_at)).where(m.state == State.QUEUED)
    found = [conn.execute(oldest.where(m.route_id == route_id)).scalar() for route_id in route_ids]
    return min((at for at in found if at is not None), default=None)


def _age(at: int | None) -> float:
    return max(0, clock.now() - at) / 1000 if at is not None else 0.0


# --- metrics ----------------------------------------------------------------------------------------------


class _AtScrape(Collector):
    def __init__(self, here: Edge) -> None:
        self._here = here

    def collect(self) -> Iterator[Metric]:
        now, writer = progress(self._here), self._here.gateway.writer
        for name, words, value in (
            ("queue_age_seconds", "How long the oldest due message has waited", now.queue_age_seconds),
            ("due_notice_age_seconds", "Age of the oldest notice still owed", now.due_notice_age_seconds),
            ("last_sweep_age_seconds", "Time since the sweeper ended a round", now.last_sweep_age_seconds),
            ("writer_waiting", "Units that wait for the next commit", now.writer_waiting),
        ):
            yield GaugeMetricFamily(f"mailgate_{name}", words, value)
        yield CounterMetricFamily("mailgate_writer_commits", "Commits since the start", writer.commits)
        yield CounterMetricFamily("mailgate_writer_units", "Units committed since the start", writer.units)
        words = "Segments that wait for the carrier's answer"
        flying = GaugeMetricFamily("mailgate_route_in_flight", words, labels=["route"])
        for route, count in now.in_flight.items():
            flying.add_metric([route], count)
        yield flying


@router.get("/metrics", response_model=None, dependencies=[Depends(only_local)])
def metrics(request: Request) -> Response:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_AtScrape(edge.of(request)))
    return Response(generate_latest() + generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
