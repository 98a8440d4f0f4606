"""A statement as people and programs get it: by mail with a CSV, on the command line, by HTTP."""

import csv
import email
import email.policy
import io
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from cli_support import command_in
from core_support import wait_for
from http_support import Edge, running
from mail_support import ROWS, mail, world
from serve_support import words

from gateway_core import sweeper
from gateway_core.statements import Statement, make
from mailgate import statements

FACTS = {
    "account": "acme",
    "currency": "GBP",
    "month": "2026-04",
    "opening": 1_000_000,
    "kinds": {"credit": 250_000, "refund": 500, "submit": -2500},
    "countries": {"FR": [1, 1, -500], "GB": [3, 4, -1500]},
    "charged": 2000,
    "closing": 1_248_000,
    "vat_percent": "20",
    "vat": 400,
}
CSV = [
    ["Balance before 2026-04", "", "", "100.00"],
    ["Top-ups", "", "", "25.00"],
    ["Given back", "", "", "0.05"],
    ["Texts", "", "", "-0.25"],
    ["Balance at the end", "", "", "124.80"],
    ["Texts to FR", "1", "1", "0.05"],
    ["Texts to GB", "3", "4", "0.15"],
    ["Charged", "", "", "0.20"],
    ["VAT 20 %", "", "", "0.04"],
    ["Charged with VAT", "", "", "0.24"],
]


def test_csv() -> None:
    written = statements.as_csv(FACTS)
    assert written.count("\r\n") == len(CSV) + 1
    header, *rows = csv.reader(io.StringIO(written))
    assert header == ["account", "month", "currency", "what", "texts", "segments", "amount"]
    assert rows == [["acme", "2026-04", "GBP", *row] for row in CSV]


def test_words() -> None:
    lines = statements.as_words(FACTS).splitlines()
    assert lines[0] == "Account acme, 2026-04, in GBP"
    assert lines[-1].split() == ["Charged", "with", "VAT", "0.24"]
    assert max(map(len, lines)) < 80


def test_it_is_mailed_and_shown_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    acme, *others = ROWS["account"]
    mine = {**acme, "receipts": "none", "statement_to": ["books@acme.example"]}
    with world(tmp_path / "var", {**ROWS, "account": [mine, *others]}) as w:
        account = w.gateway.snapshot.account("acme")
        assert account
        w.send(mail("hello"))
        unit = Statement(w.gateway.ids, account, "2026-04", FACTS)
        assert w.gateway.writer.put(make, unit).result(10) is True
        (path,) = wait_for(w.outbox)
        got = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        assert isinstance(got, EmailMessage)
        assert (got["To"], got["Subject"]) == ("books@acme.example", "Statement of acme, 2026-04")
        assert "Charged with VAT" in words(got)
        (attached,) = got.iter_attachments()
        assert attached.get_filename() == "acme-2026-04.csv"
        assert attached.get_content_type() == "text/csv"
        assert attached.get_content().splitlines() == statements.as_csv(FACTS).splitlines()
        assert sweeper.make_statements(w.gateway) == 0  # the accounts are new
    command = command_in(tmp_path, monkeypatch, capsys)
    assert command("account", "statement", "acme", "2026-04", "--csv").out.splitlines()[1:] == [
        ",".join(["acme", "2026-04", "GBP", *row]) for row in CSV
    ]
    assert command("account", "statement", "acme").out == statements.as_words(FACTS)
    assert "no statement of 2026-05" in command("account", "statement", "acme", "2026-05").fault


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    with running(tmp_path) as made:
        unit = Statement(made.gateway.ids, made.gateway.snapshot.accounts[1], "2026-04", FACTS)
        made.gateway.writer.put(make, unit).result(10)
        yield made


def of_april(items: list[dict[str, object]]) -> dict[str, object]:
    return next(item for item in items if item["month"] == "2026-04")


def test_by_http(edge: Edge) -> None:
    with edge.client() as client:
        item = of_april(client.get("/v1/statements").json()["items"])
        assert item == client.get("/v1/statements/2026-04").json()
        assert (item["charged"], item["vat"], item["closing"]) == ("0.20", "0.04", "124.80")
        assert item["countries"][1] == {"country": "GB", "texts": 3, "segments": 4, "amount": "0.15"}
        as_csv = client.get("/v1/statements/2026-04", headers={"Accept": "text/csv"})
        assert as_csv.headers["content-type"] == "text/csv; charset=utf-8; header=present"
        assert as_csv.text == statements.as_csv(FACTS)
        assert client.get("/v1/statements/2026-03").status_code == 404
        assert client.get("/v1/statements/x").status_code == 404
    with edge.client("b" * 40) as client:
        assert client.get("/v1/statements/2026-04").status_code == 404
