"""Poseidon: known answers, and the permutation rebuilt from its published constants."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay_prover import _native
from assay_prover.groth16 import FIELD_ORDER as R
from assay_prover.groth16 import InvalidInput
from unit.prover.toy_circuit import integers


def reference(inputs: list[int]) -> tuple[int, list[int]]:
    """Hash and S-box powers, straight from the paper."""
    t = len(inputs) + 1
    constants, mds, full, partial = _native.poseidon_parameters(t)
    state, wires = [0, *inputs], []
    for number, row in enumerate(constants):
        state = [(s + c) % R for s, c in zip(state, row, strict=True)]
        active = t if number < full // 2 or number >= full // 2 + partial else 1
        for i in range(active):
            wires += [pow(state[i], e, R) for e in (2, 4, 5)]
            state[i] = wires[-1]
        state = [sum(m * s for m, s in zip(line, state, strict=True)) % R for line in mds]
    return state[0], wires


def test_known_answers_of_circomlib() -> None:
    assert _native.poseidon([1]) == 0x29176100EAA962BDC1FE6C654D6A3C130E96A4D1168B33848B897DC502820133
    assert _native.poseidon([1, 2]) == 0x115CC0F5E7D690413DF64C6B9662E9CF2A3617F2743245519E19607A4417189A


@settings(max_examples=40, deadline=None)
@given(inputs=st.lists(st.integers(0, R - 1), min_size=1, max_size=16))
def test_hash_and_trace_agree_with_the_reference(inputs: list[int]) -> None:
    expected, wires = reference(inputs)
    assert _native.poseidon(inputs) == expected
    assert integers(_native.poseidon_trace(inputs)) == wires


def test_every_width_has_its_round_numbers() -> None:
    partial = [56, 57, 56, 60, 60, 63, 64, 63, 60, 66, 60, 65, 70, 60, 64, 68]
    for t, expected in enumerate(partial, start=2):
        constants, mds, full, found = _native.poseidon_parameters(t)
        assert (full, found) == (8, expected)
        assert len(constants) == full + expected
        assert all(len(row) == t for row in [*constants, *mds])
        assert len(mds) == t


@pytest.mark.parametrize("inputs", [[], [1] * 17, [R], [-1]])
def test_inputs_it_cannot_take_are_refused(inputs: list[int]) -> None:
    with pytest.raises(InvalidInput):
        _native.poseidon(inputs)
    with pytest.raises(InvalidInput):
        _native.poseidon_trace(inputs)
