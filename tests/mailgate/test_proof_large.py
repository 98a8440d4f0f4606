"""Large mails: nobody waits for a proof, and it costs no copy of the mail."""

import base64
import hashlib
import threading
import time
import tracemalloc

import pytest
import signing
from dkim.canonicalization import Relaxed, Simple
from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.mail import parse
from mailgate.proof import Evidence, Prover, canonical

FROM = "alarm@acme.example"
PHONE = "447700900123@sms.example"
SIZE = 24_000_000  # bytes; under the largest mail that is taken
BODIES = {
    "words": b"a b\ta " * (SIZE // 6) + b"\r\n",
    "blanks": b" " * SIZE + b"x\r\n",
    "lines": b"x" * 58 + b"\r\n" + b"a  b \r\n" * 400_000 + b"y" * 20_000_000 + b"\r\n",
    "empty lines": b"\r\n" * (SIZE // 2) + b"x\r\n",
    "an empty end": b"x" + b"\r\n" * (SIZE // 2),
    "pairs of blanks": b"a  " * (SIZE // 3) + b"\r\n",
}


class Keys:
    """Every key there is, without a server."""

    asked = 0

    def lookup(self, name: str, kind: str, _deadline: float) -> list:
        self.asked += "_domainkey" in name
        return [signing.key().record().encode()] if kind == "TXT" and "_domainkey" in name else []


def signed(body: bytes, form: bytes, domain: str = "acme.example") -> bytes:
    """The library signs in a time that grows with the square, so the hash of the body is ours."""
    head = signing.mail(body=b"")
    summed = hashlib.sha256()
    for piece in canonical.pieces(body, 0, form):
        summed.update(piece)
    covered = (*signing.COVERED, "content-type", "content-transfer-encoding")
    tags = [(b"bh", base64.b64encode(summed.digest()))]
    field = signing.signature(head, domain, form=(b"relaxed", form), tags=tags, covered=covered)
    return field + head + body


def prove(mail, raw: bytes, keys=None) -> Evidence:
    return Prover(keys or Keys()).prove(  # type: ignore[arg-type]
        mail, raw, peer="192.0.2.7", mail_from="", addresses=[FROM], recipients=[PHONE]
    )


@pytest.mark.parametrize("form", [b"relaxed", b"simple"])
@pytest.mark.parametrize("kind", BODIES)
def test_a_large_mail_holds_nobody_up_and_is_not_copied(kind, form):
    raw = signed(BODIES[kind], form)
    mail = parse(raw)
    late, stop = [0.0], threading.Event()

    def tick() -> None:
        while not stop.is_set():
            began = time.monotonic()
            time.sleep(0.005)
            late[0] = max(late[0], time.monotonic() - began - 0.005)

    ticking = threading.Thread(target=tick)
    ticking.start()
    began = time.monotonic()
    found = prove(mail, raw)
    took = time.monotonic() - began
    stop.set()
    ticking.join()
    print(f"{kind} {form.decode()}: took {took:.3f} s, latest tick {late[0] * 1000:.0f} ms")
    assert found.authentic(FROM, [PHONE])
    assert late[0] < 1  # it is some 10 ms; a machine may be busy

    tracemalloc.start()
    prove(mail, raw)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 4_000_000


def test_the_body_is_not_read_for_what_shows_without_it(monkeypatch):
    def read(*_arguments):
        raise AssertionError("the body was read")

    monkeypatch.setattr(canonical, "pieces", read)
    raw = signing.mail()
    for one in (
        signing.signed(raw, "evil.example"),
        signing.signed(raw, age=8 * signing.DAY),
        signing.signed(raw, covered=("from", "to")),
        signing.signed(signing.mail(to="447700900999@sms.example")),
    ):
        assert not prove(parse(one), one).signed


def test_no_key_is_fetched_for_another_body():
    keys = Keys()
    raw = signing.signed(signing.mail()) + b"more\r\n"
    assert not prove(parse(raw), raw, keys).signed
    assert not keys.asked


TEXT = st.lists(
    st.sampled_from([b" ", b"\t", b"  ", b"\r\n", b"a", b"bc", b" \r\n", b"\r\n\r\n", b"\xff"]), max_size=40
).map(b"".join)


@settings(max_examples=400, deadline=None)
@given(TEXT, st.integers(1, 9), st.binary(max_size=5))
def test_the_form_is_the_librarys_wherever_a_piece_ends(text, piece, head):
    body = text + b"\r\n"
    before = canonical._PIECE
    canonical._PIECE = piece
    try:
        for form in (Relaxed, Simple):
            found = b"".join(canonical.pieces(head + body, len(head), form.name))
            assert found == form.canonicalize_body(body)
    finally:
        canonical._PIECE = before
