"""Recipients that stand in the mail itself: what may be written, and what cannot be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate import listed, options
from mailgate.errors import BadListing, UnknownName
from mailgate.listed import Listed
from mailgate.options import Options

NUMBER, OTHER = "447700900123", "+44 7700 900124"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (f"to: {NUMBER}\ntext: Pump 7", Listed((NUMBER,), "Pump 7")),
        (f"TO:{NUMBER}\nText:Pump 7\nREF: 4711", Listed((NUMBER,), "Pump 7", ref="4711")),
        (f"to: {NUMBER}, {OTHER}; oncall\ntext: a", Listed((NUMBER, OTHER, "oncall"), "a")),
        (f"to: {NUMBER} 447700900124\ntext: a", Listed((NUMBER, "447700900124"), "a")),
        (f"to: {NUMBER}\nto: {OTHER}\nto: {NUMBER}\ntext: a", Listed((NUMBER, OTHER), "a")),
        (f"to: {NUMBER}+flash\ntext: a", Listed((f"{NUMBER}+flash",), "a")),
        (f"to: {NUMBER}\ntext: a\ntext: b", Listed((NUMBER,), "a\nb")),
        (f"to: {NUMBER}\ntext: a\nb\n\nc: d", Listed((NUMBER,), "a\nb\n\nc: d")),
        (f"to: {NUMBER}\ntext: a\nb\nFrom: c\nto: {OTHER}", Listed((NUMBER,), f"a\nb\nFrom: c\nto: {OTHER}")),
        (f"to: {NUMBER}\n\ntext: a\n\nref: 17", Listed((NUMBER,), "a", ref="17")),
        (f"text: a\nto: {NUMBER}\nfrom: ACME", Listed((NUMBER,), "a", "ACME")),
        (
            f"user: x\npassword: y\napi_id: 1\nto: {NUMBER}\nclimsgid: 17\nconcat: 3\ntext: a",
            Listed((NUMBER,), "a", ref="17"),
        ),
        (f"\n\nto: {NUMBER}\n\ntext:\na", Listed((NUMBER,), "a")),
        (f"to: {NUMBER}\nref: {'7' * 300}\ntext: a", Listed((NUMBER,), "a", ref="7" * 255)),
    ],
)
def test_lines_of_a_body(body: str, found: Listed) -> None:
    assert listed.of_body(body) == found


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("Pump 7 tripped", "neither to:"),
        (f"to: {NUMBER}", "to: and text:"),
        ("text: a", "to: and text:"),
        ("to: \ntext: a", "names no recipient"),
        (f"hello\nto: {NUMBER}\ntext: a", "'hello' is neither"),
        (f"passwort: geheim\nto: {NUMBER}\ntext: a", "'passwort: ...' is neither"),
        (f"to: {'1' * 3000}\ntext: a", "2000 characters"),
    ],
)
def test_what_cannot_be_read_says_why(body: str, words: str) -> None:
    with pytest.raises(BadListing, match=words):
        listed.of_body(body)


@pytest.mark.parametrize(
    ("subject", "to"),
    [
        (NUMBER, (NUMBER,)),
        (OTHER, (OTHER,)),
        (f"{NUMBER}; {OTHER}", (NUMBER, OTHER)),
        ("oncall team", ("oncall", "team")),
        ("07700 900123, oncall+urgent", ("07700 900123", "oncall+urgent")),
        ("(07700) 900-123", ("(07700) 900-123",)),
    ],
)
def test_a_subject(subject: str, to: tuple[str, ...]) -> None:
    assert listed.of_subject(subject) == Listed(to)


@given(st.text(alphabet="to:from text\n +,;0123456789a", max_size=300))
def test_any_text_is_a_listing_or_says_why_not(body: str) -> None:
    try:
        found = listed.of_body(body)
    except BadListing:
        return
    assert found.to
    assert all(name == name.strip() and name for name in found.to)


@pytest.mark.parametrize(
    ("tag", "found"),
    [
        ("", Options()),
        ("flash", Options(flash=True)),
        ("URGENT", Options(urgent=True)),
        ("flash+urgent", Options(flash=True, urgent=True)),
        ("preview", Options(preview=True)),
    ],
)
def test_tags(tag: str, found: Options) -> None:
    assert options.of_tag(tag) == found


@pytest.mark.parametrize("tag", ["flsh", "flash+", "+", "flash urgent", "flash+secret"])
def test_an_unknown_tag_is_refused(tag: str) -> None:
    with pytest.raises(UnknownName, match="there are flash, urgent, preview"):
        options.of_tag(tag)


@pytest.mark.parametrize(
    ("subject", "found", "rest"),
    [
        ("Pump 7", Options(), "Pump 7"),
        ("+flash Pump 7", Options(flash=True), "Pump 7"),
        ("+Urgent  +flash Pump 7", Options(flash=True, urgent=True), "Pump 7"),
        ("+preview", Options(preview=True), ""),
        ("+447700900123 called", Options(), "+447700900123 called"),
        ("+flash +1 from me", Options(flash=True), "+1 from me"),
        ("Pump +flash", Options(), "Pump +flash"),
        ("Re: +flash Pump", Options(), "Re: +flash Pump"),
    ],
)
def test_options_that_a_subject_begins_with(subject: str, found: Options, rest: str) -> None:
    assert options.of_subject(subject) == (found, rest)
