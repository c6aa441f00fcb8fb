"""Amounts and durations as typed on the command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import assay_node
from assay_node.amounts import ether, rounded
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


@pytest.mark.parametrize(
    ("wei", "exact", "short"),
    [
        (0, "0 ETH", "0 ETH"),
        (1, "1 wei", "1 wei"),
        (999_999, "999,999 wei", "0.001 gwei"),
        (1_500_000, "0.0015 gwei", "0.0015 gwei"),
        (20 * 10**9, "20 gwei", "20 gwei"),
        (123_456_789_012, "123.456789012 gwei", "123.5 gwei"),
        (10**12, "0.000001 ETH", "0.000001 ETH"),
        (482_711_094_233_129, "0.000482711094233129 ETH", "0.0004827 ETH"),
        (1234 * 10**18 + 1, "1,234.000000000000000001 ETH", "1,234 ETH"),
        (-15 * 10**17, "-1.5 ETH", "-1.5 ETH"),
    ],
)
def test_amounts_are_written_in_the_unit_that_suits_them(wei: int, exact: str, short: str) -> None:
    assert ether(wei) == exact
    assert rounded(wei) == short
    unit = {"ETH": "ether"}.get(exact.split()[1], exact.split()[1])
    if wei >= 0:
        assert parse_amount(exact.split()[0].replace(",", "") + unit) == wei


def test_no_message_of_a_worker_or_a_contract_gives_a_bare_number_of_wei() -> None:
    source = Path(assay_node.__file__).parent
    texts = [source / "worker", source / "chain" / "contracts", source / "client"]
    bare = re.compile(r"\{[^{}]*\} wei\b")
    found = [
        f"{file.name}: {line.strip()}"
        for folder in texts
        for file in folder.rglob("*.py")
        for line in file.read_text().splitlines()
        if bare.search(line)
    ]
    assert not found, found
