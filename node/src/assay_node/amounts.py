"""Amounts of the native currency as a person reads them."""

from __future__ import annotations

from decimal import Decimal

GWEI, ETHER = 10**9, 10**18
LEAST_GWEI, LEAST_ETHER = 10**6, 10**12
"""Smallest amounts that are written in these units: a thousandth of a gwei, a millionth of an ether."""
DIGITS = 4
"""Significant digits of a rounded amount."""


def ether(wei: int) -> str:
    """An amount, exact, without trailing zeros: in ether, or in gwei or wei if it is below a millionth.

    Args:
        wei: of either sign.

    Example:
        >>> ether(1_500_000_000_000_000_000)
        '1.5 ETH'
        >>> ether(20_000_000_000)
        '20 gwei'
    """
    unit, name = _unit(wei)
    whole, rest = divmod(abs(wei), unit)
    digits = f"{whole:,}" + (f".{rest:0{len(str(unit)) - 1}d}".rstrip("0") if rest else "")
    return f"{'-' if wei < 0 else ''}{digits} {name}"


def rounded(wei: int) -> str:
    """As `ether`, to four significant digits: for logs and reasons, where the size is what matters.

    Args:
        wei: of either sign.

    Example:
        >>> rounded(482_711_094_233_129)
        '0.0004827 ETH'
    """
    exact = Decimal(wei)
    if exact:
        step = Decimal(10) ** (exact.adjusted() - DIGITS + 1)
        exact = (exact / step).to_integral_value() * step
    return ether(int(exact))


def _unit(wei: int) -> tuple[int, str]:
    size = abs(wei)
    if size == 0 or size >= LEAST_ETHER:
        return ETHER, "ETH"
    return (GWEI, "gwei") if size >= LEAST_GWEI else (1, "wei")
