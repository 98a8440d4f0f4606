"""The facts of notices as templates want them: numbers and times as people read them, words in their language. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from gateway_core import numbers
from gateway_core.messages import FINAL, State
from mailgate import statements
from mailgate.reports import Outcome
from mailgate.wording import Speech

_ENCODINGS = {"gsm7": "GSM", "ucs2": "UCS-2"}
_GOOD = frozenset({State.DELIVERED, State.SENT})
Facts = dict[str, Any]


def shown(at: int, zone: str) -> str:
    return datetime.fromtimestamp(at / 1000, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M %Z")


def receipt(
    speech: Speech, facts: Mapping[str, Any], origin: Mapping[str, Any], text: str, author: str
) -> Facts:
    """`author` is empty where the mail goes to its author."""
    state, reason = facts["state"], _key(facts.get("reason", ""))
    advice = reason if speech.knows(f"advice.{reason}") else state
    return {
        "to": numbers.display(facts["to"]),
        "state": str(state),
        "before": facts.get("before", ""),
        "reason": reason,
        "words": facts.get("words", ""),
        "advice": str(advice) if speech.knows(f"advice.{advice}") else "",
        **_of_mail(origin, text, author),
    }


def delay(facts: Mapping[str, Any], origin: Mapping[str, Any], text: str, author: str, zone: str) -> Facts:
    return {
        "to": numbers.display(facts["to"]),
        "state": facts["state"],
        "until": shown(facts["until"], zone),
        **_of_mail(origin, text, author),
    }


def digest(
    speech: Speech,
    outcomes: Sequence[Outcome],
    number: int,
    origin: Mapping[str, Any],
    text: str,
    author: str,
) -> Facts:
    rows = [
        {
            "to": numbers.display(one.to),
            "state": _key(one.reason) if one.reason == "opted_out" else _ended(one.state),
            "words": "" if one.state in _GOOD else one.words or _reason(speech, one.reason),
        }
        for one in outcomes
    ]
    return {
        "rows": rows,
        "width": max(len(row["to"]) for row in rows),
        "delivered": sum(one.state in _GOOD for one in outcomes),
        "again": number > 1,
        "waits": any(one.state not in FINAL for one in outcomes),
        **_of_mail(origin, text, author),
    }


def _reason(speech: Speech, reason: str) -> str:
    """In brackets behind what became of it, so without its full stop; what the row says itself is not said again."""
    key = f"reason.{_key(reason)}"
    return "" if reason == "opted_out" or not speech.knows(key) else speech.say(key).rstrip(".")


def _ended(state: str) -> str:
    return str(state) if state in FINAL else "waiting"


def _key(words: str) -> str:
    """As catalogs name it."""
    return words.replace(" ", "_")


def _of_mail(origin: Mapping[str, Any], text: str, author: str) -> Facts:
    return {"text": text, "attachments": list(origin.get("attachments", ())), "author": author}


def reply(facts: Mapping[str, Any], text: str) -> Facts:
    """`text` is what it answers, where it does."""
    return {
        "from": numbers.display(facts["handset"]),
        "said": facts["text"],
        "opted_out": facts.get("opted_out"),
        "guessed": numbers.display(facts["number"]) if facts.get("guessed") else "",
        "text": text,
    }


def gathered(answers: Iterable[tuple[int, str]], more: int, most: int, zone: str) -> Facts:
    """Of (time, text) pairs; `more` are not among them."""
    return {
        "answers": [{"at": shown(at, zone), "text": text} for at, text in answers],
        "more": more,
        "most": most,
    }


def remark(speech: Speech, facts: Mapping[str, Any], author: str) -> Facts:
    return {
        "left_out": _left_out(speech, facts["left_out"]),
        "attachments": list(facts["attachments"]),
        "author": author,
    }


def _left_out(speech: Speech, left_out: Iterable[Sequence[str]]) -> list[dict[str, str]]:
    return [
        {
            "to": numbers.display(to) if to.startswith("+") else to,
            "why": speech.why(code[0], words) if code else words,
        }
        for to, words, *code in left_out
    ]


def refusal(speech: Speech, facts: Mapping[str, Any]) -> Facts:
    return {"why": speech.why(facts["code"], facts["words"]), "code": facts["code"], "to": facts["to"]}


def alarm(speech: Speech, facts: Mapping[str, Any], zone: str) -> tuple[str, Facts]:
    """Its subject, and what its template gets."""
    about = facts.get("about", "credit")
    known = {**facts, "until": shown(facts["until"], zone)} if about == "bounced" else facts
    return speech.say(f"subject.{about}", **known), {
        "about": about,
        "words": speech.say(f"alarm.{about}", **known),
    }


def statement(speech: Speech, facts: Mapping[str, Any]) -> Facts:
    lines = statements.lines(speech, facts)
    return {
        "title": speech.say("statement.title", **facts),
        "lines": [{"what": what, "counted": counted, "amount": amount} for what, counted, amount in lines],
    }


# --- previews ---------------------------------------------------------------------------------------------


def preview(speech: Speech, facts: Mapping[str, Any]) -> Facts:
    """The characters that cost, as far as they do: in UCS-2 none counts as two for being in the GSM extension."""
    costly = "ucs2" if facts["encoding"] == "ucs2" else "extension"
    fewer = facts["costs"]["segments_transliterated"]
    prices = facts["prices"]
    size = "preview.size" if len(prices) == 1 else "preview.size_each"
    return {
        "parts": facts["parts"],
        "size": speech.say(
            size,
            segments=_segments(speech, len(facts["parts"])),
            encoding=_ENCODINGS[facts["encoding"]],
            count=len(prices),
            price=facts["price"],
            currency=facts["currency"],
        ),
        "prices": [{"to": numbers.display(to), "price": price} for to, price in prices],
        "currency": facts["currency"],
        "costly": costly,
        "characters": list(_characters(speech, facts["costs"]["characters"], costly)),
        "more": facts.get("more_costly", 0),
        "fewer": _segments(speech, fewer) if fewer < len(facts["parts"]) else "",
        "removed": [{"why": _removed(speech, one["why"]), "text": one["text"]} for one in facts["removed"]],
        "left_out": _left_out(speech, facts["left_out"]),
        "attachments": list(facts["attachments"]),
    }


def _characters(
    speech: Speech, characters: Iterable[Mapping[str, Any]], costly: str
) -> Iterator[dict[str, str]]:
    for one in characters:
        if one["why"] != costly:
            continue
        count, instead = one["count"], one["instead"] or speech.say("preview.nothing_instead")
        yield {
            "character": one["character"],
            "name": one["name"],
            "times": speech.say("preview.once") if count == 1 else speech.say("preview.times", count=count),
            "instead": (
                "" if instead == one["character"] else speech.say("preview.instead", instead=instead)
            ),
        }


def _removed(speech: Speech, why: str) -> str:
    key = f"removed.{_key(why)}"
    return speech.say(key) if speech.knows(key) else why


def _segments(speech: Speech, count: int) -> str:
    return speech.say("preview.segment" if count == 1 else "preview.segments", count=count)
