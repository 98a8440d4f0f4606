"""The whole product in small, with the real program: mail, text, receipt, answer, reply mail, and back again."""

import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from core_support import wait_for
from serve_support import Serving, answer_to, free_port, run, serving, thread, words, written

PHONE, ADA = "+447700900123", "ada@client.example"
NATIONAL = "07700900123@sms.localhost"
MOST_RESIDENT_BYTES = 120 * 2**20


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serving]:
    with serving(tmp_path) as running:
        yield running


def test_there_and_back_again(serve: Serving) -> None:
    first = written(f"Ada <{ADA}>", "Dinner at eight?\n", message_id="one@client.example", subject="Tonight")
    serve.send(first, NATIONAL)
    (text,) = serve.wait_for_texts(PHONE, 1)
    assert (text["text"], text["direction"], text["segments"]) == ("Dinner at eight?", "in", 1)

    (receipt,) = serve.wait_for_mails(1)
    assert (receipt["To"], receipt["Subject"]) == (ADA, "Re: Tonight")
    assert (receipt["In-Reply-To"], thread(receipt)) == ("<one@client.example>", ["one@client.example"])
    assert receipt["Auto-Submitted"] == "auto-generated"
    assert "delivered" in words(receipt)
    assert "> Dinner at eight?" in words(receipt)

    serve.type(PHONE, text["peer"], "Yes, æ will come ☺")
    _, reply = serve.wait_for_mails(2)
    assert reply["From"].addresses[0].display_name == "+44 7700 900123"
    assert reply["From"].addresses[0].addr_spec == "447700900123@sms.localhost"
    assert reply["Reply-To"].addresses[0].username.startswith("r.")
    assert thread(reply) == ["one@client.example"]
    assert words(reply) == "Yes, æ will come ☺\n\n> Dinner at eight?\n"

    second = answer_to(reply, ADA, "Bring the children.", message_id="two@client.example")
    serve.send(second, reply["Reply-To"].addresses[0].addr_spec)
    heard, said, heard_too = serve.wait_for_texts(PHONE, 3)
    assert heard_too["text"] == "Bring the children."
    assert heard["peer"] == said["peer"] == heard_too["peer"]

    serve.type(PHONE, text["peer"], "All of them?")
    *_, last = serve.wait_for_mails(4)
    own = reply["Message-ID"].strip("<>")
    assert thread(last) == ["one@client.example", own, "two@client.example"]
    assert last["In-Reply-To"] == "<two@client.example>"
    assert last["Subject"] == "Re: Tonight"
    assert words(last) == "All of them?\n\n> Bring the children.\n"


def test_ctrl_c_drains_and_a_restart_keeps_everything(tmp_path: Path) -> None:
    with serving(tmp_path) as serve:
        print(f"from start to accepting: {serve.seconds:.2f} s")
        assert serve.seconds < 10
        serve.send(written(ADA, "keep this\n", message_id="keep@client.example"), NATIONAL)
        texts, mails = serve.wait_for_texts(PHONE, 1), serve.wait_for_mails(1)
        key = (tmp_path / "var" / "demo-key").read_text()
        assert key.strip() in (tmp_path / "stdout").read_text()
        assert serve.end(signal.SIGINT) == 0
        assert "Traceback" not in serve.log
    with serving(tmp_path) as serve:
        assert serve.texts(PHONE) == texts
        assert [bytes(mail) for mail in serve.mails()] == [bytes(mail) for mail in mails]
        assert (tmp_path / "var" / "demo-key").read_text() == key
        serve.type(PHONE, texts[0]["peer"], "late answer")
        _, reply = serve.wait_for_mails(2)
        assert thread(reply) == ["keep@client.example"]
        assert serve.end(signal.SIGTERM) == 0


def test_a_log_on_a_full_disk_refuses_no_mail(tmp_path: Path) -> None:
    with serving(tmp_path, log="/dev/full") as serve:
        serve.send(written(ADA, "all the same\n", message_id="full@client.example"), NATIONAL)
        serve.wait_for_texts(PHONE, 1)
        serve.wait_for_mails(1)
        assert serve.end() == 0


def test_memory_at_rest(serve: Serving) -> None:
    wait_for(lambda: serve.ask("/readyz")[0] == 200)
    print(f"resident at rest: {serve.resident_bytes / 2**20:.0f} MB")
    assert serve.resident_bytes < MOST_RESIDENT_BYTES


@pytest.mark.parametrize("setting", ["smtp.listen", "http.listen"])
def test_a_busy_port_is_one_line_that_names_the_setting(serve: Serving, tmp_path: Path, setting: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    smtp = serve.smtp if setting == "smtp.listen" else free_port()
    http = serve.http if setting == "http.listen" else free_port()
    second = run(
        elsewhere,
        "serve",
        MAILGATE_SMTP__LISTEN=f'["127.0.0.1:{smtp}"]',
        MAILGATE_HTTP__LISTEN=f"127.0.0.1:{http}",
    )
    assert second.returncode == 1
    assert second.stdout == ""
    (line,) = second.stderr.splitlines()
    assert line.startswith(f"mailgate: {setting}: 127.0.0.1:")


def test_a_second_one_in_the_same_folder_is_one_line(serve: Serving, tmp_path: Path) -> None:
    second = run(
        tmp_path,
        "serve",
        MAILGATE_SMTP__LISTEN=f'["127.0.0.1:{free_port()}"]',
        MAILGATE_HTTP__LISTEN=f"127.0.0.1:{free_port()}",
    )
    assert second.returncode == 1
    (line,) = second.stderr.splitlines()
    assert line.startswith("mailgate: database.url: another mailgate serves")


@pytest.mark.parametrize("first", ["http", "mail"])
def test_one_key_is_one_text_whichever_door_comes_first(serve: Serving, first: str) -> None:
    key = (serve.folder / "var" / "demo-key").read_text().strip()
    mail = written(ADA, "the pump has stopped\n", message_id="pump-7@client.example")

    def by_http() -> str:
        status, answer = serve.ask(
            "/v1/messages",
            {"to": [PHONE], "text": "the pump has stopped"},
            Authorization=f"Bearer {key}",
            Idempotency_Key='"<pump-7@client.example>"',
        )
        assert status == 202, answer
        return str(answer["submission"])

    def by_mail() -> str:
        return serve.send(mail, NATIONAL).split()[1]

    doors = [by_http, by_mail] if first == "http" else [by_mail, by_http]
    assert doors[0]() == doors[1]()
    serve.send(written(ADA, "the end\n", message_id="end@client.example"), NATIONAL)
    texts = serve.wait_for_texts(PHONE, 2)
    assert [text["text"] for text in texts] == ["the pump has stopped", "the end"]


def test_what_happened_stands_in_the_command_line_too(serve: Serving) -> None:
    said = serve.send(written(ADA, "look me up\n", message_id="look@client.example"), NATIONAL).split()[1]
    serve.wait_for_mails(1)
    for wanted in (said, "<look@client.example>"):
        shown = run(serve.folder, "message", "show", wanted)
        assert shown.returncode == 0, shown.stderr
        assert "DELIVERED" in shown.stdout
        assert "SUBMITTING -> SUBMITTED" in shown.stdout
    with sqlite3.connect(serve.folder / "var" / "mailgate.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
