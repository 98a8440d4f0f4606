"""PGP mails as GnuPG makes them."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from programs import run

from mailgate import body
from mailgate.body import armour
from mailgate.body.sealed import is_sealed
from mailgate.mail import parse

HEAD = "From: iris@acme.example\nContent-Type: text/plain; charset=utf-8\n\n"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A ring of keys with one of them. Its agent's socket needs a short path."""
    with TemporaryDirectory() as where:
        gnupg(Path(where), "--passphrase", "", "--quick-gen-key", "iris@acme.example", "default", "default")
        yield Path(where)
        run("gpgconf", "--homedir", where, "--kill", "all")


def gnupg(folder: Path, *command: str, text: str = "") -> str:
    made = run("gpg", "--homedir", str(folder), "--batch", "--no-tty", *command, raw=text.encode())
    assert made.returncode == 0, made.stderr
    return made.stdout.decode()


TEXTS = [
    "Pump 3 is down.\n",
    "no line end",
    "- first\n-second\n-- third\n- - fourth\n",
    "\n\nempty lines\n\n\n",
    "-----BEGIN PGP SIGNATURE-----\nnot yet\n-----END PGP SIGNATURE-----\n",
    "-----BEGIN PGP SIGNED MESSAGE-----\nHash: none\n\nFrom here\n",
    "Größe 5 \U0001f600\n",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("digest", ["SHA256", "SHA512"])
def test_what_it_signed_in_the_open_comes_back(folder: Path, text: str, digest: str) -> None:
    made = gnupg(folder, "--digest-algo", digest, "--clearsign", text=text)
    found, removed = armour.opened(f"before\n{made}after\n")
    assert found == f"before\n{text.removesuffix(chr(10))}\nafter\n"
    assert len(removed) == 2


def test_a_mail_signed_in_the_open(folder: Path) -> None:
    made = gnupg(folder, "--clearsign", "--comment", "by a test", text="Pump 3 is down.\n-- \nIris\n")
    assert body.text(parse((HEAD + made).encode())).text == "Pump 3 is down."


def test_a_mail_with_its_signature_beside_it(folder: Path) -> None:
    part = "Content-Type: text/plain\n\nPump 3 is down.\n"
    made = gnupg(folder, "--armor", "--detach-sign", text=part.replace("\n", "\r\n"))
    head = 'From: iris@acme.example\nContent-Type: multipart/signed; protocol="application/pgp-signature"; boundary=b'
    frame = "Content-Type: application/pgp-signature; name=signature.asc"
    mail = parse(f"{head}\n\n--b\n{part}\n--b\n{frame}\n\n{made}\n--b--\n".encode())
    assert (body.text(mail).text, mail.attachments) == ("Pump 3 is down.", ())


def test_a_mail_that_it_encrypted(folder: Path) -> None:
    made = gnupg(
        folder, "--armor", "--trust-model", "always", "-r", "iris@acme.example", "--encrypt", text="secret\n"
    )
    mail = parse((HEAD + made).encode())
    assert is_sealed(mail, body.text(mail))
