"""MIME as we write it, read back by Python's email: any text comes back, any relay takes it, no value adds a field."""

import re
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate import headers, parts

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)
OURS = ["X-Odd", "MIME-Version", "Content-Type"]


def written(part: parts.Part, *fields: str) -> EmailMessage:
    raw = parts.whole(fields, part)
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert b"\n" not in raw.replace(b"\r\n", b"")
    found = message_from_bytes(raw, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


@given(TEXTS)
def test_any_text_comes_back(words: str) -> None:
    back = written(parts.text(words)).get_content()
    assert back == re.sub(r"\r\n|\r|\n", "\r\n", words)


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        ("plain", "7bit"),
        ("w" * 2000, "quoted-printable"),
        ("Smørbrød til alle", "quoted-printable"),
        ("日本語のメール" * 20, "base64"),
        ("a\0b", "quoted-printable"),
        ("half \ud800 a pair", "7bit"),
    ],
)
def test_in_the_encoding_that_suits_it(words: str, encoding: str) -> None:
    made = written(parts.text(words))
    assert made["Content-Transfer-Encoding"] in {encoding, "quoted-printable"}
    assert made.get_content() == words.encode("utf-8", "replace").decode()


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_parts_keep_apart(texts: list[str]) -> None:
    inner = [parts.text(f"--=_own\r\n{one}\r\n--=_own--\r\n") for one in texts]
    made = written(parts.multipart("mixed", "own", inner))
    found = [part.get_content() for part in made.iter_parts()]
    assert len(found) == len(texts)
    assert all("--=_own" in one for one in found)


@given(TEXTS)
def test_no_value_adds_a_field(value: str) -> None:
    made = written(parts.text("x"), parts.field("X-Odd", headers.line(value)))
    assert [name for name in made if name != "Content-Transfer-Encoding"] == OURS


@given(TEXTS)
def test_nor_does_an_address_or_a_name(value: str) -> None:
    to, author = parts.people("To", (value,)), parts.person("From", value, "a@b.example")
    made = written(parts.text("x"), to, author)
    assert set(made.keys()) == {"To", "From", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"}
    assert made["From"].addresses[0].addr_spec == "a@b.example"


@pytest.mark.parametrize("value", ["a\r\nBcc: x@evil.example", "a\nb", "a\rb"])
def test_a_line_break_in_a_field_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"linefeed|carriage"):
        parts.field("Subject", value)
