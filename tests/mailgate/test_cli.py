"""Each command: what it prints, for people and as JSON, and how it fails."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_support import Command, command_in
from core_support import wait_for
from mail_support import BOB, World, mail, world
from serve_support import clean_environment, run

MESSAGE_ID = "look-me-up@acme.example"
MAIL = mail("Look me up", message_id=MESSAGE_ID, Subject="a test")
TO, NUMBER = "447700900123@sms.localhost", "+447700900123"
ALICE = "alice@acme.example"


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A gateway that has delivered one text, holds one, and has refused one."""
    folder = tmp_path_factory.mktemp("used") / "var"
    with world(folder) as running:
        said = running.send(MAIL)
        wait_for(lambda: running.of_submission(said)[0]["state"] == "DELIVERED")
        with pytest.raises(Exception, match="may not text"):
            running.send(mail(), mail_from="mallory@evil.example")
        running.said = said.split()[1]  # type: ignore[attr-defined]
        running.folder = folder.parent  # type: ignore[attr-defined]
        yield running


@pytest.fixture
def command(used: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return command_in(used.folder, monkeypatch, capsys)


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """In an empty folder."""
    return command_in(tmp_path, monkeypatch, capsys)


# --- all of them ------------------------------------------------------------------------------------------

LEAVES = [
    *("serve", "check", "apply", "explain", "whocan", "message list", "message show", "message cancel"),
    *("account list", "account show", "account credit", "refusals", "migrate"),
    *("optout list", "optout add", "optout remove", "route list", "route pause", "route resume"),
    *("notice list", "bounce list", "bounce remove"),
]


@pytest.mark.parametrize("name", LEAVES)
def test_each_has_help_and_a_settings_file(nowhere: Command, name: str) -> None:
    helped = nowhere(*name.split(), "--help")
    assert helped.code == 0
    assert "--config FILE" in helped.out


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["nonsense"],
        ["message"],
        ["account", "nonsense"],
        ["explain"],
        ["whocan", "--from", ALICE],
        ["message", "list", "--limit", "0"],
        ["message", "list", "--limit", "x"],
        ["account", "credit", "acme"],
        ["serve", "--nonsense"],
    ],
)
def test_wrong_use_is_exit_2(nowhere: Command, wrong: list[str]) -> None:
    done = nowhere(*wrong)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("usage: mailgate")


# in an empty folder: what the one line says
FAILURES = [
    (["message", "list"], "database.url: sqlite:///var/mailgate.db does not exist yet"),
    (["message", "show", "x"], "database.url: "),
    (["message", "cancel", "x"], "database.url: "),
    (["account", "list"], "database.url: "),
    (["account", "credit", "acme", "1.00"], "database.url: "),
    (["account", "credit", "acme", "much"], "AMOUNT: 'much' is not an amount of money; example: 12.50"),
    (["refusals"], "database.url: "),
    (["apply", "missing.toml"], "missing.toml: No such file or directory"),
    (["explain", "missing.eml"], "missing.eml: No such file or directory"),
    (["explain", "--ip", "here", "."], "--ip: 'here' is not an IP address"),
    (["whocan", "--from", ALICE, "--ip", "1.2.3", "--to", NUMBER], "--ip: '1.2.3' is not an IP address"),
    (["serve", "--config", "missing.toml"], "missing.toml: No such file or directory"),
    (["serve", "--role", "cook"], "--role: cook: known roles are http, imap, link, smtp, worker"),
    (["serve", "--role", "smtp"], "--role: this version runs all roles in one process"),
]


@pytest.mark.parametrize(("arguments", "begins"), FAILURES)
def test_failure_is_one_line_and_exit_1(nowhere: Command, arguments: list[str], begins: str) -> None:
    assert nowhere(*arguments).fault.startswith(begins)
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("variable", "text", "begins"),
    [
        ("MAILGATE_DATABASE__URL", "nonsense", "database.url is not a database URL"),
        ("MAILGATE_DATABASE__URL", "mysql://h/d", "database.url starts with 'mysql'"),
        ("MAILGATE_DATABASE__URL", "postgresql+psycopg://u:hidden@127.0.0.1:1/d", "database.url: "),
        ("MAILGATE_DATABASE__URL", "sqlite:////proc/none/mailgate.db", "database.url: "),
        ("MAILGATE_SECURITY__SECRETS", '["short"]', "security.secrets: each needs at least 16 characters"),
        ("MAILGATE_OUTBOUND__SMARTHOST", "mail.example", "outbound.smarthost: must be smtp://"),
        ("MAILGATE_OUTBOUND__SMARTHOST", "smtp://host:port", "outbound.smarthost: must be smtp://"),
        ("MAILGATE_SMTP__LISTEN", '["192.0.2.1:25"]', "smtp.listen: 192.0.2.1:25: "),
        ("MAILGATE_HTTP__LISTEN", "192.0.2.1:80", "http.listen: 192.0.2.1:80: "),
    ],
)
def test_serve_with_wrong_settings(tmp_path: Path, variable: str, text: str, begins: str) -> None:
    free = {"MAILGATE_SMTP__LISTEN": '["127.0.0.1:0"]', "MAILGATE_HTTP__LISTEN": "127.0.0.1:0"}
    done = run(tmp_path, "serve", **{**free, variable: text})
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"mailgate: {begins}")
    assert "hidden" not in line


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    heavy = ("sqlalchemy", "fastapi", "pydantic", "phonenumbers", "aiosmtpd", "dramatiq", "asyncio")
    script = (
        "import sys\n"
        "from mailgate.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as ended:\n    assert not ended.code\n"
        f"found = sorted(set({heavy!r}) & set(sys.modules))\nassert not found, found\n"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    print(f"--help: {time.monotonic() - began:.2f} s")
    assert done.returncode == 0, done.stderr
    named = [name for leaf in LEAVES for name in leaf.split()[:1]]
    assert all(f"\n    {name} " in done.stdout for name in named), done.stdout


def test_who_reads_only_the_first_lines_is_no_error(used: Any) -> None:
    command = f"{sys.executable} -m mailgate refusals --json | true"
    done = subprocess.run(
        command, shell=True, cwd=used.folder, env=clean_environment(), capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


# --- messages, refusals -----------------------------------------------------------------------------------


def test_message_list(command: Command) -> None:
    titles, line = command("message", "list").out.splitlines()
    assert titles.split()[:4] == ["id", "created_at", "account", "to"]
    assert line.split()[2:5] == ["acme", NUMBER, "DELIVERED"]
    (listed,) = json.loads(command("message", "list", "--json").out)
    assert (listed["text"], listed["price"], listed["segments"]) == ("Look me up", "0.05", 1)


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (["--account", "acme"], 1),
        (["--account", "other"], 0),
        (["--state", "delivered"], 1),
        (["--state", "QUEUED"], 0),
        (["--to", NUMBER], 1),
        (["--to", "+447700900999"], 0),
    ],
)
def test_message_list_of_some(command: Command, wanted: list[str], count: int) -> None:
    assert len(json.loads(command("message", "list", *wanted, "--json").out)) == count


def test_message_list_of_what_is_not_there(command: Command) -> None:
    assert command("message", "list", "--account", "acne").fault == "there is no account 'acne'"
    assert command("message", "list", "--state", "LOST").fault.startswith(
        "--state: LOST is not a state; known: "
    )


def test_message_show_by_each_id(command: Command, used: Any) -> None:
    (listed,) = json.loads(command("message", "list", "--json").out)
    for wanted in (listed["id"], used.said, MESSAGE_ID, f"<{MESSAGE_ID}>"):
        (one,) = json.loads(command("message", "show", wanted, "--json").out)
        assert (one["id"], one["submission"]) == (listed["id"], used.said)
        assert one["trail"][0]["to"] == "QUEUED"
        assert one["trail"][-1]["to"] == "DELIVERED"
    assert (one["flash"], one["urgent"]) == (False, False)
    assert "SUBMITTED -> DELIVERED" in command("message", "show", used.said).out
    assert command("message", "show", "nothing").fault == "there is no message 'nothing'"


def test_message_cancel(command: Command) -> None:
    (listed,) = json.loads(command("message", "list", "--json").out)
    delivered = f"{listed['id']} is DELIVERED: it cannot be taken back any more"
    assert command("message", "cancel", listed["id"]).fault == delivered
    assert command("message", "cancel", "nonsense").fault == "'nonsense' is not a message id"


def test_refusals(command: Command) -> None:
    (refused,) = json.loads(command("refusals", "--json").out)
    assert (refused["code"], refused["sender"], refused["recipient"], refused["count"]) == (
        "unknown_sender",
        "mallory@evil.example",
        TO,
        1,
    )
    assert "mallory@evil.example" in command("refusals", "--limit", "1").out


# --- accounts ---------------------------------------------------------------------------------------------


def test_account_list_show_credit(command: Command) -> None:
    accounts = {one["name"]: one for one in json.loads(command("account", "list", "--json").out)}
    assert (accounts["acme"]["balance"], accounts["other"]["balance"]) == ("9.95", "1.00")
    assert command("account", "list").out.splitlines()[0].split() == [
        *("name", "billing", "balance", "currency", "credit_limit")
    ]
    assert command("account", "credit", "other", "2.5", "--note", "paid").out == "other has 3.50 GBP\n"
    assert command("account", "credit", "other", "--", "-2.50").out == "other has 1.00 GBP\n"
    assert command("account", "credit", "other", "--", "-1.01").fault == (
        "AMOUNT: other has not that much left to take back"
    )
    assert (
        command("account", "credit", "otter", "1").fault == "there is no account 'otter'; known: acme, other"
    )
    shown = json.loads(command("account", "show", "acme", "--json").out)
    assert shown["numbers"] == ["+447700900901"]
    assert len(shown["senders"]) == 4
    assert "destinations            +44, +47" in command("account", "show", "acme").out


# --- check, migrate ---------------------------------------------------------------------------------------


def test_check(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    good = command("check")
    assert good.code == 0
    assert "every balance is the sum of its entries" in good.out
    monkeypatch.setenv("MAILGATE_OUTBOUND__SMARTHOST", "smtp://127.0.0.1:1")
    bad = command("check")
    assert (bad.code, bad.err) == (1, "")
    assert "FAULT" in bad.out
    assert "outbound.smarthost: no connection: Connection refused" in bad.out


def test_check_of_nothing_makes_nothing(nowhere: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert nowhere("check").code == 0
    monkeypatch.setenv("MAILGATE_SMTP__LISTENN", "[]")
    assert "nearest known one is listen" in nowhere("check").out
    assert nowhere("check").code == 1
    assert list(Path().iterdir()) == []


def test_migrate_twice(nowhere: Command) -> None:
    assert nowhere("migrate").out.startswith("the database went from empty to ")
    assert nowhere("migrate").out.startswith("the database is at ")


# --- whocan -----------------------------------------------------------------------------------------------

# from, where it comes from, to: exit code, part of what is said
WHOCAN = [
    (ALICE, "127.0.0.1", NUMBER, 0, f"{ALICE} may text {NUMBER} for acme, by route sim"),
    (ALICE, "127.0.0.1", "07700900123", 0, f"may text {NUMBER} for acme"),
    (ALICE, "192.0.2.1", NUMBER, 1, "unknown_sender"),
    ("far@acme.example", "192.0.2.1", NUMBER, 0, "for acme"),
    (BOB, "::1", "+4741234567", 1, "destination_not_allowed"),
    ("mallory@evil.example", "127.0.0.1", NUMBER, 1, "unknown_sender"),
    (ALICE, "127.0.0.1", "123", 1, "bad_number"),
    (ALICE, "127.0.0.1", "oncall", 0, f"may text {NUMBER}"),
]


@pytest.mark.parametrize(("sender", "ip", "to", "code", "words"), WHOCAN)
def test_whocan(command: Command, sender: str, ip: str, to: str, code: int, words: str) -> None:
    arguments = ["whocan", "--from", sender, "--ip", ip, "--to", to]
    done = command(*arguments)
    assert done.code == code
    assert words in done.out + done.err
    document = json.loads(command(*arguments, "--json").out)
    assert document["outcome"] == ("refused" if code else "accepted")
