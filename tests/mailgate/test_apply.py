"""`mailgate apply`: all or nothing, idempotent, and one clear line for everything that is wrong."""

import contextlib
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from cli_support import Command, command_in
from serve_support import run

from mailgate import passwords

SAMPLE = Path(__file__).parents[2] / "samples" / "mailgate-rows.toml"
ACCOUNT = '[[account]]\nname = "acme"\n'
SENDER = ACCOUNT + "[[account.sender]]\n"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which the sample is applied; each test gets a copy."""
    folder = tmp_path_factory.mktemp("prepared")
    for command in (["migrate"], ["apply", str(SAMPLE)]):
        assert run(folder, *command).returncode == 0
    return folder


@pytest.fixture
def command(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    return command_in(tmp_path, monkeypatch, capsys)


def apply(command: Command, content: str, *more: str) -> Any:
    Path("rows.toml").write_text(content)
    return command("apply", "rows.toml", *more)


def shown(command: Command, name: str = "acme") -> dict[str, Any]:
    return dict(json.loads(command("account", "show", name, "--json").out))


def test_the_sample_makes_what_it_says_and_then_changes_nothing(command: Command) -> None:
    account = shown(command)
    assert account["balance"] == "100.00"
    assert account["credit_alarm"] == 100_000
    assert account["numbers"] == ["+447700900001"]
    assert account["senders"] == [
        {"address": "alice@acme.example", "ips": ["127.0.0.0/8", "::1/128"], "accept": "ip"}
    ]
    assert command("apply", str(SAMPLE)).out == "nothing to change\n"
    assert command("check").code == 0


def test_dry_run_says_the_same_and_changes_nothing(command: Command) -> None:
    new = ACCOUNT + 'max_segments = 9\nalarm_to = ["a@b.example"]\n'
    planned = apply(command, new, "--dry-run")
    assert planned.out.splitlines() == [
        "account acme: alarm_to: ops@acme.example -> a@b.example",
        "account acme: max_segments: 3 -> 9",
    ]
    assert shown(command)["max_segments"] == 3
    assert apply(command, new).out == planned.out
    assert shown(command)["max_segments"] == 9


# what is applied to the sample: the lines that say what changed
CHANGES = {
    "omitted keys stay": (ACCOUNT, []),
    "a list replaces": (ACCOUNT + "alarm_to = []\n", ["account acme: alarm_to: ops@acme.example -> none"]),
    "opening credit counts once": (ACCOUNT + 'opening_credit = "999.00"\n', []),
    "a sender's networks": (
        SENDER + 'address = "ALICE@acme.example"\nips = ["10.0.0.1/8"]\n',
        ["account acme: sender alice@acme.example: ips: 127.0.0.0/8, ::1/128 -> 10.0.0.0/8"],
    ),
    "a domain": (SENDER + 'address = "@Acme.Example"\n', ["account acme: sender @acme.example: created"]),
    "a sender goes": (
        SENDER + 'address = "alice@acme.example"\nremove = true\n',
        ["account acme: sender alice@acme.example: removed"],
    ),
    "what is not there goes quietly": (SENDER + 'address = "x@acme.example"\nremove = true\n', []),
    "a contact": (
        ACCOUNT + '[[account.contact]]\nname = "OnCall"\nnumbers = ["+447700900124", "+447700900125"]\n',
        ["account acme: contact oncall: numbers: +447700900123 -> +447700900124, +447700900125"],
    ),
    "a contact goes": (
        ACCOUNT + '[[account.contact]]\nname = "oncall"\nremove = true\n',
        ["account acme: contact oncall: removed"],
    ),
    "a contact that could not be made now goes quietly": (
        ACCOUNT + '[[account.contact]]\nname = "abuse"\nremove = true\n',
        [],
    ),
    "a number changes hands": (
        '[[account]]\nname = "other"\n[[number]]\nmsisdn = "+447700900001"\naccount = "other"\n',
        ["account other: created", "number +447700900001: account_id: "],
    ),
    "a key more": (
        ACCOUNT + f'api_keys = ["{"a" * 40}", "0123456789abcdef0123456789abcdef01234567"]\n',
        ["account acme: api_keys: 1 added, 0 removed"],
    ),
    "a key in capitals is the same key": (
        ACCOUNT + f'api_keys = ["{"0123456789ABCDEF" * 2}01234567"]\n',
        [],
    ),
    "a route pauses": ('[[route]]\nname = "sim"\npaused = true\n', ["route sim: paused: false -> true"]),
    "a price": (
        '[[price]]\nprefix = "+44"\nper_segment = "0.0625"\ncurrency = "GBP"\n',
        ["price +44 GBP: per_segment: 0.05 -> 0.0625"],
    ),
    "a price goes": (
        '[[price]]\nprefix = "+44"\nper_segment = "0"\ncurrency = "GBP"\nremove = true\n',
        ["price +44 GBP: removed"],
    ),
    "marks": (
        ACCOUNT + 'markers = [["<<", ">>"]]\n',
        ["account acme: markers: none -> << >>"],
    ),
    "another way with characters": (
        ACCOUNT + 'unsupported = "transliterate"\n',
        ["account acme: unsupported: unicode -> transliterate"],
    ),
    "a number": (
        '[[number]]\nmsisdn = "+447700900002"\naccount = "acme"\n',
        ["number +447700900002: created"],
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_what_changes(command: Command, case: str) -> None:
    content, lines = CHANGES[case]
    done = apply(command, content)
    assert done.code == 0, done.err
    said = [] if done.out == "nothing to change\n" else done.out.splitlines()
    assert len(said) == len(lines)
    assert all(line.startswith(begins) for line, begins in zip(said, lines, strict=True)), said
    repeated = apply(command, content)
    assert repeated.out == "nothing to change\n"


# a wrong file: how the one line begins
WRONG = {
    "not TOML": ("a = ", "rows.toml: not TOML: "),
    "an unknown table": ("[[acount]]\n", "rows.toml: acount: unknown key; the nearest known one is account"),
    "a table that is no list": ("account = 5\n", "rows.toml: account: must be a list"),
    "a row that is no table": ("account = [5]\n", "rows.toml: account.0: must be a section"),
    "an unknown key": (
        ACCOUNT + "max_segment = 3\n",
        "account acme: max_segment: unknown key; the nearest known one is max_segments",
    ),
    "an unknown key of a sender": (
        SENDER + 'adress = "x@acme.example"\n',
        "account acme: sender.0.address: Field required",
    ),
    "no name": ("[[account]]\n", "account ?: name: "),
    "a name that is no name": ('[[account]]\nname = "a b"\n', "account a b: name: "),
    "a name that is a list": ('[[route]]\nname = [1]\ncarrier = "simulator"\n', "route [1]: name: "),
    "money as a number": (
        ACCOUNT + "credit_limit = 5\n",
        "account acme: credit_limit: write money as a string",
    ),
    "money that is none": (
        ACCOUNT + 'credit_limit = "5 pounds"\n',
        "account acme: credit_limit: '5 pounds' is not an amount",
    ),
    "money too fine": (
        ACCOUNT + 'credit_limit = "0.00001"\n',
        "account acme: credit_limit: '0.00001' has more than four",
    ),
    "another currency": (ACCOUNT + 'currency = "EUR"\n', "account acme: currency: the ledger is in GBP"),
    "no currency": (ACCOUNT + 'currency = "pounds"\n', "account acme: currency: "),
    "no region": (ACCOUNT + 'region = "Britain"\n', "account acme: region: must be a two-letter region"),
    "no time zone": (ACCOUNT + 'timezone = "London"\n', "account acme: timezone: must be a time zone"),
    "no network": (
        SENDER + 'address = "x@acme.example"\nips = ["10.0.0.0/40"]\n',
        "account acme: sender.0.ips.0: ",
    ),
    "no address": (
        SENDER + 'address = "alice"\n',
        "account acme: sender.0.address: 'alice' is not a mail address",
    ),
    "anybody": (
        SENDER + 'address = "*"\n',
        "account acme: sender.0.address: * is for the embedded default only",
    ),
    "anybody of a domain of all": (SENDER + 'address = "@*"\n', "account acme: sender.0.address: "),
    "a password without a login": (
        SENDER + 'address = "x@acme.example"\npassword = "hush"\n',
        'account acme: sender x@acme.example: password: only with accept = "auth"',
    ),
    "a password for what is proved by its IP address": (
        SENDER + 'address = "alice@acme.example"\npassword = "hush"\n',
        'account acme: sender alice@acme.example: password: only with accept = "auth"',
    ),
    "a login without a password": (
        SENDER + 'address = "x@acme.example"\naccept = "auth"\n',
        'account acme: sender x@acme.example: password: needed with accept = "auth"',
    ),
    "a login without a password any more": (
        SENDER + 'address = "alice@acme.example"\naccept = "auth"\npassword = ""\n',
        'account acme: sender alice@acme.example: password: needed with accept = "auth"',
    ),
    "a password that is a number": (
        SENDER + 'address = "x@acme.example"\naccept = "auth"\npassword = 4711\n',
        "account acme: sender.0.password: Input should be a valid string",
    ),
    "a password too long": (
        SENDER + f'address = "x@acme.example"\naccept = "auth"\npassword = "{"hush" * 300}"\n',
        "account acme: sender.0.password: ",
    ),
    "a proof that is none": (
        SENDER + 'address = "x@acme.example"\naccept = "trust"\n',
        "account acme: sender.0.accept: Input should be 'ip', 'dmarc', ",
    ),
    "a secret too short": (
        SENDER + 'address = "x@acme.example"\naccept = "secret"\nsecret = "s"\n',
        "account acme: sender.0.secret: String should match",
    ),
    "a secret that no address can hold": (
        SENDER + 'address = "x@acme.example"\naccept = "secret"\nsecret = "hush hush"\n',
        "account acme: sender.0.secret: String should match",
    ),
    "a secret without its proof": (
        SENDER + 'address = "x@acme.example"\nsecret = "hush-hush"\n',
        'account acme: sender x@acme.example: secret: only with accept = "secret"',
    ),
    "its proof without a secret": (
        SENDER + 'address = "x@acme.example"\naccept = "secret"\n',
        'account acme: sender x@acme.example: secret: needed with accept = "secret"',
    ),
    "hours that are none": (
        SENDER + 'address = "x@acme.example"\nhours = "all day"\n',
        "account acme: sender.0.hours: 'all day' is not hours",
    ),
    "a day that is none": (
        SENDER + 'address = "x@acme.example"\nhours = "Mon-Fry 08:00-18:00"\n',
        "account acme: sender.0.hours: 'fry' is not a day",
    ),
    "spending as a number": (
        SENDER + 'address = "x@acme.example"\ndaily_spend = 10.0\n',
        "account acme: sender.0.daily_spend: write money as a string",
    ),
    "a destination that is none": (
        SENDER + 'address = "x@acme.example"\ndestinations = ["44"]\n',
        "account acme: sender.0.destinations.0: '44' must be",
    ),
    "quiet hours": (ACCOUNT + 'quiet_hours = "21:00-08:00"\n', "account acme: quiet_hours: reserved"),
    "a short key": (ACCOUNT + 'api_keys = ["0123"]\n', "account acme: api_keys.0: "),
    "a sender ID too long": (ACCOUNT + 'sender_id = "AcmeCompanyLtd"\n', "account acme: sender_id: "),
    "no segments": (ACCOUNT + "max_segments = 0\n", "account acme: max_segments: "),
    "a destination": (ACCOUNT + 'destinations = ["44"]\n', "account acme: destinations.0: '44' must be"),
    "a contact without numbers": (
        ACCOUNT + '[[account.contact]]\nname = "x"\nnumbers = []\n',
        "account acme: contact.0.numbers: ",
    ),
    "a contact whose number was forgotten": (
        ACCOUNT + '[[account.contact]]\nname = "x"\n',
        "account acme: contact.0.numbers: name at least one number",
    ),
    "a contact in the operator's place": (
        ACCOUNT + '[[account.contact]]\nname = "Postmaster"\nnumbers = ["+447700900123"]\n',
        "account acme: contact.0.name: mail to Postmaster goes to the operator",
    ),
    "a contact's number": (
        ACCOUNT + '[[account.contact]]\nname = "x"\nnumbers = ["07700900123"]\n',
        "account acme: contact.0.numbers.0: '07700900123'",
    ),
    "a number of nobody": (
        '[[number]]\nmsisdn = "+447700900009"\n',
        "number +447700900009: account: name an account",
    ),
    "a number of an unknown account": (
        '[[number]]\nmsisdn = "+447700900009"\naccount = "acne"\n',
        "number +447700900009: account: there is no account 'acne'",
    ),
    "a national number": (
        '[[number]]\nmsisdn = "07700900009"\naccount = "acme"\n',
        "number 07700900009: msisdn: ",
    ),
    "a URL": (
        '[[number]]\nmsisdn = "+447700900001"\nforward_to = ["https://acme.example/sms"]\n',
        "number +447700900001: forward_to.0: URLs are for a later version",
    ),
    "a keyword of no number of ours": (
        '[[keyword]]\nnumber = "+4499999"\nword = "X"\naccount = "acme"\n',
        "keyword X: number: +4499999 is not a number of ours",
    ),
    "a keyword without a letter": (
        '[[keyword]]\nnumber = "+4484433"\nword = "?!"\naccount = "acme"\n',
        "keyword ?!: word: ",
    ),
    "a carrier": (
        '[[route]]\nname = "x"\ncarrier = "pigeon"\n',
        "route x: carrier: 'pigeon' is not a carrier; known: ",
    ),
    "a carrier's setting": (
        '[[route]]\nname = "sim"\n[route.settings]\nresponse_timeout = 3\n',
        "route sim: settings: response_timeout: unknown key; the nearest known one is response_timeout_seconds",
    ),
    "a resend": (
        '[[route]]\nname = "sim"\nresend = "twice"\n',
        "route sim: resend: must be never, once, a number",
    ),
    "a prefix": ('[[route]]\nname = "sim"\nprefixes = ["44"]\n', "route sim: prefixes.0: '44' must be"),
    "a price of nothing": ('[[price]]\nprefix = "+1"\ncurrency = "GBP"\n', "price +1: per_segment: "),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_one_line_and_changes_nothing(command: Command, case: str) -> None:
    content, begins = WRONG[case]
    before = shown(command)
    fault = apply(command, content).fault
    assert fault.startswith(begins)
    assert not any(password in fault for password in ("hush", "4711"))
    assert shown(command) == before


# --- passwords --------------------------------------------------------------------------------------------

ROBOT = SENDER + 'address = "robot@acme.example"\n'
FIRST, SECOND = 'accept = "auth"\npassword = "correct horse"\n', 'password = "battery staple"\n'
WHERE = "account acme: sender robot@acme.example: "


def stored_hash() -> str | None:
    with contextlib.closing(sqlite3.connect("var/mailgate.db")) as conn:
        found = conn.execute(
            "SELECT password_hash FROM sender WHERE address = 'robot@acme.example'"
        ).fetchone()
    return None if found is None else found[0]


def test_a_password_is_kept_hashed_and_the_same_one_again_is_no_change(command: Command) -> None:
    assert apply(command, ROBOT + FIRST).out == WHERE + "created\n"
    first = stored_hash()
    assert first is not None
    assert passwords.verify(first, "correct horse")
    assert apply(command, ROBOT + FIRST).out == "nothing to change\n"
    assert apply(command, ROBOT + 'accept = "auth"\n').out == "nothing to change\n"
    assert apply(command, ROBOT + "lists = false\n").out == "nothing to change\n"
    assert stored_hash() == first


def test_another_password_takes_the_place_of_the_first(command: Command) -> None:
    apply(command, ROBOT + FIRST)
    assert apply(command, ROBOT + SECOND, "--dry-run").out == WHERE + "password: changed\n"
    assert passwords.verify(stored_hash() or "", "correct horse")
    assert apply(command, ROBOT + SECOND).out == WHERE + "password: changed\n"
    assert passwords.verify(stored_hash() or "", "battery staple")


def test_who_needs_no_login_any_more_has_no_password_any_more(command: Command) -> None:
    apply(command, ROBOT + FIRST)
    done = apply(command, ROBOT + 'accept = "ip"\n')
    assert done.out.splitlines() == [WHERE + "accept: auth -> ip", WHERE + "password: taken away"]
    assert stored_hash() is None
    assert (
        apply(command, ROBOT + 'accept = "auth"\n').fault == WHERE + 'password: needed with accept = "auth"'
    )


def test_a_sender_with_a_password_can_be_removed(command: Command) -> None:
    apply(command, ROBOT + FIRST)
    assert apply(command, ROBOT + "remove = true\n").out == WHERE + "removed\n"


def test_a_password_is_never_printed(command: Command) -> None:
    for done in (
        apply(command, ROBOT + FIRST, "--dry-run"),
        apply(command, ROBOT + FIRST),
        apply(command, ROBOT + SECOND),
        command("account", "show", "acme"),
        command("account", "show", "acme", "--json"),
        command("check"),
        command("explain", str(SAMPLE), "--from", "robot@acme.example", "--json"),
    ):
        said = done.out + done.err
        assert not any(
            word in said for word in ("correct horse", "battery staple", "argon2", "password_hash")
        )


def test_check_says_that_a_login_needs_tls(command: Command) -> None:
    apply(command, ROBOT + FIRST)
    done = command("check")
    assert done.code == 1
    assert "smtp.tls_certificate: a login needs TLS" in done.out


def test_all_or_nothing(command: Command) -> None:
    good_then_bad = ACCOUNT + 'max_segments = 9\n[[account]]\nname = "new"\n[[price]]\nprefix = "x"\n'
    assert apply(command, good_then_bad).fault.startswith("price x: prefix: ")
    assert shown(command)["max_segments"] == 3
    assert command("account", "show", "new").fault == "there is no account 'new'; known: acme"


def test_a_sender_of_another_account_is_not_taken_over(command: Command) -> None:
    other = '[[account]]\nname = "other"\n[[account.sender]]\naddress = "alice@acme.example"\n'
    assert (
        apply(command, other).fault == "account other: sender alice@acme.example: belongs to another account"
    )
    key = '[[account]]\nname = "other"\napi_keys = ["0123456789abcdef0123456789abcdef01234567"]\n'
    assert apply(command, key).fault == "account other: api_keys: one of them belongs to another account"
    assert (
        apply(command, other.replace("alice@", "@")).code == 0
    )  # the domain is free; the address stays acme's


def test_what_others_need_cannot_be_removed(command: Command) -> None:
    gone = '[[number]]\nmsisdn = "+4484433"\nshared = true\nremove = true\n'
    assert apply(command, gone).fault == "number +4484433: remove: other rows still need it"
    word = '[[keyword]]\nnumber = "+4484433"\nword = "pizza"\naccount = "acme"\nremove = true\n'
    assert apply(command, word).out == "keyword PIZZA: removed\n"
    assert apply(command, gone).out == "number +4484433: removed\n"


@pytest.mark.parametrize(("name", "words"), [("missing.toml", "No such file"), (".", "Is a directory")])
def test_a_file_that_cannot_be_read(command: Command, name: str, words: str) -> None:
    assert words in command("apply", name).fault


def test_without_a_database_it_says_what_makes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = command_in(tmp_path, monkeypatch, capsys)
    assert "mailgate serve or migrate" in command("apply", str(SAMPLE)).fault
    assert list(tmp_path.iterdir()) == []
