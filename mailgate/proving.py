"""What a mail shows of who sent it: a secret, SPF, DKIM, or what a trusted mail server found out about them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from mailgate import addresses, sender_secrets, trust
from mailgate.checks import Envelope, Intake, Recipient
from mailgate.errors import NotProvable
from mailgate.mail import Mail
from mailgate.proof import NO_EVIDENCE
from mailgate.proof.evidence import Evidence
from mailgate.proof.names import DnsTrouble
from mailgate.trust import Rule, Shown, Standing


class Looked(NamedTuple):
    """The mail and its recipients, without the secret; and what was shown."""

    mail: Mail
    raw: bytes
    recipients: list[Recipient]
    shown: Shown
    secrets: tuple[str, ...]  # what was taken out

    def holds_secret(self, text: str) -> bool:
        return any(sender_secrets.form(secret) in sender_secrets.form(text) for secret in self.secrets)


def needed(intake: Intake, envelope: Envelope, mail: Mail) -> bool:
    """Whether only a look at the mail itself can prove its sender. No I/O."""
    if intake.book.rules().only_known:
        return False
    shown = Shown(envelope.peer, envelope.auth)
    return any(
        trust.judge(rule, address, shown) is Standing.PENDING
        for address, rule in _covered(intake, envelope, mail)
    )


def look(
    intake: Intake, envelope: Envelope, recipients: Sequence[Recipient], mail: Mail, raw: bytes
) -> Looked:
    """Blocks: DNS for up to five seconds, argon2. Raises NotProvable when DNS does not answer.

    What is learnt is only asked for where a rule needs it: a mail from a sender with `ip` costs no DNS.
    """
    covered = list(_covered(intake, envelope, mail))
    to = tuple(known.address for known in recipients if not known.is_ours())
    evidence = _evidence(intake, envelope, to, mail, raw, covered)
    found = _secrets(intake, envelope, recipients, mail, covered)
    shown = Shown(envelope.peer, envelope.auth, frozenset(found), evidence, to)
    texted = list(recipients)
    for secret in found.values():
        mail, raw = _without_first_word(mail, secret), _without(raw, secret)
        texted = [_without_tag(known, secret) for known in texted]
    return Looked(mail, raw, texted, shown, tuple(found.values()))


def _covered(intake: Intake, envelope: Envelope, mail: Mail) -> Iterator[tuple[str, Rule]]:
    """Envelope sender and From, each with the rule that covers it. A rule of another account is none: the mail is
    refused anyway, and how long that takes must not tell of it.
    """
    rules = intake.book.rules()
    from_ = mail.from_[:1] if mail.from_count == 1 and mail.from_clean else ()
    account_id: int | None = None
    for address in dict.fromkeys((envelope.mail_from, *from_)):
        rule = rules.covering(address) if address else None
        if rule is not None and account_id in {None, rule.account_id}:
            account_id = rule.account_id
            yield address, rule


# --- DNS --------------------------------------------------------------------------------------------------


def _evidence(
    intake: Intake,
    envelope: Envelope,
    to: Sequence[str],
    mail: Mail,
    raw: bytes,
    covered: Sequence[tuple[str, Rule]],
) -> Evidence:
    nothing_yet = Shown(envelope.peer, envelope.auth)
    asked = [
        trust.normal(address)
        for address, rule in covered
        if rule.accept != "secret" and trust.judge(rule, address, nothing_yet) is Standing.PENDING
    ]
    if not asked:
        return NO_EVIDENCE
    try:
        return intake.prover.prove(
            mail,
            raw,
            peer=envelope.peer,
            mail_from=envelope.mail_from,
            helo=envelope.helo,
            addresses=asked,
            recipients=to,
        )
    except DnsTrouble as error:
        raise NotProvable("the sender cannot be checked now; try again later") from error


# --- secrets ----------------------------------------------------------------------------------------------


def _secrets(
    intake: Intake,
    envelope: Envelope,
    recipients: Sequence[Recipient],
    mail: Mail,
    covered: Sequence[tuple[str, Rule]],
) -> dict[str, str]:
    """Rules, by address, whose secret the mail has; and the secret as it was typed."""
    candidates = [*_tags(recipients), *mail.subject.split(maxsplit=1)[:1]]
    source = trust.counted_as(envelope.peer)
    tried = {
        rule.address: intake.sender_secrets.fitting(rule, candidates, source)
        for _address, rule in covered
        if rule.accept == "secret"
    }
    return {address: secret for address, secret in tried.items() if secret}


def _tags(recipients: Sequence[Recipient]) -> list[str]:
    named = [known.named for known in recipients if isinstance(known.named, addresses.Typed)]
    return [tag for one in named for tag in one.tag.split("+") if tag]


def _is(word: str, secret: str) -> bool:
    return sender_secrets.form(word) == sender_secrets.form(secret)


def _without_first_word(mail: Mail, secret: str) -> Mail:
    words = mail.subject.split(maxsplit=1)
    return mail._replace(subject="".join(words[1:])) if words and _is(words[0], secret) else mail


def _without(raw: bytes, secret: str) -> bytes:
    """The mail as the operator may get a copy of it."""
    return re.sub(re.escape(secret.encode()), b"...", raw, flags=re.IGNORECASE)


def _without_tag(known: Recipient, secret: str) -> Recipient:
    """Nothing of the secret stays in the address, nor in what a sender's ORCPT says of it."""
    if not isinstance(known.named, addresses.Typed):
        return known
    kept = [tag for tag in known.named.tag.split("+") if tag and not _is(tag, secret)]
    asked = known.dsn
    if sender_secrets.form(secret) in sender_secrets.form(asked.orcpt):
        asked = replace(asked, orcpt="")
    named = known.named._replace(tag="+".join(kept))
    return known._replace(address=addresses.hidden_tag(known.address), named=named, dsn=asked)
