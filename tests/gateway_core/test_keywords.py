"""Which keyword a text begins with, and whose it is then; our numbers however a network writes them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from core_support import ACCOUNT, OTHER, OURS, PHONE, SHARED, World, account_row, world

from gateway_core import numbers, words
from gateway_core.sms import MO
from gateway_core.storage import tables

THIRD = 3
WORDS = {
    "PIZZA": ACCOUNT,
    "PIZZA ROMA": OTHER,
    "PIZZA ROMA MAXI": THIRD,
    "NEWS": ACCOUNT,
    "ÄÖÜ": OTHER,
    "7": THIRD,
}


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    people = [account_row(ACCOUNT, "demo"), account_row(OTHER, "other"), account_row(THIRD, "third")]
    url = f"sqlite:///{tmp_path_factory.mktemp('keywords')}/core.db"
    with world(url, people=people) as made:
        rows = [
            {
                "id": at,
                "number_id": 2,
                "word": word,
                "account_id": owner,
                "forward_to": [f"mailto:{at}@x.example"],
            }
            for at, (word, owner) in enumerate(WORDS.items(), start=1)
        ]
        made.add(
            tables.keyword,
            *rows,
            {"id": 9, "number_id": 2, "word": "*", "account_id": THIRD, "forward_to": []},
        )
        yield made


CASES = [
    ("PIZZA", "PIZZA"),
    ("pizza", "PIZZA"),
    ("Pizza!", "PIZZA"),
    ("pizza, two please", "PIZZA"),
    ("PIZZA: two", "PIZZA"),
    ("  pizza  two", "PIZZA"),
    ("\npizza\ntwo", "PIZZA"),
    ('"pizza"', "PIZZA"),
    ("#pizza", "PIZZA"),
    ("pizza-two", "PIZZA"),
    ("ｐｉｚｚａ two", "PIZZA"),
    ("pizza roma", "PIZZA ROMA"),
    ("Pizza  Roma.", "PIZZA ROMA"),
    ("pizza, roma", "PIZZA ROMA"),
    ("pizza roma, two", "PIZZA ROMA"),
    ("pizza romantica", "PIZZA"),
    ("pizza roma maxi", "PIZZA ROMA MAXI"),
    ("PIZZA ROMA MAXI!!", "PIZZA ROMA MAXI"),
    ("pizza maxi roma", "PIZZA"),
    ("News", "NEWS"),
    ("news?", "NEWS"),
    ("äöü", "ÄÖÜ"),
    ("a\u0308o\u0308u\u0308 bitte", "ÄÖÜ"),
    ("7", "7"),
    ("7 please", "7"),
    ("77", "*"),
    ("PIZZAS", "*"),
    ("my pizza", "*"),
    ("pizzaroma", "*"),
    ("newspaper", "*"),
    ("", "*"),
    ("?!", "*"),
    ("☺ pizza", "PIZZA"),
    ("x" * 5000, "*"),
]


@pytest.mark.parametrize(("text", "word"), CASES, ids=[repr(text)[:30] for text, _ in CASES])
def test_the_longest_keyword_that_it_begins_with(core: World, text: str, word: str) -> None:
    handset, ref = f"+4477009{CASES.index((text, word)):05}", f"mo-{CASES.index((text, word))}"
    core.deliver(MO(ref, handset, SHARED, text))
    (row,) = core.rows(tables.mo, carrier_ref=ref)
    assert row.account_id == (THIRD if word == "*" else WORDS[word])
    targets = [notice.target for notice in core.rows(tables.notice, mo_id=row.id)]
    assert targets == ([] if word == "*" else [f"mailto:{list(WORDS).index(word) + 1}@x.example"])


def test_an_answer_needs_no_keyword_and_the_default_does_not_take_it(core: World) -> None:
    message = core.accept(sender_id=SHARED)
    for ref, text, owner, of in (
        ("answer", "yes", ACCOUNT, message),
        ("keyword", "pizza roma", OTHER, None),  # a keyword is meant for whoever has it
    ):
        core.deliver(MO(ref, PHONE, SHARED, text))
        (row,) = core.rows(tables.mo, carrier_ref=ref)
        assert (row.account_id, row.message_id) == (owner, of)


@pytest.mark.parametrize(
    ("said", "word", "begins"),
    [
        ("PIZZA", "PIZZA", True),
        ("PIZZA X", "PIZZA", True),
        ("PIZZAX", "PIZZA", False),
        ("X PIZZA", "PIZZA", False),
    ],
)
def test_whole_words(said: str, word: str, begins: bool) -> None:
    assert words.begins_with(said, word) is begins


# --- how networks write numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number", ["+447700900900", "447700900900", "00447700900900", "07700900900"], ids=lambda one: one[:4]
)
@pytest.mark.parametrize("handset", ["+447700900123", "447700900123", "00447700900123", "07700900123"])
def test_our_number_and_the_handset_in_any_form(tmp_path: Path, number: str, handset: str) -> None:
    with world(f"sqlite:///{tmp_path}/core.db") as core:
        message = core.accept()
        core.deliver(MO("mo", handset, number, "yes"))
        (row,) = core.rows(tables.mo)
        assert (row.number, row.handset, row.message_id) == (OURS, PHONE, message)


@pytest.mark.parametrize("number", ["+4484433", "4484433", "84433", "004484433"])
def test_a_short_code_with_and_without_its_country(tmp_path: Path, number: str) -> None:
    with world(f"sqlite:///{tmp_path}/core.db") as core:
        core.add(
            tables.number,
            {"id": 7, "msisdn": "+4484433", "account_id": ACCOUNT, "forward_to": [], "pool": False},
        )
        core.deliver(MO("mo", PHONE, number, "hi"))
        (row,) = core.rows(tables.mo)
        assert (row.number, row.account_id) == ("+4484433", ACCOUNT)


@pytest.mark.parametrize("handset", ["+447700900123", "Vodafone", "12345", "1", ""])
def test_what_is_no_number_is_kept_as_it_came(tmp_path: Path, handset: str) -> None:
    with world(f"sqlite:///{tmp_path}/core.db") as core:
        core.deliver(MO("mo", handset, OURS, "hi"))
        assert core.rows(tables.mo)[0].handset == handset


def test_a_spelling_that_two_numbers_share_means_neither(tmp_path: Path) -> None:
    with world(f"sqlite:///{tmp_path}/core.db") as core:
        rows = [
            {"id": at, "msisdn": msisdn, "account_id": ACCOUNT, "forward_to": [], "pool": False}
            for at, msisdn in ((7, "+4484433"), (8, "+4984433"))
        ]
        core.add(tables.number, *rows)
        spelled = core.gateway.snapshot.spelled
        assert "84433" not in spelled
        assert (spelled["4484433"], spelled["4984433"]) == ("+4484433", "+4984433")


def test_national_spellings() -> None:
    assert numbers.national("+447700900900") == ("07700900900",)
    assert numbers.national("+390612345678") == ("0612345678",)
    assert numbers.national("+4484433") == ("84433",)
