"""Mails made to break a proof: no exception but DnsTrouble, and a time that grows with the size only."""

import base64
import hashlib
import time

import pytest
import signing
from fake_dns import FakeDns
from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.errors import MailTooLarge
from mailgate.mail import parse
from mailgate.proof import DnsTrouble, Evidence, Prover, canonical
from mailgate.proof import Names as RealNames

FROM = "alarm@acme.example"
PHONE = "447700900123@sms.example"
BODY = b"Pump 3 is down.\r\n"


class Keys:
    """Every key there is, without a server: for properties with many examples."""

    def lookup(self, name: str, kind: str, _deadline: float) -> list:
        return [signing.key().record().encode()] if kind == "TXT" and "_domainkey" in name else []


def prove(raw: bytes, names=None, peer: str = "10.0.0.25") -> Evidence:
    prover = Prover(names or Keys(), ["10.0.0.0/24"], "mx.example")  # type: ignore[arg-type]
    return prover.prove(parse(raw), raw, peer=peer, mail_from="", addresses=[FROM], recipients=[PHONE])


def header(name: str, value: bytes) -> bytes:
    return name.encode() + b": " + value + b"\r\n"


TAGS = st.sampled_from(
    [
        b"v=1",
        b"a=rsa-sha256",
        b"d=acme.example",
        b"s=s1",
        b"h=from:to",
        b"bh=AAAA",
        b"b=AAAA",
        b"t=1",
        b"x=1",
        b"l=1",
        b"c=relaxed/relaxed",
        b"i=@acme.example",
        b"h=:",
        b"=",
        b"b",
        b"t=-1",
        b"d=.",
        b"\xff=\xff",
        b"l=" + b"9" * 20,
    ]
)
WORDS = st.sampled_from(
    [
        "mx.example",
        ";",
        "spf=pass",
        "dkim=pass",
        "smtp.mailfrom=",
        "acme.example",
        "(",
        ")",
        '"',
        "\\",
        "1",
        "=",
        "header.d=acme.example",
        "dmarc=pass",
        "header.from=",
        " ",
        "none",
        "reason=",
        "@",
        "/",
        "\t",
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(TAGS, max_size=20).map(b"; ".join)
    | st.binary(max_size=300).map(lambda one: one.replace(b"\n", b"")),
    st.lists(WORDS, max_size=30).map("".join) | st.text(max_size=100),
)
def test_no_field_raises_or_proves(signature, results):
    raw = header("Authentication-Results", results.replace("\n", "").encode())
    raw += header("DKIM-Signature", signature) + signing.mail()
    found = prove(raw)
    assert not found.signed


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2000))
def test_no_bytes_raise(raw):
    try:
        found = prove(raw)
    except MailTooLarge:
        return
    assert not found.signed


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_change_of_a_signed_mail_leaves_another_text_proved(data):
    """One octet of the header or body exchanged: what is still proved says the same."""
    raw = signing.signed(signing.mail(), form=(b"simple", b"simple"))
    at = data.draw(st.integers(0, len(raw) - 1))
    changed = raw[:at] + data.draw(st.binary(min_size=0, max_size=3)) + raw[at + 1 :]
    try:
        before, after = parse(raw), parse(changed)
    except MailTooLarge:
        return
    if prove(changed).authentic(FROM, [PHONE]):
        assert (after.subject, after.from_) == (before.subject, before.from_)
        assert after.root.text().split() == before.root.text().split()


LARGE = 120_000
TO_ONE = b"447700900123@sms.example"


def signed_claims(more: bytes = b"") -> bytes:
    return b"v=1; a=rsa-sha256; d=acme.example; s=s1; h=from:to:subject; bh=AAAA; b=AAAA; " + more


@pytest.mark.parametrize(
    "field",
    [
        header("DKIM-Signature", signed_claims(b"".join(b"x%d=1; " % n for n in range(9000)))),
        header("DKIM-Signature", signed_claims()) * 1000,
        header("DKIM-Signature", b"v=1; h=" + b"from:" * 20000),
        header("DKIM-Signature", b"v=1; d=acme.example; h=" + b":".join(b"x%d" % n for n in range(1500))),
        header("DKIM-Signature", signed_claims(b"b=" + b" " * 100_000 + b"=")),
        header("DKIM-Signature", b"d=" + b"a." * 50_000),
        header("DKIM-Signature", b"d=" + b"a" * 8000 + b"; s=" + b"-" * 100),
        header("DKIM-Signature", b"; " * 50_000),
        header("Authentication-Results", b"mx.example; " + b"(" * LARGE),
        header("Authentication-Results", b"mx.example; " + b"(" * 8000),
        header("Authentication-Results", b"mx.example" + b"; spf=pass" * 790),
        header("Authentication-Results", b"mx.example; spf=pass " + b"smtp.x=y " * 880),
        header("Authentication-Results", b"mx.example; spf=pass" + b" " * 8000 + b"x"),
        header("Authentication-Results", b'mx.example; spf=pass reason="' + b"\\a" * 4000),
        header("Cc", b'"\\' * (LARGE // 2)),
        header("Cc", b'"' * LARGE),
        header("Cc", b" " * LARGE),
        header("Cc", b"," * LARGE),
        header("Cc", b"<" * LARGE),
        header("Cc", b"a@" * (LARGE // 2)),
        header("Cc", b"a@b <" * (LARGE // 5)),
        b"X: y\r\n" * 20_000,
        b"A: b\r\n" + b" \r\n" * 30_000,
    ],
)
def test_large_fields_take_no_time(field):
    raw = field + signing.signed(signing.mail(), covered=(*signing.COVERED, "cc"))
    mail = parse(raw)
    begin = time.process_time()
    prover = Prover(Keys(), ["10.0.0.0/24"], "mx.example")  # type: ignore[arg-type]
    prover.prove(mail, raw, peer="10.0.0.25", mail_from="", addresses=[FROM], recipients=[PHONE])
    assert time.process_time() - begin < 1.5


def large(body: bytes, form: bytes) -> bytes:
    """A signed mail. The library signs in a time that grows with the square, so the hash of the body is ours; that
    both have one form is a test of its own.
    """
    head = signing.mail(body=b"")
    digest = hashlib.sha256(b"".join(canonical.pieces(body, 0, form))).digest()
    tags = [(b"bh", base64.b64encode(digest))]
    return signing.signature(head, form=(b"relaxed", form), tags=tags) + head + body


def forged(form: bytes, covered: bytes, body: bytes) -> bytes:
    """A signature that is right but for the last step, as anybody can make it: the costliest there is."""
    raw = large(body, form)
    return raw.replace(b"h=from", b"h=" + covered + b"from", 1).replace(b" b=", b" b=AAAA", 1)


@pytest.mark.parametrize(
    "body",
    [
        b" " * 300_000 + b"x\r\n",
        b"a" + b" " * 300_000 + b"\r\n",
        (b"\t " * 100 + b"x") * 3000 + b"\r\n",
        b"\r\n" * 300_000 + b"x\r\n",
        b"x\r\n" + b"\r\n" * 300_000,
        b"x \r\n" * 200_000,
    ],
)
@pytest.mark.parametrize("form", [b"relaxed", b"simple"])
def test_large_bodies_take_no_time(body, form):
    raw = forged(form, b"", body)
    mail = parse(raw)
    begin = time.process_time()
    prover = Prover(Keys())  # type: ignore[arg-type]
    prover.prove(mail, raw, peer="192.0.2.7", mail_from="", addresses=[FROM], recipients=[PHONE])
    assert time.process_time() - begin < 1.5


def test_many_names_over_many_fields_take_no_time():
    covered = b"".join(b"x%d : " % n for n in range(150))
    raw = forged(b"relaxed", covered, BODY)
    raw = b"X1: y\r\n" * 15_000 + raw
    begin = time.process_time()
    assert not prove(raw).signed
    assert time.process_time() - begin < 1.5


def test_ten_costly_signatures_end():
    raw = signing.mail(body=BODY)
    field = signing.signature(raw).replace(b" b=", b" b=AAAA")
    begin = time.process_time()
    prove(field * 10 + raw)
    assert time.process_time() - begin < 2


def test_a_thousand_signatures_ask_ten_keys():
    raw = signing.mail()
    fields = b"".join(signing.signature(raw, selector=f"s{n}") for n in range(20))
    with FakeDns({}) as dns:
        found = prove(fields + raw, RealNames([dns.address]), peer="192.0.2.7")
        assert len(dns.queries) == 10
    assert not found.signed


def test_silence_is_the_only_exception():
    raw = signing.signed(signing.mail())
    with FakeDns({}, {"s1._domainkey.acme.example": "silence"}) as dns, pytest.raises(DnsTrouble):
        Prover(RealNames([dns.address]), seconds=0.3).prove(
            parse(raw), raw, peer="192.0.2.7", mail_from="", addresses=[FROM], recipients=[PHONE]
        )
