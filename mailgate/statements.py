"""A statement in words and as CSV (RFC 4180)."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from gateway_core import money

_KINDS = {
    "opening": "Credit granted at the beginning",
    "credit": "Top-ups",
    "submit": "Texts",
    "refund": "Given back",
    "correction": "Charged again: delivered after all",
}


def lines(facts: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """(what, texts, segments, amount), as both forms have them."""

    def shown(amount: int) -> str:
        return money.show(amount, facts["currency"])

    yield f"Balance before {facts['month']}", "", "", shown(facts["opening"])
    for kind, amount in facts["kinds"].items():
        yield _KINDS[kind], "", "", shown(amount)
    yield "Balance at the end", "", "", shown(facts["closing"])
    for country, (texts, segments, amount) in facts["countries"].items():
        yield f"Texts to {country}", str(texts), str(segments), shown(-amount)
    yield "Charged", "", "", shown(facts["charged"])
    if "vat" in facts:
        yield f"VAT {facts['vat_percent']} %", "", "", shown(facts["vat"])
        yield "Charged with VAT", "", "", shown(facts["charged"] + facts["vat"])


def as_words(facts: dict[str, Any]) -> str:
    body = [
        f"{what:38}{amount:>14}{_counted(texts, segments)}\n"
        for what, texts, segments, amount in lines(facts)
    ]
    return f"Account {facts['account']}, {facts['month']}, in {facts['currency']}\n\n{''.join(body)}"


def _counted(texts: str, segments: str) -> str:
    return f"   {texts} texts, {segments} segments" if texts else ""


def as_csv(facts: dict[str, Any]) -> str:
    """With a header; amounts as decimal numbers. Nothing in it is what somebody wrote, so no cell is a formula."""
    into = io.StringIO()
    writer = csv.writer(into)  # RFC 4180: CRLF, and quotes where a cell needs them
    writer.writerow(("account", "month", "currency", "what", "texts", "segments", "amount"))
    for what, texts, segments, amount in lines(facts):
        writer.writerow((facts["account"], facts["month"], facts["currency"], what, texts, segments, amount))
    return into.getvalue()
