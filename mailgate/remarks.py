"""What an author is told besides what becomes of a text: a preview, or what of the mail was not texted to whom.

Both are notices without a message; what a mail needs to find its thread stands in their facts.
"""

import hashlib
import secrets
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateway_core import encoding, money, numbers
from gateway_core.drafts import Draft, Submission
from gateway_core.errors import Refused
from gateway_core.notices import Notice
from mailgate import shown, wording
from mailgate.body import machines
from mailgate.mail import Mail

_MOST_COSTLY = 50  # characters that a preview names: a Chinese text has as many as it is long
_WIDTH = 76  # of a line in a mail
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
        "origin": _thread(origin),
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
        "origin": _thread(origin),
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


def _thread(origin: Mapping[str, Any]) -> dict[str, Any]:
    wanted = ("envelope_from", "from", "subject", "message_id", "references", "unanswered", "dsn")
    return {name: origin[name] for name in wanted if name in origin}


def _words(left_out: LeftOut) -> list[list[str]]:
    return [[to, str(error)] for to, error in left_out]


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


# --- words ------------------------------------------------------------------------------------------------


def remark_words(facts: dict[str, Any]) -> str:
    rest = wording.OTHERS if facts["left_out"] else wording.WITHOUT
    return wording.REMARK.format(facts="\n".join(_not_sent(facts)), rest=rest)


def attached(names: Sequence[str]) -> str:
    """In one line, or one a line where that would be long; a name is never broken."""
    line = wording.ATTACHED.format(names=" " + ", ".join(names))
    return line if len(line) <= _WIDTH else wording.ATTACHED.format(names="\n  " + "\n  ".join(names))


def preview_words(facts: dict[str, Any]) -> str:
    parts = facts["parts"]
    prices = [f"{numbers.display(to)}: {price} {facts['currency']}" for to, price in facts["prices"]]
    pieces = [
        wording.NOT_TEXTED.format(why=piece["why"], text=quoted(piece["text"])) for piece in facts["removed"]
    ]
    paragraphs = (
        wording.PREVIEW,
        "\n".join(parts) if len(parts) == 1 else _numbered(parts),
        "\n".join([_size(facts), *prices]),
        *_dear(facts),
        *pieces,
        "\n".join(_not_sent(facts)),
    )
    return "\n\n".join(filter(None, paragraphs)) + "\n"


def _size(facts: dict[str, Any]) -> str:
    count = len(facts["prices"])
    return (wording.SIZE if count == 1 else wording.SIZE_EACH).format(
        segments=_segments(len(facts["parts"])),
        encoding=wording.ENCODINGS[facts["encoding"]],
        count=count,
        price=facts["price"],
        currency=facts["currency"],
    )


def _dear(facts: dict[str, Any]) -> Iterator[str]:
    """The characters that cost, as far as they do: in UCS-2 none counts as two for being in the GSM extension."""
    why = "ucs2" if facts["encoding"] == "ucs2" else "extension"
    lines = [_character(one) for one in facts["costs"]["characters"] if one["why"] == why]
    if facts.get("more_costly"):
        lines.append(wording.MORE_COSTLY.format(count=facts["more_costly"]))
    if lines:
        yield "\n".join([wording.COSTLY[why], *lines])
    fewer = facts["costs"]["segments_transliterated"]
    if fewer < len(facts["parts"]):
        yield wording.FEWER.format(segments=_segments(fewer))


def _character(one: dict[str, Any]) -> str:
    times = "once" if one["count"] == 1 else f"{one['count']} times"
    line = wording.CHARACTER.format(character=one["character"], name=one["name"], times=times)
    if one["instead"] == one["character"]:
        return line
    return line + wording.INSTEAD.format(instead=one["instead"] or "nothing")


def _not_sent(facts: dict[str, Any]) -> list[str]:
    lines = [
        _filled(wording.LEFT_OUT.format(to=numbers.display(to) if to.startswith("+") else to, why=why))
        for to, why in facts["left_out"]
    ]
    return [*lines, attached(facts["attachments"])] if facts["attachments"] else lines


def _filled(line: str) -> str:
    return textwrap.fill(line, _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines())


def _numbered(parts: Sequence[str]) -> str:
    """Each part with its number, as phones get them before they join them."""
    return "\n".join(f"[{number}/{len(parts)}] {part}" for number, part in enumerate(parts, 1))


def _segments(count: int) -> str:
    return f"{count} segment" if count == 1 else f"{count} segments"
