"""Mails signed by dkimpy and proved by us; keys come from a real DNS server."""

import base64
import re
import time
from email.utils import formatdate

import pytest
import signing
from fake_dns import FakeDns

from mailgate.mail import parse
from mailgate.proof import DnsTrouble, Evidence, Names, Prover

FROM = "alarm@acme.example"
PHONE = "447700900123@sms.example"
OTHER = "447700900999@sms.example"
KEY = "s1._domainkey.acme.example"


def prove(raw, zone=None, *, faults=None, address=FROM, recipients=(PHONE,), seconds=3.0) -> Evidence:
    with FakeDns(signing.zone() if zone is None else zone, faults) as dns:
        return Prover(Names([dns.address]), seconds=seconds).prove(
            parse(raw), raw, peer="192.0.2.7", mail_from="", addresses=[address], recipients=recipients
        )


def holds(raw, zone=None, **options) -> bool:
    address, recipients = options.get("address", FROM), options.get("recipients", (PHONE,))
    return prove(raw, zone, **options).authentic(address, recipients)


def words(raw, zone=None, **options) -> str:
    found = prove(raw, zone, **options)
    assert not found.authentic(options.get("address", FROM), options.get("recipients", (PHONE,)))
    return "\n".join(found.words)


SIGNED = signing.signed(signing.mail())


@pytest.mark.parametrize("body", ["simple", "relaxed"])
@pytest.mark.parametrize("header", ["simple", "relaxed"])
@pytest.mark.parametrize("text", [b"", b"\r\n", b"a\r\n\r\n\r\n", b"a \t b  \r\n \r\nc\t\r\n", b"\xff\r\n"])
def test_signed_right(header, body, text):
    covered = (*signing.COVERED, "content-type")  # else other octets than those of UTF-8 are open
    raw = signing.signed(signing.mail(body=text), form=(header.encode(), body.encode()), covered=covered)
    found = prove(raw)
    assert found.authentic(FROM, [PHONE])
    assert found.words == ("DKIM signature of acme.example (selector s1): true",)
    assert not found.spf_passes(FROM)


def test_it_proves_only_what_was_asked():
    found = prove(SIGNED)
    assert found.authentic("Alarm@ACME.example", [PHONE])
    assert not found.authentic("other@acme.example", [PHONE])
    assert not found.authentic("alarm@evil.example", [PHONE])
    assert not found.authentic(FROM, [PHONE, OTHER])
    assert not found.authentic(FROM, [])
    assert not found.authentic("", [PHONE])


@pytest.mark.parametrize(
    "to",
    [
        "+447700900123@sms.example",
        "00447700900123@SMS.example",
        "447700900123+secret@sms.example",
        '"447700900999@sms.example, x" <447700900123@sms.example>',
        "Bob <bob@acme.example>,\r\n Oncall <447700900123@sms.example>",
        ", ".join(f'"Doe, J{n}" <{n}@acme.example>' for n in range(300)) + f", {PHONE}",
    ],
)
def test_ways_to_write_the_recipient(to):
    assert holds(signing.signed(signing.mail(to=to)))
    assert holds(signing.signed(signing.mail(to=to)), recipients=["+447700900123+another@sms.example"])


@pytest.mark.parametrize(
    "to",
    [
        "447700900999@sms.example",
        "447700900123@other.example",
        "447700900123+preview@sms.example",
        '"447700900123@sms.example" <bob@acme.example>',
        '"447700900123@sms.example, x" <bob@acme.example>',
        "447700900123@sms.example <bob@acme.example>",
        "bob@acme.example (447700900123@sms.example)",
        '"unclosed 447700900123@sms.example',
        "All: 447700900123@sms.example;",
        "x447700900123@sms.example",
        "",
    ],
)
def test_replayed_to_another_number(to):
    """The mail is true, but was for somebody else."""
    assert "not for this recipient" in words(signing.signed(signing.mail(to=to)))


def test_cc_counts_when_it_is_signed():
    raw = signing.mail(to="bob@acme.example", more=[f"Cc: {PHONE}"])
    assert holds(signing.signed(raw, covered=(*signing.COVERED, "cc")))
    assert not holds(signing.signed(raw))


def test_two_recipients_need_two_proofs():
    assert not holds(SIGNED, recipients=[PHONE, OTHER])
    raw = signing.signed(signing.mail(to=f"{PHONE}, {OTHER}"))
    assert holds(raw, recipients=[PHONE, OTHER])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ((b"Pump 3 is down", b"Pump 4 is down"), "body was changed"),
        ((b"is down.\r\n", b"is"), "body was changed"),
        ((b"down.\r\n", b"down.\r\nSend money\r\n"), "body was changed"),
        ((b"Subject: Pump 3", b"Subject: Pump 4"), "does not fit the mail"),
        ((b"To: 4477", b"Subject: Money\r\nTo: 4477"), "does not cover Subject"),
        ((b"To: 447700900123", b"To: 447700900124"), "not for this recipient"),
        ((b"To: 4477", b"To: 447700900123@sms.example\r\nTo: 4477"), "not for this recipient"),
        ((b"To: 4477", b"From: alarm@acme.example\r\nTo: 4477"), ""),
        ((b"To: 4477", b"Message-ID: <again@acme.example>\r\nTo: 4477"), "does not cover the one Message-ID"),
        ((b"To: 4477", b"Date: Mon, 1 Jan 2029 00:00:00 +0000\r\nTo: 4477"), "does not cover the one Date"),
        ((b"Message-ID: <", b"X-Message-ID: <"), "does not cover the one Message-ID"),
        ((b"Message-ID: <", b"Message-ID: <again."), "does not fit the mail"),
        ((b"To: 4477", b"Content-Type: text/html\r\nContent-Type: text/plain\r\nTo: 4477"), "leaves open"),
        ((b"To: 4477", b"From somebody\r\nTo: 4477"), "not plain"),
        ((b"To: 4477", b"X: y\rTo: 4477"), "not plain"),
        ((b"To: 4477", b"X: y\nTo: 4477"), "not plain"),
        ((b"To: 4477", b"To : 4477"), "not plain"),
        ((b"d=acme.example", b"d=evil.example"), ""),
        ((b"b=", b"b=A"), ""),
        ((b"bh=", b"bh=!"), "cannot be read"),
        ((b"v=1", b"v=2"), "cannot be read"),
        ((b"a=rsa-sha256", b"a=ed25519-sha256"), "algorithm"),
        ((b"q=dns/txt", b"q=http"), "elsewhere"),
        ((b"c=relaxed/relaxed", b"c=relaxed/odd"), "cannot be read"),
    ],
)
def test_changed_on_the_way(change, why):
    assert change[0] in SIGNED
    assert why in words(SIGNED.replace(*change))


def test_a_blank_line_first_hides_no_header():
    assert "not plain" in words(b"\r\n" + SIGNED)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"age": 8 * signing.DAY}, "is 8 days old"),
        ({"age": -2 * 3600}, "future"),
        ({"tags": [(b"x", b"%d" % (time.time() - 60))]}, "expired"),
        ({"tags": [(b"x", b"soon")]}, "cannot be read"),
        ({"tags": [(b"t", b"9" * 5000)]}, "cannot be read"),
        ({"covered": ("from", "subject", "date", "message-id")}, "does not cover To"),
        ({"covered": ("from", "to", "date", "message-id")}, "does not cover Subject"),
        ({"covered": ("from", "to", "subject", "date")}, "does not cover the one Message-ID"),
        ({"covered": ("from", "to", "subject", "message-id")}, "does not cover the one Date"),
        ({"algorithm": b"rsa-sha1"}, "algorithm"),
        ({"tags": [(b"i", b"x@evil.example")]}, "another domain"),
        ({"tags": [(b"i", b"x@evilacme.example")]}, "another domain"),
    ],
)
def test_signed_but_not_acceptable(options, why):
    assert why in words(signing.signed(signing.mail(), **options))


@pytest.mark.parametrize(
    "options",
    [
        {"age": 6 * signing.DAY},
        {"age": -1800},
        {"without": [b"t"]},
        {"length": True},
        {"tags": [(b"x", b"%d" % (time.time() + signing.DAY))]},
        {"identity": "x@sub.acme.example"},
        {"covered": ("from", "from", "to", "to", "cc", "subject", "subject", "date", "message-id")},
    ],
)
def test_signed_and_acceptable(options):
    assert holds(signing.signed(signing.mail(), **options))


@pytest.mark.parametrize("age", [8 * signing.DAY, -7200])
def test_without_t_the_signed_date_tells_the_age(age):
    raw = re.sub(rb"Date: [^\r]*", b"Date: " + formatdate(time.time() - age).encode(), signing.mail())
    assert re.search("8 days old|future", words(signing.signed(raw, without=[b"t"])))


def test_without_t_a_date_that_is_none_tells_no_age():
    raw = re.sub(rb"Date: [^\r]*", b"Date: yesterday", signing.mail())
    assert "does not tell its age" in words(signing.signed(raw, without=[b"t"]))


def test_text_behind_a_signed_length():
    raw = signing.signed(signing.mail(), length=True)
    assert "whole body" in words(raw + b"Send money\r\n")


def test_the_second_signature_counts_as_well():
    bad = signing.signature(signing.mail(body=b"other\r\n"))
    assert holds(bad + SIGNED)
    assert holds(signing.signature(signing.mail(), "list.example") + SIGNED)


def test_ten_signatures_are_tried_and_no_more():
    bad = signing.signature(signing.mail(body=b"other\r\n"))
    assert holds(bad * 9 + SIGNED)
    assert not holds(bad * 11 + SIGNED)


def test_of_another_domain_proves_nothing_and_its_key_is_never_fetched():
    raw = signing.signed(signing.mail(), "evil.example")
    with FakeDns({**signing.zone("evil.example"), **signing.zone()}) as dns:
        prover = Prover(Names([dns.address]))
        found = prover.prove(
            parse(raw), raw, peer="192.0.2.7", mail_from="", addresses=[FROM], recipients=[PHONE]
        )
        assert not found.authentic(FROM, [PHONE])
        assert not dns.queries


def test_a_key_is_not_fetched_for_what_shows_without_it():
    raw = signing.signed(signing.mail(), age=9 * signing.DAY)
    with FakeDns(signing.zone()) as dns:
        Prover(Names([dns.address])).prove(
            parse(raw), raw, peer="192.0.2.7", mail_from="", addresses=[FROM], recipients=[PHONE]
        )
        assert not dns.queries


def dmarc(record: str, name: str = "acme.example") -> dict:
    return {(f"_dmarc.{name}", "TXT"): [record]}


@pytest.mark.parametrize(
    ("signer", "address", "policy", "proved"),
    [
        ("mail.acme.example", FROM, {}, True),
        ("acme.example", "a@mail.acme.example", {}, True),
        ("mail.acme.example", FROM, dmarc("v=DMARC1; p=none; adkim=s"), False),
        ("acme.example", FROM, dmarc("v=DMARC1; p=none; adkim=s"), True),
        ("mail.acme.example", FROM, dmarc("v=DMARC1; p=none; aspf=s"), True),
        ("evil.co.uk", "a@acme.co.uk", {}, False),
        ("mail.acme.co.uk", "a@acme.co.uk", {}, True),
        ("co.uk", "a@acme.co.uk", {}, False),
    ],
)
def test_alignment(signer, address, policy, proved):
    raw = signing.signed(signing.mail(from_=address), signer)
    assert holds(raw, {**signing.zone(signer), **policy}, address=address) is proved


@pytest.mark.parametrize(
    "record",
    [
        "",
        "v=DKIM1; p=",
        "v=DKIM1; k=rsa",
        "v=DKIM1; p=!!!",
        "v=DKIM1; p=MTIz",
        "v=DKIM1; k=ed25519; p=" + "A" * 43 + "=",
        "garbage",
        signing.key().record("v=DKIM2; "),
        signing.key().record("v=DKIM1; h=sha1; "),
        signing.key().record("v=DKIM1; s=tlsrpt; "),
        signing.key().record("v=DKIM1; s=other; "),
        signing.key().record("v=DKIM1; t=y; "),
        signing.key(2048, 1).record(),
        signing.key().record() + " " * 9000,
    ],
)
def test_keys_that_do_not_serve(record):
    assert not holds(SIGNED, {(KEY, "TXT"): [record]})


@pytest.mark.parametrize("tags", ["", "v=DKIM1; h=sha1:sha256; s=email; t=s; n=note; "])
def test_keys_that_serve(tags):
    assert holds(SIGNED, {(KEY, "TXT"): [signing.key().record(tags)]})


def test_a_key_for_the_very_domain_only():
    raw = signing.signed(signing.mail(), identity="x@sub.acme.example")
    assert "not for subdomains" in words(raw, {(KEY, "TXT"): [signing.key().record("t=s; ")]})


def test_no_key_and_two_keys():
    assert "there is no key" in words(SIGNED, {})
    assert "several keys" in words(SIGNED, {(KEY, "TXT"): [signing.key().record(), "v=DKIM1; p="]})


@pytest.mark.parametrize(("bits", "accepted"), [(512, False), (1024, True), (4096, True)])
def test_sizes_of_keys(bits, accepted):
    signer = signing.key(bits)
    raw = signing.signed(signing.mail(), signer=signer)
    assert holds(raw, signing.zone(signer=signer)) is accepted


def octets(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def der_of(tag: int, content: bytes) -> bytes:
    return bytes([tag, 0x82]) + len(content).to_bytes(2, "big") + content


@pytest.mark.parametrize(("bits", "exponent"), [(9000, 65537), (2048, 1), (2048, 2**4096 + 1)])
def test_a_key_that_would_only_cost_time_is_not_calculated_with(bits, exponent):
    der = der_of(0x30, der_of(0x02, octets(2 ** (bits - 1) + 1)) + der_of(0x02, octets(exponent)))
    assert f"of {bits} bits is not" in words(SIGNED, {(KEY, "TXT"): [f"p={base64.b64encode(der).decode()}"]})


@pytest.mark.parametrize("fault", ["servfail", "silence"])
def test_trouble_with_the_key_is_trouble(fault):
    begin = time.monotonic()
    with pytest.raises(DnsTrouble):
        prove(SIGNED, faults={KEY: fault}, seconds=0.5)
    assert time.monotonic() - begin < 3


def test_trouble_is_none_when_another_signature_proves_it():
    raw = signing.signature(signing.mail(), selector="s2") + SIGNED
    assert holds(raw, faults={"s2._domainkey.acme.example": "servfail"})


def test_trouble_of_a_policy_is_trouble_only_when_it_matters():
    faults = {"_dmarc.acme.example": "servfail"}
    assert holds(SIGNED, faults=faults)
    raw = signing.signed(signing.mail(), "mail.acme.example")
    with pytest.raises(DnsTrouble):
        prove(raw, signing.zone("mail.acme.example"), faults=faults)


def test_no_signature_and_no_mail():
    assert not holds(signing.mail())
    assert not holds(b"")
    assert not holds(b"From: alarm@acme.example")


def test_nothing_of_the_text_is_in_the_words():
    assert "Pump" not in words(SIGNED.replace(b"Subject: Pump", b"Subject: Pumps"))


def test_a_mail_that_was_parsed_as_something_else():
    raw = SIGNED
    other = parse(raw.replace(b"alarm@acme", b"boss@acme"))
    with FakeDns(signing.zone()) as dns:
        found = Prover(Names([dns.address])).prove(
            other, raw, peer="192.0.2.7", mail_from="", addresses=[FROM], recipients=[PHONE]
        )
    assert not found.authentic(FROM, [PHONE])


# --- the one address in From --------------------------------------------------------------------------------


def prove_both(addresses, **options) -> Evidence:
    with FakeDns(signing.zone()) as dns:
        return Prover(Names([dns.address])).prove(
            parse(SIGNED),
            SIGNED,
            peer="192.0.2.7",
            mail_from=addresses[0],
            addresses=addresses,
            recipients=[PHONE],
            **options,
        )


@pytest.mark.parametrize("signed_address", ["", FROM, "Alarm@ACME.example."])
def test_a_signature_proves_the_address_in_from_and_no_neighbour(signed_address):
    found = prove_both(["boss@acme.example", FROM], signed_address=signed_address)
    assert found.authentic(FROM, [PHONE])
    assert not found.authentic("boss@acme.example", [PHONE])
    assert not found.authentic("@acme.example", [PHONE])
    assert "A DKIM signature proves the address in From only" in found.words


@pytest.mark.parametrize("signed_address", ["boss@acme.example", "acme.example", "@acme.example"])
def test_an_address_that_is_not_in_from_is_proved_by_no_signature(signed_address):
    found = prove_both(["boss@acme.example", FROM], signed_address=signed_address)
    assert not found.signed


def test_no_key_is_fetched_for_an_envelope_sender():
    with FakeDns(signing.zone(), {KEY: "servfail"}) as dns:
        found = Prover(Names([dns.address])).prove(
            parse(SIGNED),
            SIGNED,
            peer="192.0.2.7",
            mail_from="boss@acme.example",
            addresses=["boss@acme.example"],
            recipients=[PHONE],
        )
        assert set(dns.queries) == {"acme.example"}
    assert not found.authentic("boss@acme.example", [PHONE])
