"""S/MIME mails as OpenSSL makes them: signed in every form that it has, and encrypted."""

import itertools
from pathlib import Path

import pytest
from programs import run

from mailgate import body
from mailgate.body.sealed import is_sealed
from mailgate.mail import cms, parse

TEXT = "Pumpe 3 läuft wieder."
ENTITY = f"Content-Type: text/plain; charset=utf-8\n\n{TEXT}\n"
SELF_SIGNED = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=Iris -keyout key.pem -out cert.pem"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("smime")
    openssl(where, SELF_SIGNED)
    return where


def openssl(folder: Path, command: str, raw: bytes = b"") -> bytes:
    words = [str(folder / word) if word.endswith(".pem") else word for word in command.split()]
    done = run("openssl", *words, raw=raw)
    assert done.returncode == 0, done.stderr
    return done.stdout


def signed(folder: Path, options: str, content: str = ENTITY) -> bytes:
    return openssl(folder, f"cms -sign -signer cert.pem -inkey key.pem {options}", content.encode())


FORMS = [
    " ".join(form)
    for form in itertools.product(
        ("-nodetach", ""), ("-stream", ""), ("-binary", ""), ("-nosmimecap -nocerts", "")
    )
]


@pytest.mark.parametrize("form", FORMS)
def test_what_it_signed_is_read(folder: Path, form: str) -> None:
    mail = parse(b"From: iris@acme.example\r\n" + signed(folder, form))
    assert body.text(mail, text_from="body").text == TEXT
    assert mail.attachments == ()


def test_a_text_without_fields(folder: Path) -> None:
    assert body.text(parse(signed(folder, "-nodetach", TEXT))).text == TEXT
    assert body.text(parse(signed(folder, "-nodetach -text", "plain"))).text == "plain"


@pytest.mark.parametrize(
    "options", ["-outform DER", "-outform PEM", "-outform DER -stream", "-outform PEM -stream"]
)
@pytest.mark.parametrize("size", [1, 127, 128, 4096, 300_000])
def test_the_content_is_what_was_signed(folder: Path, options: str, size: int) -> None:
    content = "x" * size
    assert cms.content(signed(folder, f"-nodetach -binary {options}", content)) == content.encode()


def test_pkcs7_of_old_programs(folder: Path) -> None:
    command = "smime -sign -signer cert.pem -inkey key.pem -nodetach"
    assert body.text(parse(openssl(folder, command, ENTITY.encode()))).text == TEXT


def test_a_detached_signature_has_no_content(folder: Path) -> None:
    assert cms.content(signed(folder, "-outform DER")) is None


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ("-encrypt -aes-256-cbc", "enveloped-data"),
        ("-encrypt -aes-256-gcm", "authenveloped-data"),
        ("-encrypt -stream -aes-128-cbc", "enveloped-data"),
    ],
)
def test_what_it_encrypted_is_told(folder: Path, options: str, kind: str) -> None:
    made = openssl(folder, f"cms {options} -outform DER cert.pem", ENTITY.encode())
    assert (cms.kind(made), cms.content(made)) == (kind, None)
    mail = parse(b"Subject: x\r\n" + openssl(folder, f"cms {options} cert.pem", ENTITY.encode()))
    assert is_sealed(mail, body.text(mail))
