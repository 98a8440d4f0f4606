"""The actors of the core: thin. Each loads nothing, calls one door, and may be called once too often."""

from functools import partial

from gateway_core.dispatch import dispatch
from gateway_core.gateway import Gateway
from gateway_core.jobs.queue import DISPATCH, EmbeddedQueue


def declare(queue: EmbeddedQueue, gateway: Gateway) -> None:
    queue.declare(DISPATCH, partial(dispatch, gateway))
