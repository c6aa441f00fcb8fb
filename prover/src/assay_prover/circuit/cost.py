"""What a circuit costs and where: the figures behind `assay model cost` and the compile report."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from assay_prover.circuit.layout import Region, WireLayout, domain_size
from assay_prover.circuit.occurrence import Support

if TYPE_CHECKING:
    from assay_prover.circuit.circuit import Circuit

G1_BYTES, G2_BYTES, INDEX_BYTES = 64, 128, 4
HEADER, ALIGNMENT = 512, 64
"""Of a proving key's file."""
SLICED_HEADER = 32
"""Bytes of a sliced verifying key before the keys of its slices."""


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
    """Size of a circuit and of its keys, known without expanding a row.

    Exact, but for wires that only a zero weight multiplies, and `entries` (see `support.Support`).
    """

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
    verifying_key_bytes: int = 0
    model_wires: int = 0
    """Full-width wires that hold private weights."""
    model_points: int = 0
    """Of the full-width points, those of private weights: added up once a model, not for each proof."""
    model_g2_points: int = 0
    """The same of G2."""
    full_points: int = 0
    """Points of G1 that a proof multiplies by full-width numbers, those of the quotient left out."""
    small_points: int = 0
    """The same, by numbers of a few bits."""
    g2_points: int = 0
    entries: int = 0
    """Non-zeros of the constraint matrices, which setup reads."""
    widest_layer: int = 0
    """Non-zeros of the largest layer, which setup holds at once."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def total(reports: Sequence[CostReport]) -> CostReport:
    """Several circuits as one, with the largest domain; a table of several circuits is counted in each."""
    if len(reports) == 1:
        return reports[0]
    tables: dict[str, TableCost] = {}
    for table in (table for report in reports for table in report.tables):
        known = tables.get(table.name, TableCost(table.name, 0, 0))
        tables[table.name] = TableCost(
            table.name, known.entries + table.entries, known.lookups + table.lookups
        )
    return CostReport(
        mode="committed" if any(report.mode == "committed" for report in reports) else "plain",
        constraints=sum(report.constraints for report in reports),
        domain=max(report.domain for report in reports),
        wires=sum(report.wires for report in reports),
        public_inputs=sum(report.public_inputs for report in reports),
        small_wires=sum(report.small_wires for report in reports),
        full_wires=sum(report.full_wires for report in reports),
        lookups=sum(report.lookups for report in reports),
        tables=tuple(tables.values()),
        limb_widths=tuple(sorted({width for report in reports for width in report.limb_widths})),
        maxima_hoisted=any(report.maxima_hoisted for report in reports),
        layers=tuple(layer for report in reports for layer in report.layers),
        proving_key_bytes=sum(report.proving_key_bytes for report in reports),
        verifying_key_bytes=SLICED_HEADER + sum(report.verifying_key_bytes for report in reports),
        model_wires=sum(report.model_wires for report in reports),
        full_points=sum(report.full_points for report in reports),
        small_points=sum(report.small_points for report in reports),
        g2_points=sum(report.g2_points for report in reports),
        model_points=sum(report.model_points for report in reports),
        model_g2_points=sum(report.model_g2_points for report in reports),
        entries=sum(report.entries for report in reports),
        widest_layer=max(report.widest_layer for report in reports),
    )


def measure(circuit: Circuit) -> CostReport:
    """Count what was built; no matrix is expanded."""
    builder, layout = circuit.builder, circuit.layout
    layers: Counter[tuple[str, str]] = Counter()
    for group in circuit.groups:
        layers[group.layer, group.gadget] += group.n_rows
    tables = tuple(TableCost(t.name, t.size, t.n_lookups) for t in builder.tables.values())
    domain = domain_size(circuit.n_constraints + layout.n_input_rows)
    support = Support(layout, circuit.groups)
    points = _Points.of(layout, support)
    first = layout.base(Region.MODEL)
    model_a, model_b, model_c, _ = support.counts(first, first + layout.n_model)
    return CostReport(
        mode="committed" if layout.committed else "plain",
        constraints=circuit.n_constraints,
        domain=domain,
        wires=layout.n_wires,
        public_inputs=layout.n_public,
        small_wires=layout.n_small,
        full_wires=sum(wires.size for wires in builder.free),
        lookups=sum(t.lookups for t in tables),
        tables=tables,
        limb_widths=circuit.plan.widths,
        maxima_hoisted=circuit.plan.hoist_maxima,
        layers=tuple(LayerCost(layer, gadget, n) for (layer, gadget), n in layers.items()),
        proving_key_bytes=points.key_bytes(domain),
        verifying_key_bytes=points.verifying_key_bytes,
        model_wires=layout.n_model,
        model_points=model_a + model_b + model_c,
        model_g2_points=model_b,
        full_points=points.full,
        small_points=points.small,
        g2_points=points.b,
        entries=support.entries,
        widest_layer=support.widest_layer,
    )


@dataclass(frozen=True)
class _Points:
    """Points of each query of a proving key (docs/protocol.md), by the width of what multiplies them."""

    layout: WireLayout
    a: int
    b: int
    k: int
    full: int
    small: int

    @classmethod
    def of(cls, layout: WireLayout, support: Support) -> _Points:
        """Count them."""
        start = layout.base(Region.COMMITTED)
        stop = start + layout.n_small
        a, b, _, _ = support.counts(0, layout.n_wires)
        small_a, small_b, small_c, small_any = support.counts(start, stop)
        free_any = support.counts(stop, layout.n_wires)[3]
        # K holds every wire of w2 (small ones, too, without a commitment) and of the rest those of C
        before = support.counts(0, start)[2]
        k_small = small_c if layout.committed else small_any
        k = before + k_small + free_any
        d = layout.n_w1
        small = small_a + small_b + k_small + d
        return cls(layout, a, b, k, a + b + k + d - small, small)

    def key_bytes(self, domain: int) -> int:
        """The file's size: header, sections at multiples of 64 bytes, a list where a query skips wires."""
        layout = self.layout
        size = HEADER + self.verifying_key_bytes
        size = _aligned(size) + 5 * G1_BYTES + 4 * G2_BYTES
        for points in (self.a, self.b):
            size = _aligned(size) + (INDEX_BYTES * points if points != layout.n_wires else 0)
            size = _aligned(size) + G1_BYTES * points
        size += G2_BYTES * self.b
        size += INDEX_BYTES * self.k if self.k != layout.n_wires else 0
        size = _aligned(size) + G1_BYTES * self.k
        return size + G1_BYTES * (layout.n_w1 + layout.n_model + domain)

    @property
    def verifying_key_bytes(self) -> int:
        """docs/protocol.md's bytes."""
        layout = self.layout
        g2 = 3 + int(layout.committed) + int(layout.n_model > 0)
        return 32 + G1_BYTES + G2_BYTES * g2 + G1_BYTES * layout.n_input_rows


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT


def readable(costs: CostReport) -> dict[str, str]:
    """What people are shown for names that are hashes: tables of functions, numbered as they come.

    Returns:
        a name for each such table, and for the layer that holds its entries.
    """
    hashed = [table.name for table in costs.tables if re.fullmatch(r"f[0-9a-f]{16}", table.name)]
    titles = {name: f"function table {number}" for number, name in enumerate(hashed, 1)}
    return titles | {f"table {name}": title for name, title in titles.items()}
