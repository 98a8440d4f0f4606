"""Encrypted mails: told from others, and refused in words."""

import base64

import pytest
from mail_support import ALICE, ROWS, mail, world
from test_cms import octets, signed
from test_signed import OUTER, PLAIN, mixed, smime

from mailgate import body
from mailgate.body.sealed import is_sealed
from mailgate.mail import parse

MESSAGE = "-----BEGIN PGP MESSAGE-----\n\nhQEMA+\n=abcd\n-----END PGP MESSAGE-----\n"
ENVELOPED = signed(octets(b"x"), kind="2a864886f70d010703")
AUTH_ENVELOPED = signed(octets(b"x"), kind="2a864886f70d0109100117")
VERSION = "Content-Type: application/pgp-encrypted\n\nVersion: 1\n"
DATA = f"Content-Type: application/octet-stream; name=encrypted.asc\n\n{MESSAGE}"
RPMSG = "Content-Type: application/x-microsoft-rpmsg-message; name=message.rpmsg\n\nx"
BLANK = PLAIN + " \n"


def encrypted(*parts: str) -> str:
    return mixed(*parts, boundary="e").replace(
        "multipart/mixed", "multipart/encrypted; protocol=application/pgp-encrypted"
    )


SEALED: dict[str, str] = {
    "PGP/MIME": encrypted(VERSION, DATA),
    "PGP/MIME without its boundary": encrypted(VERSION, DATA)
    .replace("boundary=b", "x=y")
    .replace("--b", "..b"),
    "PGP/MIME with a footer": mixed(BLANK, encrypted(VERSION, DATA)),
    "PGP/MIME that Exchange took apart": mixed(BLANK, VERSION, DATA),
    "S/MIME": smime(ENVELOPED),
    "S/MIME of another name": smime(ENVELOPED, kind="application/x-pkcs7-mime; smime-type=signed-data"),
    "S/MIME told by the name": smime(ENVELOPED, kind="application/octet-stream; name=smime.p7m"),
    "S/MIME with AES-GCM": smime(AUTH_ENVELOPED),
    "S/MIME that is spoilt": smime(b"x", kind="application/pkcs7-mime; smime-type=authEnveloped-data"),
    "S/MIME, encrypted and then signed": smime(smime(ENVELOPED)),
    "S/MIME beside a blank text": mixed(BLANK, smime(ENVELOPED)),
    "PGP inside the text": PLAIN + MESSAGE,
    "PGP under a line of a program": PLAIN + f"Secured by a program\n\n{MESSAGE}\n",
    "PGP in two parts": PLAIN + MESSAGE.replace("MESSAGE", "MESSAGE, PART 1/2"),
    "PGP inside HTML": "Content-Type: text/html\n\n<p>" + MESSAGE.replace("\n", "<br>\n"),
    "PGP as base64": "Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(MESSAGE.encode()).decode(),
    "rights management": mixed(PLAIN + "This message is protected. Open it with Outlook.", RPMSG),
    "rights management, by name": mixed(
        PLAIN + "x", RPMSG.replace("x-microsoft-rpmsg-message", "octet-stream")
    ),
}
READABLE: dict[str, str] = {
    "a text": PLAIN + "hello",
    "a text and an encrypted mail": mixed(PLAIN + "hello", smime(ENVELOPED)),
    "a text and an encrypted file": mixed(PLAIN + "hello", DATA),
    "a text and PGP/MIME parts": mixed(PLAIN + "hello", VERSION, DATA),
    "a text about it": PLAIN + "send it as -----BEGIN PGP MESSAGE----- or not at all",
    "an answer to one": PLAIN
    + f"yes\n\nOn 5 May 2026 b@x.example wrote:\n> {MESSAGE.replace(chr(10), chr(10) + '> ')}",
    "an unquoted answer": PLAIN
    + f"yes\n\n-----Original Message-----\nFrom: a\nSent: b\nTo: c\nSubject: d\n\n{MESSAGE}",
    "an encrypted mail that is forwarded": mixed(
        "Content-Type: message/rfc822\n\n" + encrypted(VERSION, DATA)
    ),
    "a signed text": smime(PLAIN + "hello"),
    "an invoice": mixed("Content-Type: application/pdf\n\nx"),
    "a signed file": mixed(smime("<xml>")),
    "nothing": BLANK,
}


@pytest.mark.parametrize("text_from", ["auto", "body", "both"])
@pytest.mark.parametrize("name", SEALED)
def test_an_encrypted_mail_is_told(name: str, text_from: str) -> None:
    mail = parse((OUTER + SEALED[name]).encode())
    assert is_sealed(mail, body.text(mail, text_from=text_from))
    assert is_sealed(mail, body.text(mail, text_from=text_from, monitoring=True))


@pytest.mark.parametrize("text_from", ["auto", "body", "both"])
@pytest.mark.parametrize("name", READABLE)
def test_a_readable_mail_is_not(name: str, text_from: str) -> None:
    mail = parse((OUTER + READABLE[name]).encode())
    assert not is_sealed(mail, body.text(mail, text_from=text_from))


@pytest.mark.parametrize(
    ("text_from", "reply"), [("subject", "250"), ("auto", "554 5.6.0"), ("both", "554 5.6.0")]
)
def test_an_encrypted_mail_is_refused_but_where_only_the_subject_counts(tmp_path, text_from, reply) -> None:
    account = {**ROWS["account"][0], "text_from": text_from}
    with (
        world(tmp_path, ROWS | {"account": [account], "number": ROWS["number"][:1]}) as w,
        w.client() as client,
    ):
        client.ehlo("client.example")
        client.mail(ALICE)
        client.rcpt("447700900123@sms.localhost")
        code, words = client.data(mail(MESSAGE.replace("\n", "\r\n"), Subject="door open"))
    assert f"{code} {words.decode()}".startswith(reply)
    assert ("encrypted" in words.decode()) is (code == 554)
