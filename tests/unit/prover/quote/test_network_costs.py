"""Constraints of whole networks, as the compiler chooses by itself: they must not grow."""

from __future__ import annotations

from typing import Any

import pytest

from assay_prover import quote_model
from unit.prover.onnx_models import MODELS
from unit.prover.quote.test_quote import PROFILE, _samples

# Lower them when a change makes a network cheaper; raise one only with a reason that is worth its cost.
LIMITS: list[tuple[str, dict[str, Any], int]] = [
    ("bc_mlp", {}, 1121),
    ("digits_mlp", {}, 1484),
    ("digits_mlp", {"weights": "private"}, 2462),
    ("lenet", {}, 24057),
]


@pytest.mark.parametrize(("name", "options", "limit"), LIMITS)
def test_a_network_costs_no_more_constraints_than_it_did(
    name: str, options: dict[str, Any], limit: int
) -> None:
    x, y = _samples(name)
    quoted = quote_model(MODELS / f"{name}.onnx", x, PROFILE, labels=y, **options)
    assert quoted.exact
    assert quoted.costs.constraints <= limit
