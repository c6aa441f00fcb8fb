"""One gadget alone: named integer inputs, the gadget, its output, and the adversary of `underconstrained`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from assay_prover.circuit import FIELD_ORDER
from assay_prover.circuit.builder import Builder, Tiling
from assay_prover.circuit.layout import Region
from assay_prover.circuit.linear import LinearTensor, Wires
from assay_prover.circuit.plan import Plan
from assay_prover.circuit.witness_values import WitnessValues
from soundness.underconstrained import System

Values = dict[str, NDArray[np.int64]]


class Gadget:
    """A circuit of one gadget: `build(builder, inputs)` returns its output."""

    def __init__(
        self,
        build: Callable[[Builder, dict[str, LinearTensor]], LinearTensor | None],
        inputs: Values,
        tables: tuple[int, ...] | Tiling,
    ) -> None:
        self.builder = Builder(Plan(tables, 0, 0.0) if isinstance(tables, tuple) else tables)
        self.wires: dict[str, Wires] = {
            name: self.builder.integers(value.size, _reader(name)) for name, value in inputs.items()
        }
        self.output = build(self.builder, dict(self.wires))
        self.layout = self.builder.finish()
        self.frame = WitnessValues(inputs, None, 0)
        given = [i for wires in self.wires.values() for i in self.indices(wires)]
        self.system = System(self.builder, self.frame, given=given)

    def indices(self, wires: Wires) -> range:
        """Positions of allocated wires in z."""
        first = self.layout.base(wires.region) + wires.offset
        return range(first, first + wires.size)

    @property
    def value(self) -> NDArray[np.int64]:
        """The output's integers."""
        assert self.output is not None
        return self.frame.value(self.output)

    def deceive(self, claims: dict[int, list[int]]) -> bool:
        """Whether the constraints accept other values for some allocations.

        `claims` maps the position of an allocation (inputs come first) to values; every other wire is
        computed from them as the honest witness would be, limbs included, and the lookups are repaired as
        well as they can be.
        """
        frame = WitnessValues(self.frame._tensors, None, 0)
        for position, values in claims.items():
            frame._values[self.builder.committed[position]] = np.array(values, dtype=np.int64)
        changes: dict[int, int] = {}
        counted = {m for table in self.system.tables.values() for m in table.multiplicities}
        for wires in self.builder.committed:
            indices = self.indices(wires)
            if counted.isdisjoint(indices):
                claimed = zip(indices, frame.value(wires).tolist(), strict=True)
                changes |= {i: v for i, v in claimed if v % FIELD_ORDER != self.system.z[i]}
        return self.system.accepts(changes)

    @property
    def own(self) -> list[int]:
        """The gadget's integer wires, without its inputs and without multiplicities."""
        base = self.layout.base(Region.COMMITTED)
        counted = {m for table in self.system.tables.values() for m in table.multiplicities}
        return [
            i
            for i in range(base, base + self.layout.n_small)
            if i not in self.system.given and i not in counted
        ]


def _reader(name: str) -> Callable[[WitnessValues], NDArray[np.int64]]:
    return lambda frame: frame.tensor(name)
