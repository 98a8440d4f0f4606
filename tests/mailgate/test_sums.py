"""What several processes count is shown as one."""

from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import REGISTRY, generate_latest

from mailgate.smtp.handler import MAILS, SECONDS
from mailgate.smtp.sums import Samples, Sums, samples

ACCEPTED = (("code", "250"),)


def told(mails: float, created: float = 1e9) -> Samples:
    return [("mailgate_mails_total", ACCEPTED, mails), ("mailgate_mails_created", ACCEPTED, created)]


@pytest.fixture
def sums() -> Iterator[Sums]:
    made = Sums()
    made.register()
    yield made
    made.unregister()


def shown() -> dict[str, Any]:
    lines = [line for line in generate_latest().decode().splitlines() if line[:1] != "#"]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def accepted() -> float:
    return shown().get('mailgate_mails_total{code="250"}', 0.0)


def test_each_process_counts_and_the_latest_of_it(sums: Sums) -> None:
    before = accepted()
    sums.told(1, told(5))
    sums.told(2, told(7))
    assert accepted() == before + 12
    sums.told(1, told(6))
    assert accepted() == before + 13


def test_what_an_ended_process_counted_stays(sums: Sums) -> None:
    before = accepted()
    sums.told(1, told(5))
    sums.end(1)
    sums.end(99)  # one that never told anything
    sums.told(2, told(1))
    assert accepted() == before + 6


def test_the_time_of_the_first_count_is_not_added_up(sums: Sums) -> None:
    sums.told(1, told(5, created=2e9))
    sums.told(2, told(5, created=1e9))
    assert shown()['mailgate_mails_created{code="250"}'] == 1e9


def test_what_this_process_counts_is_part_of_it(sums: Sums) -> None:
    before = accepted()
    MAILS.labels("250").inc()
    assert accepted() == before + 1


def test_buckets_add_up_and_keep_their_order(sums: Sums) -> None:
    SECONDS.observe(0.003)
    before = shown()
    sums.told(1, samples())
    after = shown()
    assert after["mailgate_mail_seconds_count"] == 2 * before["mailgate_mail_seconds_count"]
    assert (
        after['mailgate_mail_seconds_bucket{le="0.005"}']
        == 2 * before['mailgate_mail_seconds_bucket{le="0.005"}']
    )
    buckets = [name for name in after if name.startswith("mailgate_mail_seconds_bucket")]
    assert buckets == [name for name in before if name in buckets]
    assert buckets[-1] == 'mailgate_mail_seconds_bucket{le="+Inf"}'


def test_afterwards_the_registry_is_as_before() -> None:
    before = shown().keys()
    made = Sums()
    made.register()
    made.unregister()
    assert shown().keys() == before
    assert REGISTRY.get_sample_value("mailgate_mail_seconds_count") is not None
