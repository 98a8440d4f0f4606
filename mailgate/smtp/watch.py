"""The time that one peer takes, against what it may take (shared.Patience). Seconds of the event loop's clock."""

from mailgate.smtp.shared import Patience


class Watch:
    """`touched`: when something last happened."""

    def __init__(self, patience: Patience, now: float) -> None:
        self._patience = patience
        self.touched = now
        self._began = now  # the mail that is coming in
        self._paced = now, 0  # when its pace was measured, and how much had come
        self._earned = now  # when a mail was last known to be accepted
        self._accepted = 0

    def begin_mail(self) -> None:
        self._began, self._paced = self.touched, (self.touched, 0)

    def takes_no_replies(self, now: float) -> bool:
        return now - self.touched > self._patience.reading

    def mail_overdue(self, now: float, received: int) -> bool:
        """For a mail that is coming in, of which so many bytes have come."""
        patience = self._patience
        still, takes = now - self.touched, now - self._began
        return still > patience.idle or takes > patience.mail or self._is_slow(now, received)

    def _is_slow(self, now: float, received: int) -> bool:
        """Whether less came since the last measure than must; one is taken every `slow_after` seconds."""
        at, had = self._paced
        if now - at < self._patience.slow_after:
            return False
        self._paced = now, received
        return received - had < self._patience.slowest * (now - at)

    def overdue(self, now: float, accepted: int) -> bool:
        """Between commands; `accepted` mails so far."""
        patience = self._patience
        if now - self.touched > (patience.idle if accepted else patience.first):
            return True
        if accepted != self._accepted:  # the session may go on
            self._accepted, self._earned = accepted, now
        return now - self._earned > patience.session
