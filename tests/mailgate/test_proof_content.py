"""Fields that say how a body is read: whoever has a signed mail must not choose them."""

import pytest
import signing

from mailgate.mail import parse
from mailgate.proof import Evidence, Prover

FROM = "alarm@acme.example"
PHONE = "447700900123@sms.example"
ALL = (*signing.COVERED, "content-type", "content-transfer-encoding", "content-disposition")


class Keys:
    """Every key there is, without a server."""

    def lookup(self, name: str, kind: str, _deadline: float) -> list:
        return [signing.key().record().encode()] if kind == "TXT" and "_domainkey" in name else []


def prove(raw: bytes) -> Evidence:
    return Prover(Keys()).prove(  # type: ignore[arg-type]
        parse(raw), raw, peer="192.0.2.7", mail_from="", addresses=[FROM], recipients=[PHONE]
    )


def counts(raw: bytes) -> bool:
    found = prove(raw)
    assert found.authentic(FROM, [PHONE]) or "leaves open what the body is" in "".join(found.words)
    return found.authentic(FROM, [PHONE])


def typed(value: str, body: bytes, *more: str, covered=signing.COVERED) -> bytes:
    """A signed mail of this Content-Type."""
    raw = signing.mail(body=body, more=[f"Content-Type: {value}" if value else "X: y", *more])
    return signing.signed(raw, covered=covered)


PLAIN, HTML = b"Content-Type: text/plain\r\n\r\nPump 3\r\n", b"Content-Type: text/html\r\n\r\n<p>Pump\r\n"
FILE = b'Content-Type: text/plain; name="a.txt"\r\nContent-Disposition: attachment\r\n\r\nx\r\n'
CALENDAR = b"Content-Type: text/calendar\r\n\r\nBEGIN:VEVENT\r\n"


def parted(*parts: bytes, boundary: bytes = b"b1") -> bytes:
    return b"".join(b"--" + boundary + b"\r\n" + part for part in parts) + b"--" + boundary + b"--\r\n"


INNER = b"Content-Type: multipart/alternative; boundary=b2\r\n\r\n" + parted(PLAIN, HTML, boundary=b"b2")
MIXED, ALTERNATIVE = "multipart/mixed; boundary=b1", 'multipart/alternative; boundary="b1"'


@pytest.mark.parametrize(
    ("value", "body"),
    [
        ("", b"Pump 3 is down.\r\n"),
        ("", b""),
        ("", "Störung\r\n".encode()),
        ("text/plain", b"Pump 3 = down\r\n"),
        ("text/plain; charset=UTF-8", "Störung\r\n".encode()),
        ("text/plain; charset=iso-8859-1", b"Pump 3 is down.\r\n"),
        ("text/plain; charset=utf-8; format=flowed", b"Pump 3\r\nis down.\r\n"),
        ('text/html; charset="UTF-8"', b"<p>Pump 3</p>\r\n"),
        (ALTERNATIVE, parted(PLAIN, HTML)),
        (ALTERNATIVE, parted(PLAIN, HTML, CALENDAR)),
        (ALTERNATIVE, parted(PLAIN, HTML) + b"\r\n \r\n"),
        (MIXED, parted(INNER, FILE)),
        (MIXED, parted(HTML, FILE)),
        ("multipart/related; boundary=b1; type=text/html", parted(HTML)),
    ],
)
def test_a_body_that_says_itself_what_it_is(value, body):
    assert counts(typed(value, body))


@pytest.mark.parametrize(
    ("value", "body"),
    [
        ("text/html", b"Pump 3 <b>is</b> down.\r\n"),
        ("text/plain", b"<p>Pump 3</p>\r\n"),
        ("", b"\r\n <html>\r\n"),
        ("text/calendar", b"BEGIN:VEVENT\r\n"),
        ("message/rfc822", b"Subject: x\r\n\r\ny\r\n"),
        ("application/pdf", b"Pump 3\r\n"),
        ("text/plain; charset=utf-7", b"Pump +AGE-\r\n"),
        ("text/plain; charset=utf-16", b"Pump 3\r\n"),
        ("text/plain; charset=cp037", b"Pump 3\r\n"),
        ("text/plain; charset=koi8-r", "Störung\r\n".encode()),
        ("text/plain; charset=iso-8859-1", "Störung\r\n".encode()),
        ("text/plain; charset=utf-8", b"St\xf6rung\r\n"),
        ("", b"St\xf6rung\r\n"),
        ("", b"\x1b$B\r\n"),
        ("text/plain; format=flowed", b"Pump 3 \r\nis down.\r\n"),
        ("text/plain; format=flowed; delsp=yes", b"Pump 3\r\n"),
        ("text/plain; name=x.txt", b"Pump 3\r\n"),
        ("text/plain", b"x\r\n" * 400_000),
        ("", parted(PLAIN, HTML)),
        ("text/plain", parted(PLAIN, HTML)),
        (MIXED, b"preamble\r\n" + parted(PLAIN, HTML)),
        (MIXED, parted(PLAIN, HTML) + b"epilogue\r\n"),
        (MIXED, parted(PLAIN, HTML)[:-8]),
        (MIXED, parted(PLAIN) + parted(HTML, boundary=b"b2")),
        (MIXED, parted(PLAIN, boundary=b"b1x")),
        (MIXED, parted(HTML, PLAIN)),
        (ALTERNATIVE, parted(HTML, PLAIN)),
        ("multipart/mixed", parted(PLAIN, HTML)),
        ("multipart/digest; boundary=b1", parted(b"\r\nSubject: x\r\n\r\nSend money\r\n")),
        ("multipart/mixed; boundary=b2", parted(INNER, FILE)),
        ("multipart/mixed; boundary=" + "b" * 1001, parted(PLAIN, boundary=b"b" * 1001)),
    ],
)
def test_a_body_that_can_be_read_in_two_ways(value, body):
    assert not counts(typed(value, body))
    if not body.startswith(b"\r\n <html"):
        assert counts(typed(value, body, covered=ALL))  # whoever signs the type says how


@pytest.mark.parametrize(
    ("field", "counted"),
    [
        ("Content-Transfer-Encoding: 7bit", True),
        ("Content-Transfer-Encoding: 8BIT", True),
        ("Content-Transfer-Encoding: binary", True),
        ("Content-Transfer-Encoding: quoted-printable", False),
        ("Content-Transfer-Encoding: base64", False),
        ("Content-Transfer-Encoding: x-uuencode", False),
        ("Content-Disposition: inline", False),
        ("Content-Disposition: attachment", False),
    ],
)
def test_encoding_and_disposition(field, counted):
    body = b"UHVtcA==\r\n"
    assert counts(typed("text/plain", body, field)) is counted
    assert counts(typed("text/plain", body, field, covered=(*signing.COVERED, "content-type"))) is counted
    assert counts(typed("text/plain", body, field, covered=ALL))


def test_the_encoding_around_parts_is_never_read():
    assert counts(typed(ALTERNATIVE, parted(PLAIN, HTML), "Content-Transfer-Encoding: base64"))


@pytest.mark.parametrize("name", ["Content-Type", "Content-Transfer-Encoding", "Content-Disposition"])
def test_a_second_field_is_open_even_where_one_is_covered(name):
    raw = typed(
        "text/plain",
        b"Pump\r\n",
        "Content-Transfer-Encoding: 7bit",
        "Content-Disposition: inline",
        covered=ALL,
    )
    assert counts(raw)
    assert not counts(f"{name}: text/plain\r\n".encode() + raw)


@pytest.mark.parametrize(
    "added",
    [
        "Content-Type: multipart/mixed; boundary=evil",
        "Content-Type: text/html",
        "Content-Type: text/plain; charset=utf-16",
        "Content-Type: text/plain; charset=cp037",
        "Content-Transfer-Encoding: base64",
        "Content-Transfer-Encoding: quoted-printable",
        "Content-Disposition: attachment",
    ],
)
def test_a_field_on_top_of_a_mail_without_one(added):
    body = b"Pump 3 is down.\r\n--evil\r\n\r\nSend money\r\n--evil--\r\n"
    raw = signing.signed(signing.mail(body=body))
    assert counts(raw)
    assert not counts(f"{added}\r\n".encode() + raw)


@pytest.mark.parametrize(
    "value", ["multipart/mixed; boundary=evil", "text/plain", "multipart/digest; boundary=b1"]
)
def test_another_type_instead_of_the_unsigned_one(value):
    body = parted(b"Content-Type: text/plain\r\n\r\nPump\r\n--evil\r\n\r\nSend money\r\n--evil--\r\n", HTML)
    raw = typed(ALTERNATIVE, body)
    assert counts(raw)
    assert not counts(raw.replace(ALTERNATIVE.encode(), value.encode()))
    assert not counts(raw.replace(f"Content-Type: {ALTERNATIVE}\r\n".encode(), b""))
    mixed = raw.replace(b"multipart/alternative", b"multipart/mixed")
    assert counts(mixed)
    assert parse(mixed).root.children[0].text() == parse(raw).root.children[0].text()
