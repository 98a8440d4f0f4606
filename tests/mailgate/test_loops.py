"""Mail that comes back: what was made here is known again, on the wire, whatever a relay did to it."""

import email
import email.policy
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from core_support import wait_for
from mail_support import ALICE, World, mail, world

from gateway_core.deliver import deliver
from gateway_core.sms import MO

PHONE, TO, NUMBER = "+447700900123", "447700900123@sms.localhost", "+447700900901"


@pytest.fixture(scope="module")
def w(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("loops")) as running:
        yield running


def mailed(w: World, before: set[Path]) -> EmailMessage:
    """The one mail that came into the outbox since."""
    (path,) = wait_for(lambda: set(w.outbox()) - before)
    found = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def texted_to(w: World, text: str) -> EmailMessage:
    """A text of the phone, as it was mailed."""
    before, route = set(w.outbox()), w.gateway.snapshot.routes[0]
    deliver(w.gateway, route.id, [MO(f"mo-{text}", PHONE, NUMBER, text)])
    return mailed(w, before)


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
