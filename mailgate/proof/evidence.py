"""What was found out about the origin of one mail."""

from collections.abc import Sequence
from dataclasses import dataclass

from mailgate import addresses, options, trust


def domain_of(address: str) -> str:
    """Lower case, as an A-label; "" for the null sender and for what is no address."""
    _, at, domain = trust.normal(address).rpartition("@")
    return domain if at else ""


def recipient_key(address: str) -> str:
    """One form for the ways to write a recipient: the + or 00 before a number cut off, and of the tag behind it what is
    no option. An option stays: who was asked for a preview must not be sent a text by whoever has the mail.
    """
    local, at, domain = trust.normal(address).rpartition("@")
    local, tag = addresses.tagged(local)
    asked = sorted(set(tag.split("+")).intersection(options.NAMES))
    for prefix in ("+", "00"):
        if local.startswith(prefix) and local[len(prefix) :].isdecimal():
            local = local[len(prefix) :]
            break
    return f"{'+'.join([local, *asked])}{at}{domain}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """`spf`: domains of addresses behind which the network stands, for any recipient. `signed`: (address in the
    form of `trust.normal`, key of a recipient) behind which a signature stands. `words`: what was found, one line
    each, for the operator; nothing of the mail's text is in them.

    It knows of the addresses and recipients only that were to be proved; everything else is not authentic.
    """

    spf: frozenset[str] = frozenset()
    signed: frozenset[tuple[str, str]] = frozenset()
    words: tuple[str, ...] = ()

    def authentic(self, address: str, recipients: Sequence[str]) -> bool:
        """Whether the domain of this address stands behind the mail, for all of these recipients.

        A signature covers one From, and names whom the mail was for: it says nothing of the envelope sender, nor of
        others at the same domain. SPF is about the connection, and so about every address and recipient.
        """
        if self.spf_passes(address):
            return True
        author = trust.normal(address)
        return bool(recipients) and all((author, recipient_key(one)) in self.signed for one in recipients)

    def spf_passes(self, address: str) -> bool:
        """Whether SPF passed for the envelope sender, whose domain is, or is aligned with, the address'."""
        return domain_of(address) in self.spf


NO_EVIDENCE = Evidence()
