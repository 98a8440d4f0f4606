"""Receipts and replies as mail: threaded, in the right hands, and nothing that anybody wrote becomes a header."""

import email.policy
import re
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path

import pytest
from core_support import wait_for
from mail_support import ALICE, ROWS, World, mail, world
from serve_support import words

from gateway_core.deliver import deliver
from gateway_core.sms import MO

PHONE, TO, NUMBER = "+447700900123", "447700900123@sms.localhost", "+447700900901"
OURS = {
    *(
        "Date",
        "Message-ID",
        "To",
        "Subject",
        "In-Reply-To",
        "References",
        "Auto-Submitted",
        "From",
        "Precedence",
    ),
    *("X-Auto-Response-Suppress", "X-Mailgate-Loop", "Reply-To"),
    *("Content-Type", "Content-Transfer-Encoding", "MIME-Version"),
}


@pytest.fixture(scope="module")
def w(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    acme, other = ROWS["account"]
    far = {**other, "sender": [*other["sender"], {"address": "@blåbær.example"}]}
    with world(tmp_path_factory.mktemp("compose"), {**ROWS, "account": [acme, far]}) as running:
        yield running


def kept_after(w: World, before: set[Path], count: int = 1) -> list[EmailMessage]:
    """The mails that came into the outbox since."""
    new = wait_for(lambda: found if len(found := set(w.outbox()) - before) >= count else None)
    return [read(path.read_bytes()) for path in sorted(new)]


def read(raw: bytes) -> EmailMessage:
    found = message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert set(found.keys()) <= OURS
    assert len(found.keys()) == len(set(found.keys()))
    return found


def receipt_of(w: World, raw: bytes, mail_from: str = ALICE) -> EmailMessage:
    before = set(w.outbox())
    w.send(raw, TO, mail_from)
    return kept_after(w, before)[0]


def reply_from_phone(w: World, text: str, *, handset: str = PHONE, number: str = NUMBER) -> EmailMessage:
    before, route = set(w.outbox()), w.gateway.snapshot.routes[0]
    deliver(w.gateway, route.id, [MO(f"mo-{len(before)}-{handset}", handset, number, text)])
    return kept_after(w, before)[0]


def test_a_receipt(w: World) -> None:
    receipt = receipt_of(w, mail("hello\nthere", message_id="r1@acme.example", Subject="Hi"))
    assert receipt["To"] == ALICE
    assert receipt["From"] == "SMS gateway <gateway@sms.localhost>"
    assert receipt["Subject"] == "Re: Hi"
    assert receipt["In-Reply-To"] == receipt["References"] == "<r1@acme.example>"
    assert (receipt["Auto-Submitted"], receipt["X-Auto-Response-Suppress"]) == ("auto-generated", "All")
    assert receipt["X-Mailgate-Loop"] == w.state.loop_token
    assert words(receipt).splitlines() == [
        *("Your text to +44 7700 900123 was delivered.", "", "> hello", "> there")
    ]


def test_a_receipt_names_what_was_attached(w: World) -> None:
    file = 'Content-Type: application/pdf; name="a\u202e%d\t.pdf"\r\n\r\nx\r\n'
    parts = ["\r\nhello\r\n", *(file % number for number in range(22))]
    raw = mail("--b\r\n" + "--b\r\n".join(parts), Content_Type="multipart/mixed; boundary=b")
    named = [f"  a{number} .pdf" for number in range(20)]
    assert words(receipt_of(w, raw)).splitlines()[1:] == [
        *("Attachments cannot be texted:", *named, "  and 2 more", "", "> hello")
    ]


def test_a_reply(w: World) -> None:
    receipt_of(w, mail("ask", message_id="r2@acme.example", Subject="Re: Hi", References="<a@b> <c@d>"))
    reply = reply_from_phone(w, "answer")
    (author,), (back,) = reply["From"].addresses, reply["Reply-To"].addresses
    assert (author.display_name, author.addr_spec) == ("+44 7700 900123", TO)
    assert back.domain == "sms.localhost"
    assert len(back.username) <= 64
    assert back.username == back.username.lower()
    assert reply["Subject"] == "Re: Hi"  # one Re: is enough
    assert reply["References"].split() == ["<a@b>", "<c@d>", "<r2@acme.example>"]
    assert reply["In-Reply-To"] == "<r2@acme.example>"
    assert words(reply).splitlines() == ["answer", "", "> ask"]


def test_a_text_out_of_the_blue_goes_to_the_desk(w: World) -> None:
    first = reply_from_phone(w, "who are you?", handset="+447700900777")
    second = reply_from_phone(w, "hello?", handset="+447700900777")
    assert first["To"] == "desk@acme.example"
    assert first["Subject"] == "Re: SMS +44 7700 900777"
    assert first["References"] == second["References"]  # one thread for each number


@pytest.mark.parametrize(
    "message_id",
    [
        "AM0PR04MB12345678901234567890@AM0PR04MB1234.eurprd04.prod.outlook.com",
        "0102019" + "a" * 60 + "-000000@eu-west-1.amazonses.com",
        "x" * 400 + "@long.example",
        "odd!#$%&'*+/=?^_`{|}~id@[127.0.0.1]",
        "no-at-sign",
    ],
)
def test_an_id_is_never_cut_or_encoded(w: World, message_id: str) -> None:
    raw = mail("hello", message_id=message_id, References=f"<first@x.example>\r\n <{message_id[:50]}@x>")
    receipt = receipt_of(w, raw)
    assert receipt["In-Reply-To"] == f"<{message_id}>"
    assert receipt["References"].split() == ["<first@x.example>", f"<{message_id[:50]}@x>", f"<{message_id}>"]


@pytest.mark.parametrize(
    "message_id",
    ["ünï@acme.example", "y" * 900 + "@x", "a\x0bb@x", "a=?utf-8?q?=0A?=@x", "a=?utf-8?q?=FF?=@x"],
)
def test_an_id_that_no_header_can_hold(w: World, message_id: str) -> None:
    receipt = receipt_of(w, mail("hello", message_id=message_id, Subject="Hi"))
    assert receipt["Subject"] == "Re: Hi"
    assert receipt["In-Reply-To"].startswith("<")


def test_many_references_are_thinned_in_the_middle(w: World) -> None:
    chain = [f"{number}@acme.example" for number in range(200)]
    folded = "\r\n ".join(f"<{one}>" for one in chain)
    receipt = receipt_of(w, mail("hello", message_id="last@acme.example", References=folded))
    kept = [one.strip("<>") for one in receipt["References"].split()]
    assert kept == [chain[0], *chain[-18:], "last@acme.example"]


# a Subject as it came: as it goes back
SUBJECTS = {
    "encoded": ("=?utf-8?q?Sm=C3=B8rbr=C3=B8d_=E2=98=BA?=", "Re: Smørbrød ☺"),
    "line break hidden in an encoded word": (
        "=?utf-8?q?a=0D=0ABcc:_x@evil.example?=",
        "Re: a Bcc: x@evil.example",
    ),
    "U+2028 hidden in an encoded word": (
        "=?utf-8?q?a=E2=80=A8Bcc:_x@evil.example?=",
        "Re: a Bcc: x@evil.example",
    ),
    "next line, U+0085": ("=?utf-8?q?a=C2=85b?=", None),
    "encoded twice": ("=?utf-8?q?=3D=3Futf-8=3Fq=3Fa=3D0ABcc=3A=5Fx=3F=3D?=", None),
    "NUL": ("=?utf-8?q?a=00b?=", "Re: ab"),
    "half a surrogate pair": ("=?utf-16-be?b?2AAAYQ==?=", None),
    "very long": ("long " * 2000, None),
    "one long word": ("z" * 5000, None),
    "empty": ("", "Re: SMS +44 7700 900123"),
    "RE: already": ("RE: hi", "RE: hi"),
}


@pytest.mark.parametrize("case", SUBJECTS)
def test_subjects(w: World, case: str) -> None:
    subject, back = SUBJECTS[case]
    own = f"{re.sub('[^a-zA-Z0-9]', '', case)}.s@acme.example"
    receipt = receipt_of(w, mail("hello", message_id=own, Subject=subject))
    assert receipt["In-Reply-To"] == f"<{own}>"
    assert back is None or receipt["Subject"] == back
    assert len(receipt["Subject"]) < 600
    assert "Bcc" not in receipt


# what a phone wrote: a part of the mail's text
PHONE_TEXTS = {
    "headers": ("Subject: evil\r\nBcc: x@evil.example\r\n\r\nbody", "Bcc: x@evil.example"),
    "dots": ("line\n.\nQUIT", "QUIT"),
    "all kinds of letters": ("Ærø ☺ 日本語 \U0001f600", "Ærø ☺ 日本語 \U0001f600"),
    "a boundary": ("--===============\nContent-Type: text/html\n\n<b>", "<b>"),
    "one long line": ("w" * 2000, "w" * 2000),
    "only blanks": (" \n ", ""),
    "NUL": ("a\0b", "b"),
}


@pytest.mark.parametrize("case", PHONE_TEXTS)
def test_what_a_phone_wrote_stays_text(w: World, case: str) -> None:
    text, part = PHONE_TEXTS[case]
    receipt_of(w, mail("ask", message_id=f"{re.sub('[^a-zA-Z]', '', case)}@acme.example", Subject="Q"))
    reply = reply_from_phone(w, text)
    assert reply["Subject"] == "Re: Q"
    assert part in words(reply)


def test_reply_to_counts_where_a_rule_of_the_account_covers_it(w: World) -> None:
    for wanted, reached in (
        ("nagios@acme.example", "nagios@acme.example"),
        ("bob@other.example", ALICE),
        ("x@evil.example", ALICE),
        ("x@evil.example, Nagios <nagios@acme.example>", "nagios@acme.example"),
    ):
        receipt = receipt_of(w, mail(f"ask {wanted}", message_id=f"rt-{wanted}", Reply_To=wanted))
        assert receipt["To"] == ALICE  # receipts go to the envelope sender
        assert reply_from_phone(w, f"for {wanted}")["To"] == reached


@pytest.mark.parametrize(
    "sender", ["a..b@other.example", "o'brien@other.example", "jørgen@other.example", "a@blåbær.example"]
)
def test_odd_envelope_senders_get_their_receipts(w: World, sender: str) -> None:
    before, fails = set(w.outbox()), "447700900002@sms.localhost"
    with w.client() as client:
        client.ehlo("client.example")
        client.command_encoding = "utf-8"
        assert client.docmd("MAIL", f"FROM:<{sender}> SMTPUTF8")[0] == 250
        assert client.rcpt(fails)[0] == 250
        assert client.data(mail(sender="bob@other.example"))[0] == 250
    assert sender.replace("blåbær", "xn--blbr-roah") in str(kept_after(w, before)[0]["To"])
