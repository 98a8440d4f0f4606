"""Money: an integer of 1/10,000 of the currency unit everywhere inside, a decimal string at every border."""

from decimal import Decimal, InvalidOperation, Overflow

UNIT = 10_000
_LARGEST = 10**15  # fits 63 bits with room for sums

# ISO 4217 minor units, where they are not 2.
_DECIMALS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND"), 0),
    **dict.fromkeys(("VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


def parse(amount: str) -> int:
    """`"0.05"` is 500. Raises ValueError for anything but a plain decimal with at most four places."""
    try:
        units = Decimal(amount) * UNIT
    except (InvalidOperation, Overflow):
        raise ValueError(f"{amount!r} is not an amount of money; example: 12.50") from None
    if not units.is_finite() or units != units.to_integral_value():
        raise ValueError(f"{amount!r} has more than four decimal places")
    if abs(units) > _LARGEST:
        raise ValueError(f"{amount!r} is too large")
    return int(units)


def show(amount: int, currency: str) -> str:
    """A decimal string with the currency's decimals, more only if they are not zero."""
    whole, rest = divmod(abs(amount), UNIT)
    wanted = _DECIMALS.get(currency, 2)
    decimals = f"{rest:04d}"
    while len(decimals) > wanted and decimals.endswith("0"):
        decimals = decimals[:-1]
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole}.{decimals}" if decimals else f"{sign}{whole}"
