"""report.svg: a bundle's accuracy as a picture, written without a plotting library.

Left: the output's error by percentile, as a part of the outputs' span, held-out samples beside those that
chose the precision. Right: what each layer adds to the error. Below: constraints by layer, and figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from assay_prover.circuit import CostReport
from assay_prover.circuit.cost import readable
from assay_prover.passes.selection.layers import LayerError, worst
from assay_prover.passes.selection.report import AccuracyReport, describe

WIDTH, MARGIN, PANEL, BAR = 960, 24, 440, 16
MOST_BARS = 16
FACTS_HEIGHT = 160
PLACES = {50.0: "median", 100.0: "largest"}
CHOSE, HELD, COST = "#9aa5b1", "#2563eb", "#0f766e"


def draw(
    title: str,
    report: AccuracyReport,
    selection: AccuracyReport,
    layers: Sequence[LayerError],
    costs: CostReport,
) -> str:
    """The SVG document."""
    span = report.output_span or 1.0
    errors = [
        (PLACES.get(q, f"{q:g} % below"), [(value / span, HELD)]) for q, value in report.error_percentiles
    ]
    if report.held_out:
        before = dict(selection.error_percentiles)
        errors = [
            (name, [*bars, (before.get(q, 0.0) / (selection.output_span or 1.0), CHOSE)])
            for (name, bars), (q, _) in zip(errors, report.error_percentiles, strict=True)
        ]
    added = [(layer.layer, [(layer.added, HELD)]) for layer in worst(tuple(layers), MOST_BARS)]
    titles = readable(costs)
    by_layer: dict[str, int] = {}
    for cost in costs.layers:
        title_of = titles.get(cost.layer, cost.layer)
        by_layer[title_of] = by_layer.get(title_of, 0) + cost.constraints
    dear = sorted(by_layer.items(), key=lambda entry: -entry[1])[:MOST_BARS]
    share = [(name, [(count / costs.constraints, COST)]) for name, count in dear]
    top, parts = 64, []
    heights = (_panel_height(errors), _panel_height(added))
    parts.append(_panel(MARGIN, top, "error of the output, part of its span", errors))
    parts.append(
        _panel(
            MARGIN + PANEL + MARGIN,
            top,
            "error that each layer adds to that of its inputs, part of its values",
            added,
        )
    )
    below = top + max(heights) + 24
    parts.append(_panel(MARGIN, below, f"constraints by layer, of {costs.constraints:,}", share))
    parts.append(_facts(MARGIN + PANEL + MARGIN, below, report, costs))
    height = below + max(_panel_height(share), FACTS_HEIGHT) + MARGIN
    legend = "held-out samples" + (" (grey: those that chose the precision)" if report.held_out else "")
    if not report.held_out:
        legend = "the samples that chose the precision: too few to hold any out"
    head = f"{title}: {describe(report)}; {legend}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="11">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>\n'
        f"{_text(MARGIN, 28, head, size=13)}\n" + "\n".join(parts) + "\n</svg>\n"
    )


Bars = Sequence[tuple[str, Sequence[tuple[float, str]]]]


def _facts(x: int, y: int, report: AccuracyReport, costs: CostReport) -> str:
    """Figures in words."""
    same = "same class as in floats" if report.classes else "within 1 % of the span"
    lines = [(same, f"{report.agreement:.2%} of {report.samples} samples")]
    if report.risk is not None:
        lines.append(("answers expected to change", f"{report.risk:.3%}"))
    if report.accuracy_float is not None and report.accuracy_quantised is not None:
        shown = f"{report.accuracy_quantised:.2%}, in floats {report.accuracy_float:.2%}"
        lines.append(("accuracy", shown))
    if report.mae_float is not None and report.mae_quantised is not None:
        lines.append(("mean absolute error", f"{report.mae_quantised:.4g}, in floats {report.mae_float:.4g}"))
    if report.r2_float is not None and report.r2_quantised is not None:
        lines.append(("R²", f"{report.r2_quantised:.5f}, in floats {report.r2_float:.5f}"))
    lines += [
        ("evaluation domain", f"{costs.domain:,} rows, {costs.mode}"),
        ("lookups", f"{costs.lookups:,} in tables of {sum(t.entries for t in costs.tables):,} entries"),
        ("proving key", f"{costs.proving_key_bytes / 1e6:,.1f} MB"),
        ("public inputs", f"{costs.public_inputs}"),
    ]
    parts = [_text(x, y, "in figures", size=12)]
    for number, (name, value) in enumerate(lines):
        line = y + 24 + 18 * number
        parts += [_text(x, line, name), _text(x + 170, line, value)]
    return "\n".join(parts)


def _panel_height(rows: Bars) -> int:
    return 44 if not rows else 24 + sum(BAR * len(bars) + 4 for _, bars in rows)


def _panel(x: int, y: int, title: str, rows: Bars) -> str:
    """Horizontal bars under a title; the longest fills the panel."""
    longest = max((value for _, bars in rows for value, _ in bars), default=0.0) or 1.0
    parts = [_text(x, y, title, size=12)]
    if not rows:
        parts.append(_text(x, y + 20, "no layer adds an error that shows"))
    place = y + 12
    label, room = 150, PANEL - 150 - 70
    for name, bars in rows:
        shown = name if len(name) <= 24 else name[:23] + "…"
        parts.append(_text(x, place + 12, shown))
        for value, colour in bars:
            width = max(1.0, room * value / longest)
            parts.append(
                f'<rect x="{x + label}" y="{place + 2}" width="{width:.1f}" height="{BAR - 4}" '
                f'fill="{colour}"/>'
            )
            parts.append(
                _text(
                    x + label + round(width) + 4,
                    place + 12,
                    f"{value:.3%}" if value < 0.1 else f"{value:.1%}",
                )
            )
            place += BAR
        place += 4
    return "\n".join(parts)


def _text(x: float, y: float, text: str, size: int = 11) -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}">{escape(text)}</text>'
