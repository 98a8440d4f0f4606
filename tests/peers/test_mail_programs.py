"""Programs that people script mail with, against a real listener."""

import shutil
import smtplib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from core_support import wait_for
from mail_support import ALICE, World, mail, world
from peers_support import require_peer
from sqlalchemy import select

from gateway_core.storage import tables

DOMAIN = "sms.localhost"


@pytest.fixture(scope="module")
def w(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("programs")) as running:
        yield running


def run(*command: str, raw: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    require_peer(command[0], shutil.which(command[0]) is not None)
    return subprocess.run(command, input=raw, capture_output=True, timeout=60, check=False)


def swaks(w: World, *more: str, to: str, sender: str = ALICE) -> "subprocess.CompletedProcess[bytes]":
    server = ("--server", "127.0.0.1", "--port", str(w.port), "--helo", "client.example")
    header = ("--header", "Subject: by swaks", "--h-From", ALICE)
    return run("swaks", *server, "--from", sender, "--to", to, *header, *more)


def submissions(w: World) -> int:
    with w.gateway.reader.connect() as conn:
        return len(conn.execute(select(tables.submission.c.id)).all())


# how swaks talks: the number that it texts
WAYS = {
    "plainly": ([], "447700900201"),
    "pipelined": (["--pipeline"], "447700900202"),
    "with HELO": (["--protocol", "SMTP"], "447700900203"),
}


@pytest.mark.parametrize("way", WAYS)
def test_swaks(w: World, way: str) -> None:
    options, number = WAYS[way]
    done = swaks(w, *options, "--body", f"swaks {way}", to=f"{number}@{DOMAIN}")
    assert done.returncode == 0, done.stdout
    assert b"<-  250 2.0.0 s" in done.stdout
    wait_for(lambda: w.texts(f"+{number}") == [f"swaks {way}"])


def test_swaks_to_several(w: World) -> None:
    people = ["447700900211", "447700900212", "447700900213"]
    to = ",".join(f"{number}@{DOMAIN}" for number in people)
    done = swaks(w, "--pipeline", "--body", "all of you", to=to)
    assert done.returncode == 0, done.stdout
    wait_for(lambda: [w.texts(f"+{number}") for number in people] == [["all of you"]] * 3)


@pytest.mark.parametrize(
    ("how", "stage"),
    [
        *(("--drop-after", stage) for stage in ("MAIL", "RCPT", "DATA")),
        *(("--drop-after-send", stage) for stage in ("MAIL", "RCPT", "DATA")),
        *(("--quit-after", stage) for stage in ("MAIL", "RCPT")),
    ],
)
def test_swaks_that_leaves_early_leaves_nothing(w: World, how: str, stage: str) -> None:
    before = submissions(w)
    swaks(w, how, stage, "--body", "never", to=f"447700900221@{DOMAIN}")
    done = swaks(w, "--body", "and then one that stays", to=f"447700900222@{DOMAIN}")
    assert done.returncode == 0, done.stdout
    assert submissions(w) == before + 1
    assert w.texts("+447700900221") == []


# what is wrong: options, the sender, the recipient, the reply
REFUSED = {
    "the null sender": ([], "<>", f"447700900231@{DOMAIN}", b"<** 550 5.7.1"),
    "a stranger": ([], "mallory@evil.example", f"447700900231@{DOMAIN}", b"<** 550 5.7.1"),
    "no number": ([], ALICE, f"123@{DOMAIN}", b"<** 550 5.1.3"),
    "nobody's name": ([], ALICE, f"nobody@{DOMAIN}", b"<** 550 5.1.1"),
    "another domain": ([], ALICE, "447700900231@elsewhere.example", b"<** 550 5.7.1"),
    "an automatic reply": (
        ["--header", "Auto-Submitted: auto-replied"],
        ALICE,
        f"447700900231@{DOMAIN}",
        b"<** 550 5.7.1",
    ),
    "too long a text": (["--body", "x" * 1000], ALICE, f"447700900231@{DOMAIN}", b"<** 552 5.3.4"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_swaks_is_refused(w: World, case: str) -> None:
    options, sender, to, reply = REFUSED[case]
    done = swaks(w, *options, to=to, sender=sender)
    assert done.returncode != 0
    assert reply in done.stdout
    assert w.texts("+447700900231") == []


def test_the_size_that_is_offered_is_kept(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_text("y" * 70 + "\n")
    large.write_text(large.read_text() * 200)
    with world(tmp_path / "small", smtp={"max_message_bytes": 4096}) as small:
        done = swaks(small, "--body", f"@{large}", to=f"447700900241@{DOMAIN}")
        assert b"250-SIZE 4096" in done.stdout
        assert b"<** 552 5.3.4" in done.stdout
        assert small.texts("+447700900241") == []


def test_smtplib(w: World) -> None:
    with smtplib.SMTP("127.0.0.1", w.port, timeout=20) as client:
        refused = client.sendmail(ALICE, [f"447700900251@{DOMAIN}", f"nonsense@{DOMAIN}"], mail("by smtplib"))
        assert {to: code for to, (code, _) in refused.items()} == {f"nonsense@{DOMAIN}": 550}
        assert client.sendmail(ALICE, [f"447700900251@{DOMAIN}"], mail("and on the same connection")) == {}
    wait_for(lambda: w.texts("+447700900251") == ["by smtplib", "and on the same connection"])


def test_curl(w: World, tmp_path: Path) -> None:
    (tmp_path / "mail").write_bytes(mail("by curl"))
    people = (
        "--mail-from",
        ALICE,
        "--mail-rcpt",
        f"447700900252@{DOMAIN}",
        "--mail-rcpt",
        f"447700900253@{DOMAIN}",
    )
    done = run(
        "curl",
        "--silent",
        "--show-error",
        f"smtp://127.0.0.1:{w.port}",
        *people,
        "--upload-file",
        str(tmp_path / "mail"),
    )
    assert done.returncode == 0, done.stderr
    wait_for(lambda: [w.texts(f"+44770090025{digit}") for digit in "23"] == [["by curl"]] * 2)


def test_msmtp(w: World) -> None:
    server = ("--host=127.0.0.1", f"--port={w.port}", f"--from={ALICE}", "--file=/dev/null")
    done = run("msmtp", *server, f"447700900254@{DOMAIN}", raw=mail("by msmtp").replace(b"\r\n", b"\n"))
    assert done.returncode == 0, done.stderr
    wait_for(lambda: w.texts("+447700900254") == ["by msmtp"])
    done = run("msmtp", *server, f"nonsense@{DOMAIN}", raw=mail("never").replace(b"\r\n", b"\n"))
    assert done.returncode != 0
    assert b"550 5.1.1" in done.stderr
