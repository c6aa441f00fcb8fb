"""What a circuit costs and where: the figures behind `assay model cost` and the compile report."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from assay_prover.circuit.field import FieldWires
from assay_prover.circuit.layout import domain_size

if TYPE_CHECKING:
    from assay_prover.circuit.circuit import Circuit

G1_BYTES, G2_BYTES = 64, 128


@dataclass(frozen=True)
class LayerCost:
    """Constraints that one gadget of one layer adds, the rows of its lookups included."""

    layer: str
    gadget: str
    constraints: int


@dataclass(frozen=True)
class TableCost:
    """A lookup table: its entries cost one constraint each, whatever the lookups."""

    name: str
    entries: int
    lookups: int


@dataclass(frozen=True)
class CostReport:
    """Size of a circuit. Bytes are estimates, everything else is exact."""

    mode: str
    """plain or committed."""
    constraints: int
    domain: int
    wires: int
    public_inputs: int
    small_wires: int
    full_wires: int
    lookups: int
    tables: tuple[TableCost, ...]
    limb_widths: tuple[int, ...]
    maxima_hoisted: bool
    layers: tuple[LayerCost, ...]
    proving_key_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def measure(circuit: Circuit) -> CostReport:
    """Count what was built; no matrix is expanded."""
    builder, layout = circuit.builder, circuit.layout
    layers: Counter[tuple[str, str]] = Counter()
    for group in circuit.groups:
        layers[group.layer, group.gadget] += group.n_rows
    tables = tuple(TableCost(t.name, t.size, t.n_lookups) for t in builder.tables.values())
    hashed = sum(wires.size for wires in builder.free if isinstance(wires, FieldWires))
    full = sum(wires.size for wires in builder.free)
    domain = domain_size(circuit.n_constraints + layout.n_input_rows)
    # A and K everywhere, A and M for a model's wires; B in both groups for small wires and Poseidon's, never
    # for inverses and quotients
    key = (
        G1_BYTES * domain
        + 2 * G1_BYTES * (layout.n_small + full)
        + (G1_BYTES + G2_BYTES) * (layout.n_small + hashed)
        + 2 * G1_BYTES * layout.n_model
    )
    return CostReport(
        mode="committed" if layout.committed else "plain",
        constraints=circuit.n_constraints,
        domain=domain,
        wires=layout.n_wires,
        public_inputs=layout.n_public,
        small_wires=layout.n_small,
        full_wires=full,
        lookups=sum(t.lookups for t in tables),
        tables=tables,
        limb_widths=circuit.plan.widths,
        maxima_hoisted=circuit.plan.hoist_maxima,
        layers=tuple(LayerCost(layer, gadget, n) for (layer, gadget), n in layers.items()),
        proving_key_bytes=key,
    )
