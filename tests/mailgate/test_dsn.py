"""RFC 3461: what a sender asks of reports is understood, kept with the submission, and honoured."""

import pytest
from mail_support import mail, world
from sqlalchemy import select
from wire import Wire, until

from gateway_core import notices
from gateway_core.storage import tables
from mailgate import dsn

PHONES = b"447700900123@sms.localhost", b"447700900124@sms.localhost"


@pytest.fixture(scope="module")
def w(tmp_path_factory):
    with world(tmp_path_factory.mktemp("dsn")) as running:
        yield running


def send(w, text, mail_options=b"", *recipient_options):
    """To as many phones as there are options."""
    with Wire(w.port) as wire:
        wire.say(b"EHLO c")
        assert wire.say(b"MAIL FROM:<alice@acme.example>" + mail_options).startswith(b"250")
        for phone, options in zip(PHONES, recipient_options, strict=False):
            assert wire.say(b"RCPT TO:<" + phone + b">" + options).startswith(b"250")
        wire.say(b"DATA")
        return wire.say(mail(text) + b".").decode().removeprefix("250 ")


def test_it_is_kept_with_the_submission(w):
    reply = send(
        w,
        "kept",
        b" RET=hdrs ENVID=QQ+2B314",
        b" NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;bob+40example.com",
        b"",
    )
    first = w.of_submission(reply)[0]
    with w.gateway.reader.connect() as conn:
        wanted = select(tables.submission.c.origin).where(tables.submission.c.id == first["submission_id"])
        origin = conn.execute(wanted).scalar_one()
    assert origin["dsn"] == {
        "ret": "HDRS",
        "envid": "QQ+314",
        "recipients": {
            "+447700900123": {"notify": ["SUCCESS", "FAILURE"], "orcpt": "rfc822;bob@example.com"}
        },
    }


def test_nothing_is_kept_where_nothing_was_asked(w):
    first = w.of_submission(send(w, "plain", b"", b""))[0]
    with w.gateway.reader.connect() as conn:
        wanted = select(tables.submission.c.origin).where(tables.submission.c.id == first["submission_id"])
        assert "dsn" not in conn.execute(wanted).scalar_one()


def test_never_means_no_report(tmp_path):
    with world(tmp_path) as running:
        send(running, "quietly", b"", b" NOTIFY=NEVER", b" NOTIFY=SUCCESS")
        send(running, "failures only", b"", b" NOTIFY=FAILURE")
        assert until(lambda: told(running) == ["DONE"])
        (report,) = running.outbox()
        assert b"quietly" in report.read_bytes()
        assert b"7700 900124" in report.read_bytes()


def told(running):
    with running.gateway.reader.connect() as conn:
        return conn.execute(select(tables.notice.c.state)).scalars().all()


@pytest.mark.parametrize(
    ("notify", "told"),
    [
        (["NEVER"], "none"),
        (["SUCCESS"], "successes"),
        (["FAILURE", "DELAY"], "failures"),
        (["DELAY"], "none"),
        (["DELAY", "SUCCESS", "FAILURE"], "all"),
    ],
)
def test_what_is_told(notify, told):
    assert dsn.receipts(notify) == told
    assert told in notices.WANTED
