"""OpenDKIM finds our signatures good, and those of a changed mail bad."""

import shutil
import subprocess
from pathlib import Path

import pytest
import signing
from core_support import wait_for
from mail_support import mail, world
from outbound_support import Smarthost, smarthost
from peers_support import require_peer
from serve_support import free_port

PROGRAM = shutil.which("opendkim", path="/usr/sbin:/usr/bin")
KEY = signing.key()


def verified(folder: Path, raw: bytes) -> bool:
    """What its test mode says of one mail."""
    require_peer("opendkim", PROGRAM is not None)
    (folder / "dns").write_text(f"s1._domainkey.sms.example {KEY.record()}\n")
    (folder / "conf").write_text(f"Mode v\nTestDNSData file:{folder}/dns\n")
    (folder / "mail").write_bytes(raw)
    command = [str(PROGRAM), "-x", str(folder / "conf"), "-t", str(folder / "mail")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    said = done.stdout + done.stderr
    assert "verification (s=s1" in said, said
    return "succeeded" in said


@pytest.fixture
def receipt(tmp_path: Path) -> bytes:
    (tmp_path / "dkim.pem").write_bytes(KEY.private)
    handler, port = Smarthost(), free_port()
    outbound = {
        "smarthost": f"smtp://127.0.0.1:{port}",
        "from_address": "gateway@sms.example",
        "dkim_domain": "sms.example",
        "dkim_selector": "s1",
        "dkim_key": str(tmp_path / "dkim.pem"),
    }
    with smarthost(handler, port), world(tmp_path, outbound=outbound) as w:
        w.send(mail("hello", message_id="n@acme.example", Subject="Grüße aus dem Maschinenhaus " * 5))
        wait_for(lambda: handler.taken)
    return handler.taken[0][2]


def test_our_signature_is_good(tmp_path: Path, receipt: bytes) -> None:
    assert verified(tmp_path, receipt)


def test_a_changed_mail_is_found(tmp_path: Path, receipt: bytes) -> None:
    assert not verified(tmp_path, receipt.replace(b"From: SMS gateway", b"From: other"))
    assert not verified(tmp_path, receipt + b"more\r\n")
