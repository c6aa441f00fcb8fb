"""Rows of Freivalds' check: inputs and results under powers of the challenge, each weight once.

The argument is in `assay_prover.gadgets.private.freivalds`. Everything full-width stands in A; in B are small
wires, model wires, whose share is the same in every proof, and the few powers that lie between two taps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from assay_prover import _native
from assay_prover.circuit.rows import Block, Matrix, Operands, RowGroup, csr_matrix, slices, unit_rows
from assay_prover.gadgets.private.packed_rows import PackedDigits, wire_columns

if TYPE_CHECKING:
    from assay_prover.circuit.challenge_powers import Powers
    from assay_prover.circuit.linear import LinearTensor, RowCache
    from assay_prover.circuit.lookup import DerivedWires
    from assay_prover.circuit.wide_wires import ModelWires
    from assay_prover.circuit.witness_values import FieldArray, WitnessValues
    from assay_prover.reference.tensor import Int64Array


CHUNK_TERMS = 1 << 19
"""Field elements that are gathered at once to be summed (16 MB)."""


def _need(challenge: int | None) -> int:
    if challenge is None:
        raise ValueError("Freivalds' check needs a challenge")
    return challenge


def sum_groups(elements: FieldArray) -> FieldArray:
    """Sums over the last axis but one, `uint64[.., n, 4] -> uint64[.., 4]`, halving it again and again."""
    while elements.shape[-2] > 1:
        half = elements.shape[-2] // 2
        left, right = elements[..., :half, :], elements[..., half : 2 * half, :]
        added = _native.field_add(
            np.ascontiguousarray(left).reshape(-1, 4), np.ascontiguousarray(right).reshape(-1, 4)
        ).reshape(left.shape)
        rest = elements[..., 2 * half :, :]
        elements = np.concatenate([added, rest], axis=-2) if rest.shape[-2] else added
    return elements[..., 0, :]


@dataclass(frozen=True, eq=False)
class PowerColumn:
    """c^e of each row: one side of rows that weight something by powers of the challenge."""

    powers: Powers
    exponents: Int64Array

    def rows(self, cache: RowCache) -> Matrix:
        """The wires of the powers."""
        return csr_matrix(unit_rows(self.powers.columns(self.exponents, cache.layout), cache.layout))

    def operands(self) -> Operands:
        """The powers that are named."""
        return self.powers.operands(self.exponents)

    def values(self, frame: WitnessValues, challenge: int | None) -> FieldArray:
        """From the table of powers."""
        return frame.derived(self.powers, _need(challenge))[self.exponents]


class WeightedInputRows(RowGroup):
    """c^e * x = z for each input that a window meets."""

    def __init__(
        self,
        layer: str,
        gadget: str,
        powers: Powers,
        exponents: Int64Array,
        x: LinearTensor,
        z: DerivedWires,
    ) -> None:
        super().__init__(layer, gadget, x.size)
        self.power = PowerColumn(powers, exponents)
        self.x = x
        self.z = z

    def matrices(self, cache: RowCache) -> Block:
        """The power, the input's combination, the product."""
        return self.power.rows(cache), csr_matrix(cache.rows(self.x)), csr_matrix(cache.rows(self.z))

    def operands(self) -> tuple[Operands, Operands, Operands]:
        """The three tensors."""
        return self.power.operands(), (self.x,), (self.z,)

    def evaluate(self, frame: WitnessValues, challenge: int | None) -> tuple[FieldArray, Int64Array]:
        """From the table of powers and the input's integers."""
        return self.power.values(frame, challenge), frame.value(self.x)


class TapSums:
    """S[i, k] = sum over the positions p of z[i, windows[p, k]]: no wire, a combination.

    z holds the places that are met, `[channels, places]`; windows `[P, K]` numbers them, -1 for padding.
    """

    def __init__(self, z: DerivedWires, channels: int, windows: Int64Array) -> None:
        self.z = z
        self.channels = channels
        self.windows = windows
        self.places = z.size // channels

    @property
    def taps(self) -> int:
        """K."""
        return int(self.windows.shape[1])

    @cached_property
    def _met(self) -> tuple[Int64Array, Int64Array]:
        """Places of one channel, tap after tap, and how many each tap has."""
        by_tap = self.windows.T
        there = by_tap >= 0
        return by_tap[there], there.sum(axis=1)

    def rows(self, cache: RowCache, index: Int64Array) -> sp.csr_array:
        """The combinations number `channel * K + tap`, ones on the places' wires."""
        met, counts = self._met
        starts = np.cumsum(counts) - counts
        channel, tap = index // self.taps, index % self.taps
        lengths = counts[tap]
        ptr = np.concatenate([[0], np.cumsum(lengths)])
        inside = np.arange(ptr[-1]) - np.repeat(ptr[:-1], lengths)
        place = met[np.repeat(starts[tap], lengths) + inside]
        columns = wire_columns(cache, self.z, np.repeat(channel * self.places, lengths) + place)
        ones = np.ones(columns.size, dtype=np.int64)
        return sp.csr_array((ones, columns, ptr), shape=(index.size, cache.layout.n_wires))

    @property
    def width(self) -> float:
        """Places of an average combination."""
        return self._met[0].size / self.taps

    def operands(self, combinations: int) -> Operands:
        """z, as often as so many combinations name it on average."""
        return (self.z,) * max(1, round(combinations * self.width / self.z.size))

    def derive(self, frame: WitnessValues, challenge: int) -> FieldArray:
        """Every S, `uint64[channels * K, 4]`; use `WitnessValues.derived`."""
        z = frame.derived(self.z, challenge).reshape(self.channels, self.places, 4)
        padded = np.concatenate([z, np.zeros((self.channels, 1, 4), dtype=np.uint64)], axis=1)
        step = max(1, CHUNK_TERMS // self.windows.size)
        parts = [
            sum_groups(padded[start : start + step, self.windows.T])
            for start in range(0, self.channels, step)
        ]
        return np.ascontiguousarray(np.concatenate(parts).reshape(-1, 4))


class WeightedSumRows(RowGroup):
    """S * P = t: each packed weight meets the sum over all its positions."""

    def __init__(
        self,
        layer: str,
        gadget: str,
        sums: TapSums,
        index: Int64Array,
        weights: ModelWires,
        products: DerivedWires,
        part: Int64Array | None = None,
    ) -> None:
        self.part = np.arange(index.size) if part is None else part
        super().__init__(layer, gadget, self.part.size)
        self.sums = sums
        self.index = index
        self.weights = weights
        self.products = products

    def parts(self) -> Iterator[RowGroup]:
        """Slices, if the rows are many and wide: each names a place for every position."""
        for some in slices(self.n_rows, self.sums.width):
            yield WeightedSumRows(
                self.layer, self.gadget, self.sums, self.index, self.weights, self.products, some
            )

    def matrices(self, cache: RowCache) -> Block:
        """The sum, the weight, the product."""
        a = self.sums.rows(cache, self.index[self.part])
        b, c = (
            unit_rows(wire_columns(cache, w, self.part), cache.layout) for w in (self.weights, self.products)
        )
        return csr_matrix(a), csr_matrix(b), csr_matrix(c)

    def operands(self) -> tuple[Operands, Operands, Operands]:
        """The sums, the weights, the products."""
        return self.sums.operands(self.index.size), (self.weights,), (self.products,)

    def evaluate(self, frame: WitnessValues, challenge: int | None) -> tuple[FieldArray, FieldArray]:
        """Gathered from the sums, and the model's own."""
        return frame.derived(self.sums, _need(challenge))[self.index], self.weights.limbs


@dataclass(frozen=True, eq=False)
class Terms:
    """Products of one map and, for each, the bundle and the step (place among the offsets) it counts in."""

    products: DerivedWires
    bundle: Int64Array
    step: Int64Array


class HornerRows(RowGroup):
    """(u_j + h_(j-1)) * c^(gap_j) = h_j: the sums u of each offset, joined by the powers between them.

    Of `bundles` bundles, `gaps.size` rows each; `last` is the combination u_n + h_(n-1) that is left.
    """

    def __init__(
        self, layer: str, gadget: str, powers: Powers, bundles: int, gaps: Int64Array, terms: Sequence[Terms]
    ) -> None:
        super().__init__(layer, gadget, bundles * gaps.size)
        self.power = PowerColumn(powers, np.tile(gaps, bundles))
        self.bundles = bundles
        self.gaps = gaps
        self.terms = tuple(terms)
        self.h: DerivedWires | None = None
        """[bundles, gaps]; None if there is one offset alone."""

    @property
    def steps(self) -> int:
        """Offsets."""
        return int(self.gaps.size) + 1

    def derive(self, frame: WitnessValues, challenge: int) -> FieldArray:
        """u_j + h_(j-1) of every step, `uint64[bundles * steps, 4]`; use `WitnessValues.derived`."""
        sums = np.zeros((self.bundles * self.steps, 4), dtype=np.uint64)
        for terms in self.terms:
            values = frame.derived(terms.products, challenge)
            sums = _native.field_add(sums, _sum_by_key(values, terms.bundle * self.steps + terms.step, sums))
        table = sums.reshape(self.bundles, self.steps, 4).copy()
        powers = frame.derived(self.power.powers, challenge)
        for step, gap in enumerate(self.gaps.tolist()):
            power = np.ascontiguousarray(np.broadcast_to(powers[gap], (self.bundles, 4)))
            carried = _native.field_mul(np.ascontiguousarray(table[:, step]), power)
            table[:, step + 1] = _native.field_add(np.ascontiguousarray(table[:, step + 1]), carried)
        return table.reshape(-1, 4)

    def carried(self, frame: WitnessValues, challenge: int) -> FieldArray:
        """Values of h."""
        a, b = self.evaluate(frame, challenge)
        return _native.field_mul(a, b)

    def combinations(self, cache: RowCache) -> sp.csr_array:
        """u_j + h_(j-1) of every step, `[bundles * steps, wires]`."""
        rows = [terms.bundle * self.steps + terms.step for terms in self.terms]
        columns = [
            wire_columns(cache, terms.products, np.arange(terms.products.size)) for terms in self.terms
        ]
        if self.h is not None:
            number = np.arange(self.h.size)
            rows.append(number // self.gaps.size * self.steps + number % self.gaps.size + 1)
            columns.append(wire_columns(cache, self.h, number))
        where = (np.concatenate(rows), np.concatenate(columns))
        entries = (np.ones(where[0].size, dtype=np.int64), where)
        shape = (self.bundles * self.steps, cache.layout.n_wires)
        return sp.csr_array(sp.coo_array(entries, shape=shape))

    @property
    def last(self) -> Int64Array:
        """Which combination of each bundle is the result."""
        return np.arange(self.bundles) * self.steps + self.gaps.size

    @property
    def _inner(self) -> Int64Array:
        return np.delete(np.arange(self.bundles * self.steps), self.last)

    def matrices(self, cache: RowCache) -> Block:
        """The combination, a power, the next h."""
        if self.h is None:
            raise ValueError("one offset alone has no rows")
        a = sp.csr_array(self.combinations(cache)[self._inner])
        return csr_matrix(a), self.power.rows(cache), csr_matrix(cache.rows(self.h))

    def operands(self) -> tuple[Operands, Operands, Operands]:
        """Products of all steps but the last, and h; powers; h."""
        if self.h is None:
            raise ValueError("one offset alone has no rows")
        early = [terms.products[np.flatnonzero(terms.step < self.gaps.size)] for terms in self.terms]
        inner = np.flatnonzero(np.arange(self.h.size) % self.gaps.size < self.gaps.size - 1)
        return (*early, self.h[inner]), self.power.operands(), (self.h,)

    def evaluate(self, frame: WitnessValues, challenge: int | None) -> tuple[FieldArray, FieldArray]:
        """From the table of sums and that of powers."""
        sums = frame.derived(self, _need(challenge))[self._inner]
        return sums, self.power.values(frame, challenge)


def _sum_by_key(values: FieldArray, key: Int64Array, like: FieldArray) -> FieldArray:
    """Sums of the values of equal key, one for each row of `like`."""
    order = np.argsort(key, kind="stable")
    counts = np.bincount(key, minlength=len(like))
    most = int(counts.max(initial=0))
    if not most:
        return np.zeros_like(like)
    place = np.arange(key.size) - np.repeat(np.cumsum(counts) - counts, counts)
    grid = np.zeros((len(like), most, 4), dtype=np.uint64)
    grid[key[order], place] = values[order]
    return np.ascontiguousarray(sum_groups(grid))


class WeightedResultRows(RowGroup):
    """c^e * (packed digits - packed bias) = v for each bundle and position."""

    def __init__(
        self,
        layer: str,
        gadget: str,
        powers: Powers,
        exponents: Int64Array,
        digits: PackedDigits,
        bias: ModelWires,
        bias_of: Int64Array,
        v: DerivedWires,
    ) -> None:
        super().__init__(layer, gadget, digits.size)
        self.power = PowerColumn(powers, exponents)
        self.digits = digits
        self.bias = bias
        self.bias_of = bias_of
        self.v = v

    def matrices(self, cache: RowCache) -> Block:
        """Full-width coefficients in B, on small wires."""
        ptr, col, coefficient = self.digits.rows(cache)
        # one more entry at each row's beginning
        starts = ptr[:-1]
        minus = _native.field_mul_small(np.tile(_ONE, (self.n_rows, 1)), np.full(self.n_rows, -1))
        b = (
            ptr + np.arange(self.n_rows + 1),
            np.insert(col, starts, wire_columns(cache, self.bias, self.bias_of).astype(np.uint32)),
            np.insert(coefficient, starts, minus, axis=0),
        )
        return self.power.rows(cache), b, csr_matrix(cache.rows(self.v))

    def operands(self) -> tuple[Operands, Operands, Operands]:
        """Powers; digits and biases; the products."""
        digits = self.digits.digits
        return self.power.operands(), (digits, self.bias[self.bias_of]), (self.v,)

    def evaluate(self, frame: WitnessValues, challenge: int | None) -> tuple[FieldArray, FieldArray]:
        """From the table of powers and the integers."""
        packed = _native.field_sub(self.digits.value(frame), self.bias.limbs[self.bias_of])
        return self.power.values(frame, challenge), packed


_ONE = np.array([[1, 0, 0, 0]], dtype=np.uint64)


class FreivaldsRows(RowGroup):
    """0 * 0 = sum_p v - (u_n + h_(n-1)), once for each bundle: v then has no point of A."""

    def __init__(self, layer: str, gadget: str, v: DerivedWires, horner: HornerRows) -> None:
        super().__init__(layer, gadget, horner.bundles)
        self.v = v
        self.horner = horner

    def matrices(self, cache: RowCache) -> Block:
        """Everything in C."""
        n = self.n_rows
        columns = wire_columns(cache, self.v, np.arange(self.v.size))
        ptr = np.arange(n + 1) * (self.v.size // n)
        ones = np.ones(columns.size, dtype=np.int64)
        left = sp.csr_array((ones, columns, ptr), shape=(n, cache.layout.n_wires))
        right = sp.csr_array(self.horner.combinations(cache)[self.horner.last])
        difference = sp.csr_array(left - right)
        difference.sort_indices()
        nothing = sp.csr_array((n, cache.layout.n_wires), dtype=np.int64)
        return csr_matrix(nothing), csr_matrix(nothing), csr_matrix(difference)

    def operands(self) -> tuple[Operands, Operands, Operands]:
        """Nothing; nothing; products of the results, of the last step, the last h."""
        horner = self.horner
        last = [terms.products[np.flatnonzero(terms.step == horner.gaps.size)] for terms in horner.terms]
        if horner.h is not None:
            last.append(horner.h[np.arange(1, horner.bundles + 1) * horner.gaps.size - 1])
        return (), (), (self.v, *last)

    def evaluate(self, frame: WitnessValues, challenge: int | None) -> tuple[Int64Array, Int64Array]:
        """Zeros, whatever the witness."""
        del frame, challenge
        zeros = np.zeros(self.n_rows, dtype=np.int64)
        return zeros, zeros
