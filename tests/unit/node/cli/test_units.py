"""Amounts and durations as typed on the command line."""

from __future__ import annotations

import pytest

from assay_node.cli.units import parse_amount, parse_duration


@pytest.mark.parametrize(
    ("text", "wei"),
    [
        ("0", 0),
        ("1000", 1000),
        ("1wei", 1),
        ("20gwei", 20 * 10**9),
        ("0.05ether", 5 * 10**16),
        ("1.000000000000000001 ETH", 10**18 + 1),
        ("123456789012345678901.5 gwei", 1234567890123456789015 * 10**8),
    ],
)
def test_amounts_are_exact(text: str, wei: int) -> None:
    assert parse_amount(text) == wei


@pytest.mark.parametrize(
    "text", ["", "-1", "1e18", "0.5wei", "0.0000000001gwei", "1 dollar", "340282366920938463464ether", "0x10"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=text or "''"):
        parse_amount(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("2h", 7200), ("30d", 2592000)]
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["0", "31d", "1.5h", "-5", "soon", ""])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|between"):
        parse_duration(text)
