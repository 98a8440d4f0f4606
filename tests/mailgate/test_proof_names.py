"""DNS answers: kinds, cache, faults, the end of waiting. A real server on 127.0.0.1."""

import contextlib
import time

import dns.resolver
import pytest
from fake_dns import FakeDns
from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.proof import DnsTrouble, Names
from mailgate.proof.names import _Kept

ZONE = {
    ("acme.example", "TXT"): ["v=spf1 -all", "x" * 600],
    ("acme.example", "MX"): ["10 mx.acme.example.", "20 mx2.acme.example."],
    ("mx.acme.example", "A"): ["192.0.2.1", "192.0.2.2"],
    ("mx.acme.example", "AAAA"): ["2001:db8::1"],
    ("1.2.0.192.in-addr.arpa", "PTR"): ["mx.acme.example."],
    ("alias.example", "CNAME"): ["mx.acme.example."],
}


def soon(seconds: float = 5) -> float:
    return time.monotonic() + seconds


def test_kinds_of_records():
    with FakeDns(ZONE) as server:
        names = Names([server.address])
        assert sorted(names.lookup("Acme.example.", "TXT", soon())) == [b"v=spf1 -all", b"x" * 600]
        assert sorted(names.lookup("acme.example", "MX", soon())) == [
            (10, "mx.acme.example"),
            (20, "mx2.acme.example"),
        ]
        assert sorted(names.lookup("mx.acme.example", "A", soon())) == ["192.0.2.1", "192.0.2.2"]
        assert names.lookup("mx.acme.example", "AAAA", soon()) == ["2001:db8::1"]
        assert names.lookup("1.2.0.192.in-addr.arpa", "PTR", soon()) == ["mx.acme.example"]
        assert len(names.lookup("alias.example", "A", soon())) == 2


def test_the_same_lookup_twice_is_one_query():
    with FakeDns(ZONE) as server:
        names = Names([server.address])
        for _ in range(2):
            for name, kind in (("acme.example", "TXT"), ("none.example", "TXT"), ("mx.acme.example", "MX")):
                names.lookup(name, kind, soon())
        assert server.queries == {"acme.example": 1, "none.example": 1, "mx.acme.example": 1}


class Clock:
    """The clock of the cache; the deadlines of tests are far off."""

    ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


@pytest.mark.parametrize(("ttl", "kept", "gone"), [(86400, 290, 310), (0, 4, 6), (60, 55, 65)])
@pytest.mark.parametrize("name", ["acme.example", "none.example"])
def test_an_answer_is_kept_for_its_ttl_of_5_to_300_seconds(monkeypatch, ttl, kept, gone, name):
    clock = Clock()
    monkeypatch.setattr("mailgate.proof.names.time", clock)
    with FakeDns(ZONE, ttl=ttl) as server:
        names = Names([server.address])
        names.lookup(name, "TXT", soon(1000))
        clock.ahead = kept
        names.lookup(name, "TXT", soon(1000))
        assert server.queries[name] == 1
        clock.ahead = gone
        names.lookup(name, "TXT", soon(1000))
        assert server.queries[name] == 2


def test_the_caller_may_change_what_it_got():
    with FakeDns(ZONE) as server:
        names = Names([server.address])
        names.lookup("acme.example", "TXT", soon()).clear()
        assert len(names.lookup("acme.example", "TXT", soon())) == 2


def test_the_cache_has_an_end():
    names = Names(["127.0.0.1:1"])
    for number in range(4200):
        names._keep((f"{number}.example", "A"), _Kept(0, ()))
    assert len(names._cache) == 4096


def test_truncated_answers_come_over_tcp():
    with FakeDns(ZONE, {"acme.example": "truncated"}) as server:
        assert len(Names([server.address]).lookup("acme.example", "TXT", soon())) == 2
        assert server.over_tcp["acme.example"] == 1


def test_large_answers_come_over_tcp_of_themselves():
    with FakeDns({("big.example", "TXT"): ["y" * 5000]}) as server:
        assert Names([server.address]).lookup("big.example", "TXT", soon()) == [b"y" * 5000]


def test_servfail_is_trouble_and_is_not_kept():
    with FakeDns(ZONE, {"acme.example": "servfail"}) as server:
        names = Names([server.address])
        with pytest.raises(DnsTrouble):
            names.lookup("acme.example", "TXT", soon())
        server.faults.clear()
        assert names.lookup("acme.example", "TXT", soon())


def test_silence_ends_at_the_deadline():
    with FakeDns(ZONE, {"acme.example": "silence"}) as server:
        begin = time.monotonic()
        with pytest.raises(DnsTrouble):
            Names([server.address]).lookup("acme.example", "TXT", soon(0.4))
        assert 0.3 < time.monotonic() - begin < 2


def test_nothing_is_asked_after_the_deadline():
    with FakeDns(ZONE) as server:
        with pytest.raises(DnsTrouble):
            Names([server.address]).lookup("acme.example", "TXT", soon(-1))
        assert not server.queries


def test_a_dead_server_is_trouble():
    with pytest.raises(DnsTrouble):
        Names(["127.0.0.1:1"]).lookup("acme.example", "TXT", soon(0.5))


def test_no_server_is_trouble(monkeypatch):
    def broken(*_):
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", broken)
    with pytest.raises(DnsTrouble):
        Names().lookup("acme.example", "TXT", soon(0.5))


@pytest.mark.parametrize("text", ["192.0.2.53", "192.0.2.53:5353", "::1", "[::1]", "[::1]:53"])
def test_servers(text):
    Names([text])


@pytest.mark.parametrize("text", ["dns.example", "192.0.2.53:x", "", "["])
def test_servers_that_are_none(text):
    with pytest.raises(ValueError):  # noqa: PT011
        Names([text])


@pytest.mark.parametrize("name", ["", ".", "a..b", "x" * 64 + ".example", "a." * 130, "büro.example"])
def test_names_that_cannot_be(name):
    assert Names(["127.0.0.1:1"]).lookup(name, "TXT", soon()) == []


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=70))
def test_no_name_raises_anything_else(name):
    with contextlib.suppress(DnsTrouble):
        Names(["127.0.0.1:1"]).lookup(name, "A", soon(0.001))
