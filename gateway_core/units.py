"""What is handed to the accepting transaction, and what it gives back."""

from typing import NamedTuple

from gateway_core import caps, keys
from gateway_core.accounts import Account
from gateway_core.errors import Refused
from gateway_core.messages import State
from gateway_core.notices import Notice
from gateway_core.routing import Route
from gateway_core.storage.ids import Ids


class Accepted(NamedTuple):
    message_id: int
    state: State
    segments: int
    encoding: str
    price: int
    repeat: bool = False  # it had been accepted before: nothing was stored or charged now


class Outcome(NamedTuple):
    """`submission_id` is 0 when nothing was accepted; of a repeat it is the first one's."""

    submission_id: int
    results: tuple[tuple[str, Accepted | Refused], ...]

    @property
    def refused(self) -> list[Refused]:
        return [result for _, result in self.results if isinstance(result, Refused)]


class Text(NamedTuple):
    """A draft, as far as its row needs it."""

    to: str
    sender_id: str
    route: Route
    encoding: str
    segments: int
    price: int
    number: str | None
    flash: bool
    urgent: bool
    pool: tuple[str, ...] = ()
    receipts: str = "none"
    warn: bool = False


class Unit(NamedTuple):
    """A decided submission: what its rows need and no more, since it may cross to another process."""

    ids: Ids
    account: Account
    text: str
    origin: str  # JSON
    sender: str
    key: keys.Key | None
    cap: caps.Cap | None
    client_ref: str | None
    notify: bool
    whole: bool
    service: bool
    validity_minutes: int | None
    send_at: int | None
    owed: tuple[Notice, ...]
    texts: tuple[Text, ...]
    refused: tuple[tuple[str, Refused], ...]
