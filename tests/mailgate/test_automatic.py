"""Whom not to answer (RFC 3834, section 2): signs of machines and lists, and what is no sign."""

import pytest

from mailgate.automatic import keywords, wants_no_answer
from mailgate.mail import parse


def mail(*headers: str) -> bytes:
    return "\n".join(["From: alice@acme.example", *headers, "", "x"]).encode()


@pytest.mark.parametrize(
    "headers",
    [
        ["Auto-Submitted: auto-generated"],
        ["auto-submitted: AUTO-GENERATED"],
        ["Auto-Submitted: auto-generated; owner-email=a@b"],
        ["Auto-Submitted: auto-generated (cron)"],
        ["Auto-Submitted: (cron (daily)) auto-generated"],
        ["Auto-Submitted: no", "Auto-Submitted: auto-generated"],
        ["Precedence: bulk"],
        ["Precedence: Junk"],
        ["Precedence: list"],
        ["X-Precedence: bulk"],
        ["List-Id: News <news.acme.example>"],
        ["List-Post: NO"],
        ["List-Unsubscribe: <mailto:a@b>"],
        ["Mailing-List: contact a@b"],
        ["X-Auto-Response-Suppress: All"],
        ["X-Auto-Response-Suppress: DR, RN, NRN, OOF, AutoReply"],
        ["X-Auto-Response-Suppress: OOF"],
        ["X-Auto-Response-Suppress: dr;autoreply"],
    ],
)
def test_wants_no_answer(headers: list[str]) -> None:
    assert wants_no_answer(parse(mail(*headers)))


@pytest.mark.parametrize(
    "headers",
    [
        [],
        ["Auto-Submitted: no"],
        ["Auto-Submitted: No (a person)"],
        ["Auto-Submitted: "],
        ["Precedence: first-class"],
        ["Precedence: normal"],
        ["Priority: bulk"],
        ["X-Auto-Response-Suppress: None"],
        ["X-Auto-Response-Suppress: DR, NDR, RN, NRN"],
        ["X-Mailer: listmaker", "Listen: all"],
        ["Subject: auto-generated"],
    ],
)
def test_may_be_answered(headers: list[str]) -> None:
    assert not wants_no_answer(parse(mail(*headers)))


@pytest.mark.parametrize(
    "value", ["(" * 50_000, "()" * 25_000, "(" * 500 + ")" * 500, "a" * 50_000, "\\(;" * 9]
)
def test_hostile_values_end_soon(value: str) -> None:
    assert len(keywords(parse(mail(f"Auto-Submitted: {value}")))) <= 1
