"""Programs that people script mail with, against a real listener: smtplib, curl, msmtp."""

import smtplib
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from core_support import wait_for
from mail_support import ALICE, ROWS, World, mail, world
from peers.programs import (
    DOMAIN,
    Done,
    at_domain,
    database_in_trouble,
    run,
    submissions,
    until_nobody_is_connected,
)

JUERGEN = "jürgen@acme.example"
EX_DATAERR, EX_UNAVAILABLE = 65, 69  # sysexits.h, what msmtp ends with


@pytest.fixture(scope="module")
def w(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    rows: dict[str, Any] = deepcopy(ROWS)
    rows["account"][0]["sender"].append({"address": JUERGEN})
    with world(tmp_path_factory.mktemp("programs"), rows, smtp={"max_message_bytes": 1_000_000}) as running:
        yield running


def written(sender: str, to: str, body: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, "by smtplib"
    message.set_content(body)
    return message


def test_smtplib(w: World) -> None:
    with smtplib.SMTP("127.0.0.1", w.port, timeout=20) as client:
        refused = client.sendmail(ALICE, [f"447700900251@{DOMAIN}", f"nonsense@{DOMAIN}"], mail("by smtplib"))
        assert {to: code for to, (code, _) in refused.items()} == {f"nonsense@{DOMAIN}": 550}
        assert client.sendmail(ALICE, [f"447700900251@{DOMAIN}"], mail("and on the same connection")) == {}
    wait_for(lambda: w.texts("+447700900251") == ["by smtplib", "and on the same connection"])


def test_smtplib_writes_8_bit(w: World) -> None:
    raw = mail("Grüße aus Köln", Content_Type="text/plain; charset=utf-8", Content_Transfer_Encoding="8bit")
    with smtplib.SMTP("127.0.0.1", w.port, timeout=20) as client:
        assert client.sendmail(ALICE, at_domain("447700900255"), raw, mail_options=["BODY=8BITMIME"]) == {}
    wait_for(lambda: w.texts("+447700900255") == ["Grüße aus Köln"])


def test_smtplib_sends_a_message_of_an_address_that_is_not_ascii(w: World) -> None:
    """It asks for SMTPUTF8 by itself then (RFC 6531)."""
    message = written(f"Jürgen Müller <{JUERGEN}>", f"447700900256@{DOMAIN}", "von Jürgen")
    with smtplib.SMTP("127.0.0.1", w.port, timeout=20) as client:
        assert client.send_message(message) == {}
    wait_for(lambda: w.texts("+447700900256") == ["von Jürgen"])


def test_smtplib_sends_a_message_to_several(w: World) -> None:
    people = ["447700900257", "447700900258"]
    message = written(f"Alice <{ALICE}>", ", ".join(f"Phone <{to}>" for to in at_domain(*people)), "to both")
    message["Bcc"] = f"447700900259@{DOMAIN}"
    with smtplib.SMTP("127.0.0.1", w.port, timeout=20) as client:
        assert client.send_message(message) == {}
    wait_for(lambda: [w.texts(f"+44770090025{digit}") for digit in "789"] == [["to both"]] * 3)


def test_smtplib_that_does_not_wait_for_the_end(w: World) -> None:
    """It hangs up without reading the answer to QUIT."""
    client = smtplib.SMTP("127.0.0.1", w.port, timeout=20)
    assert client.sendmail(ALICE, at_domain("447700900260"), mail("and gone")) == {}
    client.putcmd("QUIT")
    client.close()
    wait_for(lambda: w.texts("+447700900260") == ["and gone"])
    until_nobody_is_connected(w.port)


def curl(w: World, *options: str, to: list[str], raw: bytes = b"") -> Done:
    """The mail, if one is given, is read from standard input."""
    people = [word for address in to for word in ("--mail-rcpt", address)]
    upload = ("--upload-file", "-") if raw else ()
    url = f"smtp://127.0.0.1:{w.port}/client.example"
    return run(
        "curl", "--silent", "--show-error", "--mail-from", ALICE, *people, *upload, *options, url, raw=raw
    )


def test_curl(w: World) -> None:
    done = curl(w, to=at_domain("447700900252", "447700900253"), raw=mail("by curl"))
    assert done.returncode == 0, done.stderr
    wait_for(lambda: [w.texts(f"+44770090025{digit}") for digit in "23"] == [["by curl"]] * 2)


def test_curl_makes_the_ends_of_lines(w: World) -> None:
    raw = mail("line one\n.line two").replace(b"\r\n", b"\n")
    done = curl(w, "--crlf", to=at_domain("447700900261"), raw=raw)
    assert done.returncode == 0, done.stderr
    wait_for(lambda: w.texts("+447700900261") == ["line one\n.line two"])


def test_curl_writes_a_mail_with_a_picture(w: World, tmp_path: Path) -> None:
    (tmp_path / "camera.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40)
    form = ("-F", "=Somebody at the door", "-F", f"=@{tmp_path}/camera.png;encoder=base64")
    done = curl(w, "--header", f"From: {ALICE}", *form, to=at_domain("447700900262"))
    assert done.returncode == 0, done.stderr
    wait_for(lambda: w.texts("+447700900262") == ["Somebody at the door"])


@pytest.mark.parametrize("allowed", [True, False])
def test_curl_with_a_recipient_that_is_refused(w: World, *, allowed: bool) -> None:
    to = [f"nonsense@{DOMAIN}", *at_domain("447700900263"), f"123@{DOMAIN}"]
    done = curl(w, *(["--mail-rcpt-allowfails"] if allowed else []), to=to, raw=mail("who can have it"))
    if allowed:
        assert done.returncode == 0, done.stderr
        wait_for(lambda: w.texts("+447700900263") == ["who can have it"])
    else:
        assert done.returncode == 55, done.stderr  # CURLE_SEND_ERROR: curl gives the whole mail up
        assert b"550" in done.stderr


def test_curl_learns_nothing_by_vrfy_and_expn(w: World) -> None:
    known, unknown = (curl(w, "--include", to=[name]) for name in (f"oncall@{DOMAIN}", f"nobody@{DOMAIN}"))
    assert known.returncode == unknown.returncode
    assert known.stdout == unknown.stdout
    assert curl(w, "--request", "EXPN", to=["team"]).returncode != 0


def test_curl_that_is_killed_inside_a_mail(w: World) -> None:
    before = submissions(w)
    to = ("--mail-from", ALICE, "--mail-rcpt", f"447700900264@{DOMAIN}")
    sending = subprocess.Popen(
        ["curl", "--silent", *to, "--upload-file", "-", f"smtp://127.0.0.1:{w.port}"], stdin=subprocess.PIPE
    )
    assert sending.stdin is not None
    sending.stdin.write(mail("half of it") + b"more of it\r\n" * 20_000)  # curl is reading, so DATA has begun
    sending.stdin.flush()
    sending.kill()
    sending.stdin.close()
    sending.wait()
    until_nobody_is_connected(w.port)
    assert submissions(w) == before
    assert w.texts("+447700900264") == []


def msmtp(w: World, *options: str, raw: bytes) -> Done:
    server = ("--host=127.0.0.1", f"--port={w.port}", f"--from={ALICE}", "--file=/dev/null")
    return run("msmtp", *server, *options, raw=raw.replace(b"\r\n", b"\n"))


def test_msmtp(w: World) -> None:
    done = msmtp(w, f"447700900254@{DOMAIN}", raw=mail("by msmtp"))
    assert done.returncode == 0, done.stderr
    wait_for(lambda: w.texts("+447700900254") == ["by msmtp"])


def test_msmtp_reads_the_recipients_from_the_mail(w: World) -> None:
    people = {"To": f"Phone <447700900271@{DOMAIN}>", "Cc": f"447700900272@{DOMAIN}"}
    done = msmtp(w, "--read-recipients", raw=mail("as sendmail -t", **people, Bcc=f"447700900273@{DOMAIN}"))
    assert done.returncode == 0, done.stderr
    wait_for(lambda: [w.texts(f"+44770090027{digit}") for digit in "123"] == [["as sendmail -t"]] * 3)


def test_msmtp_tells_its_caller_what_went_wrong(w: World) -> None:
    """One address that is refused, and the mail goes to nobody; too large is no fault of an address."""
    done = msmtp(w, f"447700900274@{DOMAIN}", f"nonsense@{DOMAIN}", raw=mail("never"))
    assert done.returncode == EX_DATAERR, done.stderr
    assert b"550 5.1.1" in done.stderr
    done = msmtp(w, f"447700900274@{DOMAIN}", raw=mail("x" * 70 + "\n") * 20_000)
    assert done.returncode == EX_UNAVAILABLE, done.stderr
    assert b"552 5.3.4" in done.stderr
    assert w.texts("+447700900274") == []


def test_msmtp_is_told_to_come_again(tmp_path: Path) -> None:
    """And then the repeat is one text. With a Date: msmtp adds one that is missing, another one each second."""
    with world(tmp_path) as w:
        raw = mail("again", message_id="again@acme.example", Date="Tue, 05 May 2026 10:15:00 +0100")
        with database_in_trouble(w):
            done = msmtp(w, f"447700900275@{DOMAIN}", raw=raw)
            assert done.returncode == EX_UNAVAILABLE, done.stderr
            assert b"451 4.3.0" in done.stderr
        assert [msmtp(w, f"447700900275@{DOMAIN}", raw=raw).returncode for _ in range(2)] == [0, 0]
        wait_for(lambda: w.texts("+447700900275") == ["again"])
        assert submissions(w) == 1


def test_msmtp_asks_for_delivery_reports(w: World) -> None:
    """It refuses to send where they are not offered."""
    before = submissions(w)
    done = msmtp(
        w, "--dsn-notify=failure,delay", "--dsn-return=hdrs", f"447700900276@{DOMAIN}", raw=mail("msmtp")
    )
    assert done.returncode == 0, done.stderr
    wait_for(lambda: w.texts("+447700900276") == ["msmtp"])
    assert submissions(w) == before + 1
