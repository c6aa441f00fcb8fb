"""Packing: b-bit integers side by side in words of at most 253 bits.

Statement. word_i = sum_j v_(i n + j) 2^(b j), n = floor(253 / b), the v in [0, 2^b).

Constraints. None: words are linear combinations of the values. Making one a public input costs one
constraint.

Soundness. The values are in [0, 2^b), by their own range check (inputs) or by the worst case of what
computes them (outputs), and 2^253 < r: different values give different words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay_prover.circuit.field import FieldTensor, Row
from assay_prover.circuit.layout import FIELD_ORDER
from assay_prover.circuit.packing import pack, values_per_word

if TYPE_CHECKING:
    from assay_prover.circuit.linear import LinearTensor, RowCache
    from assay_prover.circuit.witness_values import WitnessValues


class PackedWords(FieldTensor):
    """Words over a tensor of unsigned values of `bits` bits each."""

    def __init__(self, values: LinearTensor, bits: int) -> None:
        self.values = values
        self.bits = bits
        self.per_word = values_per_word(bits)
        self.size = -(-values.size // self.per_word)
        self.regions = values.regions

    def rows(self, cache: RowCache) -> list[Row]:
        """Each value's row times its place."""
        matrix = cache.rows(self.values)
        indptr, indices, data = matrix.indptr.tolist(), matrix.indices.tolist(), matrix.data.tolist()
        words: list[Row] = []
        for word in range(self.size):
            row: Row = {}
            first = word * self.per_word
            for place, i in enumerate(range(first, min(first + self.per_word, self.values.size))):
                for entry in range(indptr[i], indptr[i + 1]):
                    wire = indices[entry]
                    row[wire] = (row.get(wire, 0) + (data[entry] << (self.bits * place))) % FIELD_ORDER
            words.append({wire: c for wire, c in row.items() if c})
        return words

    def sources(self) -> tuple[LinearTensor]:
        """The values."""
        return (self.values,)

    def compute(self, frame: WitnessValues) -> list[int]:
        """Pack the values."""
        return pack(frame.value(self.values), self.bits)
