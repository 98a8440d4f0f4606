"""What came beside the text of a mail, by names for a receipt."""

import base64

import pytest

from mailgate.mail import parse


def mixed(*parts: str, kind: str = "mixed") -> str:
    """Each part with its fields; the boundary is the kind's, so that they nest."""
    inner = "".join(f"--{kind}\n{part}\n" for part in parts)
    return f"Content-Type: multipart/{kind}; boundary={kind}\n\n{inner}--{kind}--\n"


def names(*parts: str, kind: str = "mixed") -> tuple[str, ...]:
    return parse(mixed(*parts, kind=kind).encode()).attachments


def of(kind: str, *fields: str, content: str = "x") -> str:
    return "\n".join([f"Content-Type: {kind}", *fields, "", content])


def picture(size: int, *fields: str) -> str:
    content = base64.encodebytes(b"\x89" * size).decode()
    return of("image/png; name=logo.png", "Content-Transfer-Encoding: base64", *fields, content=content)


TEXT = of("text/plain", content="hello")
ID = "Content-ID: <logo@acme.example>"
PAGE = of("text/html", content="<p>hello <img src='cid:logo%40acme.example'>")
ICS = "BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nSUMMARY:x\nEND:VEVENT\n"
SIGNATURE = "-----BEGIN PGP SIGNATURE-----"


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (of("application/pdf; name*=utf-8''B%C3%BCro.pdf"), "Büro.pdf"),
        (of("image/png", 'Content-Disposition: inline; filename="=?utf-8?q?a=2Epng?="'), "a.png"),
        (of("image/png"), "image/png"),
        (of("application/ms-tnef", "Content-Disposition: attachment; filename=winmail.dat"), "winmail.dat"),
        (of("text/plain; name=log.txt", "Content-Disposition: inline"), "log.txt"),
        (of("text/plain; name=log.txt"), "log.txt"),
        (of("text/plain", "Content-Disposition: attachment"), "text/plain"),
        (of("text/csv", content="1,2"), "text/csv"),
        (of("message/rfc822; name=old.eml", content="Subject: =?utf-8?q?L=C3=A5s?=\n\nx"), "Lås"),
        (of("message/rfc822", "Content-Transfer-Encoding: 7bit", content="Subject: inner\n\nx"), "inner"),
        (of("message/rfc822; name=old.eml", content="From: a@b.example\n\nx"), "old.eml"),
        (of("message/rfc822", "Content-Transfer-Encoding: base64", content="eA=="), "message/rfc822"),
        (of("text/calendar; name=term.ics", content=ICS.replace("REQUEST", "PUBLISH")), "term.ics"),
        (of("application/ics; name=a.ics", content=ICS.replace("METHOD:REQUEST\n", "")), "a.ics"),
        (picture(100), "logo.png"),
        (of("application/pkcs7-mime; name=invoice.xml.p7m"), "invoice.xml.p7m"),
    ],
)
def test_what_is_attached_is_named(part: str, name: str) -> None:
    assert names(TEXT, part) == (name,)


@pytest.mark.parametrize(
    "part",
    [
        of("text/html", content="<p>footer"),
        of("application/pkcs7-signature; name=smime.p7s", "Content-Disposition: attachment"),
        of("application/x-pkcs7-signature"),
        of("application/octet-stream; name=smime.p7s"),
        of("application/pgp-signature; name=signature.asc", content=SIGNATURE),
        of("application/octet-stream; name=Signature.asc", content=SIGNATURE),
        of("application/pgp-encrypted", content="Version: 1"),
        of("text/calendar; method=REQUEST; name=invite.ics", "Content-Disposition: attachment"),
        of("application/ics; name=invite.ics", "Content-Disposition: attachment", content=ICS),
        of("multipart/mixed; boundary=none", content=""),
    ],
)
def test_what_carries_a_mail_is_not_attached(part: str) -> None:
    assert names(TEXT, part) == ()


def test_forms_of_one_text_are_not_attached() -> None:
    forms = (TEXT, of("text/html"), of("text/x-amp-html"), of("text/calendar; charset=utf-8"))
    assert names(mixed(*forms, kind="alternative")) == ()
    assert names(mixed(*forms, of("application/pdf; name=a.pdf"), kind="alternative")) == ("a.pdf",)


@pytest.mark.parametrize(
    ("page", "part", "attached"),
    [
        (PAGE, picture(100, ID), False),
        (PAGE, picture(32_767, ID), False),
        (PAGE, picture(32_768, ID), True),  # a photograph
        (PAGE, picture(500_000, ID), True),
        (PAGE, picture(100, "Content-ID: <other@acme.example>"), True),
        (PAGE, picture(100), True),
        (of("text/html", content="<p>hello"), picture(100, ID), True),
        (PAGE, of("application/pdf", ID), True),
        (mixed(TEXT, PAGE, kind="alternative"), picture(100, ID), False),
    ],
)
def test_small_pictures_of_a_page_are_its_decoration(page: str, part: str, attached: bool) -> None:
    assert bool(names(mixed(page, part, kind="related"))) is attached
    assert names(page, part)  # beside the page, and not of it


def test_a_mail_of_one_part() -> None:
    assert parse(of("text/plain; name=a.txt", "Content-Disposition: attachment").encode()).attachments == ()
    assert parse(of("text/html").encode()).attachments == ()
    assert parse(of("text/calendar; name=a.ics").encode()).attachments == ()
    assert parse(of("application/pdf; name=a.pdf").encode()).attachments == ("a.pdf",)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("a\u202egpj.exe", "agpj.exe"),
        ("a\u2066b\u2069\u200bc\ufeff.pdf", "abc.pdf"),
        ("a\u2028b\u00a0c\td.pdf", "a b c d.pdf"),
        ("x" * 5000, "x" * 100),
        ("\u202e", "attachment"),
        ("日本語 👍.pdf", "日本語 👍.pdf"),
    ],
)
def test_a_name_is_one_clean_line(given: str, name: str) -> None:
    assert names(TEXT, of(f'application/pdf; name="{given}"')) == (name,)


def test_twenty_are_named_and_the_others_counted() -> None:
    files = [of(f"application/pdf; name={number}.pdf") for number in range(150)]
    assert names(TEXT, *files[:20]) == tuple(f"{number}.pdf" for number in range(20))
    assert names(TEXT, *files)[18:] == ("18.pdf", "19.pdf", "and 130 more")
