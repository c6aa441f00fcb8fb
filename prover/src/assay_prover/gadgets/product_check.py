"""Product check: Z = X Y for matrices of wires, by packing and by powers of the challenge.

Statement. X is I x K, Y is K x J, Z is I x J; all are integers, and Z = X Y.

Constraints. Let b be such that |Z_ij| + |(X Y)_ij| < 2^b for every Z that its own range checks allow and
every product that the ranges of X and Y allow, and R, S with b R S <= 253. R rows of X and S columns of Y
stand side by side in one field element each:

    x[B, k] = sum_r 2^(b r) X[BR + r, k]                    I/R blocks B for each k
    y[C, k] = sum_s 2^(b R s) Y[k, CS + s]                  J/S blocks C for each k
    z[B, C] = sum_(r, s) 2^(b (r + R s)) Z[BR + r, CS + s]

With G = ceil(J/S), the challenge c and g = c^G, three polynomials are evaluated by Horner's rule and
compared:

    sum_k (sum_B g^B x[B, k]) (sum_C c^C y[C, k]) = sum_B g^B sum_C c^C z[B, C]

Several products with the same X are checked as one, [Z_1 | Z_2 | ..] = X [Y_1 | Y_2 | ..], when all of them
are known: X is packed and carries its powers once. In training the rows of the data meet new weights at
each step.

Cost. K (I/R + J/S - 1) + (I/R) (J/S) constraints, quotients rounded up, and powers of the challenge up to
G, which the whole circuit shares; the plain form (`gadgets.product`) takes I J K. R and S are the cheapest.
With one block of each kind, I J b <= 253, it takes K + 1 constraints and no challenge. Z is I J small
wires, held to an interval by the requantisation that reads them (`requantise.enforced`), or by range checks
of their own.

Soundness. Let E = Z - X Y over the integers. The comparison says that the polynomial sum_(B, C) c^(G B + C)
E_BC is zero at the challenge, E_BC = sum_(r, s) 2^(b (r + R s)) E[BR + r, CS + s]. Its exponents are
distinct because C < G. Its coefficients are made of X, Y and Z alone, which the challenge's hash covers:
operands that depend on the challenge or are fixed after it are refused. So it is the zero polynomial modulo
r, but for a probability of less than G ceil(I/R) / r for each tried commitment (docs/protocol.md adds it to
the other arguments' bound). Every |E[i, j]| < 2^b, so |E_BC| <= (2^b - 1) (2^(b R S) - 1) / (2^b - 1) <
2^253 < r: E_BC is zero over the integers. Its lowest digit is then a multiple of 2^b below 2^b in
magnitude, which is zero, and so one digit after the other. Hence Z = X Y. The intervals that b is made of
are enforced: X's and Y's by the checks of whatever made them, Z's by its reader or here. Without a
challenge the same holds with the one coefficient E_00. That in a batch Z_1 decides Y_2 changes nothing:
the argument is about one assignment of all wires, whatever order they were computed in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from assay_prover import _native
from assay_prover.circuit.field import to_limbs
from assay_prover.circuit.layout import Region
from assay_prover.circuit.linear import Joined
from assay_prover.circuit.plan import FULL_WIRE, ROW, SMALL_WIRE
from assay_prover.gadgets.private.packed_rows import PackedDigits
from assay_prover.gadgets.product_rows import (
    Combinations,
    FactorRows,
    Packed,
    PolynomialRows,
    Polynomials,
    SumOfProductsRows,
)
from assay_prover.gadgets.range import range_check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assay_prover.circuit.builder import Builder
    from assay_prover.circuit.linear import LinearTensor, Wires
    from assay_prover.circuit.witness_values import FieldArray, WitnessValues
    from assay_prover.reference.tensor import Int64Array

PACKED_BITS = 253
"""Integers below 2^253 are below r."""
BATCHES = "products by left factor"
"""Where a builder keeps its `ProductBatches`."""
TYPICAL_LIMB = 11
"""Bits of a limb, for an estimate of what range checks cost before the tables are chosen."""


@dataclass(frozen=True, eq=False)
class Matrices:
    """Where the factors' and the result's elements stand: several products of the same shape at once.

    Attributes:
        x: `int64[n, I, K]`, places in the flattened left factor.
        y: `int64[n, K, J]`, places in the flattened right factor.
        z: `int64[n, I, J]`, places in the flattened result.
    """

    x: Int64Array
    y: Int64Array
    z: Int64Array

    @classmethod
    def of(cls, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> Matrices:
        """Products over the last two axes, leading axes broadcast.

        A factor that all products share is read once: the other factor's matrices become one tall or one wide
        matrix.
        """
        leading = np.broadcast_shapes(x_shape[:-2], y_shape[:-2])
        i, k, j = x_shape[-2], x_shape[-1], y_shape[-1]
        n = int(np.prod(leading, dtype=np.int64))
        z = np.arange(n * i * j).reshape(n, i, j)
        x = np.arange(np.prod(x_shape, dtype=np.int64)).reshape(x_shape)
        y = np.arange(np.prod(y_shape, dtype=np.int64)).reshape(y_shape)
        if n > 1 and y.size == k * j and x.size == n * i * k:
            return cls(x.reshape(1, n * i, k), y.reshape(1, k, j), z.reshape(1, n * i, j))
        if n > 1 and x.size == i * k and y.size == n * k * j:
            wide = y.reshape(n, k, j).transpose(1, 0, 2).reshape(1, k, n * j)
            return cls(x.reshape(1, i, k), wide, z.transpose(1, 0, 2).reshape(1, i, n * j))
        return cls(
            np.broadcast_to(x, (*leading, i, k)).reshape(n, i, k),
            np.broadcast_to(y, (*leading, k, j)).reshape(n, k, j),
            z,
        )

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """n, I, K, J."""
        return (*self.x.shape, self.y.shape[2])


@dataclass(frozen=True)
class Blocks:
    """How a product of n matrices I x K by K x J is packed.

    Attributes:
        shape: n, I, K, J.
        bits: b, of a digit.
        rows, columns: R and S.
    """

    shape: tuple[int, int, int, int]
    bits: int
    rows: int
    columns: int

    @property
    def down(self) -> int:
        """Blocks of rows, ceil(I / R)."""
        return -(-self.shape[1] // self.rows)

    @property
    def across(self) -> int:
        """Blocks of columns, ceil(J / S); also the exponent of g."""
        return -(-self.shape[3] // self.columns)

    @property
    def constraints(self) -> int:
        """Rows of the check, without powers of the challenge and range checks."""
        n, _, k, _ = self.shape
        return n * (k * (self.down + self.across - 1) + self.down * self.across)

    @property
    def degree(self) -> int:
        """The highest power of the challenge that is a wire; 0 if none is needed."""
        return 0 if self.down == self.across == 1 else self.across

    @classmethod
    def cheapest(cls, shape: tuple[int, int, int, int], bits: int) -> Blocks | None:
        """Of all R and S that fit, those of the fewest constraints; None if no digit fits."""
        return min(
            cls._all(shape, bits), key=lambda blocks: (blocks.constraints, blocks.across), default=None
        )

    @classmethod
    def _all(cls, shape: tuple[int, int, int, int], bits: int) -> Iterator[Blocks]:
        for rows in range(1, min(shape[1], PACKED_BITS // bits) + 1):
            yield cls(shape, bits, rows, min(shape[3], PACKED_BITS // (bits * rows)))


@dataclass(frozen=True)
class ProductCheck:
    """A check that is planned: what holds the result, and how the matrices are packed.

    Attributes:
        where: places of all elements.
        blocks: the packing.
        product: the interval in which every X Y lies.
        checked: whether the reader of the result holds it to its interval.
    """

    where: Matrices
    blocks: Blocks
    product: tuple[int, int]
    checked: bool

    @classmethod
    def plan(
        cls,
        b: Builder,
        x: LinearTensor,
        y: LinearTensor,
        where: Matrices,
        product: tuple[int, int],
        held: tuple[int, int] | None,
    ) -> ProductCheck | None:
        """The check of a product if it is cheaper than the plain form, else None.

        Args:
            b: the builder, which says whether checks are allowed.
            x, y: the factors, flattened; after the challenge, the plain form is the only one.
            where: their shapes.
            product: least and greatest element of X Y in the worst case.
            held: the interval in which the reader of the result holds it, None if no reader does.
        """
        late = (x.regions | y.regions) & (Region.FREE | Region.CHALLENGE)
        if not b.product_checks or late:
            return None
        lo, hi = product
        least, most = held if held is not None else (lo, lo + (1 << _width(product)) - 1)
        bits = max(most - lo, hi - least, 1).bit_length()
        blocks = Blocks.cheapest(where.shape, bits)
        if blocks is None:
            return None
        check = cls(where, blocks, product, held is not None)
        n, i, k, j = where.shape
        return check if check.cost(b) < n * i * k * j * (ROW + SMALL_WIRE) else None

    def cost(self, b: Builder) -> float:
        """In the planner's units; range checks by a typical limb."""
        size = self.where.z.size
        # the reader's checks become exact, which takes a lookup or two more where limbs do not fit
        lookups = 1 if self.checked else -(-_width(self.product) // TYPICAL_LIMB)
        rows = self.blocks.constraints + b.powers.missing(self.blocks.degree)
        return (rows + size * lookups) * (ROW + FULL_WIRE) + size * SMALL_WIRE

    def result(self, b: Builder, x: LinearTensor, y: LinearTensor) -> Wires:
        """The wires of Z, flattened as `Matrices.z` numbers them, held to their interval."""
        where, lo = self.where, self.product[0]
        n, i, _, j = where.shape

        def product(frame: WitnessValues) -> Int64Array:
            values = np.empty(n * i * j, dtype=np.int64)
            values[where.z] = frame.value(x)[where.x] @ frame.value(y)[where.y]
            return np.asarray(values)

        z = b.integers(n * i * j, product)
        if not self.checked:
            range_check(b, z - lo, _width(self.product), exact=True)
        return z

    def emit(self, b: Builder, x: LinearTensor, y: LinearTensor) -> Wires:
        """The wires of Z and the rows."""
        z = self.result(b, x, y)
        self.constrain(b, x, y, z)
        return z

    def constrain(self, b: Builder, x: LinearTensor, y: LinearTensor, z: LinearTensor) -> None:
        """The rows that say Z = X Y."""
        where = self.where
        n, _, k, _ = where.shape
        blocks, powers = self.blocks, b.powers
        down, across = blocks.down, blocks.across
        powers.reach(blocks.degree)
        by_row, by_column = np.arange(down * blocks.rows), np.arange(across * blocks.columns)
        places = to_limbs([1 << (blocks.bits * place) for place in range(blocks.rows * blocks.columns)])

        # [n, K, blocks, places in a block]
        left = _take(where.x, by_row, 1).transpose(0, 2, 1).reshape(n * k * down, blocks.rows)
        right = _take(where.y, by_column, 2).reshape(n * k * across, blocks.columns)
        both = _take(_take(where.z, by_row, 1), by_column, 2)
        both = both.reshape(n, down, blocks.rows, across, blocks.columns).transpose(0, 1, 3, 4, 2)
        result = both.reshape(n * down * across, blocks.columns * blocks.rows)

        x_values = self._polynomials(b, PackedDigits(x, left, places[: blocks.rows]), down, across)
        y_values = self._polynomials(
            b, PackedDigits(y, right, np.ascontiguousarray(places[:: blocks.rows])), across, 1
        )
        inner = self._polynomials(b, PackedDigits(z, result, places), across, 1)
        z_values = self._powers_of(b, inner, down, across)

        def products(frame: WitnessValues, challenge: int | None) -> FieldArray:
            return _native.field_mul(x_values.values(frame, challenge), y_values.values(frame, challenge))

        t: Wires
        if blocks.degree:
            t = b.derived_wires(n * k, products)
        else:
            t = b.limb_wires(n * k, lambda frame: products(frame, None))
        b.push(FactorRows(b.layer, b.gadget, x_values, y_values, t))
        b.push(SumOfProductsRows(b.layer, b.gadget, z_values, t))

    def _polynomials(self, b: Builder, packed: PackedDigits, terms: int, exponent: int) -> Polynomials:
        return self._powers_of(b, Packed(packed), terms, exponent)

    @staticmethod
    def _powers_of(b: Builder, coefficients: Combinations, terms: int, exponent: int) -> Polynomials:
        found = Polynomials(coefficients, terms, b.powers, exponent)
        if found.products:
            found.wires = b.derived_wires(found.products, found.carried)
            b.push(PolynomialRows(b.layer, b.gadget, found))
        return found


def _take(places: Int64Array, index: Int64Array, axis: int) -> Int64Array:
    """Along an axis, -1 beyond its end."""
    size = places.shape[axis]
    taken: Int64Array = np.take(places, np.minimum(index, size - 1), axis=axis)
    beyond = index >= size
    taken[(slice(None),) * axis + (beyond,)] = -1
    return taken


def _width(interval: tuple[int, int]) -> int:
    return max((interval[1] - interval[0]).bit_length(), 1)


@dataclass
class _Product:
    """One product: its check if it were alone, its right factor and its result, and whose it is."""

    check: ProductCheck
    y: LinearTensor
    z: Wires
    layer: str
    gadget: str


@dataclass
class ProductBatches:
    """The products of a circuit under construction, by left factor."""

    groups: dict[tuple[LinearTensor, bytes], list[_Product]] = field(default_factory=dict)

    @classmethod
    def of(cls, builder: Builder) -> ProductBatches:
        """The builder's."""
        if BATCHES not in builder.shared:
            batches = cls()
            builder.shared[BATCHES] = batches
            builder.at_end.append(lambda: batches.complete(builder))
        found: ProductBatches = builder.shared[BATCHES]
        return found

    def multiply(self, b: Builder, check: ProductCheck, x: LinearTensor, y: LinearTensor) -> Wires:
        """The wires of X Y, whose check is made in the end."""
        z = check.result(b, x, y)
        self.groups.setdefault((x, check.where.x.tobytes()), []).append(
            _Product(check, y, z, b.layer, b.gadget)
        )
        return z

    def complete(self, b: Builder) -> None:
        """All checks."""
        for (x, _), products in self.groups.items():
            check, y, z = _joined(products)
            with b.scope(products[0].gadget, layer=products[0].layer):
                check.constrain(b, x, y, z)


def _joined(products: list[_Product]) -> tuple[ProductCheck, LinearTensor, LinearTensor]:
    first = products[0].check
    places_y, places_z, start_y, start_z = [], [], 0, 0
    for product in products:
        places_y.append(product.check.where.y + start_y)
        places_z.append(product.check.where.z + start_z)
        start_y += product.y.size
        start_z += product.z.size
    where = Matrices(first.where.x, np.concatenate(places_y, axis=2), np.concatenate(places_z, axis=2))
    bits = max(product.check.blocks.bits for product in products)
    blocks = Blocks.cheapest(where.shape, bits)
    if blocks is None:
        raise AssertionError("digits that fit one product fit all of them")
    check = ProductCheck(where, blocks, first.product, checked=True)
    return check, Joined([product.y for product in products]), Joined([product.z for product in products])
