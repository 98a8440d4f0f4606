"""Money at the border: decimal strings; inside: integers of 1/10,000."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_core import money


@pytest.mark.parametrize(
    ("typed", "units"),
    [
        ("0.05", 500),
        ("100.00", 1_000_000),
        ("100", 1_000_000),
        ("0", 0),
        ("-12.5", -125_000),
        ("0.0001", 1),
        ("1e2", 1_000_000),
        (" 7 ", 70_000),
        ("100000000000", 10**15),
    ],
)
def test_parse(typed: str, units: int) -> None:
    assert money.parse(typed) == units


@pytest.mark.parametrize(
    "typed", ["", "five", "0.00001", "1,50", "NaN", "inf", "-Infinity", "100000000000.0001", "1e400", "£5"]
)
def test_what_is_no_amount_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        money.parse(typed)


@pytest.mark.parametrize(
    ("units", "currency", "shown"),
    [
        (500, "GBP", "0.05"),
        (1_000_000, "GBP", "100.00"),
        (0, "GBP", "0.00"),
        (425, "GBP", "0.0425"),
        (420, "GBP", "0.042"),
        (-125_000, "GBP", "-12.50"),
        (-1, "EUR", "-0.0001"),
        (70_000, "JPY", "7"),
        (75_000, "JPY", "7.5"),
        (12_345, "KWD", "1.2345"),
        (12_000, "KWD", "1.200"),
    ],
)
def test_show(units: int, currency: str, shown: str) -> None:
    assert money.show(units, currency) == shown


@given(st.integers(-(10**15), 10**15), st.sampled_from(["GBP", "JPY", "KWD"]))
def test_what_is_shown_can_be_typed(units: int, currency: str) -> None:
    assert money.parse(money.show(units, currency)) == units
