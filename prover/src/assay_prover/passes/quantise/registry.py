"""Which rule makes integers of each float operation; rules register themselves where they are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay_prover.graph import FloatOp
    from assay_prover.passes.quantise.quantiser import Quantiser

    Rule = Callable[[Quantiser, Any], None]

_RULES: dict[type, Rule] = {}


def quantises(*kinds: type) -> Callable[[Rule], Rule]:
    """Register the decorated function as the rule of these operations.

    A rule reads the operation's inputs through the quantiser, appends integer operations, and names the last
    with the float operation's output (`Quantiser.append`).
    """

    def register(rule: Rule) -> Rule:
        for kind in kinds:
            if kind in _RULES:
                raise ValueError(f"{kind.__name__} has two rules")
            _RULES[kind] = rule
        return rule

    return register


def rule_for(op: FloatOp) -> Rule:
    """The rule of an operation.

    Raises:
        TypeError: none is registered for its class.
    """
    rule = _RULES.get(type(op))
    if rule is None:
        raise TypeError(f"no rule makes integers of {type(op).__name__}")
    return rule
