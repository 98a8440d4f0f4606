"""Mail of machines and lists is texted and never answered (RFC 3834, section 2); what went wrong, people hear."""

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from core_support import wait_for
from mail_support import ALICE, ROWS, World, mail, world
from serve_support import words as plain
from sqlalchemy import select
from wire import Wire

from gateway_core import messages, notices
from gateway_core.deliver import deliver
from gateway_core.messages import FINAL
from gateway_core.notices import Notice
from gateway_core.sms import MO
from gateway_core.storage import tables
from mailgate import compose
from mailgate.outgoing import Outgoing

DELIVERED, REFUSED, UNDELIVERED = "447700900123", "447700900002", "447700900004"
PEOPLE = ("ops@acme.example", "boss@acme.example")
ROBOT = {"Auto_Submitted": "auto-generated"}
ACME, *OTHERS = ROWS["account"]


@pytest.fixture(scope="module")
def w(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    given = {**ROWS, "account": [{**ACME, "alarm_to": list(PEOPLE)}, *OTHERS]}
    with world(tmp_path_factory.mktemp("unanswered"), given) as running:
        yield running


def submitted(w: World, raw: bytes, to: str = DELIVERED, options: bytes = b"", mail_from: str = ALICE) -> int:
    """The id of the message."""
    with Wire(w.port) as wire:
        wire.say(b"EHLO c")
        wire.say(b"MAIL FROM:<" + mail_from.encode() + b">")
        assert wire.say(b"RCPT TO:<" + to.encode() + b"@sms.localhost>" + options).startswith(b"250")
        wire.say(b"DATA")
        reply = wire.say(raw + b".").decode().removeprefix("250 ")
    (message,) = w.of_submission(reply)
    return int(message["id"])


def made(w: World, message_id: int) -> Outgoing | None:
    """What the message's one receipt is mailed as, once it is done; None where there is none."""
    n = tables.notice.c
    wanted = select(tables.notice).where(n.message_id == message_id, n.kind == "receipt")

    def done() -> Any:
        with w.gateway.reader.connect() as conn:
            message, rows = messages.find(conn, message_id), conn.execute(wanted).all()
        return message["state"] in FINAL and all(row.state == "DONE" for row in rows) and [rows]

    (rows,) = wait_for(done)
    with w.gateway.reader.connect() as conn:
        return compose.compose(w.state, conn, rows[0]) if rows else None


def told(w: World, message_id: int) -> tuple[str, ...]:
    mail = made(w, message_id)
    return mail.to if mail else ()


def content(mail: Outgoing | None) -> EmailMessage:
    assert mail is not None
    found = email.message_from_bytes(mail.content, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


# headers of a mail; who hears that it was delivered; who hears that it was not
SIGNS: dict[str, tuple[dict[str, str], tuple[str, ...], tuple[str, ...]]] = {
    "a person": ({}, (ALICE,), (ALICE,)),
    "a person, said so": ({"Auto_Submitted": "no"}, (ALICE,), (ALICE,)),
    "reports suppressed by Exchange": ({"X_Auto_Response_Suppress": "DR, RN, NRN"}, (ALICE,), (ALICE,)),
    "monitoring": (ROBOT, (), PEOPLE),
    "monitoring, in capitals": ({"Auto_Submitted": "(cron) AUTO-GENERATED; x=y"}, (), PEOPLE),
    "bulk": ({"Precedence": "bulk"}, (), PEOPLE),
    "junk": ({"Precedence": "junk"}, (), PEOPLE),
    "answers suppressed": ({"X_Auto_Response_Suppress": "OOF, AutoReply"}, (), PEOPLE),
    "all suppressed": ({"X_Auto_Response_Suppress": "All"}, (), PEOPLE),
}


@pytest.mark.parametrize("sign", SIGNS)
def test_who_hears_what_became_of_it(w: World, sign: str) -> None:
    headers, of_success, of_failure = SIGNS[sign]
    assert told(w, submitted(w, mail(f"good: {sign}", **headers))) == of_success
    for number in (REFUSED, UNDELIVERED):
        assert told(w, submitted(w, mail(f"bad: {sign}", **headers), number)) == of_failure


def test_a_list_that_may_text_is_not_answered(w: World) -> None:
    listed = "list@acme.example"
    raw = mail("news", sender=listed, List_Id="<news.acme.example>")
    assert told(w, submitted(w, raw, mail_from=listed)) == ()
    assert told(w, submitted(w, raw.replace(b"news\r\n", b"more\r\n"), REFUSED, mail_from=listed)) == PEOPLE


@pytest.mark.parametrize(
    ("notify", "of_success", "of_failure"),
    [
        (b"SUCCESS,FAILURE", (ALICE,), (ALICE,)),
        (b"SUCCESS", (ALICE,), ()),
        (b"FAILURE", (), (ALICE,)),
        (b"NEVER", (), ()),
    ],
)
def test_what_the_client_asks_for_is_honoured(
    w: World, notify: bytes, of_success: tuple[str, ...], of_failure: tuple[str, ...]
) -> None:
    option = b" NOTIFY=" + notify
    said = notify.decode()
    assert told(w, submitted(w, mail(f"good {said}", **ROBOT), DELIVERED, option)) == of_success
    assert told(w, submitted(w, mail(f"bad {said}", **ROBOT), REFUSED, option)) == of_failure


def test_one_mail_to_all_of_the_people(w: World) -> None:
    raw = mail("disk full", message_id="d@acme.example", Subject="PROBLEM", **ROBOT)
    receipt = made(w, submitted(w, raw, UNDELIVERED))
    seen = content(receipt)
    assert [address.addr_spec for address in seen["To"].addresses] == list(PEOPLE)
    assert receipt is not None
    assert receipt.mail_from == ""
    assert (seen["Subject"], seen["In-Reply-To"]) == ("Re: PROBLEM", "<d@acme.example>")
    words = plain(seen)
    assert "could not be delivered" in words
    assert f"The mail came from {ALICE}.\nIt wants no answer" in words
    assert "> disk full" in words


def test_a_person_is_not_told_of_machines(w: World) -> None:
    words = plain(content(made(w, submitted(w, mail("lunch?"), UNDELIVERED))))
    assert "could not be delivered" in words
    assert "wants no answer" not in words


@pytest.mark.parametrize(
    ("facts", "who"),
    [
        ({"state": "UNKNOWN"}, PEOPLE),
        ({"state": "EXPIRED"}, PEOPLE),
        ({"state": "SENT"}, ()),
        ({"state": "CANCELLED"}, ()),
        ({"state": "DELIVERED", "before": "UNKNOWN"}, PEOPLE),  # the correction of what they were told
    ],
)
def test_each_end_of_an_alarm(w: World, facts: dict[str, str], who: tuple[str, ...]) -> None:
    message_id = submitted(w, mail(f"an end: {facts}", **ROBOT))
    told(w, message_id)
    (acme,) = (one for one in w.gateway.snapshot.accounts.values() if one.name == "acme")
    key, said = f"test:{facts}", {"to": f"+{DELIVERED}", **facts}
    unit = Notice(acme.id, key, "receipt", said, message_id=message_id)
    w.gateway.writer.put(notices.owe_each, (w.gateway.ids, unit)).result()
    with w.gateway.reader.connect() as conn:
        row = conn.execute(select(tables.notice).where(tables.notice.c.event_key == key)).one()
        again = compose.compose(w.state, conn, row)
    assert (again.to if again else ()) == who


def test_where_nobody_is_named_nobody_is_mailed(tmp_path: Path) -> None:
    with world(tmp_path) as w:
        message_id = submitted(w, mail("alone", **ROBOT), REFUSED)
        assert told(w, message_id) == ()
        assert w.outbox() == []


def test_a_phones_answer_to_a_machine_is_a_persons_and_goes_to_its_author(w: World) -> None:
    submitted(w, mail("pump stopped", message_id="p@acme.example", **ROBOT))
    wait_for(lambda: "pump stopped" in w.texts(f"+{DELIVERED}"))
    route = w.gateway.snapshot.routes[0]
    deliver(w.gateway, route.id, [MO("ack", f"+{DELIVERED}", "+447700900901", "on my way")])
    (path,) = wait_for(lambda: [path for path in w.outbox() if b"on my way" in path.read_bytes()])
    assert f"To: {ALICE}".encode() in path.read_bytes()


def test_the_sign_is_kept_with_the_submission_only_where_there_is_one(w: World) -> None:
    for headers, kept in ((ROBOT, True), ({}, None)):
        message_id = submitted(w, mail(f"kept {kept}", **headers))
        with w.gateway.reader.connect() as conn:
            s, m = tables.submission.c, tables.message.c
            wanted = select(s.origin).join_from(tables.submission, tables.message).where(m.id == message_id)
            assert conn.execute(wanted).scalar_one().get("unanswered") is kept
