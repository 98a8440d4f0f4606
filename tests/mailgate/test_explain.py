"""`mailgate explain`: every check with its verdict, the whole text, what was cut, the price; and nothing done."""

import json
from pathlib import Path
from typing import Any

import pytest
from cli_support import Command, command_in
from mail_support import ALICE, ROWS, mail
from serve_support import run

FIELDS = [
    *("file", "outcome", "reason", "checks", "text", "removed", "encoding", "segments", "price"),
    *("recipients", "subject", "from", "ms"),
]
TO = "447700900123@sms.localhost"


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """In an empty folder: judged as if the embedded default had just been made."""
    return command_in(tmp_path, monkeypatch, capsys)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose database holds the accounts of the mail tests."""
    folder = tmp_path_factory.mktemp("explain")
    (folder / "rows.toml").write_text(_toml(ROWS))
    for command in (["migrate"], ["apply", "rows.toml"]):
        done = run(folder, *command)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def command(rows: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return command_in(rows, monkeypatch, capsys)


def _toml(document: dict[str, list[dict[str, Any]]]) -> str:
    """Rows as TOML: a list of tables each, values as JSON, which TOML takes inside tables."""
    lines = []
    for table, entries in document.items():
        for entry in entries:
            lines.append(f"[[{table}]]")
            lines += [f"{key} = {_value(value)}" for key, value in entry.items()]
    return "\n".join(lines)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_value(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)


def explain(command: Command, raw: bytes, *more: str) -> dict[str, Any]:
    Path("mail.eml").write_bytes(raw)
    done = command("explain", "mail.eml", "--json", *more)
    assert (done.code, done.err) == (0, "")
    return dict(json.loads(done.out))


def checks(found: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["verdict"] for check in found["checks"]}


def test_the_fields_are_those_of_the_contract(command: Command) -> None:
    raw = mail(
        "On my way\n\nOn Tue, 4 Mar 2025 at 10:05, Ada wrote:\n> where are you?",
        Subject="=?utf-8?q?=C3=86rlig?=",
        To=TO,
    )
    found = explain(command, raw, "--to", TO, "--to", "team@sms.localhost", "--to", "x@elsewhere.example")
    assert list(found) == FIELDS
    assert (found["file"], found["outcome"], found["reason"]) == ("mail.eml", "accepted", "")
    assert (found["text"], found["subject"], found["from"]) == ("On my way", "Ærlig", ALICE)
    assert (found["encoding"], found["segments"], found["price"]) == ("gsm7", 1, "0.10")
    assert found["removed"][0].keys() == {"text", "why"}
    assert "where are you?" in "".join(cut["text"] for cut in found["removed"])
    assert all(check.keys() == {"name", "verdict", "detail"} for check in found["checks"])
    assert [recipient["outcome"] for recipient in found["recipients"]] == ["accepted"] * 2 + ["refused"]
    assert found["recipients"][0] == {
        "to": "+447700900123",
        "outcome": "accepted",
        "reason": "",
        "route": "sim",
    }
    assert found["recipients"][2]["reason"].startswith("not_our_domain: ")
    assert 0 < found["ms"] < 250


def test_every_check_runs_whatever_the_first_one_says(command: Command) -> None:
    raw = mail("x" * 1000, sender="mallory@evil.example", Auto_Submitted="auto-replied")
    found = explain(command, raw, "--to", TO, "--ip", "192.0.2.1")
    assert found["outcome"] == "refused"
    assert found["reason"].startswith("unknown_sender: ")
    verdicts = checks(found)
    assert {verdicts[name] for name in ("sender", "robot", "from", "length")} == {"refused"}
    assert verdicts["text"] == "passed"
    assert found["text"] == "x" * 1000  # whole, never cut
    assert found["segments"] == 7


# options, the mail: the reason's code
REASONS = [
    ([], mail(), ""),
    (["--ip", "192.0.2.1"], mail(), "unknown_sender"),
    (["--from", "bob@other.example"], mail(), "from_not_covered"),
    (["--from", "<>"], mail(), "unknown_sender"),
    (["--to", "123@sms.localhost"], mail(), "bad_number"),
    (["--to", "+15005550006@sms.localhost"], mail(), "destination_not_allowed"),
    ([], mail(""), "nothing_to_text"),
    ([], mail(Content_Type="multipart/encrypted; boundary=x"), "encrypted"),
    ([], mail("y" * 1000), "too_long"),
    ([], mail(List_Id="<a.b>"), "robot"),
    ([], b"", "unknown_sender"),
    ([], b"Subject: \xff\xfe\r\n\r\n\x00\xff", "unknown_sender"),
    ([], b"X: " + b"y" * 200_000, "mail_too_large"),
]


@pytest.mark.parametrize(("options", "raw", "code"), REASONS)
def test_reasons(command: Command, options: list[str], raw: bytes, code: str) -> None:
    found = explain(command, raw, *options)
    assert found["reason"].partition(":")[0] == code
    assert found["outcome"] == ("refused" if code else "accepted")


def test_the_segments_are_those_of_the_text_as_the_account_has_it_sent(command: Command) -> None:
    Path("rows.toml").write_text('[[account]]\nname = "other"\nunsupported = "transliterate"\n')
    assert command("apply", "rows.toml").code == 0
    raw = mail("“Καλημέρα” – " * 10, sender="bob@other.example")
    found = explain(command, raw, "--to", TO)
    assert (found["encoding"], found["segments"], found["outcome"]) == ("gsm7", 1, "accepted")
    assert found["text"].startswith("“Καλημέρα”")  # the mail's; what is texted follows from the terms


def test_for_people(command: Command) -> None:
    Path("mail.eml").write_bytes(mail("On my way\n\n-- \nAnn Lee\nAcme  Ltd", Subject="hello"))
    told = command("explain", "mail.eml", "--to", TO).out
    assert told.startswith("mail.eml: accepted\n")
    for line in (
        "  passed   robot",
        "  | On my way",
        "  text     1 segment, gsm7, price 0.05\n",
        "  cut (signature): Ann Lee / Acme Ltd\n",
        "+447700900123: accepted sim",
    ):
        assert line in told


def test_several_files_and_folders(command: Command, tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name in ("b.eml", "deep/a.eml", "deep/er/c.eml"):
        (tmp_path / name).write_bytes(mail())
    (tmp_path / "deep" / "gone.eml").symlink_to("nowhere")
    done = command("explain", str(tmp_path / "b.eml"), "missing.eml", str(tmp_path / "deep"), "--json")
    assert [json.loads(line)["file"] for line in done.out.splitlines()] == [
        str(tmp_path / name) for name in ("b.eml", "deep/a.eml", "deep/er/c.eml")
    ]
    assert done.fault == "missing.eml: No such file or directory"


def test_nothing_is_done_or_made(nowhere: Command) -> None:
    found = explain(nowhere, mail(), "--to", TO)
    assert (found["outcome"], found["price"]) == ("accepted", "0.05")
    found = explain(nowhere, mail(sender="anybody@any.example"), "--to", TO, "--ip", "192.0.2.1")
    assert found["reason"].startswith("unknown_sender: ")
    done = nowhere("whocan", "--from", "a@b.example", "--ip", "::1", "--to", "07700900123")
    assert "may text +447700900123 for demo" in done.out
    assert [path.name for path in Path().iterdir()] == ["mail.eml"]


def test_with_a_settings_file_and_no_database(nowhere: Command) -> None:
    Path("mailgate.toml").write_text("")
    Path("mail.eml").write_bytes(mail())
    fault = nowhere("explain", "mail.eml", "--config", "mailgate.toml").fault
    assert fault.startswith("database.url: ")
    assert "mailgate migrate" in fault


def test_any_text_fits_any_terminal(nowhere: Command) -> None:
    Path("mail.eml").write_bytes(
        mail("hå\u2028lø ☺", Subject="ø").replace(
            b"From", b"Content-Type: text/plain; charset=utf-8\r\nFrom", 1
        )
    )
    for more in ([], ["--json"]):
        done = run(Path(), "explain", "mail.eml", *more, PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
        assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1
    assert json.loads(done.stdout)["text"].endswith("lø ☺")
