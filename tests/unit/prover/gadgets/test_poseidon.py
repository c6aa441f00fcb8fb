"""The Poseidon gadget against the native permutation and a second implementation in plain Python."""

from __future__ import annotations

import numpy as np
import pytest

from assay_prover import _native
from assay_prover.circuit import FIELD_ORDER as R
from assay_prover.circuit.builder import Builder
from assay_prover.circuit.field import FieldConstant, FieldWires
from assay_prover.circuit.plan import Plan
from assay_prover.circuit.witness_values import WitnessValues
from assay_prover.gadgets.poseidon import poseidon, sbox_count, wiring
from soundness.underconstrained import System


def _system(inputs: list[int]) -> tuple[System, FieldWires, int]:
    b = Builder(Plan((), 0, 0.0))
    wires = b.field_wires(len(inputs), lambda _: inputs)
    out = poseidon(b, wires)
    public = b.public_wires(1, lambda frame: frame.field_value(out))
    b.constrain_field(out, FieldConstant([1]), public)
    layout = b.finish()
    base = layout.base(wires.region) + wires.offset
    system = System(b, WitnessValues({}, None, 0), given=range(base, base + len(inputs)))
    return system, wires, base


@pytest.mark.parametrize("count", [1, 2, 3, 8, 16])
def test_gadget_computes_the_hash(count: int) -> None:
    inputs = [pow(7, i + 1, R) for i in range(count)]
    system, _, _ = _system(inputs)
    assert system.first_failure() is None
    assert system.z[1] == _native.poseidon(inputs)
    assert len(system.rows) == 3 * sbox_count(count + 1) + 1


def test_zero_inputs_are_no_special_case() -> None:
    system, _, _ = _system([0, 0])
    assert system.first_failure() is None


def test_no_wire_of_the_permutation_changes_alone_and_all_are_determined() -> None:
    system, _, _ = _system([3, 4])
    assert list(system.unnoticed()) == []
    assert system.free_directions() == 0


def test_another_input_needs_another_hash() -> None:
    system, _, base = _system([3, 4])
    assert not system.accepts({base: 4, base + 1: 3})


@pytest.mark.parametrize("width", [2, 3, 4, 17])
def test_wiring_is_the_permutation(width: int) -> None:
    """The linear part, evaluated over a trace, gives every S-box's input and the hash."""
    inputs = [pow(5, i + 2, R) for i in range(width - 1)]
    constants, mds, full, partial = _native.poseidon_parameters(width)
    state, basis, expected = [0, *inputs], [1, *inputs], []
    for number, row in enumerate(constants):
        state = [(s + c) % R for s, c in zip(state, row, strict=True)]
        is_full = number < full // 2 or number >= full // 2 + partial
        for i in range(width if is_full else 1):
            expected.append(state[i])
            state[i] = pow(state[i], 5, R)
            basis.append(state[i])
        state = [sum(m * s for m, s in zip(line, state, strict=True)) % R for line in mds]
    lines = wiring(width)
    got = [sum(c * basis[column] for column, c in line.items()) % R for line in lines.sboxes]
    assert got == expected
    assert sum(c * basis[column] for column, c in lines.output.items()) % R == state[0]
    assert state[0] == _native.poseidon(inputs)


def test_input_counts_outside_one_to_sixteen_are_refused() -> None:
    for count in (0, 17):
        with pytest.raises(ValueError, match="1 to 16"):
            _system(list(np.arange(count)))
