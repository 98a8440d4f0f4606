"""Every error of the core, one root.

    GatewayError
    ├── Refused                   what was asked for is not done, and the asker may know why
    │   ├── UnknownSender         unknown_sender
    │   ├── BadNumber             bad_number
    │   ├── OptedOut              opted_out
    │   ├── DestinationNotAllowed destination_not_allowed
    │   ├── RateLimited           rate_limited             (retryable)
    │   ├── QuotaExceeded         quota_exceeded           (retryable)
    │   ├── NoCredit              no_credit
    │   ├── TooLong               too_long
    │   ├── NothingToText         nothing_to_text
    │   ├── SenderIDNotAllowed    sender_id_not_allowed
    │   ├── UnsupportedCharacter  unsupported_character
    │   └── KeyReused             key_reused
    ├── CarrierError              what a carrier plug-in raises; the class says what to do about it
    │   ├── CarrierUnavailable    nothing left us: try again later
    │   ├── CarrierThrottled      pause the route, keep the order, burn no retry
    │   ├── CarrierRejected       final: the carrier's code and words
    │   │   └── CarrierOptedOut   the handset has asked not to be texted: it is kept as an opt-out
    │   ├── CarrierGarbled        an answer that cannot be read: the submit is UNCERTAIN
    │   └── CarrierMisconfigured  the route cannot work until its settings change
    ├── BadCallback               a carrier's callback that cannot be read or is not theirs
    ├── NotKept                   a commit failed or its outcome is unknown: ask again later
    │   └── NoSpace               the disk is full
    └── SettingsError             settings or rows that cannot be used; names the key

The words of a Refused are safe to show to whoever asked. The core never speaks SMTP or HTTP: the edges hold
literal tables from these classes to replies.
"""

from typing import ClassVar


class GatewayError(Exception):
    """The root. `retryable` says whether the same request may succeed later."""

    retryable: ClassVar[bool] = False


class Refused(GatewayError):
    """A decision, not a fault. `code` is stable (HTTP, CLI and refusal rows show it); str() is safe to show."""

    code: ClassVar[str] = "refused"
    after_seconds = 0  # when it may be asked again; 0: nobody knows


class UnknownSender(Refused):
    code = "unknown_sender"


class BadNumber(Refused):
    code = "bad_number"


class OptedOut(Refused):
    code = "opted_out"


class DestinationNotAllowed(Refused):
    code = "destination_not_allowed"


class RateLimited(Refused):
    code = "rate_limited"
    retryable = True


class QuotaExceeded(Refused):
    code = "quota_exceeded"
    retryable = True


class NoCredit(Refused):
    code = "no_credit"


class TooLong(Refused):
    code = "too_long"


class NothingToText(Refused):
    code = "nothing_to_text"


class SenderIDNotAllowed(Refused):
    code = "sender_id_not_allowed"


class UnsupportedCharacter(Refused):
    code = "unsupported_character"


class KeyReused(Refused):
    """An idempotency key came again with another request."""

    code = "key_reused"


class CarrierError(GatewayError):
    pass


class CarrierUnavailable(CarrierError):
    retryable = True


class CarrierThrottled(CarrierError):
    """The carrier asks for less. `after_seconds` is how long the route pauses."""

    retryable = True

    def __init__(self, words: str, after_seconds: float = 1.0) -> None:
        super().__init__(words)
        self.after_seconds = after_seconds


class CarrierRejected(CarrierError):
    """The carrier's final no, in its own code and words."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(f"{code} {words}".strip())
        self.code = code
        self.words = words


class CarrierOptedOut(CarrierRejected):
    """The carrier says that the handset has opted out of texts with this sender ID."""


class CarrierGarbled(CarrierError):
    pass


class CarrierMisconfigured(CarrierError):
    pass


class BadCallback(GatewayError):
    pass


class NotKept(GatewayError):
    """Nothing may be called accepted. The outcome of a COMMIT may be unknown; a key makes the repeat harmless."""

    retryable = True


class NoSpace(NotKept):
    pass


class SettingsError(GatewayError):
    """Settings or rows that cannot be used: one line that names the key."""
