"""What programs and servers put around a text, in the languages that they speak, and what only looks like it."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from mailgate import body
from mailgate.body.taglines import is_tagline
from mailgate.mail import parse

TABLES: dict[str, Any] = tomllib.loads(Path(__file__).with_name("endings.toml").read_text(encoding="utf-8"))
NOTICES: dict[str, str] = TABLES["notices"]


def read(content: str, *headers: str) -> body.Text:
    head = "\n".join([*headers, "Content-Type: text/plain; charset=utf-8", "", ""])
    return body.text(parse((head + content).encode()))


@pytest.mark.parametrize("line", TABLES["taglines"])
def test_a_tagline_goes(line: str) -> None:
    result = read(f"Yes, Friday.\n\n{line}\n")
    assert result.text == "Yes, Friday."
    assert [piece.why for piece in result.removed] == ["tagline"]


@pytest.mark.parametrize("line", TABLES["no_taglines"])
def test_what_is_no_tagline_stays(line: str) -> None:
    assert not is_tagline(line, last=True)
    assert read(f"Yes, Friday.\n\n{line}\n").text == f"Yes, Friday.\n\n{line}"


@pytest.mark.parametrize("banner", TABLES["banners"])
def test_a_banner_above_goes(banner: str) -> None:
    for gap in ("\n", "\n\n"):
        result = read(f"{banner}{gap}Hello Tom,\n\nthe code is 4711.")
        assert result.text == "Hello Tom,\n\nthe code is 4711."
        assert {piece.why for piece in result.removed} == {"banner"}


@pytest.mark.parametrize("text", TABLES["no_banners"])
def test_a_warning_of_somebody_stays(text: str) -> None:
    assert read(f"{text}\nSecond line").text == f"{text}\nSecond line" or text == "Extern"
    assert read(text).text == text


def test_a_tag_goes_before_text_and_subject() -> None:
    assert read("[EXTERNAL] Hello Tom").text == "Hello Tom"
    assert read("", "Subject: [EXT] Call me").text == "Call me"
    assert read("[EXTENSION] ready").text == "[EXTENSION] ready"


@pytest.mark.parametrize("name", NOTICES)
def test_a_legal_notice_goes(name: str) -> None:
    for gap in ("\n\n", "\n"):  # as separate paragraphs, or as lines below the text
        result = read(f"Hello Tom,\nthe code is 4711.{gap}{NOTICES[name]}\n")
        assert result.text == "Hello Tom,\nthe code is 4711.", result.removed
    quoted = f"Yes.\n\nOn 5 May 2026 b@x.example wrote:\n> Friday?\n\n{NOTICES[name]}\n"
    assert read(quoted).text == "Yes."


@pytest.mark.parametrize("footer", TABLES["footers"])
def test_a_footer_goes(footer: str) -> None:
    assert read(f"The code is 4711.\n\n{footer}\n").text == "The code is 4711."
    rule = "_" * 40
    assert read(f"The code is 4711.\n\n{rule}\n{footer}\n{rule}\n").text == "The code is 4711."


@pytest.mark.parametrize(
    "text",
    [
        "The file is confidential. Please delete it when read.",
        "I sent you the wrong contract in error. Could you delete it and notify Tom? Thanks",
        "Your account was registered in Oslo",
        "Virus scan done: 0 files infected",
        "Scanned: 1200 files\nInfected: 0",
        "Please print this",
        "Company: Acme\nPrivacy: on",
        "The privileged user root logged in",
        "Error: recipient table full, delete old rows or notify the operator of mail host",
    ],
)
def test_words_of_notices_in_a_text_stay(text: str) -> None:
    assert read(f"Hello,\n\n{text}").text == f"Hello,\n\n{text}"


BLOCKS = [
    ("Kind regards,\nAnna Berg", "Senior Consultant\nAcme Ltd\nTel: +44 1632 960123\nwww.acme.example"),
    ("Mit freundlichen Grüßen\n\nAnna Berg", "Leiterin Einkauf\n\nAcme GmbH\nTelefon: +49 221 123456"),
    ("Med vennlig hilsen\nAnna Berg", "Acme AS\nMobil: +47 900 12 345\nanna@acme.example"),
    ("Cordialement,\nAnna Berg", "Directrice | Acme SARL\nTél. : 01 23 45 67 89"),
    ("Best, Anna", "Anna Berg | Acme Inc | +1 202 555 0123\nhttps://acme.example"),
    ("Kind regards,\nAlice Smith", "Acme Ltd | Tel. 01234 567890"),
    ("Saludos,\nAna", "Acme S.L.\nMóvil: 600 123 456"),
]


@pytest.mark.parametrize(("closing", "block"), BLOCKS)
def test_a_block_below_the_name_goes(closing: str, block: str) -> None:
    result = read(f"The van is here.\n\n{closing}\n{block}\n")
    assert result.text == f"The van is here.\n\n{closing}"
    assert [piece.why for piece in result.removed] == ["signature"]


def test_a_block_below_the_name_of_from_goes() -> None:
    block = "Anna Berg\nAcme Ltd\nTel: +44 1632 960123\nanna@acme.example"
    assert read(f"It is here.\n\n{block}", "From: Anna Berg <a@x.example>").text == "It is here.\n\nAnna Berg"
    assert read(f"It is here.\n\n{block}", "From: Tom Ek <t@x.example>").text == f"It is here.\n\n{block}"


@pytest.mark.parametrize("rule", ["---", "-----", "=====", "***", "\u2014", "\u2013", "\u2014\u2014\u2014"])
def test_a_signature_below_dashes_goes(rule: str) -> None:
    sender = "From: Anna Berg <a@x.example>"
    assert read(f"At seven.\n\n{rule}\nAnna Berg\nHead of Nothing\n", sender).text == "At seven."
    assert read(f"At seven.\n\n{rule}\nTom Ek\nTel. 07700 900123\n", sender).text == "At seven."
    for text in (
        f"At seven.\n\n{rule}\nOver and out",
        f"Ring:\n{rule}\nTom Ek\nTel. 07700 900123",
        f"Tonight\n{rule}\nAnna Berg 22-06\nTom Ek 06-14",
        f"Milk\n{rule}\n- Anna Berg, 07700 900123",
        f"Next of kin\n{rule}\nTom Ek\n07700 900123",
        f"Gate code\n\n{rule}\n4711\n{rule}\n\nAnna",
    ):
        assert read(text, sender).text == text


@pytest.mark.parametrize(
    "text",
    [
        "Deliver to:\n\nAnna Berg\nAcme Ltd\nTel: +44 1632 960123",
        "Prices\n_____\nLamp 4 pounds\n_____\nTotal 6 pounds",
        "Thanks,\nSome One",
        "Thanks,\nSome One\n07700 900123",
        "Best regards,\n\n//Jef",
        "Please ring:\nAnna Berg\n07700 900123\nTom Ek\n07700 900124",
        "Regards,\n\nFail2Ban",
        "Thanks\nAnna\nPS: the number is 07700 900123\nand the mail is anna@acme.example",
        "Best\nprice so far: 12\nhost: www.a.example\ntel: 01632 960123 is the one that you should ring today, please.",
        "Host: db1\nAddress: 10.0.0.5\n________\nState: down\nInfo: disk",
    ],
)
def test_what_only_looks_like_a_signature_stays(text: str) -> None:
    assert read(f"Hello\n\n{text}", "From: Anna Berg <a@x.example>").text == f"Hello\n\n{text}"


def test_markers_of_the_account() -> None:
    marks = body.Marks(pairs=(("<<", ">>"),), ends=("ENDE",), footers=("Acme Ltd is",))

    def said(content: str, **more: bool) -> str:
        mail = parse(f"Content-Type: text/plain; charset=utf-8\n\n{content}".encode())
        return body.text(mail, marks=marks, **more).text

    assert said("a <<b>> c") == "b"
    assert said("a <<b>> #STARTSMS#c#ENDSMS#") == "b"
    assert said("#STARTSMS#c#ENDSMS# <<b>>") == "c"
    assert said("a\nende\nb") == "a"
    assert said("a\n##\nb") == "a"
    assert said("a ENDE b") == "a ENDE b"
    assert said("a\nacme ltd is great\nb") == "a"
    assert said("Acme Ltd is great") == "Acme Ltd is great"
    assert said("a <<b>> c\nENDE\nd", monitoring=True) == "b"
    assert said("a\nENDE\nacme ltd is", monitoring=True) == "a\nENDE\nacme ltd is"


@pytest.mark.parametrize(
    ("subject", "content", "text", "source"),
    [
        ("Call me", "Sent from my iPhone", "Call me", "subject"),
        ("", "Sent from my iPhone", "Sent from my iPhone", "body"),
        (
            "Fwd: x",
            "Begin forwarded message:\n\nFrom: a\nDate: b\nTo: c\nSubject: x\n\nDisk full",
            "Disk full",
            "body",
        ),
        ("s", "> only a quote", "> only a quote", "body"),
        ("s", NOTICES["English"], "s", "subject"),
    ],
)
def test_a_body_that_would_be_empty(subject: str, content: str, text: str, source: str) -> None:
    found = read(content, f"Subject: {subject}")
    assert (found.text, found.source) == (text, source)


REPORT = "Held:\n\nFrom: a@b.example\nDate: today\nSubject: c\nTo: d\n\n--\n> e\n\n"
REPORT += "Regards,\nf\nTel: +44 1632 960123\nwww.g.example"


@pytest.mark.parametrize(
    "header",
    [
        "From: root@host.example (Cron Daemon)",
        "From: UPS in rack 2 <ups-rack2@host.example>",
        "From: <scada4@plant.example>",
        "From: a@b.example\nX-Cron-Env: <HOME=/root>",
    ],
)
def test_of_a_machine_that_does_not_say_so_nothing_is_guessed_at(header: str) -> None:
    assert read(REPORT, header).text == REPORT
    assert read(REPORT, header, "In-Reply-To: <x@y.example>").text == "Held:"  # a person at that address
    assert read(REPORT, "From: Anna <anna@host.example>").text == "Held:"
    assert read(f"{REPORT}\n##\nh", header).text == REPORT
    notice = NOTICES["English"]
    assert read(f"{REPORT}\n\n{notice}\n\n{notice}", header).text == REPORT
    held = f"Held:\n\n{notice}\n\nRelease: https://a.example"  # a report that holds one
    assert read(held, header).text == held


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (
            "<p class=MsoNormal>a</p><p class=MsoNormal>b</p><p class=MsoNormal>&nbsp;</p><p>c</p>",
            "a\nb\n\nc",
        ),
        ("<style>P {margin-top:0;margin-bottom:0}</style><p>a</p><p>b</p>", "a\nb"),
        ("<p style='margin:0cm'>a</p><p style='margin:0cm'>b</p>", "a\nb"),
        ("<p style='margin:0 0 16px'>a</p><p style='margin:0 0 16px'>b</p>", "a\n\nb"),
        ("<p style='margin:0.5em 0'>a</p><p>b</p>", "a\n\nb"),
        ("a<div id=Signature><p>Best,</p><p>Anna</p><p>Acme</p></div>", "a\nBest,\n\nAnna"),
    ],
)
def test_lines_as_a_reader_sees_them(page: str, text: str) -> None:
    assert body.text(parse(f"Content-Type: text/html\n\n{page}".encode())).text == text
