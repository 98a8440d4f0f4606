"""What somebody asks for, and what may become of it as far as can be known before the transaction. Pure.

Submit decides with it, and so does everything that only wants to know: RCPT, preview, explain.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from gateway_core import encoding, numbers, routing
from gateway_core.accounts import Account, Terms
from gateway_core.caps import Cap
from gateway_core.directory import Snapshot
from gateway_core.encoding import Segments
from gateway_core.errors import (
    BadNumber,
    DestinationNotAllowed,
    NothingToText,
    Refused,
    SenderIDNotAllowed,
    TooLong,
)
from gateway_core.keys import Key
from gateway_core.notices import Notice
from gateway_core.routing import Route
from gateway_core.storage.storable import storable

_LONGEST = 255 * 153  # characters that 255 segments hold: more is not even split


class Submission(NamedTuple):
    """What somebody asks for: one text to one or more numbers (E.164)."""

    account: Account
    to: tuple[str, ...]
    text: str
    origin: Mapping[str, Any] | None = None  # comes back on every notice
    sender: str = ""  # who of the account submits it; opaque here
    notify: bool = False  # tell the origin what becomes of it
    receipts: Mapping[str, str] | None = (
        None  # by recipient: of which ends; one that is not named: the account's
    )
    warn: Collection[str] | None = None  # recipients whose delay is told of; None: as far as receipts are
    whole: bool = False  # refuse everything when one recipient is refused (a mail has one answer)
    key: Key | None = None
    sender_id: str = ""  # "": the account's
    sender_ids: Mapping[str, str] | None = None  # by recipient: the number of its conversation
    client_ref: str | None = None
    max_segments: int | None = None  # fewer than the account allows
    validity_minutes: int | None = None
    send_at: int | None = None
    segments: Segments | None = None  # of this text under these terms, where they are known already
    cap: Cap | None = None  # what who submits may spend a day
    service: bool = False  # a text that we owe a handset: free, and it passes an opt-out
    flash: bool = False  # class 0: shown at once, not stored (3GPP TS 23.038 §4)
    urgent: bool = False  # claimed before everything else that waits on its route
    flash_to: frozenset[str] = frozenset()  # recipients of whom it is true though not of all
    urgent_to: frozenset[str] = frozenset()
    owed: tuple[
        Notice, ...
    ] = ()  # what else the account is owed once a message of it is accepted, in the same commit


class Draft(NamedTuple):
    """One recipient that may be accepted, as far as can be known before the transaction."""

    to: str
    sender_id: str
    route: Route
    segments: Segments
    price: int
    number: str | None  # ours that replies come to; None for an alphanumeric sender ID
    pool: tuple[
        str, ...
    ] = ()  # numbers that may stand for it: the transaction chooses by who texted the handset


def decide(snapshot: Snapshot, submission: Submission) -> tuple[str, list[Draft], list[tuple[str, Refused]]]:
    """The text as it will be sent, the recipients that may be accepted, and those that may not."""
    try:
        segments = submission.segments or compose(
            submission.account.terms, submission.text, submission.max_segments
        )
    except Refused as error:
        return "", [], [(to, error) for to in dict.fromkeys(submission.to)]
    drafts, refused = [], []
    conversed = submission.sender_ids or {}
    for to in dict.fromkeys(submission.to):
        try:
            sender_id = conversed.get(to, submission.sender_id)
            one = draft(snapshot, submission.account, to, segments, sender_id)
            drafts.append(one._replace(price=0) if submission.service else one)
        except Refused as error:
            refused.append((to, error))
    return "".join(segments.parts), drafts, refused


def compose(terms: Terms, wanted: str, max_segments: int | None = None) -> Segments:
    """The text under the account's terms. Raises NothingToText, UnsupportedCharacter, TooLong."""
    text = encoding.apply_policy(storable(wanted), terms.unsupported)
    if not text.strip():
        raise NothingToText("there is no text")
    if len(text) > _LONGEST:
        if terms.too_long == "refuse":
            raise TooLong(f"the text has {len(text)} characters; a text has at most {_LONGEST}")
        text = text[:_LONGEST]
    segments = encoding.split(text)
    most = min(max_segments or terms.max_segments, terms.max_segments)
    if len(segments.parts) <= most:
        return segments
    if terms.too_long == "refuse":
        raise TooLong(f"the text needs {len(segments.parts)} segments; {most} are allowed")
    return encoding.split(encoding.truncate(text, most))


def draft(snapshot: Snapshot, account: Account, to: str, segments: Segments, sender_id: str = "") -> Draft:
    """One recipient. Raises BadNumber, DestinationNotAllowed, SenderIDNotAllowed."""
    per_segment = _price(snapshot, account, to)
    chosen = sender_id_for(snapshot, account, sender_id, to)
    route = route_for(snapshot, account, to, chosen)
    number = chosen if chosen in snapshot.numbers else None
    pool = () if sender_id or account.terms.sender_id else _pool(snapshot, account, to, route)
    return Draft(to, chosen, route, segments, per_segment * len(segments.parts), number, pool)


def _pool(snapshot: Snapshot, account: Account, to: str, route: Route) -> tuple[str, ...]:
    """The account's numbers that this destination and this route take; none where there is no choice."""
    pool = snapshot.pool(account.id)
    if len(pool) < 2:
        return ()
    return tuple(
        one
        for one in pool
        if (not route.sender_ids or routing.is_among(one, route.sender_ids))
        and routing.passes(snapshot.sender_id_rules, to, one)
    )


def _default(snapshot: Snapshot, account: Account, to: str) -> str:
    """The first of the account's numbers that destination and routes take; else the first one."""
    pool = snapshot.pool(account.id)
    if len(pool) < 2 or not to:
        return pool[0] if pool else ""
    wanted = (routing.Wanted(to, account.name, one, account.terms.test) for one in pool)
    taken = (
        one.sender_id
        for one in wanted
        if routing.passes(snapshot.sender_id_rules, to, one.sender_id)
        and any(routing.takes(route, one) for route in snapshot.routes)
    )
    return next(taken, pool[0])


def check_destination(snapshot: Snapshot, account: Account, to: str) -> int:
    """The price of a segment to this number. Raises DestinationNotAllowed, BadNumber."""
    per_segment = _price(snapshot, account, to)
    route_for(snapshot, account, to)
    return per_segment


def _price(snapshot: Snapshot, account: Account, to: str) -> int:
    if not to.startswith("+"):
        raise BadNumber(f"{to} is not an international number")
    if not numbers.matches(to, account.terms.destinations):
        raise DestinationNotAllowed(f"{to} is not a destination that the account allows")
    per_segment = routing.price(snapshot.prices, to, account.currency)
    if per_segment is None:
        raise DestinationNotAllowed(f"there is no price for {to} in {account.currency}")
    most = account.terms.max_price
    if most is not None and per_segment > most:
        raise DestinationNotAllowed(f"a segment to {to} costs more than the account allows")
    return per_segment


def route_for(snapshot: Snapshot, account: Account, to: str, sender_id: str = "") -> Route:
    """The route that takes it first; without a sender ID, whichever it will be. Raises DestinationNotAllowed."""
    wanted = routing.Wanted(to, account.name, sender_id, account.terms.test)
    route = routing.choose(snapshot.routes, wanted)
    if route is None:
        with_it = f" with the sender ID {sender_id}" if sender_id else ""
        raise DestinationNotAllowed(f"no route takes {to}{with_it}")
    return route


def sender_id_for(snapshot: Snapshot, account: Account, wanted: str, to: str = "") -> str:
    """What the handset will show; `to`: as its destination takes it. Raises SenderIDNotAllowed."""
    chosen = wanted or account.terms.sender_id or _default(snapshot, account, to)
    number = snapshot.numbers.get(chosen)
    own = number is not None and number.account_id in {account.id, None}
    if chosen and (own or chosen == account.terms.sender_id):
        return routing.sender_id_at(snapshot.sender_id_rules, to, chosen) if to else chosen
    if not chosen:
        raise SenderIDNotAllowed("the account has no number and no sender ID")
    raise SenderIDNotAllowed(f"{chosen} is not a sender ID of the account")
