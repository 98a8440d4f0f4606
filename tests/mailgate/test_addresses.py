"""Recipient addresses: what a local part names, and the signed ones that nobody can forge."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_core.errors import GatewayError
from gateway_core.storage import clock
from mailgate import addresses
from mailgate.addresses import Operator, ReplyToken, ReturnPath, Typed
from mailgate.errors import NotOurDomain, UnknownToken

DOMAINS, SECRETS = ("sms.example", "text.example"), ("the first secret",)

NAMED = [
    ("447700900123@sms.example", Typed("447700900123", "")),
    ("447700900123@SMS.Example.", Typed("447700900123", "")),
    ("447700900123@text.example", Typed("447700900123", "")),
    ("+447700900123@sms.example", Typed("+447700900123", "")),
    ("447700900123+flash@sms.example", Typed("447700900123", "flash")),
    ("+447700900123+a+b@sms.example", Typed("+447700900123", "a+b")),
    ("oncall+flash@sms.example", Typed("oncall", "flash")),
    ('"07700 900123"@sms.example', Typed("07700 900123", "")),
    ('"077\\"00"@sms.example', Typed('077"00', "")),
    ("r.team@sms.example", Typed("r.team", "")),
    ("postmaster", Operator("postmaster")),
    ("PostMaster@sms.example", Operator("postmaster")),
    ("abuse@text.example", Operator("abuse")),
    ("@sms.example", Typed("", "")),
]


@pytest.mark.parametrize(("address", "named"), NAMED)
def test_what_an_address_names(address: str, named: addresses.Recipient) -> None:
    assert addresses.read(address, DOMAINS, SECRETS) == named


@pytest.mark.parametrize(
    "address", ["", "abuse", "447700900123", "x@", "x@sms.example.evil", "x@sms.example@evil"]
)
def test_other_domains(address: str) -> None:
    with pytest.raises(NotOurDomain):
        addresses.read(address, DOMAINS, SECRETS)


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**32 - 1))
def test_signed_addresses_come_back(number: int, day: int) -> None:
    reply = addresses.reply_local(number, day * clock.DAY, SECRETS)
    back = addresses.return_local(number, SECRETS)
    assert len(reply) <= 64
    assert reply == reply.lower()
    for changed in (reply, reply.upper()):
        assert addresses.read(f"{changed}@sms.example", DOMAINS, SECRETS) == ReplyToken(
            number, day * clock.DAY
        )
    assert addresses.read(f"{back}@sms.example", DOMAINS, SECRETS) == ReturnPath(number)


def test_an_old_secret_still_verifies_and_a_lost_one_does_not() -> None:
    old = addresses.reply_local(7, 0, ("old secret",))
    assert addresses.read(f"{old}@sms.example", DOMAINS, ("new secret", "old secret")) == ReplyToken(7, 0)
    with pytest.raises(UnknownToken):
        addresses.read(f"{old}@sms.example", DOMAINS, ("new secret",))


def test_it_lives_to_the_end_of_its_last_day() -> None:
    local = addresses.reply_local(7, clock.DAY + 1, SECRETS)
    assert addresses.read(f"{local}@sms.example", DOMAINS, SECRETS) == ReplyToken(7, 2 * clock.DAY)


def test_no_letter_can_be_changed() -> None:
    local = addresses.reply_local(123_456_789, 20_000 * clock.DAY, SECRETS)
    for place in range(2, len(local)):
        for letter in "a2":
            forged = local[:place] + letter + local[place + 1 :]
            if forged == local or local[place] == ".":
                continue
            with pytest.raises(UnknownToken):
                addresses.read(f"{forged}@sms.example", DOMAINS, SECRETS)


def test_a_return_path_is_no_reply_address() -> None:
    back = addresses.return_local(7, SECRETS)
    with pytest.raises(UnknownToken):
        addresses.read(f"r{back[1:]}@sms.example", DOMAINS, SECRETS)


@given(st.text() | st.from_regex(r"[rb]\.[a-z2-7]*\.[a-z2-7]*@sms\.example", fullmatch=True))
def test_no_address_raises_anything_but_a_refusal(address: str) -> None:
    with contextlib.suppress(GatewayError):
        addresses.read(address, DOMAINS, SECRETS)
