"""Types of the buffers that the native core borrows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

#: Signed integers, each standing for itself modulo r.
Small: TypeAlias = NDArray[np.int64]
#: Canonical little-endian limbs, shape (n, 4), each value below r.
Limbs: TypeAlias = NDArray[np.uint64]
#: A run of wires or rows.
Segment: TypeAlias = Small | Limbs
#: A scalar vector: segments in order, or a single one.
Vector: TypeAlias = Segment | Sequence[Segment]
#: Compressed rows: ``(ptr: int64[rows + 1], col: uint32[nnz], coef)``.
Matrix: TypeAlias = tuple[NDArray[np.int64], NDArray[np.uint32], Segment]
#: The same rows of A, B and C.
Block: TypeAlias = tuple[Matrix, Matrix, Matrix]
#: Integers in [0, r), or limbs.
Statement: TypeAlias = Iterable[int] | Limbs
#: ``(m, M, mu)``: the weights, their commitment and its opening.
Model: TypeAlias = tuple[Vector, bytes, bytes]
#: Gets a stage and the fraction of it that is done; False stops the computation.
Progress: TypeAlias = Callable[[str, float], bool | None]
