"""Which spoof attempts an account hears of: one for each source and day, and not many."""

import threading

import pytest

from mailgate.spoofs import Spoofs

ACME, GLOBEX = 1, 2
MONDAY, TUESDAY = "2026-01-05", "2026-01-06"
MOST_A_DAY = 20


def source(number: int) -> bytes:
    return number.to_bytes(4, "big")


@pytest.fixture
def spoofs() -> Spoofs:
    return Spoofs()


def test_only_the_first_of_a_source_is_news(spoofs: Spoofs) -> None:
    asked = [source(1), source(1), source(2), source(1), source(2)]
    assert [spoofs.is_news(ACME, one, MONDAY) for one in asked] == [True, False, True, False, False]


def test_the_next_day_it_is_news_again(spoofs: Spoofs) -> None:
    assert [spoofs.is_news(ACME, source(1), day) for day in (MONDAY, MONDAY, TUESDAY, TUESDAY)] == [
        True,
        False,
        True,
        False,
    ]


def test_twenty_a_day_and_no_more(spoofs: Spoofs) -> None:
    assert all(spoofs.is_news(ACME, source(number), MONDAY) for number in range(MOST_A_DAY))
    assert not any(spoofs.is_news(ACME, source(number), MONDAY) for number in range(1000))
    assert all(spoofs.is_news(ACME, source(number), TUESDAY) for number in range(MOST_A_DAY))
    assert not spoofs.is_news(ACME, source(MOST_A_DAY), TUESDAY)


def test_what_was_no_news_does_not_count(spoofs: Spoofs) -> None:
    for _ in range(MOST_A_DAY * 2):
        spoofs.is_news(ACME, source(0), MONDAY)
    told = [spoofs.is_news(ACME, source(number), MONDAY) for number in range(MOST_A_DAY + 1)]
    assert told == [False, *[True] * (MOST_A_DAY - 1), False]


def test_another_account_is_told_of_its_own(spoofs: Spoofs) -> None:
    assert all(spoofs.is_news(ACME, source(number), MONDAY) for number in range(MOST_A_DAY))
    assert not spoofs.is_news(ACME, source(MOST_A_DAY), MONDAY)
    assert all(spoofs.is_news(GLOBEX, source(number), MONDAY) for number in range(MOST_A_DAY))


def test_it_remembers_no_more_than_it_told(spoofs: Spoofs) -> None:
    for number in range(5000):
        spoofs.is_news(ACME, source(number), MONDAY)
    assert len(spoofs._seen) == MOST_A_DAY


def test_a_full_memory_tells_nothing_until_the_next_day(
    spoofs: Spoofs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailgate.spoofs._MOST", 3)
    assert [spoofs.is_news(account, source(1), MONDAY) for account in range(5)] == [*[True] * 3, False, False]
    assert spoofs.is_news(4, source(1), TUESDAY)


def test_of_many_threads_one_hears_the_news(spoofs: Spoofs) -> None:
    told: list[bool] = []
    together = threading.Barrier(16)

    def ask() -> None:
        together.wait(10)
        told.extend([spoofs.is_news(ACME, source(number), MONDAY) for number in range(10)])

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (len(told), sum(told)) == (160, 10)
