"""Which domains really stand behind a received mail: by SPF, by DKIM, or by the word of a relay of ours.

What cannot be proved is not believed. It waits for the DNS, so callers run it in a thread.
"""

import time
from collections.abc import Sequence

from mailgate import trust
from mailgate.mail import Mail
from mailgate.proof import letter as letters
from mailgate.proof.evidence import NO_EVIDENCE, Evidence
from mailgate.proof.inquiry import Inquiry
from mailgate.proof.names import DnsTrouble, Names

__all__ = ["NO_EVIDENCE", "DnsTrouble", "Evidence", "Names", "Prover"]


class Prover:
    """May be shared by threads.

    `trusted_relays` are networks whose Authentication-Results count when they carry `authserv_id`; `seconds` is
    the longest time for one mail.
    """

    def __init__(
        self, names: Names, trusted_relays: Sequence[str] = (), authserv_id: str = "", seconds: float = 5.0
    ) -> None:
        self._names = names
        self._relays = tuple(trusted_relays)
        self._authserv_id = authserv_id
        self._seconds = seconds

    def prove(
        self,
        mail: Mail,
        raw: bytes,
        *,
        peer: str,
        mail_from: str,
        helo: str = "",
        addresses: Sequence[str],
        signed_address: str = "",
        recipients: Sequence[str],
    ) -> Evidence:
        """What stands behind these addresses, for these envelope recipients. `raw` is the mail as received, with
        CRLF and without dot-stuffing; `mail` is what was parsed of it. `signed_address` is the one in From: that is
        what a signature covers (RFC 6376, section 5.4), so it proves no other one; "" is the mail's own, and
        one that is not in From is proved by none.

        Raises DnsTrouble when one of the addresses is not proved, and might be if the DNS had answered.
        """
        letter = letters.read(mail, raw)
        author = mail.from_[0] if letter is not None else ""
        if signed_address and trust.normal(signed_address) != trust.normal(author):
            author = ""
        inquiry = Inquiry(self._names, addresses, author, recipients, time.monotonic(), self._seconds)
        if trust.inside(peer, self._relays):
            inquiry.ask_relay(mail, letter, mail_from, self._authserv_id)
        else:
            inquiry.ask_network(peer, mail_from, helo)
        if letter is not None:
            inquiry.ask_signatures(letter)
        else:
            inquiry.note("The header is not plain: no signature counts")
        return inquiry.evidence()

    def prove_by_network(self, peer: str, mail_from: str, helo: str = "") -> Evidence:
        """What SPF alone says of the envelope sender. Raises DnsTrouble.

        Of a trusted relay it says nothing.
        """
        inquiry = Inquiry(self._names, [mail_from], "", (), time.monotonic(), self._seconds)
        if trust.inside(peer, self._relays):
            inquiry.note(f"SPF is not asked for {peer}, a trusted relay")
        else:
            inquiry.ask_network(peer, mail_from, helo)
        return inquiry.evidence()
