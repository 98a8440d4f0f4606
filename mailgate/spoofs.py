"""Which spoof attempts are worth a mail: one for each source, account and day, and not many. Thread-safe."""

import threading
from collections import Counter

_MOST_A_DAY = 20  # mails for one account: who attacks from a thousand places must not fill a mailbox
_MOST = 100_000  # pairs that are remembered


class Spoofs:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._day = ""
        self._seen: set[tuple[int, bytes]] = set()
        self._mails: Counter[int] = Counter()

    def is_news(self, account_id: int, source: bytes, day: str) -> bool:
        """Whether the account should hear of this attempt. Asking counts it."""
        with self._lock:
            if day != self._day:
                self._day, self._seen, self._mails = day, set(), Counter()
            known = (account_id, source) in self._seen or len(self._seen) >= _MOST
            if known or self._mails[account_id] >= _MOST_A_DAY:
                return False
            self._seen.add((account_id, source))
            self._mails[account_id] += 1
            return True
