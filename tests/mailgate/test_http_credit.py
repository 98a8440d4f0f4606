"""Top-ups by HTTP, for the operator's programs; the ledger, for the account's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from http_support import ACME, Edge, running

OPERATOR = "d" * 40


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    with running(tmp_path, operator_keys=[OPERATOR]) as made:
        yield made


def credit(edge: Edge, amount: Any, key: str = OPERATOR, account: str = "acme", **headers: str) -> Any:
    with edge.client(key, **headers) as client:
        return client.post(f"/v1/accounts/{account}/credit", json={"amount": amount, "note": "invoice 7"})


def balance(edge: Edge) -> str:
    with edge.client() as client:
        return str(client.get("/v1/balance").json()["balance"])


def test_a_top_up_is_entered_once_under_its_key(edge: Edge) -> None:
    before = float(balance(edge))
    first, again = (credit(edge, "25.00", **{"Idempotency-Key": "inv-7"}) for _ in range(2))
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert first.json() == {"account": "acme", "balance": balance(edge), "currency": "GBP"}
    assert float(balance(edge)) == before + 25
    other = credit(edge, "26.00", **{"Idempotency-Key": "inv-7"})
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    credit(edge, "1.00")
    credit(edge, "1.00")  # without a key each is meant
    assert float(balance(edge)) == before + 27


@pytest.mark.parametrize("amount", ["0", "-1.00", "much", "", 5, None, "1.000001"])
def test_what_is_no_amount(edge: Edge, amount: Any) -> None:
    before = balance(edge)
    said = credit(edge, amount)
    assert said.status_code == 422
    assert said.json()["errors"][0]["field"] == "amount"
    assert balance(edge) == before


@pytest.mark.parametrize("key", [ACME, "e" * 40, "", "short"])
def test_an_account_cannot_top_up_itself(edge: Edge, key: str) -> None:
    before = balance(edge)
    assert credit(edge, "1.00", key).status_code == 401
    assert balance(edge) == before


def test_no_such_account_and_an_empty_key(edge: Edge) -> None:
    assert credit(edge, "1.00", account="nobody").status_code == 404
    assert credit(edge, "1.00", **{"Idempotency-Key": '""'}).status_code == 400


def test_the_ledger_page_by_page(edge: Edge) -> None:
    for _ in range(3):
        edge.post("+447700900123")
    credit(edge, "25.00")
    with edge.client() as client:
        first = client.get("/v1/ledger", params={"limit": 2}).json()
        second = client.get("/v1/ledger", params={"limit": 200, "cursor": first["next"]}).json()
    items = [*first["items"], *second["items"]]
    assert [(one["kind"], one["amount"]) for one in items][:4] == [
        *(("credit", "25.00"), ("submit", "-0.05"), ("submit", "-0.05"), ("submit", "-0.05")),
    ]
    assert items[0]["note"] == "invoice 7"
    assert items[1]["message"].startswith("m")
    assert len({one["id"] for one in items}) == len(items)
    assert sum(float(one["amount"]) for one in items) == pytest.approx(float(balance(edge)))
