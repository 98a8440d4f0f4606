"""Rows as JSON shows them: times in RFC 3339, ids as people see them, money as decimal strings."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping

from gateway_core import money
from gateway_core.encoding import Costs
from gateway_core.storage import ids


def time(milliseconds: int) -> str:
    """`2025-01-31T12:00:00.000Z`."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


def message(row: RowMapping) -> dict[str, Any]:
    return {
        "id": ids.show("m", row["id"]),
        "submission": ids.show("s", row["submission_id"]),
        "to": row["to"],
        "sender_id": row["sender_id"],
        "text": row["text"],
        "client_ref": row["client_ref"],
        "state": row["state"],
        "reason": row["reason"],
        "segments": row["segments"],
        "encoding": row["encoding"],
        "price": money.show(row["price"], row["currency"]),
        "possible_duplicate": row["possible_duplicate"],
        "flash": row["flash"],
        "urgent": row["urgent"],
        "created_at": time(row["created_at"]),
    }


def costs(found: Costs) -> dict[str, Any]:
    return {
        "characters": [
            {
                "character": one.character,
                "code": one.code,
                "name": one.name,
                "count": one.count,
                "why": one.why,
                "instead": one.instead,
            }
            for one in found.characters
        ],
        "segments_transliterated": found.segments_transliterated,
    }


def trail(rows: Sequence[RowMapping]) -> list[dict[str, Any]]:
    return [
        {
            "at": time(row["at"]),
            "actor": row["actor"],
            "from": row["old"],
            "to": row["new"],
            "reason": row["reason"],
        }
        for row in rows
    ]


def page(kind: str, rows: Sequence[RowMapping], items: Sequence[Any], limit: int) -> dict[str, Any]:
    """One page of a list that was read with one row more than asked: the cursor is the last item's id."""
    more = len(rows) > limit
    return {
        "items": list(items[:limit]),
        "next": ids.show(kind, rows[limit - 1]["id"]) if more else None,
    }


def statement(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts of gateway_core.statements, with amounts as decimal strings."""

    def amount(value: int) -> str:
        return money.show(value, facts["currency"])

    plain: dict[str, Any] = {key: facts[key] for key in ("month", "currency")}
    sums: dict[str, Any] = {
        key: amount(facts[key]) for key in ("opening", "closing", "charged", "vat") if key in facts
    }
    countries = [
        {"country": name, "texts": texts, "segments": segments, "amount": amount(-spent)}
        for name, (texts, segments, spent) in facts["countries"].items()
    ]
    kinds = {kind: amount(value) for kind, value in facts["kinds"].items()}
    percent = {"vat_percent": facts["vat_percent"]} if "vat" in facts else {}
    return {**plain, **sums, **percent, "kinds": kinds, "countries": countries}
