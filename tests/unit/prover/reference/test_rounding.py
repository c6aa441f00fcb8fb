"""docs/rounding.md: its C code, compiled as it stands there, computes what the reference computes."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from assay_prover.reference import ArgMax, Divide, Normalise, OneHot, Requantise, RoundEven, Step, Trees
from assay_prover.reference.division import square_root

DOCUMENT = Path(__file__).parents[4] / "docs" / "rounding.md"
WIDE = 1 << 61


@pytest.fixture(scope="module")
def c(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("rounding")
    code = "\n".join(re.findall(r"```c\n(.*?)```", DOCUMENT.read_text(), flags=re.DOTALL))
    (folder / "rounding.c").write_text(code)
    library = folder / "rounding.so"
    flags = ["-std=c11", "-O1", "-Wall", "-Werror", "-ftrapv", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, "-o", library, folder / "rounding.c"], check=True)
    loaded = ctypes.CDLL(str(library))
    for name in ("requantise", "round_even", "step", "argmax", "divide", "square_root", "reached_leaf"):
        getattr(loaded, name).restype = ctypes.c_int64
    return loaded


def _integers(*values: int) -> list[ctypes.c_int64]:
    return [ctypes.c_int64(int(value)) for value in values]


def _pointer(values: np.ndarray) -> ctypes.c_void_p:
    return values.ctypes.data_as(ctypes.c_void_p)


def _numbers(bound: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([np.arange(-20, 21), rng.integers(-bound, bound, 200), [bound - 1, 1 - bound]])


@pytest.mark.parametrize("shift", [0, 1, 2, 7, 40])
@pytest.mark.parametrize(("lo", "hi"), [(-WIDE, WIDE), (0, WIDE), (-5, 9)])
def test_requantise(c: ctypes.CDLL, shift: int, lo: int, hi: int) -> None:
    x = _numbers(WIDE)
    expected = Requantise("x", "y", shift, lo, hi).evaluate(x)
    assert [c.requantise(*_integers(v), shift, *_integers(lo, hi)) for v in x] == expected.tolist()


@pytest.mark.parametrize("shift", [1, 2, 7, 40])
def test_round_even(c: ctypes.CDLL, shift: int) -> None:
    x = np.concatenate([_numbers(WIDE), np.arange(-9, 10) << (shift - 1)])
    expected = RoundEven("x", "y", shift).evaluate(x)
    assert [c.round_even(*_integers(v), shift) for v in x] == expected.tolist()


def test_step(c: ctypes.CDLL) -> None:
    x = _numbers(WIDE)
    assert [c.step(*_integers(v)) for v in x] == Step("x", "y").evaluate(x).tolist()


def test_divide(c: ctypes.CDLL) -> None:
    a = _numbers(1 << 59)
    b = np.abs(_numbers(1 << 30, seed=1)) + 1
    expected = Divide("a", "b", "y").evaluate(a, b)
    assert [c.divide(*_integers(p, q)) for p, q in zip(a, b, strict=True)] == expected.tolist()


def test_square_root(c: ctypes.CDLL) -> None:
    x = np.abs(_numbers(1 << 62))
    assert [c.square_root(*_integers(v)) for v in x] == square_root(x).tolist()


def test_argmax_takes_the_first(c: ctypes.CDLL) -> None:
    x = np.random.default_rng(0).integers(-2, 3, size=(50, 6))
    expected = ArgMax("x", "y", (1,), np.arange(6)[None]).evaluate(x)[:, 0]
    assert [c.argmax(_pointer(row), *_integers(6)) for row in x] == expected.tolist()


def test_one_hot(c: ctypes.CDLL) -> None:
    x = np.arange(-2, 3)
    y = np.zeros(5, dtype=np.int64)
    for value, expected in zip(x, OneHot("x", "y", -2, 5).evaluate(x[None])[0], strict=True):
        c.one_hot(*_integers(int(value), -2, 5), _pointer(y))
        np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize(("epsilon", "shift", "unit"), [(1, 0, 1), (1, 8, 4096), (77, 4, 255)])
def test_normalise(c: ctypes.CDLL, epsilon: int, shift: int, unit: int) -> None:
    x = np.random.default_rng(0).integers(-1000, 1000, size=(20, 5))
    x[0] = 0
    expected = Normalise("x", "y", np.arange(5)[None], epsilon, shift, unit).evaluate(x)
    y = np.zeros(5, dtype=np.int64)
    for row, wanted in zip(x, expected, strict=True):
        c.normalise(_pointer(row), *_integers(5, epsilon), shift, *_integers(unit), _pointer(y))
        np.testing.assert_array_equal(y, wanted)


def test_trees(c: ctypes.CDLL) -> None:
    bit, zero, one = np.array([0, 1]), np.array([1, -1]), np.array([-2, -3])
    values = np.array([[5], [7], [-1]])
    op = Trees("x", "y", (1,), bit, zero, one, np.array([0]), values, np.array([0]))
    bits = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    leaves = [c.reached_leaf(*_integers(0), *map(_pointer, (bit, zero, one, row))) for row in bits]
    assert values[leaves, 0].tolist() == op.evaluate(bits)[:, 0].tolist()
