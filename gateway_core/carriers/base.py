"""The carrier seam. A carrier translates and returns values; the host writes rows, retries, counts and limits.

A carrier is one file: a settings model (checked when the route is saved), a literal table of its statuses, and
a class with the methods of `Carrier`. It imports sms, errors and this module, never storage, never another carrier.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from pydantic import Field

from gateway_core.settings import Section
from gateway_core.sms import DLR, MO, MT, Answer


class CarrierSettings(Section):
    """`[route.settings]` that every carrier has."""

    response_timeout_seconds: float = Field(
        60.0, gt=0, description="No answer for so long: the submit is UNCERTAIN"
    )
    resend_wait_seconds: float = Field(
        60.0,
        ge=0,
        description="How long an UNCERTAIN submit waits for a late answer or receipt before a resend",
    )
    submit_ids: Literal["text", "decimal", "hex"] = Field(
        "text", description="How the carrier writes its ids in answers to submits"
    )
    receipt_ids: Literal["text", "decimal", "hex"] = Field("text", description="The same in its receipts")
    receipt_parts: Literal["all", "one"] = Field(
        "all", description="Whether each segment of a text gets a receipt, or one decides for all"
    )
    window: int = Field(100, ge=1, le=1000, description="Segments that may wait for their answer")


class Host(Protocol):
    """What a carrier may ask of the host. Callable from any thread."""

    def answered(self, answers: Sequence[Answer]) -> None:
        """Answers to submits, as they come: in any order, late ones too."""

    def deliver(self, events: Sequence[DLR | MO]) -> None:
        """Receipts and replies. Returns when all are stored: only then may the carrier acknowledge them.

        Raises NotKept when they are not.
        """


@dataclass(frozen=True, slots=True)
class OwedReceipt:
    """A DLR that a simulated network still has to give."""

    segment_id: int
    carrier_ref: str
    state: str
    done_at: int


class Phones(Protocol):
    """The handsets of the simulated carrier; the host keeps them."""

    def arrive(self, arrivals: Sequence["Arrival"]) -> None:
        """Durable when it returns. Raises NotKept."""

    def owed(self) -> Sequence[OwedReceipt]:
        """The receipts that are due now."""

    def given(self, receipts: Sequence[OwedReceipt], *, again_after_ms: int) -> None:
        """These were delivered; what is still to be repeated is due again later."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One segment that reached a simulated phone, and the receipts that its network will give for it."""

    mt: MT
    receipt_state: str = ""
    receipts: int = 0


class Carrier(Protocol):
    """One route's way to the network, made once for each process that owns the route."""

    settings_model: ClassVar[type[CarrierSettings]]
    gives_receipts: ClassVar[bool]  # False: an accepted submit ends as SENT
    simulated: ClassVar[bool]  # True: only accounts with test = true may use it

    def submit(self, mts: Sequence[MT]) -> None:
        """Write these segments. Each is answered through Host.answered, now or later, or never.

        An exception means that none of them left us: the class of CarrierError says what to do.
        """

    def tick(self) -> None:
        """Called about once a second."""

    def close(self) -> None:
        """No submit follows."""
