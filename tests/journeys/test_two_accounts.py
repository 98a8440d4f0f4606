"""Two customers on one gateway, set up by a settings file and `mailgate apply`: nothing of theirs mixes."""

import json
import shutil
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest
from core_support import wait_for
from serve_support import Serving, answer_to, run, serving, words, written

PHONE, NUMBER = "+447700900123", "447700900123@sms.acme.example"
ACME, GLOBEX = "ann@acme.example", "gus@globex.example"
ACME_KEY, GLOBEX_KEY = "a" * 40, "b" * 40

SETTINGS = """
[database]
url = "sqlite:///data/gateway.db"
[mail]
domains = ["sms.acme.example"]
[outbound]
from_address = "gateway@sms.acme.example"
"""
ROWS = f"""
[[account]]
name = "acme"
opening_credit = "5.00"
receipts = "all"
test = true
api_keys = ["{ACME_KEY}"]
  [[account.sender]]
  address = "{ACME}"
[[account]]
name = "globex"
opening_credit = "1.00"
test = true
receipts = "all"
api_keys = ["{GLOBEX_KEY}"]
  [[account.sender]]
  address = "@globex.example"
[[number]]
msisdn = "+447700900001"
account = "acme"
[[number]]
msisdn = "+447700900002"
account = "globex"
[[route]]
name = "sim"
carrier = "simulator"
[[price]]
prefix = "+44"
per_segment = "0.05"
currency = "GBP"
"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the database as an operator makes it; each test gets a copy."""
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "mailgate.toml").write_text(SETTINGS)
    (folder / "rows.toml").write_text(ROWS)
    early = run(folder, "serve", "--config", "mailgate.toml")
    assert (early.returncode, early.stdout) == (1, "")
    assert "mailgate migrate" in early.stderr
    for command in (["migrate"], ["apply", "rows.toml"], ["check"]):
        done = run(folder, *command, "--config", "mailgate.toml")
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def serve(prepared: Path, tmp_path: Path) -> Iterator[Serving]:
    folder = tmp_path / "gateway"
    shutil.copytree(prepared, folder)
    with serving(folder, "--config", "mailgate.toml") as running:
        yield running


def balances(serve: Serving) -> dict[str, str]:
    listed = run(serve.folder, "account", "list", "--json", "--config", "mailgate.toml")
    return {account["name"]: account["balance"] for account in json.loads(listed.stdout)}


def by_http(serve: Serving, key: str, path: str) -> dict[str, object]:
    status, document = serve.ask(path, Authorization=f"Bearer {key}")
    assert status == 200, document
    return dict(document)


def test_mails_moneys_and_replies_do_not_mix(serve: Serving) -> None:
    serve.send(written(ACME, "from acme\n", message_id="same@id.example", subject="A"), NUMBER)
    serve.send(written(GLOBEX, "from globex " * 20, message_id="same@id.example", subject="G"), NUMBER)
    texts = serve.wait_for_texts(PHONE, 2)
    assert [text["peer"] for text in texts] == ["+447700900001", "+447700900002"]
    assert balances(serve) == {"acme": "4.95", "globex": "0.90"}

    serve.type(PHONE, "+447700900002", "hello globex")
    serve.type(PHONE, "+447700900001", "hello acme")
    to_acme = serve.wait_for_mails(2, ACME)
    to_globex = serve.wait_for_mails(2, GLOBEX)
    assert [mail["Subject"] for mail in to_acme] == ["Re: A", "Re: A"]
    assert [mail["Subject"] for mail in to_globex] == ["Re: G", "Re: G"]
    assert words(to_acme[1]).startswith("hello acme\n")
    assert words(to_globex[1]).startswith("hello globex\n")

    a_neighbours_address = to_acme[1]["Reply-To"].addresses[0].addr_spec
    with smtplib.SMTP("127.0.0.1", serve.smtp) as client:
        client.ehlo("c")
        client.mail(GLOBEX)
        assert client.rcpt(a_neighbours_address)[0] == 550
    serve.send(
        answer_to(to_globex[1], GLOBEX, "and back", message_id="back@globex.example"),
        "447700900123@sms.acme.example",
    )
    assert serve.wait_for_texts(PHONE, 5)[-1]["peer"] == "+447700900002"


def test_each_key_sees_its_own_account_only(serve: Serving) -> None:
    serve.send(written(ACME, "from acme\n", message_id="a@acme.example"), NUMBER)
    wait_for(lambda: by_http(serve, ACME_KEY, "/v1/messages?state=DELIVERED")["items"])
    (message,) = by_http(serve, ACME_KEY, "/v1/messages")["items"]  # type: ignore[misc]
    assert by_http(serve, GLOBEX_KEY, "/v1/messages")["items"] == []
    path = f"/v1/messages/{message['id']}"
    assert by_http(serve, ACME_KEY, path)["state"] == "DELIVERED"
    assert serve.ask(path, Authorization=f"Bearer {GLOBEX_KEY}")[0] == 404
    assert by_http(serve, ACME_KEY, "/v1/balance")["balance"] == "4.95"
    assert by_http(serve, GLOBEX_KEY, "/v1/balance")["balance"] == "1.00"


def test_what_apply_changes_acts_within_two_seconds(serve: Serving) -> None:
    new = "new@acme.example"
    mail = written(new, "am I known yet?\n", message_id="new@acme.example")
    with pytest.raises(AssertionError, match="may not text from here"):
        serve.send(mail, NUMBER)
    (serve.folder / "more.toml").write_text(
        f'[[account]]\nname = "acme"\n[[account.sender]]\naddress = "{new}"\n'
    )
    done = run(serve.folder, "apply", "more.toml", "--config", "mailgate.toml")
    assert done.stdout.splitlines() == [f"account acme: sender {new}: created"]

    def taken() -> bool:
        try:
            return bool(serve.send(mail, NUMBER))
        except AssertionError:
            return False

    wait_for(taken, 2)


def test_a_refusal_is_kept_for_whoever_asks(serve: Serving) -> None:
    with pytest.raises(AssertionError):
        serve.send(written("x@evil.example", "hello\n", message_id="x@evil.example"), NUMBER)

    def kept() -> list[dict[str, object]]:
        shown = run(serve.folder, "refusals", "--json", "--config", "mailgate.toml")
        return list(json.loads(shown.stdout))

    (refusal,) = wait_for(kept)
    assert (refusal["code"], refusal["sender"], refusal["recipient"]) == (
        "unknown_sender",
        "x@evil.example",
        NUMBER,
    )
