"""What must never become a text, and what must."""

from collections.abc import Collection

import pytest

from gateway_core.storage import ids
from mailgate import guard
from mailgate.mail import parse


def code(
    raw: bytes,
    *,
    envelope_from: str = "alice@acme.example",
    lists: bool = False,
    own_domains: Collection[str] = (),
    own_token: str = "",
) -> str | None:
    refused = guard.verdict(
        parse(raw), envelope_from=envelope_from, lists=lists, own_domains=own_domains, own_token=own_token
    )
    return refused.code if refused else None


def mail(*headers: str, content: str = "x") -> bytes:
    return "\n".join(["From: alice@acme.example", *headers, "", content]).encode()


@pytest.mark.parametrize(
    "headers",
    [
        ["Auto-Submitted: auto-replied"],
        ["Auto-Submitted: auto-replied (vacation)"],
        ["Auto-Submitted: Auto-Notified; owner-email=a@b"],
        ["Auto-Submitted: something-new"],
        ["Auto-Submitted: (away (until Monday)) auto-replied"],
        ["Auto-Submitted: no", "Auto-Submitted: auto-replied"],
        ["X-Autoreply: yes"],
        ["X-Autorespond: Away"],
        ["X-Auto-Response: true"],
        ["Precedence: auto_reply"],
        ["X-Apple-Action: VACATION"],
        ["X-Failed-Recipients: a@b"],
        ["Return-Path: <>"],
        ["Content-Type: multipart/report; report-type=delivery-status; boundary=b"],
        ["Content-Type: message/delivery-status"],
        ["Content-Type: message/feedback-report"],
        ["Content-Type: message/disposition-notification"],
        ["Subject: Automatic reply: Rota"],
        ["Subject: Automatische Antwort: Plan"],
        ["Subject: =?utf-8?q?R=C3=A9ponse_automatique_=3A?= Plan"],
        ["Subject: Automatisk svar: Vaktplan"],
        ["Subject: Out of Office: Alice"],
        ["Subject: Abwesenheitsnotiz"],
        ["Subject: I am on vacation", "In-Reply-To: <a@b>"],
        ["Subject: Jeg er på ferie", "X-Auto-Response-Suppress: All", "In-Reply-To: <a@b>"],
        ["Subject: Re: Plan", "X-Auto-Response-Suppress: All", "X-MS-Exchange-Inbox-Rules-Loop: a@b"],
    ],
)
def test_a_robot(headers: list[str]) -> None:
    assert code(mail(*headers)) == "robot"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        ["Auto-Submitted: no"],
        ["Auto-Submitted: auto-generated"],
        ["Auto-Submitted: auto-generated (nagios)"],
        ["Auto-Submitted: (a cron job) AUTO-GENERATED; type=cron"],
        ["Auto-Submitted: (nobody) no"],
        ["Auto-Submitted: auto-generated", "Precedence: bulk", "X-Auto-Response-Suppress: All"],
        ["Precedence: bulk"],
        ["Precedence: list"],
        ["X-Autoreply: no"],
        ["X-Auto-Response-Suppress: All"],
        ["X-MS-Exchange-Inbox-Rules-Loop: a@b"],
        ["List-Unsubscribe: <mailto:a@b>"],
        ["Subject: Who is on holiday?"],
        ["Subject: Delivery failure at dock 4"],
        ["Subject: vacation plan for the vacation home"],
        ["Subject: Auto repair is done"],
        ["Return-Path: <alice@acme.example>"],
    ],
)
def test_a_text(headers: list[str]) -> None:
    assert code(mail(*headers)) is None


@pytest.mark.parametrize("envelope_from", ["", "<>", " "])
def test_the_null_sender(envelope_from: str) -> None:
    assert code(mail(), envelope_from=envelope_from) == "robot"


COMPLAINT = (
    b"From: a@b.example\nSubject: complaint about message from 192.0.2.1\n"
    b"Content-Type: multipart/mixed; boundary=b\n\n"
    b"--b\nContent-Type: message/rfc822\n\nSubject: x\n\ny\n--b--\n"
)
FORWARDED = (  # a person shows somebody else's bounce
    b"From: a@b.example\nSubject: Fwd: bounce\nContent-Type: multipart/mixed; boundary=b\n\n"
    b"--b\n\nlook at this\n--b\nContent-Type: message/rfc822\n\n"
    b"Content-Type: multipart/report; boundary=c\n\n"
    b"--c\nContent-Type: message/delivery-status\n\nx\n--c--\n--b--\n"
)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"From: MAILER-DAEMON <>\nSubject: Mail delivery failed\n\nx", "robot"),
        (b"From: postmaster@a.example\nSubject: Undeliverable: hello\n\nx", "robot"),
        (b"From: post_master@a.example\nSubject: Re: hello\n\n550 - no such user here", "robot"),
        (b"From: mailer-daemon@a.example\nSubject: x\n\nTranscript of session follows", "robot"),
        (b"From: postmaster@a.example\nSubject: Meeting at ten\n\nBring the plans.", None),
        (b"From: b@a.example\nSubject: Returned mail\n\nThe parcel is back.", None),
        (b"From: b@a.example\nSubject: logs\n\n550 5.1.1 user unknown is what I see", None),
        (COMPLAINT, "robot"),
        (FORWARDED, None),
        (b'From: n@sns.example\n\n{"notificationType":"Bounce","bounce":{"bouncedRecipients":[]}}', "robot"),
        (b'From: n@sns.example\n\n{"notificationType":"Alarm","detail":"pump"}', None),
    ],
    ids=range(11),
)
def test_bounces_need_two_signs(raw: bytes, expected: str | None) -> None:
    assert code(raw) == expected


@pytest.mark.parametrize(
    "headers",
    [
        ["List-Id: <talk.example>"],
        ["List-Post: <mailto:talk@example>"],
        ["Precedence: bulk", "List-Unsubscribe: <mailto:a@b>"],
        ["Precedence: list", "List-Archive: <https://talk.example/archive>"],
        ["Precedence: junk", "List-Help: <mailto:a@b>"],
        ["Precedence: list", "List-Subscribe: <mailto:a@b>"],
        ["Precedence: list", "List-Owner: <mailto:a@b>"],
        ["X-Precedence: bulk", "Mailing-List: contact talk-help@example"],
    ],
)
def test_list_mail_is_texted_only_where_it_is_wanted(headers: list[str]) -> None:
    assert code(mail(*headers)) == "robot"
    assert code(mail(*headers), lists=True) is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["Received: by a.example"] * 30, None),
        (["Received: by a.example"] * 31, "loop"),
        (["Received: from a.example by sms.example with SMTP"] * 2, None),
        (["Received: from a.example by mx.SMS.example with SMTP"] * 3, "loop"),
        (["Received: from sms.example by a.example"] * 9, None),
        (["Received: from x by notsms.example"] * 9, None),
        (["X-Mailgate-Loop: other"], None),
        (["X-Mailgate-Loop: ours"], "loop"),
    ],
)
def test_loops(headers: list[str], expected: str | None) -> None:
    assert code(mail(*headers), own_domains=["sms.example"], own_token="ours") == expected


def test_our_own_mail_comes_back() -> None:
    raw = b"From: 447700900123@sms.example\nX-Mailgate-Loop: older\n\nx"
    assert code(raw, own_domains={"sms.example"}) == "loop"
    assert code(b"From: a@sms.example\n\nx", own_domains={"sms.example"}) is None


OURS = "n01k2m3n4p5q6r"  # as storage.ids shows the notice that a mail of ours is


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([f"Message-ID: <{OURS}@sms.example>"], "loop"),
        ([f"Message-ID: {OURS}@sms.example"], "loop"),  # brackets lost on the way
        ([f"Message-ID: <{OURS.upper()}@SMS.Example>"], "loop"),
        ([f"Message-ID: <{OURS}@second.example>"], "loop"),
        ([f"Message-ID: <{OURS}@other.example>"], None),
        ([f"Message-ID: <{OURS}@mx.sms.example>"], None),
        (["Message-ID: <1234@sms.example>"], None),
        ([f"Message-ID: <{OURS}x@sms.example>"], None),
        ([f"Message-ID: <m{OURS[1:]}@sms.example>"], None),  # a message's id is no mail's
        (["Message-ID: <a@acme.example>", f"In-Reply-To: <{OURS}@sms.example>"], None),
        (["Message-ID: <a@acme.example>", f"References: <b@c> <{OURS}@sms.example>"], None),
    ],
)
def test_our_own_message_id_has_been_here_before(headers: list[str], expected: str | None) -> None:
    assert code(mail(*headers), own_domains=["sms.example", "second.example"]) == expected


def test_the_id_of_a_notice_is_one_of_ours() -> None:
    for number in (0, 1, 2**62 + 12345, 2**63 - 1):
        raw = mail(f"Message-ID: <{ids.show('n', number)}@sms.example>")
        assert code(raw, own_domains=["sms.example"]) == "loop"
