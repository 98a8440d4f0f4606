"""DKIM signatures: what is signed, what never is, and keys that are none."""

import email
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dkim
import pytest
import signing
from core_support import wait_for
from mail_support import ALICE, mail, settings_for, world
from outbound_support import GONE, Smarthost, send, smarthost
from serve_support import free_port

from gateway_core.errors import SettingsError
from mailgate.outbound.signing import Signer, signer
from mailgate.outgoing import Outgoing

KEY = signing.key()
COVERED = {"from", "to", "subject", "date", "message-id", "in-reply-to", "references", "auto-submitted"} | {
    *("mime-version", "content-type")
}


def dns(record: str) -> Callable[..., bytes]:
    return lambda name, **_: record.encode() if name == b"s1._domainkey.sms.example." else b""


def is_verified(raw: bytes, key: signing.Key = KEY) -> bool:
    return bool(dkim.verify(raw, dnsfunc=dns(key.record())))


def written(name: str = "n1", author: str = "gateway@sms.example", **more: Any) -> Outgoing:
    """As the gateway writes it."""
    fields = [f"From: {author}", "To: a@x.example", "Subject: hi", f"Message-ID: <{name}@sms.example>"]
    head = "\r\n".join([*fields, *(f"{key}: {value}" for key, value in more.items())])
    return Outgoing(name, "", ("a@x.example",), f"{head}\r\n\r\nHello\r\n".encode())


@pytest.fixture
def ours() -> Signer:
    return Signer("sms.example", "s1", KEY.private)


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    """Of [outbound]."""
    (tmp_path / "dkim.pem").write_bytes(KEY.private)
    return {
        "dkim_domain": "sms.example",
        "dkim_selector": "s1",
        "dkim_key": str(tmp_path / "dkim.pem"),
        "from_address": "gateway@sms.example",
    }


def test_a_receipt_is_signed_from_end_to_end(tmp_path: Path, keys: dict[str, str]) -> None:
    handler, port = Smarthost(), free_port()
    sections = {"outbound": keys | {"smarthost": f"smtp://127.0.0.1:{port}"}}
    with smarthost(handler, port), world(tmp_path, **sections) as w:
        w.send(mail("hello", message_id="n@acme.example", Subject="Grüße"))
        wait_for(lambda: handler.taken)
    ((_, (to,), content),) = handler.taken
    assert to == ALICE
    assert is_verified(content)
    assert not is_verified(content, signing.key(number=1))
    field = email.message_from_bytes(content)["DKIM-Signature"]
    tags = dict(tag.strip().split("=", 1) for tag in "".join(field.split()).split(";"))
    assert (tags["a"], tags["c"], tags["d"], tags["s"]) == (
        "rsa-sha256",
        "relaxed/relaxed",
        "sms.example",
        "s1",
    )
    covered = tags["h"].split(":")
    assert set(covered) >= COVERED
    assert covered.count("from") == 2
    assert "l" not in tags


@pytest.mark.parametrize(
    ("author", "signed"),
    [
        ("gateway@sms.example", True),
        ("Gate <447700900123@Eu.SMS.example>", True),
        ("gateway@xsms.example", False),
        ("gateway@example", False),
        ("gateway@sms.example.net", False),
        ("a@sms.example, b@evil.example", False),
        ("gateway", False),
    ],
)
def test_only_mail_from_the_domain_is_signed(ours: Signer, author: str, *, signed: bool) -> None:
    made = written(author=author)
    content = ours.sign(made)
    assert content.endswith(made.content)
    assert (content != made.content) == signed
    assert not signed or is_verified(content)


@pytest.mark.parametrize(
    "content",
    [
        b"X-Mailgate-Loop: x\r\nDelivered-To: ops@x.example\r\n" + written().content,  # passed on as it came
        written("n2").content,  # somebody else's Message-ID
        b"From: gateway@evil.example\r\n" + written().content,
        b"",
        b"\r\n\r\n",
    ],
)
def test_what_we_did_not_write_is_not_signed(ours: Signer, content: bytes) -> None:
    assert ours.sign(Outgoing("n1", "", ("a@x.example",), content)) == content


def test_a_field_that_is_added_or_changed_breaks_it(ours: Signer) -> None:
    content = ours.sign(written(**{"Auto-Submitted": "auto-generated", "Reply-To": "r@sms.example"}))
    assert is_verified(content)
    assert not is_verified(b"From: other@evil.example\r\n" + content)
    assert not is_verified(content.replace(b"auto-generated", b"no"))
    assert not is_verified(content.replace(b"r@sms", b"q@sms"))
    assert not is_verified(content + b"more\r\n")


@pytest.mark.parametrize("ends", [b"\n", b"\r"])
def test_it_is_signed_with_the_line_ends_that_it_is_sent_with(ours: Signer, ends: bytes) -> None:
    made = written()
    body = made.content + b"one" + ends + b"two" + ends
    content = ours.sign(Outgoing("n1", "", made.to, body))
    assert b"one\r\ntwo\r\n" in content
    assert is_verified(content)


def test_without_keys_nothing_is_signed(tmp_path: Path) -> None:
    handler, port = Smarthost(), free_port()
    with smarthost(handler, port):
        settings = settings_for(tmp_path, outbound={"smarthost": f"smtp://127.0.0.1:{port}"})
        assert send(settings, [written()]) == [GONE]
    assert handler.taken[0][2] == written().content


# --- settings ---------------------------------------------------------------------------------------------


def openssl(*arguments: str, stdin: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=stdin, check=True, capture_output=True).stdout


@pytest.mark.parametrize("form", ["PKCS#1", "PKCS#8", "CRLF"])
def test_keys_as_programs_write_them(tmp_path: Path, keys: dict[str, str], form: str) -> None:
    pem = {
        "PKCS#1": lambda: KEY.private,
        "PKCS#8": lambda: openssl("pkcs8", "-topk8", "-nocrypt", stdin=KEY.private),
        "CRLF": lambda: KEY.private.replace(b"\n", b"\r\n"),
    }[form]()
    Path(keys["dkim_key"]).write_bytes(pem)
    made = signer(settings_for(tmp_path, outbound=keys).outbound)
    assert made is not None
    assert is_verified(made.sign(written()))


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (None, "No such file"),
        (b"", "holds no private RSA key in PEM form"),
        (b"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n", "holds no private RSA"),
        (lambda: openssl("rsa", "-pubout", stdin=KEY.private), "holds no private RSA key"),
        (lambda: openssl("ecparam", "-genkey", "-noout", "-name", "prime256v1"), "holds no private RSA key"),
        (lambda: openssl("genpkey", "-algorithm", "ed25519"), "holds no private RSA key"),
        (lambda: openssl("rsa", "-aes128", "-passout", "pass:x", stdin=KEY.private), "is encrypted"),
        (lambda: openssl("genrsa", "-traditional", "768"), "768 bits are too few"),
    ],
)
def test_a_key_that_is_none(tmp_path: Path, keys: dict[str, str], key: Any, words: str) -> None:
    path = Path(keys["dkim_key"])
    path.unlink()
    if key is not None:
        path.write_bytes(key if isinstance(key, bytes) else key())
    with pytest.raises(SettingsError, match=rf"^outbound\.dkim_key: .*{words}"):
        signer(settings_for(tmp_path, outbound=keys).outbound)


def test_a_selector_that_is_none(tmp_path: Path, keys: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"^outbound\.dkim_selector: 's 1;' is not a name"):
        signer(settings_for(tmp_path, outbound=keys | {"dkim_selector": "s 1;"}).outbound)
