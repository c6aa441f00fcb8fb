"""What goes into a proof and comes out of it: samples, integers, salts, words."""

from __future__ import annotations

import numpy as np
import pytest

from assay_prover import (
    FIELD_ORDER,
    Bundle,
    Cancelled,
    InputError,
)
from unit.prover.bundles import load_samples


def test_input_encodes_with_or_without_batch_axis(bc: Bundle) -> None:
    x, _ = load_samples("bc_mlp")
    info = bc.manifest.input
    ints = bc.encode_input(x[0])
    np.testing.assert_array_equal(ints, bc.encode_input(x[0][None]))
    assert ints.dtype == np.int64
    assert np.abs(ints * info.scale - x[0]).max() <= info.scale / 2 + 1e-9


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.full(30, np.nan), "NaN"),
        (np.full(30, np.inf), "NaN or infinity"),
        (np.zeros(29), "shape"),
        (np.zeros((2, 30)), "shape"),
        (np.array(["a"] * 30), "expected real numbers, got text"),
        (np.ones(30, dtype=complex), "complex numbers"),
        (np.ma.masked_equal(np.ones(30), 1), "masked"),
        (np.full(30, (1 << 60) + 1), "more digits"),
        (np.full(30, 1e6), "outside the declared range"),
    ],
)
def test_input_that_does_not_fit_is_refused(bc: Bundle, bad: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        bc.encode_input(bad)


def test_input_outside_the_range_saturates_if_asked(bc: Bundle) -> None:
    info = bc.manifest.input
    assert set(bc.encode_input(np.full(30, 1e6), saturate=True)) == {info.hi}
    assert set(bc.encode_input(np.full(30, -np.inf), saturate=True)) == {info.lo}


def test_integers_out_of_range_are_refused_everywhere(bc: Bundle) -> None:
    bad = np.full(30, bc.manifest.input.hi + 1, dtype=np.int64)
    prover = bc.prover()
    with pytest.raises(InputError, match="declared range"):
        bc.input_words(bad, 1)
    with pytest.raises(InputError, match="declared range"):
        prover.prove(bad, salt=1)
    with pytest.raises(InputError, match="expected integers"):
        prover.prove(np.zeros(30), salt=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("salt", [None, -1, FIELD_ORDER])
def test_salt_that_does_not_fit_is_refused(bc: Bundle, salt: int | None) -> None:
    ints = np.zeros(30, dtype=np.int64)
    for call in (lambda: bc.input_words(ints, salt), lambda: bc.prover().prove(ints, salt=salt)):
        with pytest.raises(InputError, match="salt"):
            call()


def test_binding_above_r_is_refused(bc: Bundle) -> None:
    with pytest.raises(InputError, match="binding"):
        bc.prover().prove(np.zeros(30, dtype=np.int64), salt=1, binding=FIELD_ORDER)


def test_public_input_takes_no_salt(digits: Bundle) -> None:
    with pytest.raises(InputError, match="takes no salt"):
        digits.input_words(np.zeros(64, dtype=np.int64), 1)


@pytest.mark.parametrize("words", [[], [0, 0, 0, 0, 0, 0], [FIELD_ORDER], [-1], [FIELD_ORDER - 1]])
def test_words_that_are_no_output_are_refused(digits: Bundle, words: list[int]) -> None:
    assert digits.manifest.output.words == 1
    with pytest.raises(InputError):
        digits.decode_output(words)


def test_proving_can_be_cancelled(digits: Bundle) -> None:
    with pytest.raises(Cancelled):
        digits.prover().prove(np.zeros(64, dtype=np.int64), progress=lambda _stage, _part: False)
