"""The values of one witness: inference, wires and, once it is known, what depends on the challenge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from assay_prover.circuit.in_order import in_order
from assay_prover.circuit.layout import FIELD_ORDER
from assay_prover.circuit.linear import LinearTensor, Mapped, field_parts

if TYPE_CHECKING:
    from assay_prover.circuit.field import FieldTensor
    from assay_prover.circuit.lookup import LookupTable
    from assay_prover.circuit.wide_wires import LimbWires
    from assay_prover.reference.tensor import Int64Array

FieldArray = NDArray[np.uint64]
"""Field elements as canonical little-endian limbs, `uint64[n, 4]`."""


class Derived(Protocol):
    """What is known once the challenge is: wires, or a table that several wires share."""

    def derive(self, frame: WitnessValues, challenge: int) -> FieldArray:
        """Field elements `uint64[n, 4]`."""


def _computed_from(tensor: LinearTensor) -> Sequence[LinearTensor]:
    """A layer's values come from the inference, not from its inputs' rows."""
    return () if isinstance(tensor, Mapped) else tensor.sources()


class WitnessValues:
    """One inference: every tensor's integers and the statement's field elements; memoises what gadgets
    compute from them."""

    def __init__(
        self,
        tensors: Mapping[str, Int64Array],
        salt: int | None,
        binding: int,
        blinding: int | None = None,
    ) -> None:
        for what, value in (("binding", binding), ("salt", salt), ("blinding", blinding)):
            if value is not None and not 0 <= value < FIELD_ORDER:
                raise ValueError(f"{what} is not a canonical field element")
        self._tensors = tensors
        self.salt = salt
        self.binding = binding
        self.blinding = blinding
        self._values: dict[LinearTensor, Int64Array] = {}
        self._field_values: dict[FieldTensor, list[int]] = {}
        self._limbs: dict[LimbWires, FieldArray] = {}
        self._counts: dict[LookupTable, Int64Array] = {}
        self._derived: dict[tuple[Derived, int], FieldArray] = {}
        self._inverses: dict[tuple[LookupTable, int], tuple[FieldArray, FieldArray]] = {}

    def tensor(self, name: str) -> Int64Array:
        """A tensor of the integer graph, flattened."""
        return np.asarray(self._tensors[name], dtype=np.int64).reshape(-1)

    def value(self, tensor: LinearTensor) -> Int64Array:
        """Values of linear combinations, each computed once."""
        for part in in_order(tensor, _computed_from, self._values):
            self._values[part] = part.compute(self)
        return self._values[tensor]

    def field_value(self, tensor: FieldTensor) -> list[int]:
        """Values of combinations with full-width coefficients, each computed once."""
        for part in in_order(tensor, field_parts, self._field_values):
            self._field_values[part] = part.compute(self)
        return self._field_values[tensor]

    def limbs(self, wires: LimbWires) -> FieldArray:
        """Full-width wires that need no challenge, each computed once."""
        known = self._limbs.get(wires)
        if known is None:
            known = wires.make(self)
            self._limbs[wires] = known
        return known

    def multiplicities(self, table: LookupTable) -> Int64Array:
        """How often each entry of the table is looked up, `int64[entries]`."""
        known = self._counts.get(table)
        if known is None:
            known = table.count(self)
            self._counts[table] = known
        return known

    def differences(self, table: LookupTable, challenge: int) -> tuple[FieldArray, FieldArray]:
        """`(c - t_j, 1 / (c - t_j))` for every entry: every lookup's inverse is one of these."""
        known = self._inverses.get((table, challenge))
        if known is None:
            known = table.differences(challenge)
            self._inverses[(table, challenge)] = known
        return known

    def derived(self, source: Derived, challenge: int) -> FieldArray:
        """What depends on a challenge, each computed once."""
        known = self._derived.get((source, challenge))
        if known is None:
            known = source.derive(self, challenge)
            self._derived[(source, challenge)] = known
        return known
