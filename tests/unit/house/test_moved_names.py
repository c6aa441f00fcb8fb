"""Public names that moved since 0.1.0 was first laid out work for one more minor version, with a warning."""

from __future__ import annotations

from importlib import import_module

import pytest

MOVED = {
    "assay_prover.bundle": {
        "CompileReport": "assay_prover.compiler.CompileReport",
        "MachineProfile": "assay_prover.quote.MachineProfile",
        "Quote": "assay_prover.quote.Quote",
        "compile_model": "assay_prover.compiler.compile_model",
        "quote_model": "assay_prover.quote.quote_model",
    },
    "assay_prover.circuit": {
        "compile_graph": "assay_prover.lowering.compile_graph",
        "planned_cost": "assay_prover.lowering.planned_cost",
    },
    "assay_prover.frontend": {"FloatGraph": "assay_prover.graph.FloatGraph"},
    "assay_node.worker": {
        "Me": "assay_node.worker.BiddingPolicy",
        "Track": "assay_node.worker.JobProgress",
    },
}


@pytest.mark.parametrize(
    ("package", "name", "now"),
    [(package, name, now) for package, names in MOVED.items() for name, now in names.items()],
)
def test_a_name_that_moved_works_and_says_where_it_is(package: str, name: str, now: str) -> None:
    module, _, new = now.rpartition(".")
    with pytest.warns(DeprecationWarning, match=f"{package}.{name} is now {now}") as told:
        value = getattr(import_module(package), name)
    assert value is getattr(import_module(module), new)
    assert told[0].filename == __file__, "the warning is of the line that uses the name"
    assert name not in import_module(package).__all__


@pytest.mark.parametrize("package", sorted(MOVED))
def test_a_name_that_never_was_is_none(package: str) -> None:
    with pytest.raises(AttributeError, match="no attribute 'Desk'"):
        _ = import_module(package).Desk
