"""What `mailgate check` says of rows that do not fit each other, and that `apply` takes them."""

from pathlib import Path

import pytest
from cli_support import command_in

ROWS = """
[[account]]
name = "acme"
sender_id = "Acme"
[[number]]
msisdn = "+447700900901"
account = "acme"
[[price]]
prefix = "+44"
per_segment = "0.05"
currency = "GBP"
[[route]]
name = "sim"
carrier = "simulator"
prefixes = ["+44"]
"""
MORE = """
[[price]]
prefix = "+{}"
per_segment = "{}"
currency = "GBP"
"""

CASES = {
    "nothing": ("", ""),
    "a price without a route": (MORE.format("33", "0.05"), "price +33  note  no route takes what it prices"),
    "a route without a price": (
        '[[route]]\nname = "sim"\nprefixes = ["+44", "+49"]\n',
        "route sim  note  there is no price for +49: nothing can be texted there",
    ),
    "a sender ID that no route takes": (
        '[[route]]\nname = "sim"\nsender_ids = ["long"]\n',
        "account acme  note  no route that it may use takes its sender ID Acme",
    ),
    "a route of others": (
        '[[account]]\nname = "globex"\n[[route]]\nname = "sim"\naccounts = ["globex"]\n',
        "account acme  note  no route that it may use takes its sender ID Acme",
    ),
    "a dear destination": (
        '[[route]]\nname = "sim"\nprefixes = ["*"]\n'
        + MORE.format("43", "0.05")
        + MORE.format("881", "4.00"),
        "account acme  note  may text everywhere, for up to 4.00 GBP a segment; max_price or destinations bound that",
    ),
    "a sender ID instead that no route takes": (
        '[[sender_id_rule]]\nprefix = "+44"\ninstead = "Info"\n[[route]]\nname = "sim"\nsender_ids = ["Acme"]\n',
        "sender_id_rule +44  note  no route takes Info",
    ),
}


@pytest.mark.parametrize(("more", "line"), CASES.values(), ids=CASES)
def test_check_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], more: str, line: str
) -> None:
    command = command_in(tmp_path, monkeypatch, capsys)
    (tmp_path / "mailgate.toml").write_text("")
    (tmp_path / "rows.toml").write_text(ROWS)
    (tmp_path / "more.toml").write_text(more)
    config = ("--config", "mailgate.toml")
    assert command("migrate", *config).code == 0
    for file in ("rows.toml", "more.toml"):
        ran = command("apply", file, *config)
        assert ran.code == 0, ran.err
    printed = command("check", *config).out.splitlines()
    lines = [[part.strip() for part in one.split("  ") if part.strip()] for one in printed]
    known = "sender_id: to Acme no answer can come"
    notes = [
        "  ".join(parts) for parts in lines if len(parts) > 2 and parts[1] == "note" and parts[2] != known
    ]
    between = [one for one in notes if one.startswith(("price", "route ", "account ", "sender_id"))]
    assert between == ([line] if line else [])


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (
            '[[route]]\nname = "sim"\naccounts = ["acmee"]\n',
            "route sim: account: there is no account 'acmee'",
        ),
        ('[[route]]\nname = "sim"\ncosts = {"44" = "0.03"}\n', "'44' must be * or a prefix such as +44"),
        ('[[route]]\nname = "sim"\ncosts = {"+44" = 0.03}\n', "write money as a string"),
        ('[[route]]\nname = "sim"\nsender_ids = ["much too long a name"]\n', "up to 11 letters"),
        ('[[sender_id_rule]]\nprefix = "44"\n', "'44' must be * or a prefix such as +44"),
    ],
)
def test_apply_refuses_what_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], row: str, fault: str
) -> None:
    command = command_in(tmp_path, monkeypatch, capsys)
    (tmp_path / "mailgate.toml").write_text("")
    (tmp_path / "rows.toml").write_text(ROWS)
    (tmp_path / "more.toml").write_text(row)
    config = ("--config", "mailgate.toml")
    command("migrate", *config)
    command("apply", "rows.toml", *config)
    ran = command("apply", "more.toml", *config)
    assert ran.code == 1
    assert fault in ran.err
