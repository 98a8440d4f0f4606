"""nodemailer: plain and pooled, several recipients, what is refused, and its delivery report options."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import signing
from core_support import wait_for
from fake_dns import FakeDns
from mail_support import ALICE, ROWS, World, world
from peers.line import Line, over
from peers.nodemailer import nodemailer
from peers.programs import DOMAIN, at_domain, origin_of, submissions

SIGNED = f"Alice <{ALICE}>"


@pytest.fixture(scope="module")
def w(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("nodemailer")
    with world(folder, smtp={"max_message_bytes": 500_000}) as running:
        yield running


def written(text: str, *to: str, **more: Any) -> dict[str, Any]:
    return {"from": SIGNED, "to": list(to), "subject": "by nodemailer", "text": text, **more}


def test_a_mail(w: World) -> None:
    (done,) = nodemailer(
        w.port, written("Füllstand 80 %", *at_domain("447700900701"), html="<p>Füllstand <b>80 %</b></p>")
    )
    assert done["accepted"] == at_domain("447700900701")
    assert done["response"].startswith("250 2.0.0 s")
    wait_for(lambda: w.texts("+447700900701") == ["Füllstand 80 %"])


def test_two_recipients(w: World) -> None:
    people = ["447700900702", "447700900703"]
    (done,) = nodemailer(w.port, written("to both", *at_domain(*people)))
    assert done["rejected"] == []
    wait_for(lambda: [w.texts(f"+{number}") for number in people] == [["to both"]] * 2)


def test_one_recipient_of_two_is_refused(w: World) -> None:
    (done,) = nodemailer(w.port, written("to one", f"nobody@{DOMAIN}", *at_domain("447700900704")))
    assert (done["accepted"], done["rejected"]) == (at_domain("447700900704"), [f"nobody@{DOMAIN}"])
    wait_for(lambda: w.texts("+447700900704") == ["to one"])


def test_all_recipients_are_refused(w: World) -> None:
    (done,) = nodemailer(w.port, written("never", f"nobody@{DOMAIN}"))
    assert (done["error"]["code"], done["error"]["responseCode"]) == ("EENVELOPE", 550)


def test_a_pool_has_one_connection_for_many(w: World) -> None:
    people = [f"44770090071{digit}" for digit in range(8)]
    mails = [written(f"number {number}", *at_domain(number)) for number in people]
    with over(Line(w.port)) as line:
        done = nodemailer(line.port, *mails, pool=True, maxConnections=1)
        assert line.connections == 1
    assert [one["accepted"] for one in done] == [at_domain(number) for number in people]
    wait_for(
        lambda: [w.texts(f"+{number}") for number in people] == [[f"number {number}"] for number in people]
    )


def test_a_pool_goes_on_after_a_refusal(w: World) -> None:
    good, bad = at_domain("447700900721"), [f"nobody@{DOMAIN}"]
    mails = [
        written("first", *good),
        written("never", *bad),
        written("x" * 1000, *good),
        written("last", *good),
    ]
    done = nodemailer(w.port, *mails, pool=True, maxConnections=1)
    assert [one.get("error", {}).get("responseCode") for one in done] == [None, 550, 552, None]
    wait_for(lambda: w.texts("+447700900721") == ["first", "last"])


def test_many_at_once(w: World) -> None:
    people = [f"44770090073{digit}" for digit in range(10)]
    done = nodemailer(w.port, *(written(f"number {number}", *at_domain(number)) for number in people))
    assert [one["accepted"] for one in done] == [at_domain(number) for number in people]
    wait_for(
        lambda: [w.texts(f"+{number}") for number in people] == [[f"number {number}"] for number in people]
    )


def test_a_big_attachment_is_refused(w: World) -> None:
    before = submissions(w)
    attached = [{"filename": "camera.raw", "content": "x" * 600_000}]
    (done,) = nodemailer(w.port, written("see this", *at_domain("447700900705"), attachments=attached))
    assert done["error"]["responseCode"] == 552
    assert "5.3.4" in done["error"]["response"]
    (done,) = nodemailer(
        w.port, written("seen", *at_domain("447700900705"), attachments=[{"content": "x" * 20_000}])
    )
    assert done["accepted"]
    wait_for(lambda: w.texts("+447700900705") == ["seen"])
    assert submissions(w) == before + 1


def test_delivery_report_options(w: World) -> None:
    to = at_domain("447700900706")
    asked = {"id": "order+17=a", "return": "headers", "notify": ["success", "failure"], "recipient": ALICE}
    (done,) = nodemailer(w.port, written("with a report", *to, dsn=asked))
    assert done["accepted"] == to
    wait_for(lambda: w.texts("+447700900706") == ["with a report"])
    assert origin_of(w, done["response"])["dsn"] == {
        "ret": "HDRS",
        "envid": "order+17=a",
        "recipients": {"+447700900706": {"notify": ["SUCCESS", "FAILURE"], "orcpt": f"rfc822;{ALICE}"}},
    }


def test_its_signature_proves_a_sender(tmp_path: Path) -> None:
    """A signer that is not the library that verifies; relaxed, and without t=, so that the signed Date counts."""
    given = copy.deepcopy(ROWS)
    given["account"][0]["sender"].append({"address": "alarm@dmarc.example", "accept": "dmarc"})
    key = signing.key()
    signer = {"domainName": "dmarc.example", "keySelector": "s1", "privateKey": key.private.decode()}
    sent = {"from": "Alarm <alarm@dmarc.example>", "subject": "Störung", "text": "Füllstand 80 %"}
    with (
        FakeDns(signing.zone("dmarc.example")) as serving,
        world(tmp_path, given, mail={"dns_servers": [serving.address]}) as w,
    ):
        people = at_domain("447700900720", "447700900721")
        shapes = ({}, {"html": "<p>Füllstand <b>80 %</b></p>"}, {"cc": people[1]})
        for shape in shapes:
            (done,) = nodemailer(w.port, {**sent, "to": people[0], **shape}, dkim=signer)
            assert done["rejected"] == [], done
        (done,) = nodemailer(w.port, {**sent, "to": people[0], "bcc": people[1]}, dkim=signer)
        assert done["error"]["response"].startswith("550 5.7.26 ")  # signed for somebody else
        (done,) = nodemailer(w.port, {**sent, "to": people[0]})
        assert done["error"]["response"].startswith("550 5.7.26 ")
        wait_for(lambda: len(w.texts("+447700900720")) == 3)
        wait_for(lambda: w.texts("+447700900721") == ["Füllstand 80 %"])
