"""Deciding a mail for its account: one literal list of checks. `explain` shows them all.

A check returns what is known now, or raises Refused. Nothing here does I/O: what a mail shows of its sender was
found out before (`proving.look`).
"""

from collections.abc import Callable
from typing import NamedTuple

from gateway_core.accounts import Account
from gateway_core.drafts import compose
from gateway_core.encoding import Segments
from gateway_core.errors import NothingToText, Refused, UnknownSender
from mailgate import body, guard, listed, trust
from mailgate.body import Text, banners
from mailgate.body.sealed import is_sealed
from mailgate.checks import NOT_ALLOWED, Envelope, Intake, Recipient
from mailgate.errors import Encrypted, FromNotCovered, MailTooLarge, NotAuthentic, SpfNotPassed
from mailgate.listed import Listed
from mailgate.mail import Mail
from mailgate.options import NO_OPTIONS, Options, of_fields, of_subject
from mailgate.trust import Rule, Shown, Standing


class Reading(NamedTuple):
    """What a mail says, under the terms of the account that it is for."""

    mail: Mail
    text: Text = Text("", (), "")
    shown: Shown | None = None  # None: nothing but what the envelope shows
    segments: Segments | None = None  # of the text, under the account's terms
    lists: bool = False  # whether its recipients stand in it
    listed: Listed | None = None
    options: Options = NO_OPTIONS  # for all: that its subject begins with, or a preview for one of them


def _standing(envelope: Envelope, rule: Rule, address: str, known: Reading) -> Standing:
    return trust.judge(rule, address, known.shown or Shown(envelope.peer, envelope.auth))


_UNPROVED: dict[str, type[Refused]] = {
    "spf": SpfNotPassed,
    "dmarc": NotAuthentic,
    "ip-or-dmarc": NotAuthentic,
    "ip-and-dmarc": NotAuthentic,
}


def _proof(intake: Intake, envelope: Envelope, rule: Rule, account: Account, known: Reading) -> Reading:
    """Is the envelope sender proved?"""
    if _standing(envelope, rule, envelope.mail_from, known) is not Standing.PROVED:
        raise _UNPROVED.get(rule.accept, UnknownSender)(NOT_ALLOWED)
    return known


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
    if cover is None or cover.account_id != account.id:
        raise FromNotCovered(_FROM)
    if _standing(envelope, cover, mail.from_[0], known) is not Standing.PROVED:
        raise _UNPROVED.get(cover.accept, FromNotCovered)(_FROM)
    return known


_FROM = "the address in From may not text for this account"


def _listed(intake: Intake, envelope: Envelope, rule: Rule, account: Account, known: Reading) -> Reading:
    """Whom does it list, and what does it ask for?"""
    options, subject = _asked(known.mail)
    fields = (*known.mail.headers("To"), *known.mail.headers("Cc"))
    named = of_fields(fields, intake.settings.mail.domains)
    known = known._replace(options=options if named is NO_OPTIONS else options | named)
    if not known.lists:
        return known
    if rule.recipients == "subject":
        return known._replace(listed=listed.of_subject(subject))
    lines = body.text(known.mail, text_from="body", monitoring=True)
    if _is_unread(lines):
        raise MailTooLarge(_UNREAD)
    return known._replace(listed=listed.of_body(lines.text))


def _asked(mail: Mail) -> tuple[Options, str]:
    """A server may have put its [EXTERNAL] before what the author's subject begins with."""
    return of_subject(banners.without_tag(mail.subject))


def _encrypted(intake: Intake, envelope: Envelope, rule: Rule, account: Account, known: Reading) -> Reading:
    """Can what its author wrote be read here?"""
    text_from = "body" if known.listed else account.terms.text_from
    text = _said(rule, account, known, text_from)
    if text_from != "subject" and is_sealed(known.mail, text):
        raise Encrypted(
            "this mail is encrypted, and only its receiver can open it; send it without encryption"
        )
    return known._replace(text=text)


def _said(rule: Rule, account: Account, known: Reading, text_from: str) -> Text:
    terms, mail = account.terms, known.mail
    if known.options is not NO_OPTIONS:
        mail = mail._replace(subject=_asked(mail)[1])
    marks = body.Marks(terms.markers, terms.end_markers, terms.footers)
    instead = known.listed.text if known.listed else None
    return body.text(mail, text_from=text_from, monitoring=rule.monitoring, marks=marks, instead=instead)


_UNREAD = "the body is longer than is read here"


def _is_unread(text: Text) -> bool:
    return any(piece.why == body.UNREAD for piece in text.removed)


def _text(intake: Intake, envelope: Envelope, rule: Rule, account: Account, known: Reading) -> Reading:
    """Is there something to text?"""
    text = known.text
    if _is_unread(text) and text.source != "body":  # the subject is no stand-in for a body that was given up
        raise MailTooLarge(_UNREAD)
    if not text.text.strip():
        raise NothingToText("there is nothing to text in this mail")
    return known


def _length(intake: Intake, envelope: Envelope, rule: Rule, account: Account, known: Reading) -> Reading:
    """Does the text fit the account's terms?"""
    return known._replace(segments=compose(account.terms, known.text.text))


MailCheck = Callable[[Intake, Envelope, Rule, Account, Reading], Reading]
MAIL_CHECKS: tuple[tuple[str, MailCheck], ...] = (
    ("proof", _proof),
    ("robot", _robot),
    ("from", _from),
    ("listed", _listed),
    ("encrypted", _encrypted),
    ("text", _text),
    ("length", _length),
)


def read(
    intake: Intake,
    envelope: Envelope,
    recipient: Recipient,
    mail: Mail,
    shown: Shown | None = None,
    *,
    lists: bool = False,
) -> Reading:
    """Decide the mail for its account. Raises Refused. `lists`: a recipient stands for those in the mail itself."""
    account, rule = recipient.account, recipient.rule
    if account is None or rule is None:
        raise UnknownSender(NOT_ALLOWED)
    known = Reading(mail, shown=shown, lists=lists)
    for _name, decide in MAIL_CHECKS:
        known = decide(intake, envelope, rule, account, known)
    return known
