"""What all connections of one listener share: limits on time and memory, certificates, and whether it is draining."""

from dataclasses import dataclass, field

from mailgate.checks import Intake
from mailgate.smtp.tls import Certificates


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a peer may take. Seconds, bytes and counts."""

    greeting: float = 0.25  # what a peer from elsewhere waits for the banner; who talks before it is a robot
    proxy: float = 10.0  # for the PROXY header of a balancer
    handshake: float = 15.0  # for TLS
    first: float = 60.0  # idle before the first mail
    idle: float = 300.0  # idle between commands (RFC 5321 §4.5.3.2.7), and between two pieces of a mail
    session: float = 600.0  # without a mail that was accepted
    slow_after: float = 60.0  # so often the pace of a mail is measured
    slowest: int = 256  # bytes a second: a GPRS modem does ten times that
    mail: float = 1800.0  # for one mail, from DATA to its dot
    reading: float = 30.0  # to take replies before the line is cut
    bogus: int = 10  # commands that nobody knows
    idle_commands: int = 100  # commands that bring no mail nearer, since the last accepted one
    refused: int = 30  # recipients refused in a row
    failed_logins: int = 3
    alike: float = 1.0  # from the final dot to the refusal of a sender that its mail did not prove


class Load:
    """Bytes of mails that are coming in or being decided, all connections together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.bytes = 0

    def take(self, size: int) -> bool:
        """Whether there is room for so many more; they count in any case, until given back."""
        self.bytes += size
        return self.bytes <= self._most

    def give_back(self, size: int) -> None:
        self.bytes -= size

    def has_room(self, size: int) -> bool:
        return self.bytes + size <= self._most


@dataclass(slots=True)
class Shared:
    """`certificates` is None where TLS is not set up."""

    state: Intake
    load: Load
    certificates: Certificates | None = None
    patience: Patience = field(default_factory=Patience)
    draining: bool = False

    @property
    def hostname(self) -> str:
        return self.state.settings.mail.domains[0]
