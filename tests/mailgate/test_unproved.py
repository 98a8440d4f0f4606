"""What a stranger, and a sender with a secret, leave behind: little, and nothing of the secret."""

import copy
import email
import email.policy
from collections.abc import Iterator
from typing import Any

import pytest
import signing
from fake_dns import FakeDns
from mail_support import ROWS, World, mail, world
from prometheus_client import REGISTRY
from sqlalchemy import select
from wire import Wire, until

from gateway_core.storage import tables
from mailgate import explain
from mailgate.smtp.shared import Patience

SECRET = "Hush-Hush.42"
PLC, ALICE, WHOLE = "plc@acme.example", "alice@dmarc.example", "@whole.example"
NUMBER = "447700900123"


@pytest.fixture(scope="module")
def w(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    given: dict[str, Any] = copy.deepcopy(ROWS)
    given["account"][0]["alarm_to"] = ["ops@acme.example"]
    given["account"][0]["sender"] += [
        {"address": PLC, "accept": "secret", "secret": SECRET},
        {"address": ALICE, "accept": "dmarc"},
        {"address": WHOLE, "accept": "dmarc"},
        {"address": "half@acme.example"},
    ]
    with (
        FakeDns(signing.zone("dmarc.example")) as serving,
        world(
            tmp_path_factory.mktemp("unproved"),
            given,
            Patience(alike=0.05, refused=3),
            mail={"dns_servers": [serving.address]},
        ) as running,
    ):
        yield running


def rows(w: World, table: Any) -> list[Any]:
    with w.gateway.reader.connect() as conn:
        return list(conn.execute(select(table).order_by(table.c.id)))


def everything(w: World) -> str:
    kept = [tables.submission, tables.message, tables.refusal, tables.notice, tables.event]
    return str([tuple(row) for table in kept for row in rows(w, table)]).lower()


def refused(w: World) -> int:
    return sum(row.count for row in rows(w, tables.refusal))


# --- a stranger -------------------------------------------------------------------------------------------


def test_an_unproved_mail_to_many_is_one_row(w: World) -> None:
    before = len(rows(w, tables.refusal))
    with Wire(w.port) as wire:
        wire.say(b"EHLO x")
        wire.say(b"MAIL FROM:<" + ALICE.encode() + b">")
        for number in range(100):
            assert wire.say(f"RCPT TO:<4477009{number:05}@sms.localhost>".encode()).startswith(b"250 ")
        assert wire.say(b"RCPT TO:<447700900999@sms.localhost>").startswith(b"452 4.5.3 at most 100")
        assert wire.say(b"DATA").startswith(b"354")
        assert wire.say(mail("x", sender=ALICE) + b".").startswith(b"550 5.7.26 ")
    assert until(lambda: len(rows(w, tables.refusal)) == before + 1)
    assert rows(w, tables.refusal)[-1].recipient == "447700900000@sms.localhost and 99 more"


def test_who_only_sends_what_is_refused_is_sent_away(w: World) -> None:
    with Wire(w.port) as wire:
        wire.say(b"EHLO x")
        for _ in range(4):
            wire.say(b"MAIL FROM:<" + ALICE.encode() + b">")
            wire.say(f"RCPT TO:<{NUMBER}@sms.localhost>".encode())
            wire.say(b"DATA")
            assert wire.say(mail("x", sender=ALICE) + b".").startswith(b"550 ")
        assert wire.closed()


def test_an_alarm_cannot_be_given_headers_by_who_causes_it(tmp_path: Any) -> None:
    """CVE-2024-6923: an encoded word in an address holds line ends."""
    local = b"=?utf-8?q?x=0D=0ABcc=3A_spy=40evil.example=0D=0A=0D=0Abody?="
    given: dict[str, Any] = copy.deepcopy(ROWS)
    given["account"][0]["alarm_to"] = ["ops@acme.example"]
    given["account"][0]["sender"].append({"address": WHOLE, "accept": "dmarc"})
    with FakeDns({}) as serving, world(tmp_path, given, mail={"dns_servers": [serving.address]}) as w:
        _impersonate(w, local)
        assert until(lambda: alarms(w))
        for alarm in alarms(w):
            assert alarm["Bcc"] is None
            assert alarm["To"] == "ops@acme.example"


def alarms(w: World) -> list[Any]:
    read = [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in w.outbox()]
    return [one for one in read if "whole.example" in str(one["Subject"])]


def _impersonate(w: World, local: bytes) -> None:
    with Wire(w.port) as wire:
        wire.say(b"EHLO x")
        assert wire.say(b"MAIL FROM:<" + local + b"@whole.example>").startswith(b"250 ")
        wire.say(f"RCPT TO:<{NUMBER}@sms.localhost>".encode())
        wire.say(b"DATA")
        assert wire.say(mail("x", sender=ALICE) + b".").startswith(b"550 ")


def test_another_accounts_sender_in_from_is_not_looked_up(tmp_path: Any) -> None:
    given: dict[str, Any] = copy.deepcopy(ROWS)
    given["account"][1]["sender"].append({"address": "cfo@rival.example", "accept": "dmarc"})
    with (
        FakeDns({}) as serving,
        world(tmp_path, given, Patience(alike=5), mail={"dns_servers": [serving.address]}) as running,
        Wire(running.port) as wire,
    ):
        reply = wire.mail(mail("x", sender="cfo@rival.example"))
        assert reply == b"550 5.7.1 the address in From may not text for this account"
        assert not serving.queries


def test_spoofs_and_refusals_are_counted(w: World) -> None:
    def counted(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(name, labels) or 0.0

    spoofs, refused = (
        counted("mailgate_spoofs_total"),
        counted("mailgate_refused_total", code="not_authentic"),
    )
    with Wire(w.port) as wire:
        wire.begin(ALICE.encode())
        wire.say(mail("x", sender=ALICE) + b".")
    assert counted("mailgate_spoofs_total") == spoofs + 1
    assert counted("mailgate_refused_total", code="not_authentic") == refused + 1


# --- a secret ---------------------------------------------------------------------------------------------

SHAPES = {  # recipient, subject
    "a tag": (f"{NUMBER}+{SECRET}@sms.localhost", "Alarm"),
    "a tag behind a +": (f"+{NUMBER}+{SECRET}@sms.localhost", "Alarm"),
    "the subject": (f"{NUMBER}@sms.localhost", f"{SECRET} Alarm"),
    "the subject, with another blank": (f"{NUMBER}@sms.localhost", f"{SECRET}\u00a0Alarm"),
    "the subject, with a wide blank": (f"{NUMBER}@sms.localhost", f"{SECRET}\u3000Alarm"),
    "both": (f"{NUMBER}+{SECRET}@sms.localhost", f"{SECRET} Alarm"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_secret_is_taken_out_of_all_that_is_kept(w: World, shape: str) -> None:
    to, subject = SHAPES[shape]
    with Wire(w.port) as wire:
        wire.say(b"EHLO x")
        envid = f" RET=HDRS ENVID={SECRET}" if shape == "a tag" else ""
        wire.say(f"MAIL FROM:<{PLC}>{envid}".encode())
        asked = f" ORCPT=rfc822;{to.replace('+', '+2B')}" if shape.startswith("a tag") else ""
        assert wire.say(f"RCPT TO:<{to}>{asked}".encode()).startswith(b"250 ")
        wire.say(b"DATA")
        raw = f"From: {PLC}\r\nSubject: {subject}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{shape}\r\n."
        assert wire.say(raw.encode()).startswith(b"250 ")
    newest = rows(w, tables.submission)[-1]
    assert newest.text == shape
    assert newest.origin["subject"] == "Alarm"
    assert SECRET.lower() not in everything(w)


def test_a_secret_with_nothing_behind_it_is_no_text(w: World) -> None:
    with Wire(w.port) as wire:
        wire.begin(PLC.encode())
        raw = f"From: {PLC}\r\nSubject: {SECRET}\r\n\r\n\r\n."
        assert wire.say(raw.encode()).startswith(b"554 5.6.0 ")
    assert SECRET.lower() not in everything(w)


SLIPS = [
    f"{NUMBER}+{SECRET}",
    f"+{SECRET}@sms.localhost",
    f"{SECRET}@sms.localhost",
    f"{SECRET}+{NUMBER}@sms.localhost",
]


@pytest.mark.parametrize("slip", SLIPS)
def test_a_secret_in_the_wrong_place_is_not_kept_either(w: World, slip: str, capfd: Any) -> None:
    before = refused(w)
    with Wire(w.port) as wire:
        wire.say(b"EHLO x")
        wire.say(f"MAIL FROM:<{PLC}>".encode())
        reply = wire.say(f"RCPT TO:<{slip}>".encode())
        if reply.startswith(b"250 "):
            wire.say(b"DATA")
            reply = wire.say(mail("x", sender=PLC, Subject=f"{SECRET} x") + b".")
        assert reply.startswith(b"5"), reply
    assert until(lambda: refused(w) > before)
    assert SECRET.lower() not in everything(w)
    assert SECRET.lower() not in "".join(capfd.readouterr()).lower()


def test_a_copy_for_the_operator_has_no_secret(w: World) -> None:
    with Wire(w.port) as wire:
        wire.say(b"EHLO x")
        wire.say(f"MAIL FROM:<{PLC}>".encode())
        wire.say(f"RCPT TO:<{NUMBER}+{SECRET}@sms.localhost>".encode())
        wire.say(b"RCPT TO:<postmaster@sms.localhost>")
        wire.say(b"DATA")
        raw = mail("for both", sender=PLC, To=f"{NUMBER}+{SECRET}@sms.localhost, postmaster@sms.localhost")
        assert wire.say(raw + b".").startswith(b"250 ")
    assert until(lambda: any("for both" in str(one.facts) for one in rows(w, tables.notice)))
    assert SECRET.lower() not in everything(w)


# --- proved -----------------------------------------------------------------------------------------------


def test_a_signed_mail_to_a_number_and_the_operator_is_accepted(w: World) -> None:
    to = [f"{NUMBER}@sms.localhost", "postmaster@sms.localhost"]
    raw = signing.signed(signing.mail(ALICE, ", ".join(to)), "dmarc.example")
    assert w.send(raw, to, ALICE).startswith("2.0.0 s")


def test_explain_reads_a_file_as_unix_keeps_it(w: World) -> None:
    raw = signing.signed(signing.mail(ALICE, f"{NUMBER}@sms.localhost"), "dmarc.example")
    for form in (raw, raw.replace(b"\r\n", b"\n")):
        found = explain.explain(w.state, form, None, [f"{NUMBER}@sms.localhost"], "192.0.2.1")
        assert found["outcome"] == "accepted", found["checks"]


FROMS = [
    ("eve@elsewhere.example", "no rule covers eve@elsewhere.example"),
    ("bob@other.example", "the rule for @other.example is not of the account of the envelope sender"),
    ("far@acme.example", "the rule for far@acme.example (accept = ip) takes mail from 192.0.2.0/24"),
]


@pytest.mark.parametrize(("from_", "words"), FROMS)
def test_explain_says_what_is_wrong_with_from(w: World, from_: str, words: str) -> None:
    raw = mail("x", sender=from_)
    found = explain.explain(w.state, raw, "half@acme.example", [f"{NUMBER}@sms.localhost"], "127.0.0.1")
    (check,) = [one for one in found["checks"] if one["name"] == "from"]
    assert check["verdict"] == "refused"
    assert check["detail"].startswith(words)
