"""What an author is told besides what becomes of a text: a preview, or what of the mail was not texted to whom.

Both are notices without a message; what a mail needs to find its thread stands in their facts.
"""

import hashlib
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateway_core import encoding, money
from gateway_core.drafts import Draft, Submission
from gateway_core.errors import Refused
from gateway_core.notices import Notice
from mailgate import shown
from mailgate.body import machines
from mailgate.mail import Mail

_MOST_COSTLY = 50  # characters that a preview names: a Chinese text has as many as it is long
LeftOut = Sequence[tuple[str, Refused]]


def remark(wanted: Submission, mail: Mail, left_out: LeftOut) -> tuple[Notice, ...]:
    """Who of a group or a list was not texted; and what was attached, where no receipt would name it. One or none.

    Who attaches the same again and again, as a camera does, hears of it once a day; a machine, never.
    """
    origin, told = wanted.origin or {}, set((wanted.receipts or {}).values())
    attachments = list(origin.get("attachments", []))
    if "failures" not in told or origin.get("unanswered") or machines.wrote(mail):
        attachments = []
    if told == {"none"} or not (left_out or attachments):
        return ()
    facts = {
        "origin": thread(origin),
        "number": wanted.to[0],
        "left_out": _words(left_out),
        "attachments": attachments,
    }
    if left_out:
        key = _key("remark", wanted, [to for to, _ in left_out])
    else:
        today = time.strftime("%Y-%m-%d", time.gmtime())
        key = _named("attached", wanted, today, origin["envelope_from"], *attachments)
    return (Notice(wanted.account.id, key, "remark", facts),)


def preview(wanted: Submission, text: str, drafts: Sequence[Draft], left_out: LeftOut) -> Notice:
    """The exact text, its segments, what it would cost and which characters make it dearer."""
    origin, currency = wanted.origin or {}, wanted.account.currency
    segments, costs = drafts[0].segments, encoding.costs(text)
    named = replace(costs, characters=costs.characters[:_MOST_COSTLY])
    facts = {
        "origin": thread(origin),
        "number": drafts[0].to,
        "text": text,
        "encoding": str(segments.encoding),
        "parts": list(segments.parts),
        "prices": [[draft.to, money.show(draft.price, currency)] for draft in drafts],
        "price": money.show(sum(draft.price for draft in drafts), currency),
        "currency": currency,
        "costs": shown.costs(named),
        "more_costly": len(costs.characters) - len(named.characters),
        "removed": list(origin.get("removed", [])),
        "attachments": list(origin.get("attachments", [])),
        "left_out": _words(left_out),
    }
    return Notice(wanted.account.id, _key("preview", wanted, wanted.to), "preview", facts)


def thread(origin: Mapping[str, Any]) -> dict[str, Any]:
    """What a mail to the author needs in order to find its thread."""
    wanted = ("envelope_from", "from", "subject", "message_id", "references", "unanswered", "dsn")
    return {name: origin[name] for name in wanted if name in origin}


def _words(left_out: LeftOut) -> list[list[str]]:
    return [[to, str(error), error.code] for to, error in left_out]


def _key(kind: str, wanted: Submission, about: Sequence[str]) -> str:
    """The same mail again, by the same marks as for its texts, is told of once for the same recipients: a relay may
    split it. One without marks is a new one each time, and so are its texts.
    """
    key = wanted.key
    marks = (key.value, key.mail_digest, *sorted(about)) if key else (secrets.token_hex(),)
    return _named(kind, wanted, *marks)


def _named(kind: str, wanted: Submission, *marks: str) -> str:
    same = "\0".join(marks).encode("utf-8", "replace")
    return f"{kind}:{wanted.account.id}:{hashlib.sha256(same).hexdigest()}"
