"""Function table: y = values[x - lo], any function of one bounded integer.

Statement. y_i = f(x_i) for x_i in [lo, hi], the worst case of x.

Constraints. y - y_min in [0, 2^n) and one lookup: (x - lo) + 2^k (y - y_min) is in { j + 2^k (values[j] -
y_min) }, where 2^k > hi - lo.

Cost. One lookup and one range check of n bits an element; a table of hi - lo + 1 entries, shared by layers
with the same function.

Soundness. The lookup gives (x - lo - j) = 2^k (values[j] - y) modulo r for some entry j. By the worst case
of x the left side is an integer below 2^k in absolute value, and by its range check so is the right side
below 2^(k+n+15): both sides are equal as integers. The right side is a multiple of 2^k, so both are 0: x -
lo = j and y = values[j]. Without y's range check y = values[j] - (x - lo - j) / 2^k modulo r would pass for
any j.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from assay_prover.circuit.linear import LinearTensor, combine
from assay_prover.circuit.lookup import LookupTable
from assay_prover.gadgets.logup import lookup
from assay_prover.gadgets.range import range_check
from assay_prover.gadgets.registry import Operands, constrains
from assay_prover.gadgets.requantise import bit_length
from assay_prover.reference import Table

if TYPE_CHECKING:
    from assay_prover.circuit.builder import Builder
    from assay_prover.reference.tensor import Int64Array

MAX_ENTRIES = 1 << 20
"""A million entries is a million constraints."""


def function_table(b: Builder, x: LinearTensor, x_lo: int, x_hi: int, values: Int64Array) -> LinearTensor:
    """y = values[x - x_lo], where x is in [x_lo, x_hi] in the worst case and `values` has one entry for each.

    Raises:
        ValueError: more entries than `MAX_ENTRIES`.
    """
    entries = x_hi - x_lo + 1
    if entries > MAX_ENTRIES:
        raise ValueError(
            f"a function of {entries} arguments is too large for a table ({MAX_ENTRIES} entries)"
        )
    if values.shape != (entries,):
        raise ValueError(f"{values.size} values for {entries} arguments")
    key_bits = max(bit_length(entries - 1), 1)
    least = int(values.min())
    payload = values - least
    # the whole digest: with two functions in one table a publisher has a model that is not its file
    digest = sha256(np.ascontiguousarray(payload).tobytes()).hexdigest()
    table = b.table(digest, lambda: LookupTable(f"f{digest[:16]}", key_bits, payload))
    y = b.integers(x.size, lambda frame: values[frame.value(x) - x_lo])
    range_check(b, y - least, bit_length(int(payload.max())), exact=False)
    lookup(b, table, combine([(1, x), (1 << key_bits, y)], constant=-x_lo - (least << key_bits)))
    return y


@constrains(Table)
def _lower(b: Builder, op: Table, given: Operands) -> LinearTensor:
    least, most = given.facts[0].min, given.facts[0].max
    values = np.asarray(op.values[least - op.lo : most - op.lo + 1], dtype=np.int64)
    return function_table(b, given.first, least, most, values)
