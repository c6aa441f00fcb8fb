"""From an integer graph to a circuit: which gadget constrains which operation, and where a network is cut."""

from assay_prover.lowering.lower import compile_graph, planned_cost

__all__ = ["compile_graph", "planned_cost"]
