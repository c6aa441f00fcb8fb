"""Linear combinations with full-width coefficients: words and Poseidon states. Few, so Python integers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from assay_prover.circuit.layout import FIELD_ORDER, Region, WireLayout
from assay_prover.circuit.linear import LinearTensor, RowCache

if TYPE_CHECKING:
    from assay_prover.circuit.witness_values import FieldArray, WitnessValues
    from assay_prover.reference.tensor import Int64Array

Row = dict[int, int]
"""Wire index to coefficient, reduced modulo r, no zeros."""


def to_limbs(values: Iterable[int]) -> FieldArray:
    """Integers in [0, r) as `uint64[n, 4]`, least significant limb first."""
    return np.frombuffer(b"".join(v.to_bytes(32, "little") for v in values), dtype="<u8").reshape(-1, 4)


def from_limbs(array: FieldArray) -> list[int]:
    """`uint64[n, 4]` as integers."""
    data = np.ascontiguousarray(array, dtype="<u8").tobytes()
    return [int.from_bytes(data[i : i + 32], "little") for i in range(0, len(data), 32)]


def add_rows(*parts: tuple[int, Row]) -> Row:
    """Sum of scaled rows modulo r."""
    total: Row = {}
    for factor, row in parts:
        for wire, coefficient in row.items():
            total[wire] = (total.get(wire, 0) + factor * coefficient) % FIELD_ORDER
    return {wire: coefficient for wire, coefficient in total.items() if coefficient}


class FieldTensor(ABC):
    """`size` combinations over wires with coefficients modulo r; values are integers in [0, r)."""

    size: int
    regions: Region

    @abstractmethod
    def rows(self, cache: RowCache) -> list[Row]:
        """Coefficients over the final wire indices."""

    @abstractmethod
    def compute(self, frame: WitnessValues) -> list[int]:
        """Values for one witness; use `WitnessValues.field_value`."""

    def sources(self) -> Sequence[FieldTensor | LinearTensor]:
        """Tensors whose wires occur in the rows."""
        return ()

    def own_wires(self, layout: WireLayout) -> Int64Array:
        """Wires that occur in the rows beside those of `sources`."""
        del layout
        return np.zeros(0, dtype=np.int64)


class FieldWires(FieldTensor):
    """Consecutive wires that hold full-width values."""

    def __init__(
        self, region: Region, offset: int, size: int, values: Callable[[WitnessValues], list[int]]
    ) -> None:
        self.region = region
        self.regions = region
        self.offset = offset
        self.size = size
        self._values = values

    def rows(self, cache: RowCache) -> list[Row]:
        """One 1 in each row."""
        return [{wire: 1} for wire in self.own_wires(cache.layout).tolist()]

    def own_wires(self, layout: WireLayout) -> Int64Array:
        """All of them."""
        return np.arange(self.size, dtype=np.int64) + layout.base(self.region) + self.offset

    def compute(self, frame: WitnessValues) -> list[int]:
        """Run the allocation's own rule."""
        values = self._values(frame)
        if len(values) != self.size:
            raise ValueError(f"{len(values)} values for {self.size} wires")
        return values


class FieldConstant(FieldTensor):
    """Constants modulo r."""

    def __init__(self, values: Sequence[int]) -> None:
        self.values = [v % FIELD_ORDER for v in values]
        self.size = len(self.values)
        self.regions = Region.ONE

    def rows(self, cache: RowCache) -> list[Row]:
        """Only wire 0."""
        del cache
        return [{0: v} if v else {} for v in self.values]

    def own_wires(self, layout: WireLayout) -> Int64Array:
        """Wire 0."""
        del layout
        return np.zeros(int(any(self.values)), dtype=np.int64)

    def compute(self, frame: WitnessValues) -> list[int]:
        """The constants."""
        del frame
        return self.values


class FieldConcat(FieldTensor):
    """Several tensors after one another."""

    def __init__(self, parts: Sequence[FieldTensor]) -> None:
        self.parts = tuple(parts)
        self.size = sum(part.size for part in self.parts)
        self.regions = Region(0)
        for part in self.parts:
            self.regions |= part.regions

    def rows(self, cache: RowCache) -> list[Row]:
        """Rows in order."""
        return [row for part in self.parts for row in cache.field_rows(part)]

    def sources(self) -> Sequence[FieldTensor]:
        """The parts."""
        return self.parts

    def compute(self, frame: WitnessValues) -> list[int]:
        """Values in order."""
        return [value for part in self.parts for value in frame.field_value(part)]


class FieldSlice(FieldTensor):
    """A contiguous part of another tensor."""

    def __init__(self, source: FieldTensor, start: int, stop: int) -> None:
        if not 0 <= start <= stop <= source.size:
            raise IndexError("slice outside the tensor")
        self.source = source
        self.start = start
        self.stop = stop
        self.size = stop - start
        self.regions = source.regions

    def rows(self, cache: RowCache) -> list[Row]:
        """Rows of the part."""
        return cache.field_rows(self.source)[self.start : self.stop]

    def sources(self) -> Sequence[FieldTensor]:
        """The whole tensor, of which this is some."""
        return (self.source,)

    def compute(self, frame: WitnessValues) -> list[int]:
        """Values of the part."""
        return frame.field_value(self.source)[self.start : self.stop]


class FieldSum(FieldTensor):
    """Elementwise sum of tensors of one size."""

    def __init__(self, parts: Sequence[FieldTensor]) -> None:
        self.parts = tuple(parts)
        self.size = self.parts[0].size
        self.regions = Region(0)
        for part in self.parts:
            if part.size != self.size:
                raise ValueError("tensors of different sizes cannot be added")
            self.regions |= part.regions

    def rows(self, cache: RowCache) -> list[Row]:
        """Sum of the rows."""
        columns = [cache.field_rows(part) for part in self.parts]
        return [add_rows(*((1, row) for row in rows)) for rows in zip(*columns, strict=True)]

    def sources(self) -> Sequence[FieldTensor]:
        """The parts."""
        return self.parts

    def compute(self, frame: WitnessValues) -> list[int]:
        """Sum of the values modulo r."""
        columns = [frame.field_value(part) for part in self.parts]
        return [sum(values) % FIELD_ORDER for values in zip(*columns, strict=True)]
