"""Constraints of every gadget, committed: a change of these numbers is a decision, not an accident."""

from __future__ import annotations

import pytest

from soundness.harness import Gadget
from soundness.test_gadget_uniqueness import CASES

# (bits only, one table of 4 bits without the table's own rows)
EXPECTED: dict[str, tuple[int, int]] = {
    "range 4 exact": (4, 1),
    "range 5 loose": (5, 2),
    "requantise": (7, 4),
    "relu": (8, 5),
    "relu, no shift": (7, 4),
    "lower clamp": (8, 3),
    "upper clamp": (8, 5),
    "both clamps": (11, 9),
    "both clamps, odd width": (14, 12),
    "both clamps, no shift": (11, 8),
    "maximum": (5, 2),
    "max of 3": (10, 4),
    "argmax of 2": (11, 5),
    "argmax of 3": (17, 8),
    "table": (6, 3),
    "multiply": (2, 2),
    "matmul": (8, 8),
}


@pytest.mark.parametrize("name", CASES)
def test_constraints_of_one_gadget(name: str) -> None:
    case = CASES[name]
    counts = []
    for widths in ((), (4,)):
        groups = Gadget(case.build, case.samples[0], widths).builder.groups
        counts.append(sum(group.n_rows for group in groups if not group.layer.startswith("table ")))
    assert tuple(counts) == EXPECTED[name]
