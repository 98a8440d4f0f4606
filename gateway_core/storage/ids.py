"""Time-ordered 63-bit ids, made without asking the database.

Layout: 41 bits of milliseconds since 2025 (until 2094), 12 bits of node, 10 bits of counter. The node is the
process's own (owner.node is unique in the database), so two processes never make the same id.

People see an id as 13 characters of Crockford's base32, lower case, with one letter in front that tells what
it names: `m` a message, `s` a submission, `r` a reply, `n` a notice, `p` an entry on a simulated phone.
"""

import threading

from gateway_core.storage import clock

EPOCH = 1_735_689_600_000  # 2025-01-01T00:00:00Z
NODES = 1 << 12
_COUNTER_BITS = 10
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
_PAIRS = [one + other for one in _ALPHABET for other in _ALPHABET]
_LENGTH = 13


class Ids:
    """The ids of one process. Thread-safe; strictly rising, also when the clock steps back."""

    def __init__(self, node: int) -> None:
        self._node = (node % NODES) << _COUNTER_BITS
        self._lock = threading.Lock()
        self._tick = 0
        self._count = 0

    def new(self) -> int:
        with self._lock:
            tick = clock.now() - EPOCH
            if tick > self._tick:
                self._tick, self._count = tick, 0
            elif self._count + 1 < 1 << _COUNTER_BITS:
                self._count += 1
            else:  # more than 1,024 in a millisecond: borrow the next one
                self._tick, self._count = self._tick + 1, 0
            return self._tick << 22 | self._node | self._count


def made_at(number: int) -> int:
    """When the id was made, in milliseconds since 1970."""
    return (number >> 22) + EPOCH


def first_at(at: int) -> int:
    """Below every id that is made at this time, in milliseconds since 1970, or later."""
    return max(0, at - EPOCH) << 22


def show(kind: str, number: int) -> str:
    """The id as people see it: `show("m", …)` is `m` and 13 characters."""
    pairs = [_PAIRS[number >> bits & 1023] for bits in range(50, -1, -10)]
    return f"{kind}{_ALPHABET[number >> 60 & 31]}{''.join(pairs)}"


def read(kind: str, shown: str) -> int | None:
    """The number behind a shown id; None when it is not one of that kind."""
    if len(shown) != _LENGTH + 1 or shown[0] != kind:
        return None
    number = 0
    for letter in shown[1:]:
        value = _VALUES.get(letter)
        if value is None:
            return None
        number = number * 32 + value
    return number if number < 1 << 63 else None
