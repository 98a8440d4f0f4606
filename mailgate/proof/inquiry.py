"""The questions about one mail, in order of their price, until everything is proved or nothing is left to ask."""

import time
from collections.abc import Callable, Iterable, Sequence

from mailgate import trust
from mailgate.mail import Mail
from mailgate.proof import dkim, dmarc, results, spf
from mailgate.proof.dkim import Signature
from mailgate.proof.evidence import Evidence, domain_of, recipient_key
from mailgate.proof.letter import Letter
from mailgate.proof.names import DnsTrouble, Names

_LONGEST_WORDS = 100  # characters of a name that somebody else chose


class Inquiry:
    """`addresses` are to be proved for the `recipients`; a signature proves `author` only, the address in From.
    `begin` is a moment of time.monotonic(). DNS trouble is kept until the end: another question may have the answer.
    """

    def __init__(
        self,
        names: Names,
        addresses: Sequence[str],
        author: str,
        recipients: Sequence[str],
        begin: float,
        seconds: float,
    ) -> None:
        self._names = names
        self._wanted = dict.fromkeys(trust.normal(one) for one in addresses if domain_of(one))
        self._author = trust.normal(author)
        self._recipients = tuple(recipients)
        # A stranger's SPF record may cost all the time it gets; a signature must still be able to prove.
        self._half = begin + seconds / 2
        self._deadline = begin + seconds
        self._spf: set[str] = set()
        self._signed: set[tuple[str, str]] = set()
        self._words: list[str] = []
        self._troubles: list[tuple[frozenset[str], DnsTrouble]] = []

    def note(self, words: str) -> None:
        self._words.append(words)

    def evidence(self) -> Evidence:
        """Raises DnsTrouble when it stood between a wanted address and its proof."""
        unproved = self._unproved()
        for addresses, trouble in self._troubles:
            if addresses & unproved:
                raise trouble
        return self._found()

    def _found(self) -> Evidence:
        return Evidence(frozenset(self._spf), frozenset(self._signed), tuple(self._words))

    def _unproved(self) -> frozenset[str]:
        found = self._found()
        return frozenset(one for one in self._wanted if not found.authentic(one, self._recipients))

    # --- the network ----------------------------------------------------------------------------------------

    def ask_network(self, peer: str, mail_from: str, helo: str) -> None:
        """SPF of the envelope sender; asked only where it could prove something."""
        domain = domain_of(mail_from)
        if not self._aligned(domain):
            return
        sender = f"{mail_from.strip().rpartition('@')[0]}@{domain}"
        try:
            result = spf.check(self._names, peer, sender, helo, self._half)
        except DnsTrouble as trouble:
            self._keep(self._aligned(domain), trouble, "SPF")
            return
        self.note(f"SPF {result} for {_shown(domain)} from {_shown(peer)}")
        if result == "pass":
            self._passed_spf(domain)

    def _passed_spf(self, domain: str) -> None:
        for address in self._aligned(domain):
            if self._allows(address, domain, lambda owner: owner.strict_spf):
                self._spf.add(domain_of(address))

    # --- signatures -----------------------------------------------------------------------------------------

    def ask_signatures(self, letter: Letter) -> None:
        """DKIM; the body is not read, and no key fetched, for a signature that could prove nothing."""
        unproved = self._unproved()
        if unproved - {self._author} and letter.values(b"dkim-signature"):
            self.note("A DKIM signature proves the address in From only")
        if self._author in unproved:
            for signature in dkim.signatures(letter, time.time())[0]:
                self._ask_signature(letter, signature)

    def _ask_signature(self, letter: Letter, signature: Signature) -> None:
        if signature.fault:
            self.note(f"{signature}: {signature.fault}")
            return
        if self._author not in self._unproved() or self._author not in self._aligned(signature.domain):
            return
        if not self._meant(signature.held):
            self.note(f"{signature}: not for this recipient")
            return
        try:
            fault = dkim.verify(self._names, letter, signature, self._deadline)
        except DnsTrouble as trouble:
            self._keep([self._author], trouble, str(signature))
            return
        self.note(f"{signature}: {fault or 'true'}")
        if not fault:
            self._passed_dkim(signature.domain, signature.held)

    def _passed_dkim(self, domain: str, held: frozenset[str]) -> None:
        if self._allows(self._author, domain, lambda owner: owner.strict_dkim):
            self._signed |= self._meant(held)

    def _meant(self, held: frozenset[str]) -> set[tuple[str, str]]:
        """What a signature for these proves of what was asked."""
        return {(self._author, key) for key in map(recipient_key, self._recipients) if key in held}

    # --- a relay of ours ------------------------------------------------------------------------------------

    def ask_relay(self, mail: Mail, letter: Letter | None, mail_from: str, authserv_id: str) -> None:
        """What the relay verified itself. It saw the mail first-hand; its own address proves nothing."""
        stated = results.stated(mail, authserv_id)
        relay = f"Authentication-Results of {authserv_id}"
        if stated == results.NOTHING:
            self.note(
                f"{relay}: nothing that counts" if authserv_id else "The trusted relay has no authserv_id"
            )
            return
        if stated.spf:
            self.note(f"{relay}: spf=pass for {_shown(stated.spf)}")
            if stated.spf == domain_of(mail_from):
                self._passed_spf(stated.spf)
        if letter is None:
            return
        found, complete = dkim.signatures(letter, time.time())
        if not complete:
            self.note(f"There are more than {dkim.MOST} signatures: {relay} is not believed about them")
            return
        for domain, b in stated.dkim:
            self.note(f"{relay}: dkim=pass for {_shown(domain)}")
            if self._author in self._aligned(domain):
                matching = [one for one in found if one.domain == domain and one.claims.b.startswith(b)]
                self._passed_dkim(domain, self._held_by_all(letter, matching))
        if stated.dmarc:
            self.note(f"{relay}: dmarc=pass for {_shown(stated.dmarc)}")
            self._passed_dmarc(letter, stated.dmarc, found)

    def _passed_dmarc(self, letter: Letter, domain: str, found: list[Signature]) -> None:
        """An SPF pass that explains it has counted already. Otherwise a signature does, and the relay does not
        say which: it might be an old one, sent again to somebody else beside a false one.
        """
        if self._author not in self._wanted or domain_of(self._author) != domain:
            return
        matching = [one for one in found if one.domain and dmarc.aligned(one.domain, domain)]
        self._signed |= self._meant(self._held_by_all(letter, matching))

    def _held_by_all(self, letter: Letter, signatures: list[Signature]) -> frozenset[str]:
        """The recipients that every one of them is for; one with a fault is for nobody."""
        if not signatures:
            return frozenset()
        for one in signatures:
            if fault := one.fault or dkim.fault_of_body(letter, one):
                self.note(f"{one}: {fault}")
                return frozenset()
        return frozenset.intersection(*(one.held for one in signatures))

    # --- what is left ---------------------------------------------------------------------------------------

    def _aligned(self, domain: str) -> list[str]:
        """The wanted addresses whose domains belong together with it, if their owners are content with that."""
        return [one for one in self._wanted if domain and dmarc.aligned(domain, domain_of(one))]

    def _allows(self, address: str, domain: str, strict: Callable[[dmarc.Alignment], bool]) -> bool:
        """Whether the owner of the address lets `domain` speak for it. Asked only where it makes a difference; no
        when there is no answer.
        """
        if domain_of(address) == domain:
            return True
        try:
            owner = dmarc.alignment(self._names, domain_of(address), self._deadline)
        except DnsTrouble as trouble:
            self._keep([address], trouble, "DMARC")
            return False
        return dmarc.aligned(domain, domain_of(address), strict(owner))

    def _keep(self, addresses: Iterable[str], trouble: DnsTrouble, what: str) -> None:
        self._troubles.append((frozenset(addresses), trouble))
        self.note(f"{what}: the DNS did not answer")


def _shown(name: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in name[:_LONGEST_WORDS])
