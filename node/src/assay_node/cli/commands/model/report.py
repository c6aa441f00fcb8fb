"""What a bundle is, for people: the compile report and `assay model show`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from ...console import fields, out
from .show import portrait

if TYPE_CHECKING:
    from assay_prover import Bundle
    from assay_prover.circuit import CostReport
    from assay_prover.passes.selection.layers import LayerError
    from assay_prover.passes.selection.report import AccuracyReport

MOST_LAYERS = 12
BAR = 10


def show_bundle(bundle: Bundle) -> None:
    """Print a bundle: a dozen lines, then accuracy, the layers that err most, and where constraints go."""
    from assay_prover.passes.selection.layers import worst

    manifest = bundle.manifest
    out.print(fields(portrait(bundle)))
    out.print()
    out.print(accuracy_table(manifest.report, manifest.selection))
    if manifest.layers:
        out.print()
        found = worst(manifest.layers)
        out.print(error_table(found) if found else "no layer adds an error that shows")
        if found:
            out.print("[dim]added to the error of the layer's inputs; both as parts of its values[/]")
    out.print()
    out.print(layer_table(manifest.costs))


def accuracy_table(report: AccuracyReport, selection: AccuracyReport | None) -> Table:
    """Answers and errors on the samples that were held out, beside those on the samples that chose."""
    columns = [("held-out samples" if report.held_out else "the samples that chose", report)]
    if report.held_out and selection is not None:
        columns.append(("samples that chose", selection))
    table = _table("answers against the float network; errors, and their part of the outputs' span")
    table.add_column("", no_wrap=True)
    for heading, _ in columns:
        table.add_column(heading, justify="right", no_wrap=True)

    def row(name: str, values: Iterable[str | None]) -> None:
        shown = list(values)
        if any(value is not None for value in shown):
            table.add_row(name, *("-" if value is None else value for value in shown))

    reports = [r for _, r in columns]
    row("samples", (f"{r.samples}{', synthetic' if r.synthetic else ''}" for r in reports))
    same = "same class" if report.classes else "within 1 % of the span"
    row(same, (f"{r.agreement:.2%}" for r in reports))
    row("answers expected to change", (None if r.risk is None else f"{r.risk:.3%}" for r in reports))
    row("accuracy, floats", (_share(r.accuracy_float) for r in reports))
    row("accuracy, integers", (_share(r.accuracy_quantised) for r in reports))
    row("R², floats", (_decimal(r.r2_float) for r in reports))
    row("R², integers", (_decimal(r.r2_quantised) for r in reports))
    row("mean absolute error, floats", (_figure(r.mae_float) for r in reports))
    row("mean absolute error, integers", (_figure(r.mae_quantised) for r in reports))
    for position, (percentile, _) in enumerate(report.error_percentiles):
        name = "largest error" if percentile == 100 else f"{percentile:g} % of errors below"
        row(name, (_part(r, position) for r in reports))
    return table


def _part(report: AccuracyReport, position: int) -> str | None:
    if position >= len(report.error_percentiles):
        return None
    error = report.error_percentiles[position][1]
    part = f" ({error / report.output_span:.2%})" if report.output_span else ""
    return f"{error:.4g}{part}"


def error_table(layers: Iterable[LayerError]) -> Table:
    """Layers that added most error."""
    table = _table("layers that add most error")
    table.add_column("layer", no_wrap=True)
    table.add_column("operator", no_wrap=True)
    table.add_column("added", justify="right", no_wrap=True)
    table.add_column("in all", justify="right", no_wrap=True)
    for layer in layers:
        table.add_row(
            escape(layer.layer), escape(layer.operator), f"{layer.added:.2%}", f"{layer.relative:.2%}"
        )
    return table


def layer_table(costs: CostReport) -> Table:
    """Constraints by layer, the largest first, and the gadgets they are of."""
    from assay_prover.circuit.cost import readable

    layers: Counter[str] = Counter()
    gadgets: dict[str, Counter[str]] = {}
    titles = readable(costs)
    for part in costs.layers:
        name = titles.get(part.layer, part.layer)
        layers[name] += part.constraints
        gadgets.setdefault(name, Counter())[part.gadget] += part.constraints
    table = _table("constraints by layer")
    table.add_column("layer", no_wrap=True)
    table.add_column("", no_wrap=True, min_width=BAR)
    table.add_column("constraints", justify="right", no_wrap=True)
    table.add_column("gadgets")
    largest = max(layers.values(), default=1)
    for name, count in layers.most_common(MOST_LAYERS):
        kinds = ", ".join(f"{gadget} {n:,}" for gadget, n in gadgets[name].most_common(3))
        bar = "█" * max(1, round(BAR * count / largest))
        table.add_row(escape(name), f"[cyan]{bar}[/]", f"{count:,} {count / layers.total():4.0%}", kinds)
    rest = layers.total() - sum(count for _, count in layers.most_common(MOST_LAYERS))
    if rest:
        table.add_row(f"{len(layers) - MOST_LAYERS} more", "", f"{rest:,} {rest / layers.total():4.0%}", "")
    return table


def _table(title: str) -> Table:
    return Table(box=None, padding=(0, 2, 0, 0), title=title, title_justify="left")


def tables_of(costs: CostReport) -> str:
    """Lookup tables in words."""
    from assay_prover.circuit.cost import readable

    titles = readable(costs)
    found = (
        f"{titles.get(t.name, t.name)} ({t.entries:,} entries, {t.lookups:,} lookups)" for t in costs.tables
    )
    return ", ".join(found) or "none: too few range checks to pay for one"


def keys_of(costs: CostReport) -> str:
    """Sizes of both keys in words."""
    return f"proving {in_bytes(costs.proving_key_bytes)}, verifying {in_bytes(costs.verifying_key_bytes)}"


def in_seconds(value: float) -> str:
    """A duration."""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s" if value < 100 else f"{value / 60:.0f} min"


def in_bytes(value: int) -> str:
    """A size."""
    size = float(value)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _decimal(value: float | None) -> str | None:
    return None if value is None else f"{value:.5f}"


def _figure(value: float | None) -> str | None:
    return None if value is None else f"{value:.4g}"


def _share(value: float | None) -> str | None:
    return None if value is None else f"{value:.2%}"
