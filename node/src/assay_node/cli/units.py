"""Amounts and durations as people type them: ``0.05ether``, ``20gwei``, ``1000`` (wei); ``90s``, ``10m``,
``2h``.
"""

from __future__ import annotations

import re
from fractions import Fraction

_UNITS = {"": 1, "wei": 1, "gwei": 10**9, "ether": 10**18, "eth": 10**18}
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.ASCII)
_DURATION = re.compile(r"(\d+)\s*([smhd]?)", re.ASCII)


def parse_amount(text: str) -> int:
    """Wei. ValueError for anything but a number and a unit, for fractions of a wei and for amounts over
    2**128 - 1.
    """
    match = _AMOUNT.fullmatch(text.strip().lower().replace("_", ""))
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"{text!r} is no amount: write 0.05ether, 20gwei or a number of wei")
    wei = Fraction(match[1]) * _UNITS[match[2]]
    if wei.denominator != 1:
        raise ValueError(f"{text!r} is not a whole number of wei")
    if wei >= 2**128:
        raise ValueError(f"{text!r} is more than the market can hold")
    return int(wei)


def parse_duration(text: str) -> int:
    """Seconds, at least 1 and at most 30 days (what the market takes)."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f"{text!r} is no duration: write 90s, 10m, 2h or 1d")
    seconds = int(match[1]) * _SECONDS[match[2]]
    if not 1 <= seconds <= 30 * 86_400:
        raise ValueError(f"{text!r} is not between 1 second and 30 days")
    return seconds
