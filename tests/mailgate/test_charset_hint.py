"""The charset that an operator names for devices whose mails declare none: what it decides, and what it does not."""

import pytest

from mailgate import body
from mailgate.mail import parse
from mailgate.mail.charsets import decode, known

TEXT = "Störung in Öfen"


def read(head: str, content: bytes, hint: str = "cp437") -> str:
    return body.text(parse(f"From: a@b.example\n{head}\n".encode() + content, hint)).text


@pytest.mark.parametrize(
    "head", ["", "Content-Type: text/plain\n", "Content-Type: text/plain; charset=x-odd\n"]
)
def test_it_counts_where_nothing_known_is_declared(head):
    assert read(head, TEXT.encode("cp437")) == TEXT


def test_it_counts_in_every_part():
    head = "Content-Type: multipart/mixed; boundary=b\n"
    part = b"--b\nContent-Type: text/plain\n\n" + TEXT.encode("cp437") + b"\n--b--\n"
    assert read(head, part) == TEXT


def test_it_counts_for_html_that_names_none():
    page = b"<p>" + TEXT.encode("cp437")
    assert read("Content-Type: text/html\n", page) == TEXT


def test_a_page_that_names_a_charset_is_believed():
    page = b"<meta charset=iso-8859-1><p>" + TEXT.encode("latin-1")
    assert read("Content-Type: text/html\n", page) == TEXT


def test_it_counts_for_a_bare_subject():
    raw = b"From: a@b.example\nSubject: " + TEXT.encode("cp437") + b"\n\n"
    assert parse(raw, "cp437").subject == TEXT
    assert parse(raw).subject != TEXT


@pytest.mark.parametrize("declared", ["iso-8859-1", "windows-1252", "utf-8"])
def test_a_declared_charset_goes_before_it(declared):
    assert read(f"Content-Type: text/plain; charset={declared}\n", TEXT.encode(declared)) == TEXT


def test_utf_8_goes_before_it():
    assert read("", TEXT.encode()) == TEXT


def test_what_it_cannot_mean_is_read_as_without_it():
    assert read("", b"caf\xe9 \x80 \xff", "euc-kr") == read("", b"caf\xe9 \x80 \xff", "")


def test_ascii_is_ascii_whatever_it_says():
    assert decode(b"plain", hint="cp437") == "plain"


@pytest.mark.parametrize(
    ("name", "is_known"),
    [
        *[(name, True) for name in ("cp437", "CP850", "iso-8859-1", "koi8-r", "shift_jis", "utf-8")],
        *[(name, False) for name in ("", "x-odd", "utf-16", "cp037", "zlib", "idna")],
    ],
)
def test_which_names_can_be_a_hint(name, is_known):
    assert known(name) is is_known
