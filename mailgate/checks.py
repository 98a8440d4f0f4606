"""Deciding who may text whom: one literal list of checks for each recipient. `explain` shows them all.

A check returns what is known now, or raises Refused. Nothing here writes; `reads` says what reads the database.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from gateway_core import conversations, hours, numbers, optouts
from gateway_core.accounts import Account
from gateway_core.drafts import check_destination, route_for, sender_id_for
from gateway_core.errors import (
    DestinationNotAllowed,
    OptedOut,
    Refused,
    SenderIDNotAllowed,
    UnknownSender,
)
from gateway_core.gateway import Gateway
from gateway_core.storage import clock
from mailgate import addresses, listed, trust
from mailgate.addresses import Operator, ReplyToken, ReturnPath
from mailgate.dsn import NO_RECIPIENT_OPTIONS, RecipientOptions
from mailgate.errors import (
    GroupTooLarge,
    NullSender,
    OutsideHours,
    UnknownName,
    UnknownToken,
)
from mailgate.options import NO_OPTIONS, Options, of_tag
from mailgate.proof import Prover
from mailgate.proof.names import Names
from mailgate.sender_secrets import Secrets
from mailgate.settings import Settings
from mailgate.spoofs import Spoofs
from mailgate.trust import Book, Rule, Shown, Standing

NOT_ALLOWED = "this sender may not text from here"  # one wording for every sender that is not proved


@dataclass(frozen=True, slots=True)
class Intake:
    """What deciding needs."""

    gateway: Gateway
    settings: Settings
    book: Book
    secrets: tuple[str, ...]
    loop_token: str  # what our own mails carry in X-Mailgate-Loop
    sender_secrets: Secrets = field(default_factory=Secrets)
    spoofs: Spoofs = field(default_factory=Spoofs)
    prover: Prover = field(init=False)

    def __post_init__(self) -> None:
        mail = self.settings.mail
        prover = Prover(Names(mail.dns_servers), mail.trusted_relays, mail.authserv_id)
        object.__setattr__(self, "prover", prover)


@dataclass(frozen=True, slots=True)
class Envelope:
    """Where a mail came from. `mail_from` is "" for the null sender."""

    mail_from: str
    peer: str
    door: str = "smtp"
    auth: str = ""  # address of the sender rule that a login proved
    helo: str = ""  # what the peer calls itself


class Recipient(NamedTuple):
    """One decided recipient: numbers of an account, the operator, or a return path of ours.

    `pending`: only the mail itself can prove its sender, so what it may text is decided then (`settle`).
    """

    address: str
    named: addresses.Recipient | None = None
    rule: Rule | None = None
    account: Account | None = None
    to: tuple[str, ...] = ()
    sender_id: str = ""  # of the conversation that a reply address names
    dsn: RecipientOptions = NO_RECIPIENT_OPTIONS  # what its sender asked of reports
    pending: bool = False
    options: Options = NO_OPTIONS
    left_out: tuple[tuple[str, Refused], ...] = ()  # numbers of a group that are not texted, while others are

    def is_listed(self) -> bool:
        """Whether it stands for recipients that the mail itself lists."""
        rule, named = self.rule, self.named
        return (
            rule is not None
            and rule.recipients != "envelope"
            and isinstance(named, addresses.Typed)
            and named.name.lower() == listed.NAME
        )

    def is_ours(self) -> bool:
        """Mail that is for no phone."""
        return isinstance(self.named, Operator | ReturnPath)


Check = Callable[[Intake, Envelope, Recipient], Recipient]

# --- deciding a recipient ---------------------------------------------------------------------------------


def _named(intake: Intake, envelope: Envelope, known: Recipient) -> Recipient:
    """Is it an address of ours?"""
    return known._replace(named=addresses.read(known.address, intake.settings.mail.domains, intake.secrets))


def _not_null(intake: Intake, envelope: Envelope, known: Recipient) -> Recipient:
    """Is it a bounce for a phone?"""
    if not envelope.mail_from:
        raise NullSender("bounces are not texted")
    return known


def _sender(intake: Intake, envelope: Envelope, known: Recipient) -> Recipient:
    """Does a rule cover the envelope sender, and can the mail be what the rule demands?"""
    rule, account, pending = identify(intake, envelope)
    return known._replace(rule=rule, account=account, pending=pending)


def identify(intake: Intake, envelope: Envelope) -> tuple[Rule, Account, bool]:
    """Rule and account of an envelope sender, and whether the mail has to prove it still.

    Raises UnknownSender, in the same words whatever the cause.
    """
    rule = intake.book.rules().covering(envelope.mail_from) if envelope.mail_from else None
    account = intake.gateway.snapshot.accounts.get(rule.account_id) if rule else None
    if rule is None or account is None:
        raise UnknownSender(NOT_ALLOWED)
    standing = trust.judge(rule, envelope.mail_from, Shown(envelope.peer, envelope.auth))
    if standing is Standing.NOT_PROVED:
        raise UnknownSender(NOT_ALLOWED)
    return rule, account, standing is Standing.PENDING


def _after_proof(decide: Check) -> Check:
    """A check that is put off while the sender is not proved: its refusals would tell a stranger about the account."""

    def check(intake: Intake, envelope: Envelope, known: Recipient) -> Recipient:
        return known if known.pending else decide(intake, envelope, known)

    return check


def _number(intake: Intake, envelope: Envelope, known: Recipient) -> Recipient:
    """Which numbers does it name?"""
    account, named = account_of(known), known.named
    if isinstance(named, ReplyToken):
        return _conversation(intake, known, named)
    if not isinstance(named, addresses.Typed):
        raise TypeError(named)
    known = known._replace(options=of_tag(named.tag))
    return known if known.is_listed() else known._replace(to=_numbers(intake, account, named.name))


def _numbers(intake: Intake, account: Account, name: str) -> tuple[str, ...]:
    """Of a contact or a group, or a number as it was typed."""
    contact, most = intake.book.contact(account.id, name), account.terms.max_group
    if contact is not None and len(contact) > most:
        raise GroupTooLarge(f"{name} has {len(contact)} numbers; {account.name} allows {most}")
    if contact is not None:
        return contact
    if not any(letter.isdigit() for letter in name):
        raise UnknownName(f"{name} is neither a number nor a contact of {account.name}")
    return (numbers.parse(name, account.terms.region),)


def _conversation(intake: Intake, known: Recipient, token: ReplyToken) -> Recipient:
    with intake.gateway.reader.connect() as conn:
        talk = conversations.get(conn, token.conversation_id)
    if talk is None or talk.account_id != account_of(known).id:
        raise UnknownToken("this reply address is not yours")
    if token.expires_at < clock.now():
        plain = f"{talk.handset.removeprefix('+')}@{intake.settings.mail.domains[0]}"
        raise UnknownToken(f"this reply address has expired; write to {plain}")
    return known._replace(to=(talk.handset,), sender_id=talk.number)


def _destination(intake: Intake, envelope: Envelope, known: Recipient) -> Recipient:
    """Do account, sender rule, price list and routes allow these numbers? Of a group, those that they allow go."""
    refused: list[tuple[str, Refused]] = []
    for to in known.to:
        try:
            _allowed(intake, known, to)
        except Refused as error:
            refused.append((to, error))
    return _leave_out(known, refused)


def _allowed(intake: Intake, known: Recipient, to: str) -> None:
    check_destination(intake.gateway.snapshot, account_of(known), to)
    rule = known.rule
    if rule and not numbers.matches(to, rule.destinations):
        raise DestinationNotAllowed(f"{to} is not a destination that the rule for {rule.address} allows")


def reads(intake: Intake, envelope: Envelope, address: str) -> bool:
    """Whether deciding this recipient reads the database, so that it is no work for an event loop."""
    opted_out = intake.gateway.snapshot.opted_out
    if addresses.is_signed(address) or not opted_out:
        return addresses.is_signed(address)
    rule = intake.book.rules().covering(envelope.mail_from) if envelope.mail_from else None
    # What the handset will show is not known yet: a shared number that anybody opted out of may be it.
    return rule is not None and any(
        scope in {optouts.ALL, f"account:{rule.account_id}"} or scope.startswith("number:")
        for scope in opted_out
    )


def _not_opted_out(intake: Intake, envelope: Envelope, known: Recipient) -> Recipient:
    """Has a handset asked not to be texted? Of a group, the others are texted."""
    account, rule = account_of(known), known.rule
    own = known.sender_id or (rule.sender_ids[0] if rule and rule.sender_ids else account.terms.sender_id)
    shown = own or intake.gateway.snapshot.default_number(account.id) or ""
    if intake.gateway.snapshot.opted_out.isdisjoint(optouts.scopes(account.id, shown)):
        return known
    with intake.gateway.reader.connect() as conn:
        barred = optouts.forbidden(conn, [optouts.Text(account.id, shown, to) for to in known.to])
    refused = [(text.to, OptedOut(f"{text.to} has asked not to be texted")) for text in sorted(barred)]
    return _leave_out(known, refused)


def _leave_out(known: Recipient, refused: Sequence[tuple[str, Refused]]) -> Recipient:
    """Raises the first refusal where nobody is left."""
    if refused and len(refused) == len(known.to):
        raise refused[0][1]
    gone = {to for to, _ in refused}
    left = tuple(to for to in known.to if to not in gone)
    return known._replace(to=left, left_out=(*known.left_out, *refused))


def _sender_id(intake: Intake, envelope: Envelope, known: Recipient) -> Recipient:
    """May account and sender rule use what the handset will show, and do destination and routes take it?"""
    rule, wanted = known.rule, known.sender_id
    if rule and rule.sender_ids:
        wanted = wanted or rule.sender_ids[0]
        if wanted not in rule.sender_ids:
            raise SenderIDNotAllowed(f"{wanted} is not a sender ID that the rule for {rule.address} allows")
    snapshot, account = intake.gateway.snapshot, account_of(known)
    if not known.to:
        sender_id_for(snapshot, account, wanted)
    refused: list[tuple[str, Refused]] = []
    for to in known.to:
        try:
            route_for(snapshot, account, to, sender_id_for(snapshot, account, wanted, to))
        except Refused as error:
            refused.append((to, error))
    return _leave_out(known, refused)._replace(sender_id=wanted)


def _hours(intake: Intake, envelope: Envelope, known: Recipient) -> Recipient:
    """May the sender text at this time of the account's day?"""
    rule = known.rule
    zone = account_of(known).terms.timezone
    if rule and rule.hours and not hours.hold(rule.hours, datetime.now(ZoneInfo(zone))):
        raise OutsideHours(f"{rule.address} may text {rule.hours} ({zone}) only")
    return known


PROVED_CHECKS: tuple[tuple[str, Check], ...] = (
    ("number", _number),
    ("opt-out", _not_opted_out),
    ("destination", _destination),
    ("sender ID", _sender_id),
    ("hours", _hours),
)
SENDER_CHECKS: tuple[tuple[str, Check], ...] = (
    ("address", _named),
    ("null sender", _not_null),
    ("sender", _sender),
)
RECIPIENT_CHECKS: tuple[tuple[str, Check], ...] = (
    *SENDER_CHECKS,
    *((name, _after_proof(decide)) for name, decide in PROVED_CHECKS),
)


def account_of(known: Recipient) -> Account:
    if known.account is None:
        raise UnknownSender(NOT_ALLOWED)
    return known.account


def check(intake: Intake, envelope: Envelope, address: str) -> Recipient:
    """Decide one recipient. Raises Refused. May read the database only where `reads` says so."""
    known = Recipient(address)
    for _name, decide in RECIPIENT_CHECKS:
        known = decide(intake, envelope, known)
        if known.is_ours():
            return known
    return known
