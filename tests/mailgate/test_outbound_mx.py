"""Straight to the mail exchanges of each domain: which ones, in which order, and what to do when there are none."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import certificates
import pytest
from fake_dns import FakeDns
from mail_support import settings_for
from outbound_support import GONE, RAW, Smarthost, outgoing, send, smarthost, tls
from serve_support import free_port

from mailgate.outbound import Sent, Times
from mailgate.outbound.exchanges import Exchanges
from mailgate.outbound.sent import Unreachable
from mailgate.outgoing import Outgoing
from mailgate.proof.names import Names

ZONE: Mapping[tuple[str, str], Sequence[str]] = {
    ("acme.example", "MX"): ["20 second.acme.example.", "10 first.acme.example."],
    ("first.acme.example", "A"): ["127.0.0.2"],
    ("second.acme.example", "A"): ["127.0.0.3"],
    ("plain.example", "A"): ["127.0.0.2"],
    ("null.example", "MX"): ["0 ."],
    ("empty.example", "MX"): ["10 nowhere.example."],
    ("deaf.example", "MX"): ["10 silent.example."],
    ("silent.example", "TXT"): ["x"],
    ("xn--mller-kva.example", "MX"): ["10 first.acme.example."],
}
FIRST, SECOND = "127.0.0.2", "127.0.0.3"
QUICK = Times(connect=8, command=5)


def to_mx(folder: Path, dns: FakeDns, port: int, mails: Sequence[Outgoing], **more: Any) -> list[Sent]:
    """By these exchanges, at this port."""
    settings = settings_for(folder, outbound={"smarthost": "mx"} | more, mail={"dns_servers": [dns.address]})
    return send(settings, mails, mx_port=port, times=QUICK)


def servers(stack: ExitStack, hosts: Sequence[str], **options: Any) -> tuple[dict[str, Smarthost], int]:
    """One on each address, all at one port."""
    port = free_port()
    handlers = {host: Smarthost() for host in hosts}
    for host, handler in handlers.items():
        stack.enter_context(smarthost(handler, port, host=host, **options))
    return handlers, port


@pytest.mark.parametrize(
    ("address", "hosts", "taker"),
    [
        ("a@acme.example", [FIRST, SECOND], FIRST),
        ("a@ACME.example", [FIRST, SECOND], FIRST),
        ("a@acme.example", [SECOND], SECOND),  # the first does not answer
        ("a@plain.example", [FIRST], FIRST),  # no MX: the domain's own address
        ("a@[127.0.0.3]", [FIRST, SECOND], SECOND),
        ("a@müller.example", [FIRST], FIRST),
    ],
)
def test_the_first_exchange_that_answers_gets_it(
    tmp_path: Path, address: str, hosts: list[str], taker: str
) -> None:
    with FakeDns(ZONE) as dns, ExitStack() as stack:
        handlers, port = servers(stack, hosts, enable_SMTPUTF8=True)
        assert to_mx(tmp_path, dns, port, [outgoing("n1", address)]) == [GONE]
    assert [host for host, handler in handlers.items() if handler.taken] == [taker]


@pytest.mark.parametrize(
    ("address", "retry", "words"),
    [
        ("a@null.example", False, "null.example takes no mail (null MX)"),
        ("a@nothing.example", False, "nothing.example: no such domain, or it has no mail exchange"),
        ("a@empty.example", False, "empty.example: no such domain, or it has no mail exchange"),
        ("a@[300.0.0.1]", False, "[300.0.0.1] is no address"),
        ("a@[IPv6:zz]", False, "[ipv6:zz] is no address"),
        ("a@x..example", False, "x..example is no domain"),
        ("postmaster", False, "postmaster: no such domain, or it has no mail exchange"),
        ("a@broken.example", True, "MX of broken.example: NoNameservers"),
        ("a@deaf.example", True, "A of silent.example: NoNameservers"),
        ("a@acme.example", True, None),  # nobody listens
    ],
)
def test_who_cannot_be_reached(tmp_path: Path, address: str, *, retry: bool, words: str | None) -> None:
    faults = {"broken.example": "servfail"}
    with FakeDns(ZONE, faults) as dns:
        if address == "a@deaf.example":
            dns.faults["silent.example"] = "servfail"
        (sent,) = to_mx(tmp_path, dns, free_port(), [outgoing("n1", address)])
    assert (sent.gone, sent.retry) == (False, retry)
    assert words is None or sent.words == words or words.startswith("postmaster")


def test_an_exchange_that_refuses_the_session_is_passed_over(tmp_path: Path) -> None:
    class Closed(Smarthost):
        async def handle_EHLO(  # noqa: N802
            self, server: Any, session: Any, envelope: Any, name: str, responses: list[str]
        ) -> list[str]:
            return ["554 5.3.2 not here"]

        async def handle_HELO(self, *_: Any) -> str:  # noqa: N802
            return "554 5.3.2 not here"

    with FakeDns(ZONE) as dns, ExitStack() as stack:
        handlers, port = servers(stack, [SECOND])
        stack.enter_context(smarthost(Closed(), port, host=FIRST))
        assert to_mx(tmp_path, dns, port, [outgoing("n1", "a@acme.example")]) == [GONE]
    assert len(handlers[SECOND].taken) == 1


def test_a_domain_in_trouble_holds_up_no_other(tmp_path: Path) -> None:
    people = ["a@acme.example", "b@null.example", "c@plain.example", "d@acme.example", "e@broken.example"]
    with FakeDns(ZONE, {"broken.example": "servfail"}) as dns, ExitStack() as stack:
        handlers, port = servers(stack, [FIRST])
        results = to_mx(tmp_path, dns, port, [outgoing(f"n-{one}", one) for one in people])
    assert [(sent.gone, sent.retry) for sent in results] == [
        (True, False),
        (False, False),
        (True, False),
        (True, False),
        (False, True),
    ]
    assert len(handlers[FIRST].taken) == 3


@pytest.mark.parametrize(
    ("people", "gone", "retry", "words"),
    [
        (("a@acme.example", "b@plain.example"), True, False, ""),
        (
            ("a@acme.example", "b@null.example", "c@acme.example"),
            True,
            False,
            "not to b@null.example: null.example takes no mail (null MX)",
        ),
        (("b@null.example", "e@broken.example"), False, True, "MX of broken.example: NoNameservers"),
        (("b@null.example", "d@[1]"), False, False, "null.example takes no mail (null MX)"),
    ],
)
def test_one_mail_to_several_domains_is_gone_when_somebody_has_it(
    tmp_path: Path, people: tuple[str, ...], *, gone: bool, retry: bool, words: str
) -> None:
    with FakeDns(ZONE, {"broken.example": "servfail"}) as dns, ExitStack() as stack:
        handlers, port = servers(stack, [FIRST])
        (sent,) = to_mx(tmp_path, dns, port, [Outgoing("n1", "", people, RAW)])
    assert sent == Sent(gone=gone, retry=retry, words=words)
    reached = sorted(person for _, to, _ in handlers[FIRST].taken for person in to)
    assert reached == sorted(
        person for person in people if person.endswith(("@acme.example", "@plain.example"))
    )


# --- TLS as it can be had (RFC 7435) ----------------------------------------------------------------------


@pytest.mark.parametrize("required", [False, True])
def test_tls_is_used_whoever_signed_the_certificate(
    tmp_path: Path, tmp_path_factory: Any, *, required: bool
) -> None:
    pair = certificates.pair(tmp_path_factory.mktemp("pair"), "else.example")
    with FakeDns(ZONE) as dns, ExitStack() as stack:
        handlers, port = servers(stack, [FIRST], tls_context=tls(pair))
        more = {"require_tls": required}
        assert to_mx(tmp_path, dns, port, [outgoing("n1", "a@plain.example")], **more) == [GONE]
    assert handlers[FIRST].encrypted == [True]


@pytest.mark.parametrize("required", [False, True])
@pytest.mark.parametrize("offered", [False, True])
def test_without_a_handshake_it_goes_in_the_clear_unless_told_otherwise(
    tmp_path: Path, tmp_path_factory: Any, *, required: bool, offered: bool
) -> None:
    context = tls(certificates.pair(tmp_path_factory.mktemp("pair"), "else.example"))
    context.set_ciphers("PSK")  # nothing that we have
    context.maximum_version = context.minimum_version = certificates.ssl.TLSVersion.TLSv1_2
    with FakeDns(ZONE) as dns, ExitStack() as stack:
        handlers, port = servers(stack, [FIRST], **({"tls_context": context} if offered else {}))
        mails = [outgoing("n1", "a@plain.example")]
        (sent,) = to_mx(tmp_path, dns, port, mails, require_tls=required)
    assert (sent.gone, sent.retry) == (not required, required)
    assert handlers[FIRST].encrypted == [] if required else [False]


# --- the order --------------------------------------------------------------------------------------------


def places(zone: Mapping[tuple[str, str], Sequence[str]], domain: str) -> list[tuple[str, str]]:
    with FakeDns(zone) as dns:
        return Exchanges(Names([dns.address]), QUICK, needs_tls=False, port=25).places(domain)


def test_equal_preference_is_no_order() -> None:
    zone = {("x.example", "MX"): ["10 a.example.", "10 b.example.", "5 c.example."]}
    zone |= {(f"{name}.example", "A"): [f"192.0.2.{at}"] for at, name in enumerate("abc")}
    seen = {tuple(host for host, _ in places(zone, "x.example")) for _ in range(40)}
    assert seen == {
        ("c.example", "a.example", "b.example"),
        ("c.example", "b.example", "a.example"),
    }


def test_a_domain_with_many_addresses_is_not_tried_for_ever() -> None:
    zone = {("x.example", "A"): [f"192.0.2.{at}" for at in range(20)], ("x.example", "AAAA"): ["2001:db8::1"]}
    assert len(places(zone, "x.example")) == 6


def test_both_families() -> None:
    zone = {("x.example", "A"): ["192.0.2.1"], ("x.example", "AAAA"): ["2001:db8::1"]}
    assert places(zone, "x.example") == [("x.example", "192.0.2.1"), ("x.example", "2001:db8::1")]
    assert places(zone, "[IPv6:2001:DB8::2]") == [("2001:db8::2", "2001:db8::2")]
    with pytest.raises(Unreachable):
        places(zone, "[IPv6:192.0.2.1]")
