"""The frozen values that cross the carrier border: MT and its Answer, DLR, MO."""

import enum
from dataclasses import dataclass

from gateway_core.encoding import Encoding
from gateway_core.errors import CarrierError


@dataclass(frozen=True, slots=True)
class MT:
    """One segment of a message on its way to a handset."""

    ref: int  # our reference of this attempt; a carrier that takes one gets it (SMPP user_message_reference)
    message_id: int
    to: str  # E.164 with +
    sender_id: str
    encoding: Encoding
    text: str  # of this segment alone
    number: int  # 1…total
    total: int
    concat_ref: int
    expires_at: int
    possible_duplicate: bool
    flash: bool  # class 0: shown at once, not stored (3GPP TS 23.038 §4)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the carrier said to one submit: its id for the segment, or an error whose class says what to do."""

    ref: int
    carrier_ref: str | None = None
    error: CarrierError | None = None


class DlrState(enum.StrEnum):
    """The states of SMPP 3.4 §5.2.28, as far as we tell them apart."""

    ENROUTE = "ENROUTE"
    ACCEPTED = "ACCEPTED"
    UNKNOWN = "UNKNOWN"
    EXPIRED = "EXPIRED"
    UNDELIVERED = "UNDELIVERED"  # DELETED, UNDELIVERABLE, REJECTED
    DELIVERED = "DELIVERED"


@dataclass(frozen=True, slots=True)
class DLR:
    """A delivery receipt of one segment."""

    carrier_ref: str
    state: DlrState
    done_at: int
    words: str = ""  # the carrier's own
    ref: int | None = None  # ours, where the carrier echoes it
    handset: str = ""  # whom it is of, where the carrier says so
    raw_ref: str = ""  # carrier_ref as it came; the door in fills it


@dataclass(frozen=True, slots=True)
class MO:
    """A text from a handset to a number of ours, whole."""

    carrier_ref: str  # a repeat of the same is stored once
    handset: str
    number: str
    text: str
