"""The simulated carrier: real rows, real receipts, phones in the browser. The end of the number picks the outcome."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import ClassVar

from pydantic import Field

from gateway_core.carriers.base import Arrival, CarrierSettings, Host, Phones
from gateway_core.errors import CarrierError, CarrierOptedOut, CarrierRejected, CarrierThrottled
from gateway_core.sms import DLR, MT, Answer, DlrState

REPEAT_AFTER_MS = 3000

# end of the number: (reaches the phone, is answered, state of the DLR, how many DLRs, DLR before the answer)
_OUTCOMES: dict[str, tuple[bool, bool, str, int, bool]] = {
    "0001": (True, False, "", 0, False),  # the answer is lost: UNCERTAIN
    "0002": (False, True, "", 0, False),  # refused for good
    "0003": (True, True, DlrState.DELIVERED, 1, False),  # throttled twice first
    "0004": (True, True, DlrState.UNDELIVERED, 1, False),
    "0005": (True, True, "", 0, False),  # accepted, never a DLR
    "0006": (True, True, DlrState.DELIVERED, 1, True),
    "0007": (True, True, DlrState.DELIVERED, 2, False),
    "0008": (False, True, "", 0, False),  # refused: the handset has opted out at its network
}
_ORDINARY = (True, True, DlrState.DELIVERED, 1, False)


class SimulatorSettings(CarrierSettings):
    response_timeout_seconds: float = Field(5.0, gt=0, description="As of every carrier; shorter here")
    resend_wait_seconds: float = Field(10.0, ge=0, description="As of every carrier; shorter here")


class Simulator:
    """A network with handsets. What it keeps, it keeps in the host's rows, so it survives a crash of ours."""

    settings_model: ClassVar[type[CarrierSettings]] = SimulatorSettings
    gives_receipts: ClassVar[bool] = True
    simulated: ClassVar[bool] = True

    def __init__(self, _settings: CarrierSettings, host: Host, phones: Phones) -> None:
        self._host = host
        self._phones = phones
        self._giving = threading.Lock()  # dispatch and tick may both find the same receipt owed
        self._throttled: Counter[tuple[int, int]] = Counter()  # by message and segment

    def submit(self, mts: Sequence[MT]) -> None:
        errors = {mt.ref: self._refusal(mt) for mt in mts}
        taken = [mt for mt in mts if errors[mt.ref] is None and _outcome(mt)[0]]
        if taken:
            self._phones.arrive([_arrival(mt) for mt in taken])
        early = {carrier_ref(mt.ref) for mt in taken if _outcome(mt)[4]}
        if early:
            self._give_receipts(early.__contains__)
        self._host.answered([_answer(mt, errors[mt.ref]) for mt in mts if errors[mt.ref] or _outcome(mt)[1]])
        self._give_receipts(lambda _ref: True)

    def tick(self) -> None:
        self._give_receipts(lambda _ref: True)

    def close(self) -> None:
        pass

    def _give_receipts(self, wanted: Callable[[str], bool]) -> None:
        with self._giving:
            owed = [receipt for receipt in self._phones.owed() if wanted(receipt.carrier_ref)]
            if owed:
                self._host.deliver([DLR(owe.carrier_ref, DlrState(owe.state), owe.done_at) for owe in owed])
                self._phones.given(owed, again_after_ms=REPEAT_AFTER_MS)

    def _refusal(self, mt: MT) -> CarrierError | None:
        if mt.to.endswith("0002"):
            return CarrierRejected("11", "no such subscriber")
        if mt.to.endswith("0008"):
            return CarrierOptedOut("1", "opted out")
        segment = (mt.message_id, mt.number)
        if mt.to.endswith("0003") and self._throttled[segment] < 2:
            self._throttled[segment] += 1
            return CarrierThrottled("too fast", after_seconds=1.0)
        self._throttled.pop(segment, None)
        return None


def _outcome(mt: MT) -> tuple[bool, bool, str, int, bool]:
    return _OUTCOMES.get(mt.to[-4:], _ORDINARY)


def _arrival(mt: MT) -> Arrival:
    _, _, state, receipts, _ = _outcome(mt)
    return Arrival(mt, state, receipts)


def _answer(mt: MT, error: CarrierError | None) -> Answer:
    return Answer(mt.ref, error=error) if error else Answer(mt.ref, carrier_ref=carrier_ref(mt.ref))


def carrier_ref(ref: int) -> str:
    """The simulated network's id of the segment that came with this reference of ours."""
    return f"sim-{ref}"
