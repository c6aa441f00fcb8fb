"""A small model for every operator that compiles, for the tests of each stage of the compiler.

Nodes are (operator, inputs, output, attributes); the input is `input`, the output `output`. An operator
without a case fails `test_every_operator_has_a_case`.
"""

from . import choices, classical, functions, layers, quantised
from .case import RNG, W45, Case, Nodes

CASES: dict[str, Case] = {
    **layers.CASES,
    **choices.CASES,
    **functions.CASES,
    **quantised.CASES,
    **classical.CASES,
}

__all__ = ["CASES", "RNG", "W45", "Case", "Nodes"]
