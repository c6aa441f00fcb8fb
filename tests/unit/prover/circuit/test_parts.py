"""An input of several parts: packed each by its own range, committed or shown together."""

from __future__ import annotations

import numpy as np
import pytest

from assay_prover.circuit import Part, StatementSpec, bounds_of, commit, pack_parts, unpack_parts
from assay_prover.lowering import compile_graph
from assay_prover.reference import Affine, Dense, IntegerGraph, Tensor

PARTS = (Part(70, -128, 8), Part(5, 0, 1), Part(2, 100, 40))
RNG = np.random.default_rng(8)


def sample() -> np.ndarray:
    lo, hi = bounds_of(PARTS)
    return RNG.integers(lo, hi + 1)


def graph() -> IntegerGraph:
    lo, hi = bounds_of(PARTS)
    weights = RNG.integers(-3, 4, (2, lo.size))
    bias = np.zeros(2, dtype=np.int64)
    return IntegerGraph(
        [Tensor("x", (lo.size,), lo, hi)], [Affine(("x",), "y", (2,), (Dense(weights),), bias)], "y"
    )


def test_each_part_begins_a_word_and_comes_back() -> None:
    values = sample()
    words = pack_parts(values, PARTS)
    assert len(words) == sum(part.words for part in PARTS) == 3 + 1 + 1
    assert words[3] == sum(int(value) << place for place, value in enumerate(values[70:75]))
    assert words[4] == int(values[75]) - 100 + ((int(values[76]) - 100) << 40)
    assert np.array_equal(unpack_parts(words, PARTS), values)


@pytest.mark.parametrize(("place", "value"), [(0, 128), (69, -129), (72, 2), (74, -1), (76, 99)])
def test_a_value_outside_its_own_part_is_refused(place: int, value: int) -> None:
    values = sample()
    values[place] = value
    with pytest.raises(ValueError, match="does not fit"):
        pack_parts(values, PARTS)


def test_words_of_another_number_or_with_other_bits_are_refused() -> None:
    words = pack_parts(sample(), PARTS)
    with pytest.raises(ValueError, match="not those of the parts"):
        unpack_parts(words[:-1], PARTS)
    with pytest.raises(ValueError, match="not a packing"):
        unpack_parts([*words[:3], words[3] | 1 << 5, words[4]], PARTS)


@pytest.mark.parametrize("visibility", ["public", "private"])
def test_the_circuits_statement_is_that_of_the_functions(visibility: str) -> None:
    network, values, salt = graph(), sample(), 12345
    spec = StatementSpec(visibility, "public", 0, 1, input_parts=PARTS)  # type: ignore[arg-type]
    circuit = compile_graph(network, spec)
    private = visibility == "private"
    witness = circuit.witness_of([values[None]], salt if private else None, 1, None)
    words = pack_parts(values, PARTS)
    stated = [commit(words, salt)] if private else words
    assert witness.public[1 : 1 + len(stated)] == stated


def test_parts_that_are_not_the_graphs_are_refused() -> None:
    network = graph()
    for parts in (PARTS[:2], (*PARTS[:2], Part(2, 100, 41)), (PARTS[1], PARTS[0], PARTS[2])):
        with pytest.raises(ValueError, match=r"parts are not those|graph assumes"):
            compile_graph(network, StatementSpec("public", "public", 0, 1, input_parts=parts))


def test_one_part_is_the_statement_without_parts() -> None:
    whole = Tensor("x", (6,), np.full(6, -4), np.full(6, 3))
    bias = np.zeros(2, dtype=np.int64)
    ops = [Affine(("x",), "y", (2,), (Dense(np.ones((2, 6), dtype=np.int64)),), bias)]
    network = IntegerGraph([whole], ops, "y")
    plain = compile_graph(network, StatementSpec("private", "encrypted", -4, 3))
    parted = compile_graph(
        network, StatementSpec("private", "encrypted", -4, 3, input_parts=(Part(6, -4, 3),))
    )
    assert plain.digest() == parted.digest()
