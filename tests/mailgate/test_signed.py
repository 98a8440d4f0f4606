"""Signed mails: what was signed is read, and only read; what only carries the signature is reported or passed over."""

import base64

import pytest
from test_cms import OPEN_HEAD, octets, pieces, signed

from mailgate import body, guard
from mailgate.body import armour
from mailgate.errors import MailTooLarge
from mailgate.mail import Mail, parse

OUTER = "From: alice@acme.example\nSubject: outer\n"
PLAIN = "Content-Type: text/plain; charset=utf-8\n\n"


def smime(content: str | bytes, *fields: str, kind: str = "application/pkcs7-mime; name=smime.p7m") -> str:
    """A part, with CRLF inside as signers write it."""
    if isinstance(content, str):
        content = signed(octets(content.replace("\n", "\r\n").encode()))
    head = "\n".join([f"Content-Type: {kind}", "Content-Transfer-Encoding: base64", *fields])
    return f"{head}\n\n{base64.encodebytes(content).decode()}"


def mixed(*parts: str, boundary: str = "b") -> str:
    inner = "".join(f"--{boundary}\n{part}\n" for part in parts)
    return f"Content-Type: multipart/mixed; boundary={boundary}\n\n{inner}--{boundary}--\n"


def read(part: str) -> Mail:
    return parse((OUTER + part).encode())


def text_of(part: str) -> str:
    return body.text(read(part), text_from="body").text


ATTACHED = "Content-Disposition: attachment; filename=smime.p7m"
INSIDE = PLAIN + "Größe 5"


@pytest.mark.parametrize(
    "part",
    [
        smime(INSIDE),
        smime(INSIDE, ATTACHED),
        smime(INSIDE, kind="application/x-pkcs7-mime; smime-type=signed-data"),
        smime(INSIDE, kind="application/octet-stream; name=SMIME.P7M"),
        smime(INSIDE, ATTACHED, kind="application/octet-stream"),
        smime(INSIDE, kind="application/pkcs7-mime; smime-type=enveloped-data"),  # its own type counts
        smime("Größe 5"),  # signed as it was, without any field
        smime(mixed(PLAIN + "Größe 5", "Content-Type: application/pdf; name=a.pdf\n\nx", boundary="inner")),
        smime("Content-Type: text/html; charset=utf-8\n\n<p>Größe 5"),
        smime("Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\nGr=C3=B6=C3=9Fe 5"),
        mixed(smime(INSIDE, ATTACHED), PLAIN + "footer of a list"),
        mixed(PLAIN, smime(INSIDE)),
        smime(signed(pieces((INSIDE + " " * 3_000_000 + "\n" + "x" * 9).encode(), size=1000))),
    ],
)
def test_what_was_signed_is_the_text(part: str) -> None:
    mail = read(part)
    assert body.text(mail, text_from="body").text.startswith("Größe 5")
    assert "smime.p7m" not in mail.attachments


PDF = "%PDF-1.7\n\0\n"
DECLARED = "Content-Type: text/plain\n\nhidden"


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (mixed(PLAIN + "see the invoice", smime("<xml>", ATTACHED)), "see the invoice"),
        (mixed(PLAIN + "the forwarded one", smime(DECLARED, ATTACHED)), "the forwarded one"),
        (mixed(smime("<xml>hidden</xml>")), ""),
        (smime(PDF), ""),
        (smime(signed(b"")), ""),
        (smime(signed(octets(b"x"))[:-1]), ""),
        (smime(b"garbage"), ""),
        (smime(OPEN_HEAD + b"\x24\x80" * 10_000), ""),
        (smime(smime(DECLARED)), ""),  # one level
    ],
)
def test_what_is_no_signed_mail_is_attached(part: str, text: str) -> None:
    mail = read(part)
    assert body.text(mail, text_from="body").text == text
    assert mail.attachments == ("smime.p7m",)


def test_nothing_inside_says_who_it_is_from() -> None:
    inner = (
        "From: mallory@evil.example\nSubject: inner\nReply-To: m@evil.example\nMessage-ID: <i@evil.example>\n"
    )
    inner += "Auto-Submitted: auto-replied\nDate: today\n"
    mail = read(smime(inner + INSIDE))
    assert (mail.from_, mail.from_clean, mail.subject) == (("alice@acme.example",), True, "outer")
    assert (mail.reply_to, mail.message_id, mail.date) == ((), None, "")
    assert guard.verdict(mail, envelope_from="alice@acme.example") is None


def test_a_report_is_one_also_when_it_is_signed() -> None:
    report = "Content-Type: message/delivery-status\n\nAction: failed"
    assert guard.verdict(read(smime(report)), envelope_from="alice@acme.example") is not None


def nested(depth: int) -> str:
    levels = (f"Content-Type: multipart/mixed; boundary=b{n}.\n\n--b{n}.\n" for n in range(depth))
    return "".join(levels) + INSIDE


@pytest.mark.parametrize(
    "inside",
    [
        mixed(*["\nx"] * 199),
        nested(20),
        PLAIN.replace("\n\n", "\nX: " + "y" * 140_000 + "\n\n"),
        mixed(*["X: " + "y" * 120_000 + "\n\nx"] * 9),
    ],
    ids=["parts", "levels", "header", "headers"],
)
def test_the_limits_hold_inside(inside: str) -> None:
    with pytest.raises(MailTooLarge):
        read(smime(inside))


def test_within_the_limits_inside() -> None:
    assert text_of(smime(nested(18))) == "Größe 5"
    assert text_of(smime(mixed(*["\nx"] * 197))) == "x"


def test_only_one_is_opened() -> None:
    mail = read(mixed(smime(PLAIN), smime(INSIDE)))
    assert body.text(mail, text_from="body").text == ""
    assert mail.attachments == ("smime.p7m",)


# --- PGP, signed in the open ------------------------------------------------------------------------------

SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n"
SIGNATURE = "-----BEGIN PGP SIGNATURE-----\n\niQEz=\n=aB3d\n-----END PGP SIGNATURE-----\n"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (f"{SIGNED}a\n{SIGNATURE}", "a"),
        (f"{SIGNED}a\nb\n\n{SIGNATURE}", "a\nb"),
        (f"{SIGNED}- - a\n- -----\n-b\n{SIGNATURE}", "- a\n-----\n-b"),
        (f"before\n{SIGNED}a\n{SIGNATURE}after", "before\na\nafter"),
        (f"{SIGNED}a\n{SIGNATURE}\n{SIGNED}b\n{SIGNATURE}", "a\n\nb"),
        (SIGNED.replace("Hash: SHA512\n", "") + "a\n" + SIGNATURE, "a"),
        (SIGNED.replace("Hash", "Charset: utf-8\nHash: SHA1\nHash") + "a\n" + SIGNATURE, "a"),
        ((f"{SIGNED}a\n{SIGNATURE}").replace("\n", "\r\n"), "a"),
        (f"{SIGNED}a\n- -- \nIris\n{SIGNATURE}", "a"),
        (f"{SIGNED}a\n##\nb\n{SIGNATURE}", "a"),
        (f"a\n\nOn 5 May 2026 b@x.example wrote:\n> {SIGNED.replace(chr(10), chr(10) + '> ')}b", "a"),
        (f"{SIGNED}a", f"{SIGNED}a"),
        (f"{SIGNED}a\n{SIGNATURE[:40]}", f"{SIGNED}a\n{SIGNATURE[:40]}".strip()),
        (f"x {SIGNED}a\n{SIGNATURE}", f"x {SIGNED}a\n{SIGNATURE}".strip()),
    ],
)
def test_the_armour_of_signed_text_goes(content: str, text: str) -> None:
    assert text_of(PLAIN + content) == text


def test_what_was_armour_is_reported() -> None:
    result = body.text(read(PLAIN + f"{SIGNED}a\n{SIGNATURE}"))
    assert [(piece.why, piece.text) for piece in result.removed] == [
        ("signature armour", SIGNED.strip()),
        ("signature armour", SIGNATURE.strip()),
    ]


def test_lines_are_joined_after_dashes_are_taken_back() -> None:
    flowed = PLAIN.replace("utf-8", "utf-8; format=flowed")
    assert text_of(flowed + f"{SIGNED}a \nb\n- -- \nIris\n{SIGNATURE}") == "a b"
    page = "Content-Type: text/html\n\n<pre>" + f"{SIGNED}- - a\n{SIGNATURE}</pre>"
    assert text_of(page) == "- a"


def test_the_mail_of_a_machine_is_left_as_it_is() -> None:
    content = f"{SIGNED}a\n{SIGNATURE}"
    assert body.text(read(PLAIN + content), monitoring=True).text == content.strip()


@pytest.mark.parametrize(
    "piece", [SIGNED, SIGNATURE, SIGNED[:35], "Hash: a\n", SIGNATURE[:30], SIGNED + SIGNATURE, SIGNED + "- "]
)
def test_armour_is_searched_once(piece: str) -> None:
    """Quadratic work would be minutes."""
    text, removed = armour.opened(SIGNED[:35] + piece * (262_144 // len(piece)))
    assert len(text) + sum(map(len, removed)) <= 262_144 + 35 + len(piece)
