"""A tensor of the integer graph: its shape and the worst case of each element."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np
from numpy.typing import NDArray

from assay_prover.errors import QuantisationError

Int64Array = NDArray[np.int64]

LIMIT = 1 << 62
"""Every bound is strictly below this in absolute value, so sums of two and differences never leave int64."""

LARGEST = 1 << 25
"""Elements of one array that a file describes in fewer bytes: a quarter of a gigabyte."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """`shape` without the batch axis; `lo <= value <= hi` holds elementwise for every input in the declared
    range.

    Bounds are int64 arrays of `shape`; scalars are accepted and broadcast.
    """

    name: str
    shape: tuple[int, ...]
    lo: Int64Array = field(repr=False)
    hi: Int64Array = field(repr=False)

    def __post_init__(self) -> None:
        """Broadcast the bounds and refuse those that int64 arithmetic could not carry."""
        for side in ("lo", "hi"):
            bound = np.asarray(getattr(self, side))
            if bound.dtype.kind not in "iu":
                raise TypeError(f"bounds of {self.name!r} must be integers, got {bound.dtype}")
            if bound.size and (int(bound.max()) >= LIMIT or int(bound.min()) <= -LIMIT):
                raise QuantisationError(
                    f"tensor {self.name!r} can reach {int(abs(bound).max())}: 62 bits is the limit"
                )
            full = np.array(np.broadcast_to(bound, self.shape), dtype=np.int64, order="C")
            full.setflags(write=False)
            object.__setattr__(self, side, full)
        if (self.lo > self.hi).any():
            raise QuantisationError(f"tensor {self.name!r} has an empty range")

    @property
    def size(self) -> int:
        """Number of elements of one sample."""
        return prod(self.shape)

    @property
    def min(self) -> int:
        """The least value any element can take."""
        return int(self.lo.min())

    @property
    def max(self) -> int:
        """The greatest value any element can take."""
        return int(self.hi.max())
