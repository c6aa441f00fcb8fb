"""Amounts of the native currency as a person reads them."""

from __future__ import annotations


def ether(wei: int) -> str:
    """An amount in ether: exact, without trailing zeros.

    Example:
        >>> ether(1_500_000_000_000_000_000)
        '1.5 ETH'
    """
    whole, rest = divmod(abs(wei), 10**18)
    digits = f"{whole:,}" + (f".{rest:018d}".rstrip("0") if rest else "")
    return f"{'-' if wei < 0 else ''}{digits} ETH"
