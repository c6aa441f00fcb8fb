"""Products of two computed matrices, checked under the challenge: complete, and unique but at a root."""

from __future__ import annotations

import numpy as np
import pytest

from assay_prover.circuit import FIELD_ORDER as R
from assay_prover.circuit.builder import Builder
from assay_prover.circuit.layout import Region
from assay_prover.circuit.linear import LinearTensor, Wires
from assay_prover.circuit.plan import Plan
from assay_prover.circuit.witness_values import WitnessValues
from assay_prover.gadgets.product_check import Blocks, Matrices, ProductBatches, ProductCheck
from assay_prover.gadgets.product_rows import FactorRows
from assay_prover.gadgets.requantise import enforced, requantise
from soundness.harness import Gadget
from soundness.underconstrained import System

Shape = tuple[int, ...]
SHAPES: list[tuple[Shape, Shape]] = [
    ((3, 4), (4, 5)),
    ((1, 3), (3, 1)),
    ((5, 1), (1, 4)),
    ((2, 2, 3), (2, 3, 2)),
    ((2, 3, 2), (2, 2)),
    ((3, 2), (2, 2, 2)),
    ((2, 1, 2, 2), (1, 2, 2, 2)),
]
LO, HI = -3, 4


def _bounds(inner: int) -> tuple[int, int]:
    return LO * HI * inner, HI * HI * inner


def _gadget(
    x_shape: Shape, y_shape: Shape, rows: int, columns: int, *, read: bool = False, seed: int = 1
) -> Gadget:
    """A product alone, `rows` x `columns` elements a word; with `read`, what reads it holds it."""
    random = np.random.default_rng(seed)
    x, y = (random.integers(LO, HI + 1, shape) for shape in (x_shape, y_shape))
    where = Matrices.of(x_shape, y_shape)
    product = _bounds(x_shape[-1])

    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        size = where.z.size
        ends = tuple(np.full(size, end, dtype=np.int64) for end in product)
        held = enforced(ends[0], ends[1], 2, None, None) if read else None
        least, most = held or (product[0], product[0] + (1 << (product[1] - product[0]).bit_length()) - 1)
        bits = max(most - product[0], product[1] - least).bit_length()
        blocks = Blocks(where.shape, bits, min(rows, where.shape[1]), min(columns, where.shape[3]))
        assert bits * blocks.rows * blocks.columns <= 253
        z = ProductCheck(where, blocks, product, checked=read).emit(b, inputs["x"], inputs["y"])
        return requantise(b, z, ends[0], ends[1], 2, None, None, exact=True) if read else z

    return Gadget(build, {"x": x.ravel(), "y": y.ravel()}, (4,))


def _expected(gadget: Gadget, x_shape: Shape, y_shape: Shape) -> np.ndarray:
    x, y = (gadget.frame.tensor(name).reshape(s) for name, s in (("x", x_shape), ("y", y_shape)))
    return np.asarray(x @ y).ravel()


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 1), (1, 2), (2, 2), (5, 5)])
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_a_product_is_the_references_and_no_wire_changes(
    shapes: tuple[Shape, Shape], rows: int, columns: int
) -> None:
    gadget = _gadget(*shapes, rows, columns)
    assert gadget.system.first_failure() is None
    assert np.array_equal(gadget.value, _expected(gadget, *shapes))
    assert gadget.system.free_directions() == 0
    assert list(gadget.system.unnoticed(gadget.own)) == []
    for changes in gadget.system.balanced_pairs(200):
        assert not gadget.system.accepts(changes)


def test_every_wire_of_a_check_is_determined() -> None:
    for rows, columns in ((1, 1), (2, 2), (3, 5)):
        gadget = _gadget((3, 4), (4, 5), rows, columns)
        assert list(gadget.system.unnoticed()) == []


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 2), (3, 3)])
def test_what_reads_a_product_holds_it(rows: int, columns: int) -> None:
    shapes: tuple[Shape, Shape] = ((3, 3), (3, 4))
    gadget = _gadget(*shapes, rows, columns, read=True)
    assert gadget.system.first_failure() is None
    assert np.array_equal(gadget.value, (_expected(gadget, *shapes) + 2) >> 2)
    assert list(gadget.system.unnoticed(gadget.own)) == []
    assert gadget.system.free_directions() == 0


@pytest.mark.parametrize("read", [False, True])
@pytest.mark.parametrize("delta", ["one", "a digit", "a carry", "swapped", "row and column"])
def test_another_result_is_refused(delta: str, read: bool) -> None:
    shapes: tuple[Shape, Shape] = ((3, 3), (3, 4))
    gadget = _gadget(*shapes, 2, 2, read=read)
    where = next(i for i, wires in enumerate(gadget.builder.committed) if wires.size == 12)
    honest = _expected(gadget, *shapes).reshape(3, 4)
    bits = 8 if read else 7
    for i, j in np.ndindex(2, 3):
        claimed = honest.copy()
        if delta == "one":
            claimed[i, j] += 1
        elif delta == "a digit":
            claimed[i, j] += 1 << bits
        elif delta == "a carry":
            claimed[i, j] += 1 << bits
            claimed[i + 1, j] -= 1
        elif delta == "swapped":
            if honest[i, j] == honest[i, j + 1]:
                continue
            claimed[i, j], claimed[i, j + 1] = honest[i, j + 1], honest[i, j]
        else:  # what a check of the rows' and columns' sums alone would miss
            claimed[i, j] += 1
            claimed[i + 1, j + 1] += 1
            claimed[i, j + 1] -= 1
            claimed[i + 1, j] -= 1
        assert not gadget.deceive({where: claimed.ravel().tolist()})


def test_a_false_result_passes_at_the_root_of_its_error_and_nowhere_else() -> None:
    """The challenge must come after the result: who knew it could choose an error that vanishes there."""
    where = Matrices.of((1, 2), (2, 2))
    values = {"x": np.array([1, 2]), "y": np.array([3, 3, -1, -1])}
    first, second = 3, 5

    def accepts(challenge: int) -> bool:
        builder = Builder(Plan((4,), 0, 0.0))
        x = builder.integers(2, lambda frame: frame.tensor("x"))
        y = builder.integers(4, lambda frame: frame.tensor("y"))
        z = ProductCheck(where, Blocks(where.shape, 5, 1, 1), (-16, 15), checked=False).emit(builder, x, y)
        builder.finish()
        frame = WitnessValues(values, None, 0)
        frame._values[z] = frame.value(z) + np.array([first, second])
        return System(builder, frame, challenge=challenge).first_failure() is None

    root = -first * pow(second, -1, R) % R
    assert accepts(root)
    assert not any(accepts(challenge) for challenge in (97, R - 2, root + 1, root - 1, 987654321**5 % R))


def test_factors_that_depend_on_the_challenge_are_multiplied_one_by_one() -> None:
    builder = Builder(Plan((4,), 0, 0.0), product_checks=True)
    where = Matrices.of((32, 32), (32, 32))
    early = builder.integers(1024, lambda frame: frame.tensor("x"))

    def planned(x: LinearTensor, y: LinearTensor) -> ProductCheck | None:
        return ProductCheck.plan(builder, x, y, where, (-2048, 2048), None)

    assert planned(early, early) is not None
    for region in (Region.FREE, Region.CHALLENGE):
        late = Wires(region, 0, 1, lambda frame: frame.tensor("x"))[np.zeros(1024, dtype=np.int64)]
        assert planned(late, early) is None
        assert planned(early, late) is None


def test_a_digit_never_leaves_its_place() -> None:
    """Every packing that is ever chosen: the error of any element fits a digit, and all digits fit a word."""
    for bits in (1, 2, 7, 30, 63, 126, 127, 200, 253):
        for shape in ((1, 1, 1, 1), (1, 9, 4, 7), (3, 64, 16, 64), (1, 500, 2, 3)):
            blocks = Blocks.cheapest(shape, bits)
            assert blocks is not None
            assert bits * blocks.rows * blocks.columns <= 253
            assert blocks.rows <= shape[1]
            assert blocks.columns <= shape[3]
    assert Blocks.cheapest((1, 4, 4, 4), 254) is None


STEPS = 3


def _batch(seed: int = 1) -> Gadget:
    """X Y_1, X Y_2, .. with Y_(t+1) = 1 - the requantised X Y_t: each result decides the next factor."""
    random = np.random.default_rng(seed)
    inner = 3
    x, y = random.integers(LO, HI + 1, (inner, inner)), random.integers(LO, HI + 1, (inner, 1))
    product = _bounds(inner)
    low, high = (np.full(inner, end, dtype=np.int64) for end in product)

    def build(b: Builder, inputs: dict[str, LinearTensor]) -> LinearTensor:
        b.product_checks = True
        batches, left, right = ProductBatches.of(b), inputs["x"], inputs["y"]
        for step in range(STEPS):
            where = Matrices.of((inner, inner), (inner, 1))
            blocks = Blocks.cheapest(where.shape, 9 - step)  # each of its own width: the widest counts
            assert blocks is not None
            z = batches.multiply(b, ProductCheck(where, blocks, product, checked=False), left, right)
            last = requantise(b, z, low, high, 4, None, None, exact=True)
            right = last * -1 + 1
        return last

    return Gadget(build, {"x": x.ravel(), "y": y.ravel()}, (4,))


def _batch_expected(gadget: Gadget) -> list[np.ndarray]:
    x, y = gadget.frame.tensor("x").reshape(3, 3), gadget.frame.tensor("y").reshape(3, 1)
    found = []
    for _ in range(STEPS):
        found.append(x @ y)
        y = 1 - ((found[-1] + 8) >> 4)
    return found


def test_products_with_one_left_factor_are_one_check() -> None:
    gadget = _batch()
    assert gadget.system.first_failure() is None
    assert np.array_equal(gadget.value, (_batch_expected(gadget)[-1].ravel() + 8) >> 4)
    factors = [group for group in gadget.builder.groups if isinstance(group, FactorRows)]
    assert [group.n_rows for group in factors] == [3]  # K products for all steps together
    assert gadget.system.free_directions() == 0
    assert list(gadget.system.unnoticed(gadget.own)) == []
    for changes in gadget.system.balanced_pairs(200):
        assert not gadget.system.accepts(changes)


@pytest.mark.parametrize("step", range(STEPS))
@pytest.mark.parametrize("delta", [1, 1 << 7, 1 << 9, (1 << 9) - (1 << 7)])
def test_another_result_of_any_step_is_refused(step: int, delta: int) -> None:
    gadget = _batch()
    honest = _batch_expected(gadget)
    places = [i for i, wires in enumerate(gadget.builder.committed) if wires.size == 3]
    results = [
        i
        for i in places
        if any(np.array_equal(gadget.frame.value(gadget.builder.committed[i]), z.ravel()) for z in honest)
    ]
    for element in range(3):
        claimed = honest[step].ravel().copy()
        claimed[element] += delta
        assert not gadget.deceive({results[step]: claimed.tolist()})


def test_products_of_other_left_factors_are_kept_apart() -> None:
    builder = Builder(Plan((4,), 0, 0.0), product_checks=True)
    one, other = (builder.integers(9, lambda frame: frame.tensor("x")) for _ in range(2))
    where = Matrices.of((3, 3), (3, 1))
    check = ProductCheck(where, Blocks(where.shape, 7, 1, 1), _bounds(3), checked=False)
    batches = ProductBatches.of(builder)
    right = builder.integers(3, lambda frame: frame.tensor("y"))
    for left in (one, other, one):
        batches.multiply(builder, check, left, right)
    transposed = Matrices(where.x.transpose(0, 2, 1), where.y, where.z)  # the same wires, in other places
    batches.multiply(
        builder, ProductCheck(transposed, check.blocks, check.product, checked=False), one, right
    )
    assert sorted(len(products) for products in batches.groups.values()) == [1, 1, 2]
