"""A statement in words and as CSV (RFC 4180)."""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from gateway_core import money
from mailgate.wording import ENGLISH, Speech


def lines(speech: Speech, facts: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(what, how many texts and segments, amount), in words."""
    for what, texts, segments, amount in _lines(speech, facts):
        counted = speech.say("statement.counted", texts=texts, segments=segments) if texts else ""
        yield what, counted, amount


def _lines(speech: Speech, facts: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """(what, texts, segments, amount)."""

    def shown(amount: int) -> str:
        return money.show(amount, facts["currency"])

    say = speech.say
    yield say("statement.before", month=facts["month"]), "", "", shown(facts["opening"])
    for kind, amount in facts["kinds"].items():
        yield say(f"statement.{kind}"), "", "", shown(amount)
    yield say("statement.closing"), "", "", shown(facts["closing"])
    for country, (texts, segments, amount) in facts["countries"].items():
        yield say("statement.country", country=country), str(texts), str(segments), shown(-amount)
    yield say("statement.charged"), "", "", shown(facts["charged"])
    if "vat" in facts:
        yield say("statement.vat", percent=facts["vat_percent"]), "", "", shown(facts["vat"])
        yield say("statement.with_vat"), "", "", shown(facts["charged"] + facts["vat"])


def as_words(facts: Mapping[str, Any]) -> str:
    """On the command line."""
    body = [
        f"{what:38}{amount:>14}{'   ' if counted else ''}{counted}\n"
        for what, counted, amount in lines(ENGLISH, facts)
    ]
    return f"{ENGLISH.say('statement.title', **facts)}\n\n{''.join(body)}"


def as_csv(facts: Mapping[str, Any]) -> str:
    """With a header, in English; amounts as decimal numbers. Nothing in it is what somebody wrote, so no cell is a
    formula.
    """
    into = io.StringIO()
    writer = csv.writer(into)  # RFC 4180: CRLF, and quotes where a cell needs them
    writer.writerow(("account", "month", "currency", "what", "texts", "segments", "amount"))
    for what, texts, segments, amount in _lines(ENGLISH, facts):
        writer.writerow((facts["account"], facts["month"], facts["currency"], what, texts, segments, amount))
    return into.getvalue()
