"""Recipients that are decided only after the mail: what it lists itself, and what its sender had to prove first."""

from collections.abc import Sequence

from gateway_core.errors import Refused
from mailgate import addresses
from mailgate.checks import PROVED_CHECKS, Envelope, Intake, Recipient, account_of
from mailgate.errors import GroupTooLarge, UnknownName


def expand(
    intake: Intake, envelope: Envelope, known: Recipient, names: Sequence[str], sender_id: str
) -> list[Recipient]:
    """What a mail lists instead of `known`, each decided by itself; those that are refused are left out of the
    first one that is not. Raises the first refusal where none is left, and GroupTooLarge.
    """
    if f"+{sender_id}" in intake.gateway.snapshot.numbers:  # Clickatell has numbers without it
        sender_id = f"+{sender_id}"
    found: list[Recipient] = []
    refused: list[tuple[str, Refused]] = []
    for name in names:
        typed, tag = addresses.tagged(name)
        one = known._replace(named=addresses.Typed(typed, tag), sender_id=sender_id)
        try:
            if one.is_listed():
                raise UnknownName(f"{typed} cannot be listed itself")
            for _name, decide in PROVED_CHECKS:
                one = decide(intake, envelope, one)
        except Refused as error:
            refused.append((addresses.hidden_tag(name), error))  # its tag may be a secret
        else:
            found.append(one._replace(options=one.options | known.options))
    most, count = account_of(known).terms.max_group, len({to for one in found for to in one.to})
    if count > most:
        raise GroupTooLarge(f"the mail lists {count} numbers; {account_of(known).name} allows {most}")
    if not found:
        raise refused[0][1]
    found[0] = found[0]._replace(left_out=(*found[0].left_out, *refused))
    return found


def settle(intake: Intake, envelope: Envelope, known: Recipient) -> Recipient:
    """Decide a pending recipient, once its sender is proved. Raises Refused; may read the database."""
    if known.pending:
        for _name, decide in PROVED_CHECKS:
            known = decide(intake, envelope, known)
    return known._replace(pending=False)
