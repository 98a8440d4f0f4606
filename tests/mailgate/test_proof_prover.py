"""The whole of a proof: SPF, then signatures, or the word of a trusted relay."""

import time

import pytest
import signing
from fake_dns import FakeDns

from mailgate.mail import parse
from mailgate.proof import NO_EVIDENCE, DnsTrouble, Evidence, Names, Prover
from mailgate.proof.evidence import recipient_key

FROM = "alarm@acme.example"
PHONE = "447700900123@sms.example"
OTHER = "447700900999@sms.example"
RELAY, STRANGER = "10.0.0.25", "192.0.2.7"
KEY = "s1._domainkey.acme.example"
SPF = {("acme.example", "TXT"): ["v=spf1 ip4:192.0.2.7 -all"]}
RAW = signing.mail()
SIGNED = signing.signed(RAW)


def prove(
    raw=RAW,
    zone=SPF,
    *,
    peer=STRANGER,
    mail_from=FROM,
    addresses=(FROM,),
    recipients=(PHONE,),
    faults=None,
    seconds=3.0,
    authserv_id="mx.example",
    asked=None,
) -> Evidence:
    with FakeDns(zone, faults) as dns:
        prover = Prover(Names([dns.address]), ["10.0.0.0/24"], authserv_id, seconds=seconds)
        try:
            return prover.prove(
                parse(raw), raw, peer=peer, mail_from=mail_from, addresses=addresses, recipients=recipients
            )
        finally:
            if asked is not None:
                asked.update(dns.queries)


# --- the network ----------------------------------------------------------------------------------------------


def test_spf_proves_for_any_recipient():
    found = prove()
    assert found.authentic(FROM, [PHONE, OTHER])
    assert found.authentic("boss@acme.example", [PHONE])
    assert found.spf_passes(FROM)
    assert found.words == ("SPF pass for acme.example from 192.0.2.7",)


def test_no_key_is_fetched_when_spf_has_proved_it():
    asked = {}
    prove(SIGNED, {**SPF, **signing.zone()}, asked=asked)
    assert set(asked) == {"acme.example"}


@pytest.mark.parametrize("record", ["v=spf1 -all", "v=spf1 ~all", "v=spf1 ?all", "nothing", "v=spf1 mox"])
def test_anything_but_pass_proves_nothing(record):
    found = prove(zone={("acme.example", "TXT"): [record]})
    assert not found.authentic(FROM, [PHONE])
    assert not found.spf_passes(FROM)


def test_a_pass_of_another_domain_proves_only_that():
    zone = {("evil.example", "TXT"): ["v=spf1 +all"]}
    found = prove(zone=zone, mail_from="x@evil.example", addresses=["x@evil.example", FROM])
    assert found.spf_passes("x@evil.example")
    assert not found.spf_passes(FROM)
    assert not found.authentic(FROM, [PHONE])


def test_what_cannot_prove_anything_is_not_asked():
    asked = {}
    prove(zone={}, mail_from="x@evil.example", asked=asked)
    assert not asked


@pytest.mark.parametrize("mail_from", ["", "acme.example", '"alarm@acme.example"@evil.example'])
def test_envelope_senders_that_prove_nothing(mail_from):
    found = prove(zone={**SPF, ("evil.example", "TXT"): ["v=spf1 +all"]}, mail_from=mail_from)
    assert not found.authentic(FROM, [PHONE])


@pytest.mark.parametrize(
    ("policy", "proved"),
    [
        ("v=DMARC1; p=none", True),
        ("v=DMARC1; p=none; adkim=s", True),
        ("v=DMARC1; p=none; aspf=s", False),
    ],
)
def test_subdomains_prove_if_the_owner_lets_them(policy, proved):
    zone = {
        ("bounce.acme.example", "TXT"): ["v=spf1 ip4:192.0.2.7 -all"],
        ("_dmarc.acme.example", "TXT"): [policy],
    }
    found = prove(zone=zone, mail_from="b@bounce.acme.example")
    assert found.authentic(FROM, [PHONE]) is proved
    assert found.spf_passes(FROM) is proved


def test_names_below_a_public_suffix_are_strangers():
    zone = {("evil.co.uk", "TXT"): ["v=spf1 +all"]}
    found = prove(zone=zone, mail_from="x@evil.co.uk", addresses=["a@acme.co.uk", "x@evil.co.uk"])
    assert not found.authentic("a@acme.co.uk", [PHONE])


def test_international_domains_are_one_whatever_their_spelling():
    zone = {("xn--bro-hoa.example", "TXT"): ["v=spf1 +all"]}
    found = prove(zone=zone, mail_from="a@büro.example", addresses=["a@BÜRO.example"])
    assert found.authentic("b@xn--bro-hoa.example", [PHONE])


def test_trouble_is_trouble():
    with pytest.raises(DnsTrouble):
        prove(faults={"acme.example": "servfail"})


def test_trouble_of_spf_is_none_when_a_signature_proves_it():
    zone = {**SPF, **signing.zone()}
    begin = time.monotonic()
    found = prove(SIGNED, zone, faults={"acme.example": "silence"}, seconds=1.0)
    assert found.authentic(FROM, [PHONE])
    assert time.monotonic() - begin < 2
    assert "SPF: the DNS did not answer" in found.words


def test_silence_of_everything_ends():
    begin = time.monotonic()
    with pytest.raises(DnsTrouble):
        prove(SIGNED, faults={"acme.example": "silence", KEY: "silence"}, seconds=1.0)
    assert time.monotonic() - begin < 2


def test_by_network_alone():
    with FakeDns(SPF) as dns:
        prover = Prover(Names([dns.address]), ["10.0.0.0/24"])
        assert prover.prove_by_network(STRANGER, FROM, "mx").spf_passes(FROM)
        assert prover.prove_by_network(STRANGER, FROM).authentic(FROM, [])
        assert not prover.prove_by_network("192.0.2.8", FROM).spf_passes(FROM)
        assert not prover.prove_by_network(STRANGER, "").spf_passes("")
        assert not prover.prove_by_network(RELAY, FROM).spf_passes(FROM)
        dns.faults["b.example"] = "servfail"
        with pytest.raises(DnsTrouble):
            prover.prove_by_network(STRANGER, "a@b.example")


def test_no_evidence_proves_nothing():
    assert not NO_EVIDENCE.authentic(FROM, [PHONE])
    assert not NO_EVIDENCE.authentic("", [])
    assert not NO_EVIDENCE.spf_passes(FROM)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("+447700900123@s.example", "447700900123@S.example.", True),
        ("00447700900123@s.example", "447700900123+tag@s.example", True),
        ("+447700900123+a@s.example", "447700900123+b@s.example", True),
        ("oncall+x@s.example", "ONCALL@s.example", True),
        ("oncall+flash+x+urgent@s.example", "+oncall+URGENT+flash@s.example", False),
        ("oncall+flash+x+urgent@s.example", "oncall+URGENT+flash@s.example", True),
        ("+447700900123+preview@s.example", "00447700900123+preview@s.example", True),
        ("447700900123+preview@s.example", "447700900123@s.example", False),
        ("+oncall@s.example", "oncall@s.example", False),
        ("00ps@s.example", "ps@s.example", False),
        ("447700900123@s.example", "447700900123@t.example", False),
        ("0447700900123@s.example", "447700900123@s.example", False),
    ],
)
def test_one_recipient_or_two(one, other, same):
    assert (recipient_key(one) == recipient_key(other)) is same


# --- a relay of ours ------------------------------------------------------------------------------------------


def relayed(results: str, raw: bytes = SIGNED, more: str = "") -> bytes:
    return f"Authentication-Results: {results}\r\n{more}".encode() + raw


def by_relay(results: str, raw: bytes = SIGNED, zone=None, **options) -> Evidence:
    return prove(relayed(results, raw), zone or {}, peer=options.pop("peer", RELAY), **options)


SPF_PASS = "mx.example; spf=pass smtp.mailfrom=alarm@acme.example"
DKIM_PASS = "mx.example; dkim=pass header.d=acme.example"
DMARC_PASS = "mx.example; dmarc=pass (p=none) header.from=acme.example"


@pytest.mark.parametrize(
    "results",
    [
        SPF_PASS,
        "MX.example 1; spf=pass (it is (really)) smtp.mailfrom=acme.example",
        "mx.example; iprev=pass policy.iprev=10.0.0.1; spf=pass smtp.mailfrom=ACME.example smtp.helo=x",
    ],
)
def test_spf_of_a_relay(results):
    asked = {}
    found = by_relay(results, RAW, asked=asked)
    assert found.authentic(FROM, [PHONE, OTHER])
    assert found.spf_passes(FROM)
    assert not asked
    assert "Authentication-Results of mx.example: spf=pass for acme.example" in found.words


def test_the_relays_own_address_proves_nothing():
    zone = {("acme.example", "TXT"): ["v=spf1 +all"]}
    asked = {}
    assert not prove(RAW, zone, peer=RELAY, asked=asked).authentic(FROM, [PHONE])
    assert not asked


@pytest.mark.parametrize(
    "results",
    [
        "other.example; spf=pass smtp.mailfrom=acme.example",
        "mx.example.evil.example; spf=pass smtp.mailfrom=acme.example",
        "(mx.example) other.example; spf=pass smtp.mailfrom=acme.example",
        "mx.example 2; spf=pass smtp.mailfrom=acme.example",
        "mx.example; spf=fail smtp.mailfrom=acme.example",
        "mx.example; spf/2=pass smtp.mailfrom=acme.example",
        "mx.example; spf=pass smtp.helo=acme.example",
        "mx.example; spf=pass smtp.mailfrom=evil.example",
        "mx.example; spf=pass smtp.mailfrom=b.acme.example",
        "mx.example; spf=pass smtp.mailfrom=evil.example smtp.mailfrom=acme.example",
        "mx.example; spf=fail smtp.mailfrom=acme.example; spf=pass smtp.mailfrom=acme.example",
        "mx.example; spf=fail (x; spf=pass) smtp.mailfrom=acme.example",
        "mx.example; spf=none (; spf=pass smtp.mailfrom=acme.example",
        "mx.example; none; spf=pass smtp.mailfrom=acme.example",
        "mx.example (; spf=pass smtp.mailfrom=acme.example)",
        'mx.example; spf=none reason="; spf=pass smtp.mailfrom=acme.example"',
        "mx.example; spf=pass smtp.mailfrom=acme.example (",
        "mx.example; spf=pass smtp.mailfrom=acme.example; odd=pass x.y=z",
        "mx.example; spf=pass smtp.mailfrom=",
        "mx.example",
        "",
        "mx.example; " + "(" * 5000,
        "mx.example; spf=pass smtp.mailfrom=acme.example (" + "x" * 9000 + ")",
        "mx.ex\u00e4mple; spf=pass smtp.mailfrom=acme.example",
    ],
)
def test_results_that_are_not_believed(results):
    assert not by_relay(results, RAW).authentic(FROM, [PHONE])


@pytest.mark.parametrize("results", [SPF_PASS, DKIM_PASS, DMARC_PASS])
def test_results_from_a_stranger_are_nothing(results):
    assert not by_relay(results, peer=STRANGER).authentic(FROM, [PHONE])


def test_results_without_a_configured_id_are_nothing():
    assert not by_relay(SPF_PASS, RAW, authserv_id="").authentic(FROM, [PHONE])


def test_only_the_top_field_counts():
    top = relayed("other.example; spf=none", relayed(SPF_PASS, RAW))
    assert not prove(top, {}, peer=RELAY).authentic(FROM, [PHONE])
    below = relayed("mx.example; spf=fail smtp.mailfrom=acme.example", relayed(SPF_PASS, RAW))
    assert not prove(below, {}, peer=RELAY).authentic(FROM, [PHONE])


def test_strict_alignment_binds_a_relay_too():
    results = "mx.example; spf=pass smtp.mailfrom=b.acme.example"
    options = {"mail_from": "x@b.acme.example"}
    assert by_relay(results, RAW, **options).authentic(FROM, [PHONE])
    zone = {("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=none; aspf=s"]}
    assert not by_relay(results, RAW, zone, **options).authentic(FROM, [PHONE])


STATED = [DKIM_PASS, DMARC_PASS]


@pytest.mark.parametrize("results", STATED)
def test_a_stated_signature_spares_the_key(results):
    asked = {}
    found = by_relay(results, asked=asked)
    assert found.authentic(FROM, [PHONE])
    assert not found.spf_passes(FROM)
    assert not found.authentic(FROM, [OTHER])
    assert not asked


@pytest.mark.parametrize("results", STATED)
@pytest.mark.parametrize(
    "raw",
    [
        RAW,
        signing.signed(RAW, age=8 * signing.DAY),
        signing.signed(signing.mail(to=OTHER)),
        signing.signed(RAW, covered=("from", "subject", "date", "message-id")),
        signing.signed(RAW, covered=("from", "to", "subject", "date")),
        signing.signed(RAW, length=True) + b"Send money\r\n",
        signing.signed(RAW, "evil.example"),
        signing.signature(signing.mail(to=OTHER))
        + SIGNED.replace(b"s=s1", b"s=s2").replace(b"To: 44", b"To: 33"),
        SIGNED + b"more\r\n",
        signing.signature(RAW, age=9 * signing.DAY, selector="s2") + SIGNED,
        signing.signature(RAW) * 11 + RAW,
    ],
)
def test_a_stated_signature_must_still_fit(results, raw):
    """Without our own key in the DNS, so that only the relay's word could prove it."""
    assert not by_relay(results, raw).authentic(FROM, [PHONE])


def test_a_replay_beside_a_false_signature():
    """The relay found one true; it does not say which. The true one is for somebody else."""
    field = signing.signature(
        RAW.replace(PHONE.encode(), OTHER.encode()), covered=("from", "cc", "subject", "date", "message-id")
    )
    raw = field + SIGNED
    for results in STATED:
        assert not by_relay(results, raw).authentic(FROM, [PHONE])


def test_the_stated_begin_of_a_signature_tells_which():
    b = SIGNED.split(b" b=")[1].split(b"\r\n")[0].split(b";")[0].decode()[:12]
    stale = signing.signature(RAW, age=9 * signing.DAY, selector="s2")
    raw = stale + SIGNED
    assert by_relay(f'{DKIM_PASS} header.b="{b}"', raw).authentic(FROM, [PHONE])
    assert not by_relay(f'{DKIM_PASS} header.b="AAAAAAAA"', raw).authentic(FROM, [PHONE])


def test_dmarc_is_about_the_one_from():
    raw = signing.signed(signing.mail(from_="x@evil.example"))
    assert not by_relay(DMARC_PASS, raw).authentic(FROM, [PHONE])
    raw = signing.signed(signing.mail(from_="x@b.acme.example"))
    results = DMARC_PASS.replace("acme", "b.acme")
    assert by_relay(results, raw, addresses=["x@b.acme.example"]).authentic("x@b.acme.example", [PHONE])
    assert not by_relay(results, raw).authentic(FROM, [PHONE])


@pytest.mark.parametrize("results", STATED)
def test_a_stated_signature_of_a_stranger_proves_nothing(results):
    """It is true, and covers the victim's From."""
    raw = signing.signed(RAW, "evil.example")
    both = [FROM, "x@evil.example"]
    found = by_relay(results.replace("acme", "evil"), raw, addresses=both, mail_from=both[1])
    assert not found.signed


@pytest.mark.parametrize("results", STATED)
def test_a_stated_signature_proves_no_envelope_sender(results):
    both = ["boss@acme.example", FROM]
    found = by_relay(results, addresses=both, mail_from=both[0])
    assert found.authentic(FROM, [PHONE])
    assert not found.authentic(both[0], [PHONE])


def test_strict_alignment_of_a_stated_signature():
    raw = signing.signed(RAW, "b.acme.example")
    results = "mx.example; dkim=pass header.d=b.acme.example"
    assert by_relay(results, raw).authentic(FROM, [PHONE])
    zone = {("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=none; adkim=s"]}
    assert not by_relay(results, raw, zone).authentic(FROM, [PHONE])


def test_behind_a_relay_that_says_nothing_signatures_are_verified():
    assert prove(SIGNED, signing.zone(), peer=RELAY).authentic(FROM, [PHONE])
    found = by_relay("mx.example; dkim=fail header.d=acme.example", zone=signing.zone())
    assert found.authentic(FROM, [PHONE])
