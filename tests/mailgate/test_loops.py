"""Mail that comes back: what was made here is known again, on the wire, whatever a relay did to it."""

import email
import email.policy
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from core_support import wait_for
from mail_support import ALICE, ROWS, World, mail, world
from sqlalchemy import Row, select

from gateway_core import notices
from gateway_core.deliver import deliver
from gateway_core.notices import Notice
from gateway_core.sms import MO
from gateway_core.storage import tables
from mailgate import addresses, compose

PHONE, TO, NUMBER = "+447700900123", "447700900123@sms.localhost", "+447700900901"


@pytest.fixture(scope="module")
def w(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("loops")) as running:
        yield running


def mailed(w: World, holding: bytes) -> bytes:
    """The one mail in the outbox that holds these words."""
    (path,) = wait_for(lambda: [path for path in w.outbox() if holding in path.read_bytes()])
    return path.read_bytes()


def texted_to(w: World, text: str) -> EmailMessage:
    """A text of the phone, as it was mailed."""
    route = w.gateway.snapshot.routes[0]
    deliver(w.gateway, route.id, [MO(f"mo-{text}", PHONE, NUMBER, text)])
    found = email.message_from_bytes(mailed(w, text.encode()), policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def refused(w: World, raw: bytes, to: str = TO, mail_from: str = ALICE) -> tuple[int, str]:
    with pytest.raises(smtplib.SMTPDataError) as caught:
        w.send(raw, to, mail_from)
    return caught.value.smtp_code, caught.value.smtp_error.decode()


def redirected(ours: EmailMessage, *stripped: str) -> bytes:
    """As a mailbox passes it on in its owner's name, through a relay that takes fields away."""
    for name in stripped:
        del ours[name]
    ours.replace_header("From", ALICE)
    return ours.as_bytes(policy=email.policy.SMTP)


@pytest.mark.parametrize("stripped", [(), ("X-Mailgate-Loop", "X-Auto-Response-Suppress", "Auto-Submitted")])
def test_our_own_mail_is_no_text(w: World, stripped: tuple[str, ...]) -> None:
    ours = texted_to(w, f"going round, {len(stripped)} fields lost")
    before = w.texts(PHONE)
    code, words = refused(w, redirected(ours, *stripped))
    assert (code, words[:5]) == (554, "5.4.6")
    assert w.texts(PHONE) == before


def test_an_answer_to_our_mail_is_welcome(w: World) -> None:
    ours = texted_to(w, "how are you?")
    said = mail(
        "fine",
        message_id="answer@acme.example",
        In_Reply_To=ours["Message-ID"],
        References=ours["Message-ID"],
    )
    w.send(said)
    wait_for(lambda: "fine" in w.texts(PHONE))


# --- what leaves ------------------------------------------------------------------------------------------


def owed(w: World, kind: str) -> list[Row[Any]]:
    with w.gateway.reader.connect() as conn:
        n = tables.notice
        return list(conn.execute(select(n).where(n.c.kind == kind, n.c.state == "DONE").order_by(n.c.id)))


def newest(w: World, kind: str, of: str) -> tuple[str, EmailMessage]:
    """Envelope sender and content of the notice of this kind whose facts hold these words."""
    (row, *_) = wait_for(lambda: [row for row in owed(w, kind) if of in str(row.facts)])
    with w.gateway.reader.connect() as conn:
        made = compose.compose(w.state, conn, row)
    assert made is not None
    content = email.message_from_bytes(made.content, policy=email.policy.default)
    assert isinstance(content, EmailMessage)
    return made.mail_from, content


def receipt(w: World) -> tuple[str, EmailMessage]:
    w.send(mail("for a receipt"), TO)
    return newest(w, "receipt", "DELIVERED")


def reply(w: World) -> tuple[str, EmailMessage]:
    texted_to(w, "in a person's words")
    return newest(w, "reply", "in a person's words")


def alarm(w: World) -> tuple[str, EmailMessage]:
    facts = {"about": "spoof", "account": "acme", "address": ALICE, "peer": "192.0.2.1"}
    unit = Notice(None, "an alarm", "alarm", facts, "mailto:ops@acme.example")
    w.gateway.writer.put(notices.owe_each, (w.gateway.ids, unit)).result()
    w.gateway.queue.hint("notices")
    return newest(w, "alarm", "192.0.2.1")


# kind: how to cause one; whether its return path is null; its Precedence
KINDS = {"receipt": (receipt, True, "bulk"), "reply": (reply, False, None), "alarm": (alarm, True, None)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_mail_says_that_it_wants_no_automatic_answer(w: World, kind: str) -> None:
    cause, null, precedence = KINDS[kind]
    mail_from, content = cause(w)
    assert content["Auto-Submitted"] == "auto-generated"
    assert content["X-Auto-Response-Suppress"] == "All"
    assert content["X-Mailgate-Loop"] == w.state.loop_token
    assert content["Precedence"] == precedence
    if null:
        assert mail_from == ""
    else:
        read = addresses.read(mail_from, w.state.settings.mail.domains, w.state.secrets)
        assert isinstance(read, addresses.ReturnPath)


@pytest.mark.parametrize(
    ("raw", "first"),
    [
        (mail("about your server", message_id="fw1@evil.example"), b"From: alice@acme.example"),
        (b" a line that continues\r\n" + mail("two", message_id="fw2@evil.example"), b" a line"),
        (b"\r\nonly a body\r\n", b"\r\nonly a body"),
        (mail("x", message_id="fw3@evil.example", Auto_Submitted="auto-replied"), b"From: alice"),
    ],
    ids=["plain", "begins inside a field", "no header", "an automatic answer"],
)
def test_what_was_forwarded_is_not_forwarded_again(w: World, raw: bytes, first: bytes) -> None:
    w.send(raw, "postmaster@sms.localhost", "mallory@evil.example")
    content = mailed(w, raw.rstrip())
    mark, came_for, rest = content.split(b"\r\n", 2)
    assert mark == f"X-Mailgate-Loop: {w.state.loop_token}".encode()
    assert came_for == b"Delivered-To: postmaster@sms.localhost"
    assert rest.startswith(first)
    assert rest.rstrip() == raw.rstrip()
    own = f"{addresses.return_local(7, w.state.secrets)}@sms.localhost"
    for to in ("postmaster@sms.localhost", "abuse@sms.localhost", own, TO):
        code, words = refused(w, content, to)
        assert (code, words[:5]) == (554, "5.4.6")


# --- to this gateway itself -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "told"),
    [
        ("447700900124@sms.acme.example", False),
        ("07700900124@sms.acme.example", False),
        ("oncall@sms.acme.example", False),
        ("gateway@sms.acme.example", False),
        ("abuse@sms.acme.example", False),
        ("r.forged.address@sms.acme.example", False),
        ("desk.2@sms.acme.example", True),  # a mailbox at the same domain
    ],
)
def test_what_comes_from_an_address_of_ours_is_not_answered(tmp_path: Path, sender: str, told: bool) -> None:
    acme, *others = ROWS["account"]
    mine = {**acme, "sender": [*acme["sender"], {"address": "@sms.acme.example"}]}
    sections: dict[str, Any] = {
        "mail": {"domains": ["sms.acme.example"]},
        "outbound": {"from_address": "gateway@sms.acme.example"},
    }
    with world(tmp_path, {**ROWS, "account": [mine, *others]}, **sections) as w:
        w.send(mail("from here", sender=sender), "447700900123@sms.acme.example", sender)
        wait_for(lambda: "from here" in w.texts(PHONE))
        wait_for(lambda: owed(w, "receipt"))
        deliver(w.gateway, w.gateway.snapshot.routes[0].id, [MO("back", PHONE, NUMBER, "and back")])
        wait_for(lambda: owed(w, "reply"))
        assert len(w.outbox()) == (2 if told else 0)
        words = {row.words for kind in ("receipt", "reply") for row in owed(w, kind)}
        assert words == ({""} if told else {"nobody to tell by mail"})


# --- to the return path of a mail of ours, and to its reply address ---------------------------------------


def submissions(w: World) -> int:
    with w.gateway.reader.connect() as conn:
        return len(conn.execute(select(tables.submission.c.id)).all())


AWAY = {
    "a bounce": (
        "",
        mail("550 no such user", sender="mailer-daemon@acme.example", message_id="away1@a.example"),
    ),
    "one that does not say so": (ALICE, mail("I am away, too", message_id="away3@a.example")),
    "of a stranger": (
        "mallory@evil.example",
        mail("text this", sender="mallory@evil.example", message_id="away4@a.example"),
    ),
}


@pytest.mark.parametrize("case", AWAY)
def test_what_comes_to_our_return_path_is_no_text_and_is_not_answered(w: World, case: str) -> None:
    sender, raw = AWAY[case]
    own, _ = reply(w)
    w.send(mail(f"before {case}"), TO)
    wait_for(lambda: f"before {case}" in w.texts(PHONE))
    made, texts = submissions(w), w.texts(PHONE)
    assert w.send(raw, own, sender).startswith("2.0.0")
    copy = mailed(w, raw.rstrip())
    assert copy.startswith(b"X-Mailgate-Loop: ")
    assert f"Delivered-To: {own}".encode() in copy
    assert (submissions(w), w.texts(PHONE)) == (made, texts)
    back = [path for path in w.outbox() if raw.split(b"Message-ID: ")[1][:20] in path.read_bytes()]
    assert len(back) == 1  # the operator's copy, and no answer to anybody


def test_an_absence_notice_to_our_return_path_bothers_nobody(w: World) -> None:
    own, _ = reply(w)
    made, texts, mails = submissions(w), w.texts(PHONE), w.outbox()
    raw = mail("I am away", Auto_Submitted="auto-replied", message_id="away2@a.example")
    assert w.send(raw, own, ALICE).startswith("2.0.0")

    def noted() -> bool:
        n = tables.notice.c
        with w.gateway.reader.connect() as conn:
            newest = conn.execute(select(n.state, n.words).where(n.kind == "bounce").order_by(n.id.desc()))
            state, words = newest.first() or ("", "")
        return state == "DONE" and words.startswith("an automatic answer to n")

    wait_for(noted)
    assert (submissions(w), w.texts(PHONE), w.outbox()) == (made, texts, mails)


def test_a_bounce_to_the_reply_address_is_refused(w: World) -> None:
    _, content = reply(w)
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        w.send(mail("bounced"), str(content["Reply-To"]), "")
    ((code, words),) = caught.value.recipients.values()
    assert (code, words[:5]) == (550, b"5.7.1")


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Precedence": "auto_reply"},
        {"Subject": "Automatic reply: SMS"},
        {"List_Id": "<talk.acme.example>"},
        {"Content_Type": "multipart/report; report-type=disposition-notification; boundary=b"},
    ],
)
def test_an_automatic_answer_to_the_reply_address_is_refused(w: World, headers: dict[str, str]) -> None:
    _, content = reply(w)
    code, words = refused(w, mail("I am not here", **headers), str(content["Reply-To"]))
    assert (code, words[:5]) == (550, "5.7.1")
