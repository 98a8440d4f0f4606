"""A Postfix in front that verifies with OpenDKIM: its Authentication-Results is believed, and only its own."""

import copy
import smtplib
from collections.abc import Iterator
from typing import Any

import pytest
import signing
from core_support import wait_for
from fake_dns import FakeDns
from mail_support import ROWS, World, world
from peers.opendkim import verifying
from peers.postfix import Postfix, relaying_to

ALARM, RELAY = "alarm@dmarc.example", "mx.acme.example"


@pytest.fixture(scope="module")
def w(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Its own DNS knows no key: what is proved here was proved by the relay."""
    given: dict[str, Any] = copy.deepcopy(ROWS)
    given["account"][0]["sender"].append({"address": ALARM, "accept": "dmarc"})
    settings = {"trusted_relays": ["127.0.0.1/32"], "authserv_id": RELAY}
    with FakeDns({}) as serving:
        settings["dns_servers"] = [serving.address]
        with world(tmp_path_factory.mktemp("behind"), given, mail=settings) as running:
            yield running


@pytest.fixture(scope="module")
def relay(w: World) -> Iterator[Postfix]:
    ((name, _kind), (record,)) = next(iter(signing.zone("dmarc.example").items()))
    with verifying(RELAY, {name: record}) as milter, relaying_to(w.port, *milter) as running:
        yield running


def hand_over(relay: Postfix, raw: bytes, to: str) -> None:
    with smtplib.SMTP("127.0.0.1", relay.port, timeout=20) as client:
        client.sendmail(ALARM, [f"{to}@sms.localhost"], raw)
    relay.until_empty()


def test_a_mail_that_the_relay_verified_is_texted(w: World, relay: Postfix) -> None:
    raw = signing.mail(ALARM, "447700900730@sms.localhost")
    hand_over(relay, signing.signed(raw, "dmarc.example"), "447700900730")
    wait_for(lambda: w.texts("+447700900730") == ["Pump 3 is down."])


def test_what_it_did_not_verify_is_not(w: World, relay: Postfix) -> None:
    raw = signing.mail(ALARM, "447700900731@sms.localhost")
    forged = f"Authentication-Results: {RELAY}; dkim=pass header.d=dmarc.example\r\n".encode()
    for attempt in (
        raw,
        forged + raw,
        signing.signed(raw, "dmarc.example").replace(b"is down", b"is up, pay"),
        forged + signing.signed(raw, "dmarc.example", signer=signing.key(number=1)),
    ):
        before = relay.log.count("550 5.7.26 this sender may not text from here")
        hand_over(relay, attempt, "447700900731")
        wait_for(
            lambda before=before: (
                relay.log.count("550 5.7.26 this sender may not text from here") == before + 1
            )
        )
    assert w.texts("+447700900731") == []


def test_what_it_verified_for_another_number_is_not(w: World, relay: Postfix) -> None:
    raw = signing.mail(ALARM, "447700900732@sms.localhost")
    hand_over(relay, signing.signed(raw, "dmarc.example"), "447700900733")
    assert w.texts("+447700900733") == []
