"""Carriers that implement the seam and misbehave as a test plans, for faults that the simulated one cannot show."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from core_support import FAKE, World, route_row, world

from gateway_core.carriers import CARRIERS
from gateway_core.carriers.base import CarrierSettings, Host, Phones
from gateway_core.sms import DLR, MT, Answer, DlrState

Plan = Callable[["FakeCarrier", Sequence[MT]], None]


def accept_all(carrier: "FakeCarrier", mts: Sequence[MT]) -> None:
    carrier.host.answered([Answer(mt.ref, carrier_ref=f"f-{mt.ref}") for mt in mts])


def say_nothing(_carrier: "FakeCarrier", _mts: Sequence[MT]) -> None:
    """The answer is lost."""


class FakeCarrier:
    """Does what the test plans: one plan for each call of submit, the last one for ever."""

    settings_model: ClassVar[type[CarrierSettings]] = CarrierSettings
    gives_receipts: ClassVar[bool] = True
    simulated: ClassVar[bool] = False
    made: ClassVar[list["FakeCarrier"]] = []

    def __init__(self, _settings: CarrierSettings, host: Host, _phones: Phones) -> None:
        self.made.append(self)
        self.host = host
        self.plans: list[Plan] = [accept_all]
        self.written: list[list[MT]] = []
        self.closed = False

    def submit(self, mts: Sequence[MT]) -> None:
        assert not self.closed
        self.written.append(list(mts))
        plan = self.plans.pop(0) if len(self.plans) > 1 else self.plans[0]
        plan(self, mts)

    def tick(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


class FakeWithoutReceipts(FakeCarrier):
    gives_receipts: ClassVar[bool] = False


@contextmanager
def fake_carriers() -> Iterator[None]:
    """The fakes as two more lines of the literal list of carriers, for one test."""
    more = {"fake": FakeCarrier, "fake-without-receipts": FakeWithoutReceipts}
    CARRIERS.update(more)  # type: ignore[arg-type]
    FakeCarrier.made.clear()
    try:
        yield
    finally:
        for name in more:
            del CARRIERS[name]


@dataclass
class FakeWorld(World):
    """A world whose one route, FAKE, leads to a FakeCarrier."""

    route_id: int = field(default=FAKE)

    @property
    def carrier(self) -> FakeCarrier:
        window = self.gateway.window(FAKE)
        assert window is not None
        assert isinstance(window.carrier, FakeCarrier)
        return window.carrier

    def plan(self, *plans: Plan) -> None:
        self.carrier.plans = list(plans)

    def dispatch(self, route_id: int = FAKE) -> None:
        super().dispatch(route_id)

    def receipt(
        self, mt: MT, state: DlrState = DlrState.DELIVERED, done_at: int = 1, words: str = ""
    ) -> None:
        self.deliver(DLR(f"f-{mt.ref}", state, done_at, words), route_id=FAKE)


@contextmanager
def fake_world(url: str, carrier: str = "fake", **route: Any) -> Iterator[FakeWorld]:
    with fake_carriers(), world(url, route_row(FAKE, carrier, **route)) as made:
        yield FakeWorld(made.process, made.url)
