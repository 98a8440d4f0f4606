"""SPF through the library, with a real DNS server behind it; and which domains belong together."""

import threading
import time

import pytest
from fake_dns import FakeDns
from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.proof import DnsTrouble, Names, dmarc, spf


def check(zone, ip="192.0.2.7", mail_from="alarm@acme.example", helo="mx.acme.example", **faults):
    with FakeDns(zone, {name.replace("_", "."): fault for name, fault in faults.items()}) as dns:
        return spf.check(Names([dns.address]), ip, mail_from, helo, time.monotonic() + 1)


def of(record: str, **more) -> dict:
    return {("acme.example", "TXT"): [record], **more}


MANY = {(f"s{n}.example", "TXT"): [f"v=spf1 include:s{n + 1}.example -all"] for n in range(20)}
HOSTS = {("mx.acme.example", "A"): ["192.0.2.7"], ("acme.example", "MX"): ["10 mx.acme.example."]}
POINTER = {("7.2.0.192.in-addr.arpa", "PTR"): ["mx.acme.example."], **HOSTS}


@pytest.mark.parametrize(
    ("zone", "result"),
    [
        (of("v=spf1 ip4:192.0.2.0/24 -all"), "pass"),
        (of("v=spf1 ip4:198.51.100.0/24 -all"), "fail"),
        (of("v=spf1 ~all"), "softfail"),
        (of("v=spf1 ?all"), "neutral"),
        (of("v=spf1"), "neutral"),
        (of("something else"), "none"),
        ({}, "none"),
        (of("v=spf1 mox -all"), "permerror"),
        ({("acme.example", "TXT"): ["v=spf1 +all", "v=spf1 -all"]}, "permerror"),
        ({**of("v=spf1 include:s0.example -all"), **MANY}, "permerror"),
        (of("v=spf1 a:n1.example a:n2.example a:n3.example ip4:192.0.2.7 -all"), "permerror"),
        ({**of("v=spf1 mx -all"), **HOSTS}, "pass"),
        ({**of("v=spf1 ptr -all"), **POINTER}, "pass"),
        ({**of("v=spf1 exists:mx.%{d} -all"), **HOSTS}, "pass"),
        ({**of("v=spf1 redirect=b.example"), ("b.example", "TXT"): ["v=spf1 +all"]}, "pass"),
        (of("v=spf1 redirect=acme.example"), "permerror"),
        (of("v=spf1 include:acme.example"), "permerror"),
        (of("v=spf1 +all " + "x=y " * 2000), "permerror"),
        (of("v=spf1 exp=why.example ip4:192.0.2.7 -all"), "pass"),
        (of("v=spf1 %{%{%{ +all"), "permerror"),
        (of("v=spf1 ip4:192.0.2.7/99 +all"), "permerror"),
    ],
)
def test_results(zone, result):
    assert check(zone) == result


def test_ipv6_and_ipv4_in_its_clothes():
    assert check(of("v=spf1 ip6:2001:db8::/32 -all"), ip="2001:db8::7") == "pass"
    assert check(of("v=spf1 ip4:192.0.2.7 -all"), ip="::ffff:192.0.2.7") == "pass"
    assert check(of("v=spf1 ip6:fe80::/10 -all"), ip="fe80::1%eth0") == "pass"


@pytest.mark.parametrize("fault", ["servfail", "silence"])
def test_trouble_is_raised(fault):
    with pytest.raises(DnsTrouble):
        check(of("v=spf1 +all"), acme_example=fault)
    with pytest.raises(DnsTrouble):
        check(of("v=spf1 include:b.example +all"), b_example=fault)


def test_an_explanation_is_never_fetched():
    zone = of("v=spf1 exp=why.example -all")
    assert check(zone, why_example="silence") == "fail"


@pytest.mark.parametrize(
    "mail_from",
    ["", "alarm", "@", '"x@acme.example"@evil.example', "x@acme.example@evil.example", "ü@acme.example"],
)
def test_senders_that_prove_nothing(mail_from):
    zone = of("v=spf1 +all")
    assert check({**zone, ("evil.example", "TXT"): ["v=spf1 +all"]}, mail_from=mail_from) == "none"


@pytest.mark.parametrize("ip", ["", "list", "list6", "here", "192.0.2.7/24"])
def test_peers_that_are_no_address(ip):
    assert check(of("v=spf1 +all"), ip=ip) == "none"


def test_two_threads_with_two_servers_do_not_meet():
    with FakeDns(of("v=spf1 +all")) as open_dns, FakeDns(of("v=spf1 -all")) as closed_dns:
        found = {"pass": set(), "fail": set()}

        def ask(dns, wanted):
            for _ in range(30):
                names = Names([dns.address])
                found[wanted].add(spf.check(names, "192.0.2.7", "a@acme.example", "", time.monotonic() + 5))

        threads = [
            threading.Thread(target=ask, args=one) for one in ((open_dns, "pass"), (closed_dns, "fail"))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == {"pass": {"pass"}, "fail": {"fail"}}


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_no_record_raises(record):
    class OneRecord:
        def lookup(self, _name, kind, _deadline):
            return [b"v=spf1 " + record] if kind == "TXT" else []

    assert spf.check(OneRecord(), "192.0.2.7", "a@acme.example", "", time.monotonic() + 5) in spf._RESULTS  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("domain", "organisation"),
    [
        ("acme.example", "acme.example"),
        ("a.b.acme.example", "acme.example"),
        ("acme.co.uk", "acme.co.uk"),
        ("mail.acme.co.uk", "acme.co.uk"),
        ("co.uk", ""),
        ("x.acme.test", "acme.test"),
        ("localhost", ""),
        ("me.github.io", "me.github.io"),
        ("", ""),
        ("a..b", ""),
    ],
)
def test_organisations(domain, organisation):
    assert dmarc.organisation(domain) == organisation


def test_alignment_of_two_domains():
    assert dmarc.aligned("acme.example", "mail.acme.example")
    assert dmarc.aligned("a.acme.example", "b.acme.example")
    assert not dmarc.aligned("acme.example", "mail.acme.example", strict=True)
    assert dmarc.aligned("acme.example", "acme.example", strict=True)
    assert not dmarc.aligned("acme.co.uk", "evil.co.uk")
    assert not dmarc.aligned("co.uk", "acme.co.uk")
    assert not dmarc.aligned("example", "acme.example")
    assert not dmarc.aligned("evilacme.example", "acme.example")
    assert not dmarc.aligned("", "")


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ({}, (False, False)),
        ({"acme.example": ["v=DMARC1; p=none; adkim=s; aspf=s"]}, (True, True)),
        ({"acme.example": ["v=DMARC1; p=reject; adkim=s"]}, (True, False)),
        ({"acme.example": ["v=DMARC1; p=none; aspf=s; ri=soon"]}, (False, True)),
        ({"acme.example": ["v=DMARC1; p=none; adkim=s", "v=DMARC1; p=none; aspf=s"]}, (True, True)),
        ({"acme.example": ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}, (True, True)),
        ({"acme.example": ["other", "v=DMARC1; p=none; aspf=s"]}, (False, True)),
        ({"acme.example": ["v=DMARC1; adkim=s"]}, (True, True)),
        ({"acme.example": ["v=DMARC1"]}, (True, True)),
        ({"acme.example": ["v=DMARC1; p=none; adkim"]}, (True, True)),
        ({"acme.example": ["v=DMARC1; p=none; adkim=strict"]}, (True, True)),
        ({"acme.example": ["v=DMARC1; p=none; ASPF = x ;"]}, (True, True)),
        ({"acme.example": ["v=DMARC1; p=none; adkim=R ; aspf= r"]}, (False, False)),
        ({"acme.example": ["v=DMARC1; p=none;" + " " * 5000]}, (True, True)),
        ({"acme.example": ["v=DMARC2; p=none; adkim=s"]}, (False, False)),
        ({"example": ["v=DMARC1; p=none; adkim=s"]}, (False, False)),
    ],
)
def test_alignment_of_the_owner(records, expected):
    zone = {(f"_dmarc.{name}", "TXT"): values for name, values in records.items()}
    with FakeDns(zone) as dns:
        for domain in ("acme.example", "mail.acme.example"):
            assert dmarc.alignment(Names([dns.address]), domain, time.monotonic() + 3) == expected


def test_the_nearer_record_counts():
    zone = {
        ("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=none; adkim=s"],
        ("_dmarc.mail.acme.example", "TXT"): ["v=DMARC1; p=none; aspf=s"],
    }
    with FakeDns(zone) as dns:
        found = dmarc.alignment(Names([dns.address]), "mail.acme.example", time.monotonic() + 3)
        assert found == (False, True)
