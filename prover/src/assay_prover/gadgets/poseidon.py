"""Poseidon (Grassi et al., USENIX Security 2021), circomlib's parameters: the hash of 1 to 16 elements.

Statement. out = Poseidon(in_1, .., in_n), state of t = n + 1 elements starting at (0, in).

Constraints for each S-box with input x, a linear combination of inputs and earlier S-box outputs: x x = x2,
x2 x2 = x4, x4 x = x5. Round constants and the MDS matrix are coefficients. In a partial round only state[0]
passes the S-box.

Cost. 3 (8 t + R_P) constraints and full-width wires: 264 for three inputs (t = 4), 612 for sixteen (t = 17).

Soundness. Every wire is a product of combinations of earlier wires, so all of them are determined by the
inputs, modulo r.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from assay_prover import _native
from assay_prover.circuit.field import FieldTensor, FieldWires, Row, from_limbs, to_limbs
from assay_prover.circuit.layout import FIELD_ORDER, Region
from assay_prover.circuit.rows import FieldProductRows

if TYPE_CHECKING:
    from assay_prover.circuit.builder import Builder
    from assay_prover.circuit.layout import WireLayout
    from assay_prover.circuit.linear import RowCache
    from assay_prover.circuit.witness_values import WitnessValues
    from assay_prover.reference.tensor import Int64Array

MAX_INPUTS = 16


class Wiring:
    """Coefficients of one width, over the basis (1, inputs, S-box outputs in order)."""

    def __init__(self, width: int) -> None:
        constants, mds_rows, full, partial = _native.poseidon_parameters(width)
        mds = np.array(mds_rows, dtype=object)
        self.width = width
        self.sboxes: list[dict[int, int]] = []
        # state[i] = state coefficients . basis, with basis positions listed in `columns`
        columns = [0, *range(1, width)]
        state = np.zeros((width, width), dtype=object)
        for i in range(1, width):
            state[i, i] = 1
        next_output = width
        for number, row in enumerate(constants):
            state[:, 0] = (state[:, 0] + np.array(row, dtype=object)) % FIELD_ORDER
            is_full = number < full // 2 or number >= full // 2 + partial
            active = range(width) if is_full else range(1)
            for i in active:
                self.sboxes.append(
                    {column: c for column, c in zip(columns, state[i].tolist(), strict=True) if c}
                )
            if is_full:
                # nothing but the new outputs survives
                columns = [0, *range(next_output, next_output + width)]
                state = np.zeros((width, width + 1), dtype=object)
                for i in range(width):
                    state[i, i + 1] = 1
                next_output += width
            else:
                columns.append(next_output)
                state = np.hstack([state, np.zeros((width, 1), dtype=object)])
                state[0, :] = 0
                state[0, -1] = 1
                next_output += 1
            state = mds.dot(state) % FIELD_ORDER
        self.output = {column: c for column, c in zip(columns, state[0].tolist(), strict=True) if c}


@lru_cache(maxsize=16)
def wiring(width: int) -> Wiring:
    """Wiring of a state of `width` elements; a few tenths of a second for the widest, once."""
    return Wiring(width)


@lru_cache(maxsize=16)
def sbox_count(width: int) -> int:
    """S-boxes of one permutation."""
    _, _, full, partial = _native.poseidon_parameters(width)
    return int(full * width + partial)


class _Permutation:
    """One instance: its inputs and the wires x2, x4, x5 of each S-box, in order."""

    def __init__(self, b: Builder, inputs: FieldTensor) -> None:
        if not 1 <= inputs.size <= MAX_INPUTS:
            raise ValueError(f"Poseidon takes 1 to {MAX_INPUTS} inputs, got {inputs.size}")
        self.inputs = inputs
        self.width = inputs.size + 1
        self.wires: FieldWires = b.field_wires(3 * sbox_count(self.width), self._trace)

    def _trace(self, frame: WitnessValues) -> list[int]:
        return from_limbs(_native.poseidon_trace(frame.field_value(self.inputs)))

    def expand(self, cache: RowCache, templates: list[dict[int, int]]) -> list[Row]:
        """Rows over wires from rows over the basis."""
        inputs = self.inputs.rows(cache)
        first = cache.layout.base(self.wires.region) + self.wires.offset
        rows: list[Row] = []
        for template in templates:
            row: Row = {}
            for column, coefficient in template.items():
                if column == 0:
                    row[0] = (row.get(0, 0) + coefficient) % FIELD_ORDER
                elif column < self.width:
                    for wire, inner in inputs[column - 1].items():
                        row[wire] = (row.get(wire, 0) + coefficient * inner) % FIELD_ORDER
                else:
                    wire = first + 3 * (column - self.width) + 2
                    row[wire] = (row.get(wire, 0) + coefficient) % FIELD_ORDER
            rows.append({wire: c for wire, c in row.items() if c})
        return rows

    def own_wires(self, layout: WireLayout, templates: list[dict[int, int]]) -> Int64Array:
        """S-box outputs that occur in rows over the basis."""
        first = layout.base(self.wires.region) + self.wires.offset
        columns = np.array(sorted({c for template in templates for c in template if c >= self.width}))
        return np.asarray(first + 3 * (columns - self.width) + 2, dtype=np.int64)


class _SboxInputs(FieldTensor):
    """x of every S-box."""

    def __init__(self, permutation: _Permutation) -> None:
        self.permutation = permutation
        self.size = sbox_count(permutation.width)
        self.regions = permutation.inputs.regions | Region.FREE | Region.ONE

    def rows(self, cache: RowCache) -> list[Row]:
        """Combinations of inputs and earlier outputs."""
        return self.permutation.expand(cache, wiring(self.permutation.width).sboxes)

    def sources(self) -> tuple[FieldTensor]:
        """The hashed elements."""
        return (self.permutation.inputs,)

    def own_wires(self, layout: WireLayout) -> Int64Array:
        """Outputs of earlier S-boxes."""
        return self.permutation.own_wires(layout, wiring(self.permutation.width).sboxes)

    def compute(self, frame: WitnessValues) -> list[int]:
        """x = x5 / x4, which needs no round arithmetic; x4 = 0 only for x = 0."""
        powers = frame.field_value(self.permutation.wires)
        fourth, fifth = powers[1::3], powers[2::3]
        nonzero = [v or 1 for v in fourth]
        return from_limbs(_native.field_mul(_native.field_inverse(to_limbs(nonzero)), to_limbs(fifth)))


class _Output(FieldTensor):
    """state[0] after the last round."""

    def __init__(self, permutation: _Permutation) -> None:
        self.permutation = permutation
        self.size = 1
        self.regions = permutation.inputs.regions | Region.FREE | Region.ONE

    def rows(self, cache: RowCache) -> list[Row]:
        """The last mix."""
        return self.permutation.expand(cache, [wiring(self.permutation.width).output])

    def sources(self) -> tuple[FieldTensor]:
        """The hashed elements, whose share in the state never quite leaves it."""
        return (self.permutation.inputs,)

    def own_wires(self, layout: WireLayout) -> Int64Array:
        """Outputs of the S-boxes."""
        return self.permutation.own_wires(layout, [wiring(self.permutation.width).output])

    def compute(self, frame: WitnessValues) -> list[int]:
        """The hash."""
        return [_native.poseidon(frame.field_value(self.permutation.inputs))]


class _Powers(FieldTensor):
    """Every third wire of the trace: x2, x4 or x5."""

    def __init__(self, wires: FieldWires, start: int) -> None:
        self.wires = wires
        self.start = start
        self.size = wires.size // 3
        self.regions = wires.regions

    def rows(self, cache: RowCache) -> list[Row]:
        """One wire a row."""
        return [{wire: 1} for wire in self.own_wires(cache.layout).tolist()]

    def own_wires(self, layout: WireLayout) -> Int64Array:
        """Every third."""
        return self.wires.own_wires(layout)[self.start :: 3]

    def compute(self, frame: WitnessValues) -> list[int]:
        """Values from the trace."""
        return frame.field_value(self.wires)[self.start :: 3]


def poseidon(b: Builder, inputs: FieldTensor) -> FieldTensor:
    """The hash of all elements of `inputs`, one combination."""
    permutation = _Permutation(b, inputs)
    x = _SboxInputs(permutation)
    x2, x4, x5 = (_Powers(permutation.wires, start) for start in range(3))
    for left, right, product in ((x, x, x2), (x2, x2, x4), (x4, x, x5)):
        b.push(FieldProductRows(b.layer, b.gadget, left, right, product))
    return _Output(permutation)
