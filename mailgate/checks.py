"""Deciding a mail: one literal list of checks for each recipient, one for the mail. `explain` shows them all.

A check returns what is known now, or raises Refused. Nothing here writes; only a reply address reads the database.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from gateway_core import conversations, numbers
from gateway_core.accounts import Account
from gateway_core.drafts import check_destination, compose, sender_id_for
from gateway_core.encoding import Segments
from gateway_core.errors import NothingToText, UnknownSender
from gateway_core.gateway import Gateway
from gateway_core.storage import clock
from mailgate import addresses, body, guard, trust
from mailgate.addresses import Operator, ReplyToken, ReturnPath
from mailgate.body import Text
from mailgate.dsn import NO_RECIPIENT_OPTIONS, RecipientOptions
from mailgate.errors import FromNotCovered, NullSender, UnknownName, UnknownToken
from mailgate.mail import Mail
from mailgate.settings import Settings
from mailgate.trust import Book, Rule

NOT_ALLOWED = "this sender may not text from here"  # one wording for every sender that is not proved


@dataclass(frozen=True, slots=True)
class Intake:
    """What deciding needs."""

    gateway: Gateway
    settings: Settings
    book: Book
    secrets: tuple[str, ...]
    loop_token: str  # what our own mails carry in X-Mailgate-Loop


@dataclass(frozen=True, slots=True)
class Envelope:
    """Where a mail came from. `mail_from` is "" for the null sender."""

    mail_from: str
    peer: str
    door: str = "smtp"
    auth: str = ""  # address of the sender rule that a login proved


class Recipient(NamedTuple):
    """One decided recipient: numbers of an account, the operator, or a return path of ours."""

    address: str
    named: addresses.Recipient | None = None
    rule: Rule | None = None
    account: Account | None = None
    to: tuple[str, ...] = ()
    sender_id: str = ""  # of the conversation that a reply address names
    dsn: RecipientOptions = NO_RECIPIENT_OPTIONS  # what its sender asked of reports


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
    """Does a rule cover the envelope sender, and does the mail come from where the rule says?"""
    rule, account = identify(intake, envelope)
    return known._replace(rule=rule, account=account)


def identify(intake: Intake, envelope: Envelope) -> tuple[Rule, Account]:
    """The rule and account of an envelope sender. Raises UnknownSender, in the same words whatever the cause."""
    rule = intake.book.rules().covering(envelope.mail_from) if envelope.mail_from else None
    account = intake.gateway.snapshot.accounts.get(rule.account_id) if rule else None
    if rule is None or account is None or not trust.fits(rule, envelope.peer, envelope.auth):
        raise UnknownSender(NOT_ALLOWED)
    return rule, account


def account_name(intake: Intake, envelope: Envelope) -> str:
    """For records: "" when the sender is not proved."""
    try:
        return identify(intake, envelope)[1].name
    except UnknownSender:
        return ""


def _number(intake: Intake, envelope: Envelope, known: Recipient) -> Recipient:
    """Which numbers does it name?"""
    account, named = _account(known), known.named
    if isinstance(named, ReplyToken):
        return _conversation(intake, known, named)
    if not isinstance(named, addresses.Typed):
        raise TypeError(named)
    if named.tag:
        raise UnknownName(f"+{named.tag} is not an option")
    contact = intake.book.contact(account.id, named.name)
    if contact is not None:
        return known._replace(to=contact)
    if not any(letter.isdigit() for letter in named.name):
        raise UnknownName(f"{named.name} is neither a number nor a contact of {account.name}")
    return known._replace(to=(numbers.parse(named.name, account.terms.region),))


def _conversation(intake: Intake, known: Recipient, token: ReplyToken) -> Recipient:
    with intake.gateway.reader.connect() as conn:
        talk = conversations.get(conn, token.conversation_id)
    if talk is None or talk.account_id != _account(known).id:
        raise UnknownToken("this reply address is not yours")
    if token.expires_at < clock.now():
        plain = f"{talk.handset.removeprefix('+')}@{intake.settings.mail.domains[0]}"
        raise UnknownToken(f"this reply address has expired; write to {plain}")
    return known._replace(to=(talk.handset,), sender_id=talk.number)


def _destination(intake: Intake, envelope: Envelope, known: Recipient) -> Recipient:
    """Do account, price list and routes allow these numbers?"""
    snapshot, account = intake.gateway.snapshot, _account(known)
    for to in known.to:
        check_destination(snapshot, account, to)
    sender_id_for(snapshot, account, known.sender_id)
    return known


_NOBODYS_PHONE = (Operator, ReturnPath)

Check = Callable[[Intake, Envelope, Recipient], Recipient]
RECIPIENT_CHECKS: tuple[tuple[str, Check], ...] = (
    ("address", _named),
    ("null sender", _not_null),
    ("sender", _sender),
    ("number", _number),
    ("destination", _destination),
)


def _account(known: Recipient) -> Account:
    if known.account is None:
        raise UnknownSender(NOT_ALLOWED)
    return known.account


def check(intake: Intake, envelope: Envelope, address: str) -> Recipient:
    """Decide one recipient. Raises Refused. Reads the database only for a reply address."""
    known = Recipient(address)
    for _name, decide in RECIPIENT_CHECKS:
        known = decide(intake, envelope, known)
        if isinstance(known.named, _NOBODYS_PHONE):
            return known
    return known


# --- deciding the mail ------------------------------------------------------------------------------------


class Reading(NamedTuple):
    """What a mail says, under the terms of the account that it is for."""

    mail: Mail
    text: Text = Text("", (), "")
    segments: Segments | None = None  # of the text, under the account's terms


def _robot(intake: Intake, envelope: Envelope, rule: Rule, account: Account, known: Reading) -> Reading:
    """Did a robot write it, or is it running in circles?"""
    refused = guard.verdict(
        known.mail,
        envelope_from=envelope.mail_from,
        lists=rule.lists,
        own_domains=intake.settings.mail.domains,
        own_token=intake.loop_token,
    )
    if refused:
        raise refused
    return known


def _from(intake: Intake, envelope: Envelope, rule: Rule, account: Account, known: Reading) -> Reading:
    """Is there one From, and does a rule of the same account cover it too?"""
    mail = known.mail
    if mail.from_count != 1 or not mail.from_clean:
        raise FromNotCovered("the mail needs one From field with one address")
    cover = intake.book.rules().covering(mail.from_[0])
    if cover is None or cover.account_id != account.id or not trust.fits(cover, envelope.peer, envelope.auth):
        raise FromNotCovered("the address in From may not text for this account")
    return known


def _text(intake: Intake, envelope: Envelope, rule: Rule, account: Account, known: Reading) -> Reading:
    """Is there something to text?"""
    text = body.text(known.mail, text_from=account.terms.text_from, monitoring=rule.monitoring)
    if not text.text.strip():
        raise NothingToText("there is nothing to text in this mail")
    return known._replace(text=text)


def _length(intake: Intake, envelope: Envelope, rule: Rule, account: Account, known: Reading) -> Reading:
    """Does the text fit the account's terms?"""
    return known._replace(segments=compose(account.terms, known.text.text))


MailCheck = Callable[[Intake, Envelope, Rule, Account, Reading], Reading]
MAIL_CHECKS: tuple[tuple[str, MailCheck], ...] = (
    ("robot", _robot),
    ("from", _from),
    ("text", _text),
    ("length", _length),
)


def read(intake: Intake, envelope: Envelope, recipient: Recipient, mail: Mail) -> Reading:
    """Decide the mail for its account. Raises Refused."""
    account, rule = recipient.account, recipient.rule
    if account is None or rule is None:
        raise UnknownSender(NOT_ALLOWED)
    known = Reading(mail)
    for _name, decide in MAIL_CHECKS:
        known = decide(intake, envelope, rule, account, known)
    return known
