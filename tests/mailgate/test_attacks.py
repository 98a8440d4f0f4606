"""Every known way to text on another's account: no text, no charge, one wording. Its honest twin goes through."""

import smtplib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import signing
from fake_dns import FakeDns
from mail_support import World, world
from sqlalchemy import func, select
from wire import until

from gateway_core import ledger
from gateway_core.storage import tables
from mailgate.checks import NOT_ALLOWED
from mailgate.smtp.shared import Patience

PHONE, OTHER_PHONE = "447700900123@sms.localhost", "447700900124@sms.localhost"
OFFICE, STRANGER, RELAY, PROVIDER, BALANCER = (f"127.0.0.{last}" for last in (2, 66, 5, 9, 7))
ALIKE_SECONDS = 0.4
SECRET = "Hush-Hush.42"

ALICE, CAROL, FAKE = "alice@dmarc.example", "carol@dmarc.example", "mallory@evil.example"
DESK, PUMP, EITHER = "desk@acme.example", "pump@both.example", "ups@either.example"
SPF, PLC, NEIGHBOUR = "erp@spf.example", "plc@secret.example", "bob@other.example"
BOOKS = "lager@bücher.example"

ROWS: dict[str, Any] = {
    "account": [
        {
            "name": "acme",
            "opening_credit": "100.00",
            "test": True,
            "alarm_to": ["ops@acme.example"],
            "sender": [
                {"address": DESK, "ips": [f"{OFFICE}/32"]},
                {"address": ALICE, "accept": "dmarc"},
                {"address": CAROL, "accept": "dmarc"},
                {"address": PUMP, "accept": "ip-and-dmarc", "ips": [f"{OFFICE}/32"]},
                {"address": EITHER, "accept": "ip-or-dmarc", "ips": [f"{OFFICE}/32"]},
                {"address": SPF, "accept": "spf"},
                {"address": PLC, "accept": "secret", "secret": SECRET},
                {"address": BOOKS, "accept": "dmarc"},
            ],
        },
        {
            "name": "other",
            "opening_credit": "100.00",
            "test": True,
            "sender": [{"address": NEIGHBOUR, "ips": [f"{OFFICE}/32"]}],
        },
    ],
    "number": [
        {"msisdn": "+447700900901", "account": "acme"},
        {"msisdn": "+447700900902", "account": "other"},
    ],
    "route": [{"name": "sim", "carrier": "simulator"}],
    "price": [{"prefix": "+44", "per_segment": "0.05", "currency": "GBP"}],
}
ZONE: dict[tuple[str, str], list[str]] = {
    **signing.zone("dmarc.example"),
    **signing.zone("mail.dmarc.example"),
    **signing.zone("both.example"),
    **signing.zone("either.example"),
    **signing.zone("xn--bcher-kva.example"),
    **signing.zone("evil.example", signer=signing.key(number=1)),
    **signing.zone("notdmarc.example", signer=signing.key(number=1)),
    ("evil.example", "TXT"): ["v=spf1 +all"],
    ("both.example", "TXT"): ["v=spf1 include:provider.example -all"],
    ("spf.example", "TXT"): [f"v=spf1 ip4:{OFFICE} -all"],
    ("provider.example", "TXT"): [f"v=spf1 ip4:{PROVIDER} ip4:{OFFICE} -all"],
    ("_dmarc.dmarc.example", "TXT"): ["v=DMARC1; p=reject"],
}
EVIL = {"domain": "evil.example", "signer": signing.key(number=1)}


@pytest.fixture(scope="module")
def fake_dns() -> Iterator[FakeDns]:
    with FakeDns(ZONE, {"s1._domainkey.silent.example": "servfail"}) as serving:
        yield serving


@pytest.fixture(scope="module")
def w(tmp_path_factory: pytest.TempPathFactory, fake_dns: FakeDns) -> Iterator[World]:
    settings = {
        "dns_servers": [fake_dns.address],
        "trusted_relays": [f"{RELAY}/32"],
        "authserv_id": "mx.acme.example",
    }
    with world(
        tmp_path_factory.mktemp("attacks"),
        ROWS,
        Patience(alike=ALIKE_SECONDS),
        mail=settings,
        smtp={"listen": ["127.0.0.1:0"], "proxy_protocol_from": [f"{BALANCER}/32"]},
    ) as running:
        yield running


def honest(**options: Any) -> bytes:
    """A mail of Alice's to the phone, signed by her domain."""
    return signing.signed(signing.mail(ALICE, PHONE), "dmarc.example", **options)


def from_line(value: str, **options: Any) -> bytes:
    """A mail with this From, signed by the attacker's own domain unless said otherwise."""
    return signing.signed(signing.mail(value, PHONE), **{**EVIL, **options})


@dataclass(frozen=True)
class Sent:
    """One mail as it comes."""

    raw: bytes
    mail_from: str = ALICE
    peer: str = STRANGER
    to: tuple[str, ...] = (PHONE,)
    proxied: str = ""  # whom a PROXY header names


@dataclass(frozen=True)
class Row:
    """A trick, and the honest mail that is most like it."""

    attacks: list[Sent]
    twin: Sent
    codes: tuple[str, ...] = ("550 5.7.",)
    words: str = field(default=NOT_ALLOWED)  # "": the sender is proved, so it may be told more


def plain(from_: str, *more: str, to: str = PHONE, subject: str = "Pump 3") -> bytes:
    return signing.mail(from_, to, subject, more=more)


def results(words: str) -> str:
    return f"Authentication-Results: mx.acme.example; {words}"


def alices() -> Sent:
    """A mail of its own at each call, as all that follow: the same one again would be no second text."""
    return Sent(honest())


def at_desk() -> Sent:
    return Sent(plain(DESK), DESK, OFFICE)


PASSES = results("dmarc=pass header.from=dmarc.example; dkim=pass header.d=dmarc.example")


def by_relay() -> Sent:
    return Sent(f"{PASSES}\r\n".encode() + honest(), peer=RELAY)


def on_top(line: str, raw: bytes) -> Sent:
    return Sent(f"{line}\r\n".encode() + raw)


def bodied(body: bytes, *more: str, covered: tuple[str, ...] = signing.COVERED) -> bytes:
    """A mail of Alice's with this body, signed as Gmail does it: without Content-Type."""
    return signing.signed(signing.mail(ALICE, PHONE, body=body, more=more), "dmarc.example", covered=covered)


ALTERNATIVE = "Content-Type: multipart/alternative; boundary=b1"
# What Alice was made to quote: as a part of a mail it would be the text.
PARTS = (
    b"--b1\r\nContent-Type: text/plain\r\n\r\nPump 3 is down.\r\n--evil\r\n\r\nPay 1000 pounds\r\n--evil--\r\n"
    b"--b1\r\nContent-Type: text/html\r\n\r\n<p>Pump 3 is down.</p>\r\n--b1--\r\n"
)
QUOTED = b"Pump 3 is down.\r\n--evil\r\n\r\nPay 1000 pounds\r\n--evil--\r\n"
EVIL_TYPE = "Content-Type: multipart/mixed; boundary=evil"
AFTER_STRANGERS = from_line(FAKE)
TABLE: dict[str, Row] = {
    "an address and nothing else": Row(
        [Sent(plain(ALICE)), Sent(plain(DESK), DESK), Sent(plain(PUMP), PUMP), Sent(plain(EITHER), EITHER)],
        alices(),
    ),
    "From with two addresses": Row(
        [
            Sent(from_line(f"{ALICE}, {FAKE}")),
            Sent(from_line(f"{FAKE}, {ALICE}")),
            Sent(from_line(f"{ALICE} <{FAKE}>")),
            Sent(from_line(f"<{ALICE}> <{FAKE}>")),
        ],
        alices(),
    ),
    "two addresses, from a proved sender": Row(
        [Sent(plain(f"{DESK}, {NEIGHBOUR}"), DESK, OFFICE)], at_desk(), words=""
    ),
    "two From fields": Row(
        [
            Sent(f"From: {FAKE}\r\n".encode() + honest()),
            Sent(honest().replace(b"\r\nTo:", f"\r\nFrom: {FAKE}\r\nTo:".encode(), 1)),
        ],
        alices(),
    ),
    "the display name as address": Row(
        [Sent(from_line(f'"{ALICE}" <{FAKE}>')), Sent(from_line(f"{FAKE} <{ALICE}>"))],
        Sent(signing.signed(signing.mail(f'"Alice (a) <at> work" <{ALICE}>', PHONE), "dmarc.example")),
    ),
    "group syntax": Row(
        [Sent(from_line(f"{ALICE}: {FAKE};")), Sent(from_line(f"Group: {ALICE};"))], alices()
    ),
    "an address in an encoded word": Row(
        [
            Sent(from_line("=?utf-8?q?alice=40dmarc.example?=")),
            Sent(from_line(f"=?utf-8?q?alice=40dmarc.example=3e?= <{FAKE}>")),
            Sent(from_line("=?utf-8?q?alice?=@dmarc.example")),
        ],
        Sent(signing.signed(signing.mail(f"=?utf-8?q?Alic=C3=A9?= <{ALICE}>", PHONE), "dmarc.example")),
    ),
    "comments": Row(
        [
            Sent(from_line(f"{ALICE} (<{FAKE}>)")),
            Sent(from_line(f"{FAKE} ({ALICE})")),
            Sent(from_line("alice@(x)dmarc.example")),
            Sent(from_line(f"({ALICE}) {FAKE}")),
        ],
        alices(),
    ),
    "Sender and Reply-To as identity": Row(
        [
            Sent(plain(FAKE, f"Sender: {ALICE}")),
            Sent(plain(FAKE, f"Reply-To: {ALICE}")),
            Sent(signing.signed(plain(FAKE, f"Sender: {ALICE}", f"Reply-To: {ALICE}"), **EVIL), FAKE),
        ],
        Sent(signing.signed(plain(ALICE, f"Sender: {FAKE}", f"Reply-To: {FAKE}"), "dmarc.example")),
    ),
    "unicode look-alikes": Row(
        [
            Sent(from_line("\u0430lice@dmarc.example", domain="dmarc.example", signer=signing.key(number=1))),
            Sent(plain("alice@dm\u0430rc.example"), "alice@dm\u0430rc.example"),
            Sent(plain("alice@dmarc\uff0eexample"), "alice@dmarc\uff0eexample"),
            Sent(plain("a\u200blice@dmarc.example"), "a\u200blice@dmarc.example"),
        ],
        Sent(
            signing.signed(signing.mail("lager@xn--bcher-kva.example", PHONE), "xn--bcher-kva.example"),
            "LAGER@xn--bcher-kva.example",
        ),
    ),
    "quoted local parts": Row(
        [
            Sent(plain('"desk"@acme.example'), '"desk"@acme.example', OFFICE),
            Sent(plain(f'"{DESK}"@evil.example'), f'"{DESK}"@evil.example', OFFICE),
            Sent(plain('"desk@acme.example "@acme.example'), '"desk@acme.example "@acme.example', OFFICE),
        ],
        at_desk(),
    ),
    "subdomains and neighbours": Row(
        [
            Sent(plain("alice@sub.dmarc.example"), "alice@sub.dmarc.example"),
            Sent(from_line(ALICE, domain="notdmarc.example")),
            Sent(from_line(ALICE)),
            Sent(plain("desk@sub.acme.example"), "desk@sub.acme.example", OFFICE),
            Sent(plain("desk@acme.example.evil.example"), "desk@acme.example.evil.example", OFFICE),
        ],
        Sent(signing.signed(signing.mail(ALICE, PHONE), "mail.dmarc.example")),
    ),
    "the null sender": Row([Sent(honest(), "")], alices(), words=""),
    "our own domain": Row(
        [
            Sent(plain("447700900123@sms.localhost"), "447700900123@sms.localhost", OFFICE),
            Sent(plain("gateway@sms.localhost"), "gateway@sms.localhost"),
            Sent(honest(), "postmaster@sms.localhost"),
        ],
        alices(),
    ),
    "forged Authentication-Results": Row(
        [
            Sent(plain(ALICE, PASSES)),
            Sent(f"{PASSES}\r\n".encode() + from_line(ALICE)),
            Sent(plain(ALICE, results("dmarc=pass header.from=dmarc.example")), peer=OFFICE),
        ],
        by_relay(),
    ),
    "forged Authentication-Results through the relay": Row(
        [
            Sent(
                f"Authentication-Results: mx.evil.example; {PASSES.partition('; ')[2]}\r\n".encode()
                + plain(ALICE),
                peer=RELAY,
            ),
            Sent(
                f"{results('dmarc=fail header.from=dmarc.example')}\r\n{PASSES}\r\n".encode() + plain(ALICE),
                peer=RELAY,
            ),
            Sent(
                f"{results('none (dmarc=pass header.from=dmarc.example)')}\r\n".encode() + plain(ALICE),
                peer=RELAY,
            ),
            Sent(f"{results('spf=pass smtp.mailfrom=evil.example')}\r\n".encode() + plain(ALICE), peer=RELAY),
            Sent(f"{results('dmarc=pass header.from=evil.example')}\r\n".encode() + plain(ALICE), peer=RELAY),
            replace(by_relay(), to=(OTHER_PHONE,)),
        ],
        by_relay(),
    ),
    "DKIM replay": Row(
        [
            Sent(honest(), to=(OTHER_PHONE,)),
            Sent(honest(), to=(PHONE, OTHER_PHONE)),
            Sent(honest(covered=("from", "subject", "date", "message-id")), to=(OTHER_PHONE,)),
            Sent(f"To: {OTHER_PHONE}\r\n".encode() + honest(), to=(OTHER_PHONE,)),
            Sent(honest(age=8 * signing.DAY)),
            Sent(honest(), to=(PHONE.replace("@", "+flash@"),)),
            Sent(signing.signed(signing.mail(ALICE, PHONE.replace("@", "+preview@")), "dmarc.example")),
        ],
        Sent(
            signing.signed(signing.mail(ALICE, f"{PHONE}, {OTHER_PHONE}"), "dmarc.example"),
            to=(PHONE, OTHER_PHONE),
        ),
    ),
    "a signed mail again, as one of its own": Row(
        [
            on_top("Message-ID: <again@evil.example>", honest()),
            on_top(f"Date: {signing.date(60)}", honest()),
            on_top("Subject: Pay 1000 pounds", honest()),
            on_top("Message-ID: <again@evil.example>", honest(covered=("from", "to", "subject", "date"))),
            Sent(honest(covered=("from", "to", "subject", "date"))),
            Sent(honest(covered=("from", "to", "subject", "message-id"))),
            Sent(honest().replace(b"Message-ID: <", b"Message-ID: <again.")),
            Sent(honest().replace(b"Message-ID:", b"X-Message-ID:")),
            replace(on_top(PASSES, honest(covered=("from", "to", "subject", "date"))), peer=RELAY),
            replace(on_top(f"{PASSES}\r\nMessage-ID: <again@evil.example>", honest()), peer=RELAY),
        ],
        alices(),
    ),
    "the signature of a neighbour": Row(
        [Sent(honest(), CAROL), Sent(honest(), "bounce@dmarc.example")], alices()
    ),
    "an unsigned Content-Type chooses the text": Row(
        [
            Sent(bodied(PARTS, ALTERNATIVE).replace(ALTERNATIVE.encode(), EVIL_TYPE.encode())),
            Sent(bodied(PARTS, ALTERNATIVE).replace(f"{ALTERNATIVE}\r\n".encode(), b"")),
            on_top(EVIL_TYPE, bodied(PARTS, ALTERNATIVE)),
            on_top(EVIL_TYPE, bodied(QUOTED)),
            on_top("Content-Type: text/html", bodied(QUOTED)),
            on_top("Content-Type: text/plain; charset=utf-16", bodied(QUOTED)),
            on_top("Content-Transfer-Encoding: base64", bodied(QUOTED)),
            on_top("Content-Disposition: attachment", bodied(QUOTED)),
            on_top(
                EVIL_TYPE,
                bodied(QUOTED, "Content-Type: text/plain", covered=(*signing.COVERED, "content-type")),
            ),
            replace(on_top(f"{PASSES}\r\n{EVIL_TYPE}", bodied(QUOTED)), peer=RELAY),
        ],
        Sent(bodied(PARTS, ALTERNATIVE)),
    ),
    "a signature that is not true": Row(
        [
            Sent(honest().replace(b"Pump 3 is down.", b"Pay 1000 pounds")),
            Sent(honest().replace(b"Subject: Pump 3", b"Subject: Pump 4")),
            Sent(honest()[:-10] + b"\r\n"),
            Sent(honest(length=True) + b"and this too\r\n"),
            Sent(honest(signer=signing.key(number=1))),
        ],
        Sent(AFTER_STRANGERS[: AFTER_STRANGERS.index(b"From:")] + honest()),  # after a stranger's own one
    ),
    "SPF of a shared provider": Row(
        [
            Sent(plain(PUMP), PUMP, PROVIDER),
            Sent(plain(PUMP), f"mallory@{'provider.example'}", PROVIDER),
            Sent(signing.signed(signing.mail(PUMP, PHONE), "both.example"), PUMP, PROVIDER),
        ],
        Sent(plain(PUMP), PUMP, OFFICE),
    ),
    "SPF that does not pass": Row(
        [Sent(plain(SPF), SPF), Sent(plain(SPF), SPF, PROVIDER)],
        Sent(plain(SPF), SPF, OFFICE),
        ("550 5.7.23 ",),
    ),
    "both are needed": Row(
        [Sent(signing.signed(plain(PUMP), "both.example"), PUMP), Sent(plain(PUMP), PUMP, STRANGER)],
        Sent(signing.signed(plain(PUMP), "both.example"), PUMP, OFFICE),
    ),
    "one of two, and neither": Row(
        [Sent(signing.signed(plain(EITHER), **EVIL), EITHER)],
        Sent(signing.signed(plain(EITHER), "either.example"), EITHER),
        ("550 5.7.26 ",),
    ),
    "another account's sender in From": Row(
        [Sent(plain(NEIGHBOUR), DESK, OFFICE), Sent(plain(ALICE), DESK, OFFICE)], at_desk(), words=""
    ),
    "a secret that is none": Row(
        [
            Sent(plain(PLC), PLC),
            Sent(plain(PLC), PLC, to=("447700900123+hush-hush.41@sms.localhost",)),
            Sent(plain(PLC, subject=f"Alarm {SECRET}"), PLC),
            Sent(plain(ALICE, subject=f"{SECRET} Alarm")),
        ],
        Sent(plain(PLC), PLC, to=(f"447700900123+{SECRET.lower()}@sms.localhost",)),
    ),
    "the secret in the subject": Row(
        [Sent(plain(PLC, subject="Hush-Hush.43 Alarm"), PLC)],
        Sent(plain(PLC, subject=f"{SECRET} Alarm"), PLC),
    ),
    "a PROXY header from a stranger": Row(
        [
            Sent(plain(DESK), DESK, STRANGER, proxied=OFFICE),
            Sent(plain(DESK), DESK, BALANCER, proxied=STRANGER),
        ],
        Sent(plain(DESK), DESK, BALANCER, proxied=OFFICE),
        ("550 5.7.", "500 5.5.2", "421 4.7.0", "503 5.5.1"),
        words="",
    ),
}


def deliver(w: World, sent: Sent) -> str:
    """The reply that decided."""
    client = smtplib.SMTP(source_address=(sent.peer, 0), timeout=30)
    client._host = "sms.localhost"
    client.sock = client._get_socket("127.0.0.1", w.port, 30)
    client.file = None
    if sent.proxied:
        client.send(f"PROXY TCP4 {sent.proxied} 127.0.0.1 40000 25\r\n".encode())
    try:
        code, words = client.getreply()
        assert code == 220, words
        if sent.proxied and sent.peer != BALANCER:
            code, words = client.getreply()
            assert code >= 400
        client.ehlo("client.example")
        options = () if sent.mail_from.isascii() and all(map(str.isascii, sent.to)) else ("SMTPUTF8",)
        if options:
            client.command_encoding = "utf-8"
        client.mail(sent.mail_from, options)
        for to in sent.to:
            code, words = client.rcpt(to)
            if code >= 400:
                return f"{code} {words.decode()}"
        code, words = client.data(sent.raw)
        return f"{code} {words.decode()}"
    finally:
        client.close()


def state_of(w: World) -> tuple[int, list[int]]:
    """Messages, and balances."""
    with w.gateway.reader.connect() as conn:
        count = conn.execute(select(func.count()).select_from(tables.message)).scalar_one()
        return count, [ledger.balance(conn, one) for one in sorted(w.gateway.snapshot.accounts)]


@pytest.mark.parametrize("trick", TABLE)
def test_a_trick_ends_with_no_text_and_no_charge(w: World, trick: str) -> None:
    row = TABLE[trick]
    before = state_of(w)
    for number, attack in enumerate(row.attacks):
        reply = deliver(w, attack)
        assert reply.startswith(row.codes), (number, reply)
        if row.words:
            assert reply.split(" ", 2)[2] == row.words, (number, reply)
    assert state_of(w) == before


@pytest.mark.parametrize("trick", TABLE)
def test_its_honest_twin_goes_through(w: World, trick: str) -> None:
    twin = TABLE[trick].twin
    before, balances = state_of(w)
    reply = deliver(w, twin)
    assert reply.startswith("250 2.0.0 "), reply
    after, charged = state_of(w)
    assert after - before == len(twin.to)
    assert sum(balances) - sum(charged) == 500 * len(twin.to)
    assert SECRET.lower() not in everything(w).lower()


@pytest.mark.parametrize(
    "sent",
    [
        alices(),
        by_relay(),
        Sent(bodied(PARTS, ALTERNATIVE)),
        replace(alices(), to=("+447700900123@sms.localhost",)),
    ],
)
def test_a_signed_mail_again_is_accepted_and_is_no_second_text(w: World, sent: Sent) -> None:
    """As a mail server does that lost the reply, or anybody who has a copy, from wherever."""
    before, balances = state_of(w)
    again = [sent, sent, replace(sent, peer=RELAY), on_top("X-Seen: y", sent.raw)]
    replies = [deliver(w, one) for one in again]
    assert all(reply.startswith("250 2.0.0 ") for reply in replies[:2]), replies
    after, charged = state_of(w)
    assert after - before == 1
    assert sum(balances) - sum(charged) == 500


def everything(w: World) -> str:
    """All that is kept of anything, but the rules."""
    with w.gateway.reader.connect() as conn:
        kept = [tables.submission, tables.message, tables.refusal, tables.notice, tables.event]
        return str([tuple(row) for table in kept for row in conn.execute(select(table))])


# What a true signature lets be changed on the way.
CHANGED: dict[str, tuple[bytes, bytes]] = {
    "nothing": (b"", b""),
    "blanks of the date": (b" 2026 ", b"   2026 "),
    "blanks of the subject": (b"Pump 3\r\n", b"Pump   3\r\n"),
    "blanks of the text": (b"Pump 3 is", b"Pump    3 is"),
    "a folded id": (b"Message-ID: ", b"Message-ID:\r\n  "),
    "what is cut as signature": (b"--\r\nAlice", b"-- \r\nAlice"),
    "what is cut at all": (b"DKIM-Signature:", b"Auto-Submitted: auto-generated\r\nDKIM-Signature:"),
}


@pytest.mark.parametrize("change", CHANGED)
def test_a_signed_mail_that_was_changed_as_far_as_it_may_be_is_no_second_text(w: World, change: str) -> None:
    raw = bodied(b"Pump 3 is down.\r\n\r\n--\r\nAlice, boss\r\n")
    changed = raw.replace(*CHANGED[change], 1)
    assert (changed != raw) is (change != "nothing")
    before, balances = state_of(w)
    assert [deliver(w, Sent(one))[:3] for one in (raw, changed)] == ["250", "250"]
    after, charged = state_of(w)
    assert (after - before, sum(balances) - sum(charged)) == (1, 500)


def test_a_refusal_before_proof_takes_alike_long(w: World) -> None:
    """No look-up, a look-up, a hash: what a stranger measures is one time."""
    for attack in (
        TABLE["DKIM replay"].attacks[0],
        TABLE["SPF that does not pass"].attacks[0],
        TABLE["the secret in the subject"].attacks[0],
    ):
        began = time.monotonic()
        deliver(w, attack)
        assert ALIKE_SECONDS <= time.monotonic() - began < ALIKE_SECONDS + 2


def test_dns_trouble_is_for_now_and_texts_nobody(w: World, fake_dns: FakeDns) -> None:
    before = state_of(w)
    fake_dns.faults["s9._domainkey.dmarc.example"] = "servfail"
    reply = deliver(w, Sent(honest(selector="s9")))
    assert reply.startswith("451 4.4.3 ")
    assert "trace " in reply
    assert state_of(w) == before


def test_a_sender_with_ip_costs_no_dns(w: World, fake_dns: FakeDns) -> None:
    before = sum(fake_dns.queries.values())
    assert deliver(w, at_desk()).startswith("250 ")
    assert sum(fake_dns.queries.values()) == before


def test_spoof_attempts_are_told_once_a_source_and_day(w: World) -> None:
    for peer in ("127.0.0.101", "127.0.0.101", "127.0.0.102"):
        deliver(w, Sent(plain(DESK), DESK, peer))
        deliver(w, Sent(plain(ALICE), peer=peer))

    def alarms() -> list[str]:
        mails = [path.read_text() for path in w.outbox()]
        return [text for text in mails if "in the name of" in text and "127.0.0.10" in text]

    assert until(lambda: len(alarms()) == 2)
    assert all("To: ops@acme.example" in text for text in alarms())
    with w.gateway.reader.connect() as conn:
        r = tables.refusal.c
        rows = conn.execute(
            select(r.sender, r.account, r.words, r.count).where(r.peer == "127.0.0.101")
        ).all()
    kept = {row.sender: row for row in rows}
    assert kept[DESK].count == 2
    assert kept[DESK].account == "acme"
    assert kept[DESK].words == (
        f"the rule for {DESK} (accept = ip) takes mail from {OFFICE}/32, not from 127.0.0.101"
    )
    assert "needs a DKIM signature or an SPF pass" in kept[ALICE].words
