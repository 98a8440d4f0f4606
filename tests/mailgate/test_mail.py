"""Parsing: headers of every kind, who the mail is from, limits, and bytes of any kind."""

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate.errors import MailTooLarge
from mailgate.mail import parse


def mail_from(value: str) -> bytes:
    return b"From: " + value.encode() + b"\n\nx"


@pytest.mark.parametrize(
    ("header", "subject"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?B?U3RyYcOfZQ==?=", "Straße"),
        (b"=?utf-8?Q?a_b=C3=A9?= tail", "a bé tail"),
        (b"=?utf-8?Q?one?=\r\n =?utf-8?Q?two?=", "onetwo"),
        (b"=?utf-8?B?w4M=?= =?utf-8?B?w4M=?=", "ÃÃ"),
        (b"=?utf-8?B?5pc=?= =?utf-8?B?pQ==?=", "日"),  # one character cut over two words
        (b"=?iso-8859-1?Q?=80_5_=96_caf=E9?=", "€ 5 – café"),
        (b"=?us-ascii?Q?caf=C3=A9?=", "café"),
        (b"=?no-such-charset?Q?caf=C3=A9?=", "café"),
        (b"=?punycode?Q?abc?=", "abc"),
        (b"=?ks_c_5601-1987?B?yLg=?=", "회"),
        (b"=?koi8-u?B?8NLJ18XU?=", "Привет"),
        (b"=?utf-8?B?!!!!?= x", "x"),
        (b"caf\xc3\xa9", "café"),
        (b"caf\xe9 \x80", "café €"),
        (b"two\r\n lines\r\n\tthree", "two lines three"),
        (b"=?utf-8?Q?a=0D=0ABcc:_x?=", "a Bcc: x"),  # no header can be made from a subject
        (b"nul\x00bell\x07", "nulbell"),
        (b"", ""),
    ],
)
def test_subject(header: bytes, subject: str) -> None:
    assert parse(b"Subject: " + header + b"\r\n\r\nx").subject == subject


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("alice@acme.example", "alice@acme.example"),
        ("<alice@acme.example>", "alice@acme.example"),
        ("Alice <Alice@ACME.example>", "Alice@acme.example"),
        ('"Carter, Alice" <alice@acme.example>', "alice@acme.example"),
        ('"b@evil.example" <alice@acme.example>', "alice@acme.example"),
        ("=?utf-8?q?J=C3=B8rn?= <j@acme.example>", "j@acme.example"),
        ("Jørn <j@acme.example>", "j@acme.example"),
        ("alice@acme.example (Alice)", "alice@acme.example"),
        ("nagios@mon_01", "nagios@mon_01"),
        ("John Q. Public <john@acme.example>", "john@acme.example"),
    ],
)
def test_a_from_beyond_doubt(value: str, address: str) -> None:
    mail = parse(mail_from(value))
    assert mail.from_ == (address,)
    assert mail.from_clean


@pytest.mark.parametrize(
    "value",
    [
        "",
        "undisclosed",
        "a@good.example <b@evil.example>",
        "a@good.example, b@evil.example",
        "Group: a@good.example;",
        "a@good.example b@evil.example",
        "<a@good.example><b@evil.example>",
        "<a@good.example> (<b@evil.example>)x",
        "a@good.example@evil.example",
        "=?utf-8?q?a=40good.example?=@evil.example",
        "a..b@good.example",
        "<@relay.example:a@good.example>",
        "MAILER-DAEMON <>",
        "a@good.example\n b@evil.example",
        "(" * 20_000,
        "a@good.example, " * 5_000,
    ],
)
def test_a_doubtful_from_is_not_clean(value: str) -> None:
    start = time.perf_counter()
    assert not parse(mail_from(value)).from_clean
    assert time.perf_counter() - start < 0.5


def test_several_from_fields_are_never_clean() -> None:
    mail = parse(b"From: a@x.example\nFROM: b@y.example\n\nx")
    assert (mail.from_, mail.from_count, mail.from_clean) == (("a@x.example", "b@y.example"), 2, False)


def test_identifiers_lose_brackets_and_blanks() -> None:
    mail = parse(
        b"Message-ID: <a b@x>\nIn-Reply-To: c@x\nReferences: <d@x>,<e@x>\n\t<f@x>\nDate:  Tue \n\nx",
    )
    assert mail.message_id == "ab@x"
    assert mail.in_reply_to == "c@x"
    assert mail.references == ("d@x", "e@x", "f@x")
    assert mail.date == "Tue"


@pytest.mark.parametrize("header", [b"", b"Message-ID:\n", b"Message-ID: <>\n", b"Message-ID: < >\n"])
def test_no_message_id(header: bytes) -> None:
    assert parse(header + b"X: y\n\nx").message_id is None


@pytest.mark.parametrize(
    ("raw", "header"),
    [
        (b"From root Mon May  4\nSubject: a\n\nx", "a"),
        (b"\n\nSubject: a\n\nx", "a"),
        (b" lost continuation\nSubject: a\n\nx", "a"),
        (b"Subject : a\n\nx", "a"),
        (b"SUBJECT: a\rX: y\r\rx", "a"),
        (b"Subject: a\nno field\n\nx", "a"),
        (b"Subject: a\nSubject: b\n\nx", "a"),
        (b"Subject: a", "a"),
        (b"", ""),
    ],
)
def test_odd_headers(raw: bytes, header: str) -> None:
    assert parse(raw).header("subject") == header


def test_headers_lists_every_field_of_a_name() -> None:
    assert parse(b"Received: a\nReceived: b\n c\n\nx").headers("received") == ("a", "b c")


def nested(depth: int, kind: str = "multipart/mixed") -> bytes:
    return (
        b"".join(f"Content-Type: {kind}; boundary=b{n}\n\n--b{n}\n".encode() for n in range(depth)) + b"\nx"
    )


def parts(count: int) -> bytes:
    return b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * count


@pytest.mark.parametrize(
    "raw",
    [
        nested(2000),
        nested(21),
        b"Content-Type: message/rfc822\n\n" * 2000 + b"x",
        parts(20_000),
        parts(200),
        b"X: " + b"y" * 140_000 + b"\n\nx",
        b"X: y\n" * 30_000 + b"\nx",
    ],
    ids=[
        "2000 deep",
        "21 deep",
        "2000 mails in mails",
        "20000 parts",
        "201 parts",
        "long field",
        "many fields",
    ],
)
def test_beyond_the_limits(raw: bytes) -> None:
    start = time.perf_counter()
    with pytest.raises(MailTooLarge):
        parse(raw)
    assert time.perf_counter() - start < 0.25


@pytest.mark.parametrize("raw", [nested(20), parts(199), b"X: " + b"y" * 130_000 + b"\n\nx"])
def test_within_the_limits(raw: bytes) -> None:
    parse(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--bx\n" * 200_000,
        b"Content-Type: text/plain" + b";a=b" * 30_000 + b"\n\nx",
        b"Content-Type: text/plain; a*0*=" + b"x" * 100_000 + b"\n\nx",
        b"Subject: " + b"=?a?q?" * 20_000 + b"\n\nx",
        b"Subject: " + b"=?utf-8?q?a?= " * 9_000 + b"\n\nx",
        b"References: " + b"<a@b> " * 20_000 + b"\n\nx",
    ],
    ids=["near delimiters", "parameters", "long parameter", "open words", "words", "references"],
)
def test_bounded_work(raw: bytes) -> None:
    start = time.perf_counter()
    with suppress(MailTooLarge):
        parse(raw)
    assert time.perf_counter() - start < 0.5


FIELDS = ["From", "Subject", "Content-Type", "Content-Disposition", "Message-ID", "References", "Reply-To"]
VALUES = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        [
            *("multipart/mixed; boundary=b", "multipart/mixed; boundary*0=b", "text/html; charset=utf-16"),
            *(
                "=?utf-7?q?+?=",
                "=?idna?b?AA=?=",
                '"',
                "<",
                "(((",
                "attachment; filename*=x'y",
                "a@b, c@d;",
                "\\",
            ),
        ]
    ),
)
SOUP = st.lists(st.tuples(st.sampled_from(FIELDS), VALUES), max_size=8)


def read_all(raw: bytes) -> None:
    mail = parse(raw)
    for part in mail.root.leaves():
        assert isinstance(part.text(), str)


@given(st.binary(max_size=2000))
def test_any_bytes_are_read(raw: bytes) -> None:
    read_all(raw)


@given(SOUP, st.binary(max_size=200))
def test_any_header_is_read(fields: list[tuple[str, str]], rest: bytes) -> None:
    head = "".join(f"{name}: {value}\n" for name, value in fields).encode("utf-8", "surrogatepass")
    read_all(head + b"\n--b\n" + rest + b"\n--b--")
