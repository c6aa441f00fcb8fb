"""What a key costs to register, against the contracts' own figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assay_node.chain.contracts.key_gas import (
    MAX_TRANSACTION_GAS,
    PART_BYTES,
    KeyShape,
    most_words,
    register_gas,
    shapes_of,
)

ROOT = Path(__file__).parents[5]
SNAPSHOTS = json.loads((ROOT / "contracts/snapshots/registry.json").read_text(encoding="utf-8"))
VECTORS = json.loads((ROOT / "contracts/test/vectors/groth16.json").read_text(encoding="utf-8"))
SLICES = [KeyShape(3, True, False), KeyShape(3, True, False), KeyShape(4, True, False)]


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("register_committed_4_words", [KeyShape(4, True, False)]),
        ("register_committed_3_slices", SLICES),
        *((f"register_{words}_words", [KeyShape(words, True, True)]) for words in (100, 370, 380, 700, 1000)),
    ],
)
def test_the_estimate_is_at_least_what_it_costs_and_at_most_three_percent_more(
    name: str, shapes: list[KeyShape]
) -> None:
    used = int(SNAPSHOTS[name])
    assert used <= register_gas(shapes) <= used * 1.03


@pytest.mark.parametrize("mode", ["plain", "committed", "private", "committedPrivate"])
def test_the_shape_is_read_from_the_key(mode: str) -> None:
    key = bytes.fromhex(VECTORS[mode]["vk"].removeprefix("0x"))
    (shape,) = shapes_of(key)
    words = len(VECTORS[mode]["inputs"][0])
    assert shape == KeyShape(words, "ommitted" in mode, "rivate" in mode)
    assert shape.key_bytes == len(key)
    sliced = b"ASVS\x01\x02".ljust(32, b"\0") + key + key
    assert shapes_of(sliced) == [shape, shape]


@pytest.mark.parametrize(
    "change", [lambda k: k[:-1], lambda k: k + b"\0", lambda k: b"X" + k[1:], lambda _: b""]
)
def test_bytes_that_are_no_key_have_no_shape(change) -> None:
    key = bytes.fromhex(VECTORS["plain"]["vk"].removeprefix("0x"))
    with pytest.raises(ValueError):
        shapes_of(change(key))


def test_the_largest_statement_is_the_last_that_a_transaction_can_register() -> None:
    for committed in (False, True):
        for private in (False, True):
            most = most_words(committed=committed, private_weights=private)
            assert register_gas([KeyShape(most, committed, private)]) <= MAX_TRANSACTION_GAS
            assert register_gas([KeyShape(most + 1, committed, private)]) > MAX_TRANSACTION_GAS
            assert 1060 < most < 1110
            assert KeyShape(most, committed, private).key_bytes > 2 * PART_BYTES


def test_a_long_uri_is_paid_for() -> None:
    shape = [KeyShape(4, True, False)]
    assert register_gas(shape, uri_bytes=31) == register_gas(shape)
    assert register_gas(shape, uri_bytes=300) > register_gas(shape) + 200_000
