"""Functions of one number that a circuit looks up in a table.

Each has a natural domain: outside it the function is flat to within what a table resolves, or not defined.
Inputs are clamped to the table's domain by exact integer rules, so any input proves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, pi, sqrt

import numpy as np
from scipy import special

from assay_prover.graph.maps import Float64Array

Unary = Callable[..., Float64Array]


@dataclass(frozen=True)
class Definition:
    """The function (numbers, then its parameters) and its natural domain.

    Attributes:
        evaluate: the function.
        lo: where the domain begins.
        hi: where it ends.
        margin: how far beyond the arguments seen a table goes at most: steep functions would spend their
            resolution there.
        period: of a function with poles at both ends of its domain, which repeats: arguments seen lie in one
            branch, and the table covers that.
        operator: whether the ONNX operator of the same name, which has no attributes, is this function.
    """

    evaluate: Unary
    lo: float = -inf
    hi: float = inf
    margin: float = inf
    period: float | None = None
    operator: bool = False


def _gelu(x: Float64Array) -> Float64Array:
    return np.asarray(0.5 * x * (1 + special.erf(x / sqrt(2))))


def _gelu_tanh(x: Float64Array) -> Float64Array:
    return np.asarray(0.5 * x * (1 + np.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))))


def _elu(x: Float64Array, alpha: float) -> Float64Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _selu(x: Float64Array, alpha: float, gamma: float) -> Float64Array:
    return gamma * _elu(x, alpha)


def _softplus(x: Float64Array) -> Float64Array:
    return np.logaddexp(x, 0)


FUNCTIONS: dict[str, Definition] = {
    "Acos": Definition(np.arccos, -1.0, 1.0, operator=True),
    "Acosh": Definition(np.arccosh, 1.0, operator=True),
    "Asin": Definition(np.arcsin, -1.0, 1.0, operator=True),
    "Asinh": Definition(np.arcsinh, operator=True),
    "Atan": Definition(np.arctan, operator=True),
    "Atanh": Definition(np.arctanh, -1.0, 1.0, operator=True),
    "Celu": Definition(lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha))),
    "Cos": Definition(np.cos, operator=True),
    "Cosh": Definition(np.cosh, margin=0.5, operator=True),
    "Elu": Definition(_elu, -12.0),
    "Erf": Definition(special.erf, -4.0, 4.0, operator=True),
    "Exp": Definition(np.exp, -16.0, margin=0.5, operator=True),
    "Gelu": Definition(_gelu, -6.0),
    "GeluTanh": Definition(_gelu_tanh, -6.0),
    "HardSwish": Definition(lambda x: x * np.clip(x / 6 + 0.5, 0, 1), -3.0),
    "Log": Definition(np.log, 0.0, operator=True),
    "Mish": Definition(lambda x: x * np.tanh(_softplus(x)), -16.0, operator=True),
    "Power": Definition(lambda x, exponent: x**exponent, 0.0),
    "Reciprocal": Definition(np.reciprocal, operator=True),
    "Selu": Definition(_selu, -12.0),
    "Sigmoid": Definition(special.expit, -10.0, 10.0, operator=True),
    "Sin": Definition(np.sin, operator=True),
    "Sinh": Definition(np.sinh, margin=0.5, operator=True),
    "Softplus": Definition(_softplus, -14.0, operator=True),
    "Softsign": Definition(lambda x: x / (1 + np.abs(x)), operator=True),
    "Sqrt": Definition(np.sqrt, 0.0, operator=True),
    "Swish": Definition(lambda x, alpha: x * special.expit(alpha * x), -20.0),
    "Tan": Definition(np.tan, -pi / 2, pi / 2, margin=0.1, period=pi, operator=True),
    "Tanh": Definition(np.tanh, -6.0, 6.0, operator=True),
}


def apply(kind: str, parameters: tuple[float, ...], values: Float64Array) -> Float64Array:
    """The function's values; not finite where it is not defined."""
    with np.errstate(all="ignore"):
        return np.asarray(FUNCTIONS[kind].evaluate(np.asarray(values, dtype=np.float64), *parameters))
