"""Bundles and reports as notebooks show them."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

from assay_prover.passes.selection.report import AccuracyReport, describe

if TYPE_CHECKING:
    from assay_prover.bundle.bundle import Bundle


def table(title: str, rows: Mapping[str, object]) -> str:
    """Names and values in two columns, under a title. All is escaped: a model's name is a stranger's."""
    lines = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(str(value))}</td></tr>'
        for name, value in rows.items()
        if value is not None
    )
    return f"<table><caption>{escape(title)}</caption>{lines}</table>"


def accuracy_rows(report: AccuracyReport) -> dict[str, object]:
    """How well the integers answer, for people."""

    def pair(what: float | None, floats: float | None, form: str) -> str | None:
        return None if what is None or floats is None else f"{what:{form}}, in floats {floats:{form}}"

    return {
        "measured on": f"{report.samples} samples" + (" held out" if report.held_out else ""),
        "answers": describe(report),
        "accuracy": pair(report.accuracy_quantised, report.accuracy_float, ".2%"),
        "R²": pair(report.r2_quantised, report.r2_float, ".5f"),
        "mean absolute error": pair(report.mae_quantised, report.mae_float, ".4g"),
    }


def of_bundle(bundle: Bundle) -> str:
    """A bundle at a glance."""
    manifest, costs = bundle.manifest, bundle.manifest.costs
    given = ", ".join(manifest.output.labels[:8])
    return table(
        f"Assay bundle {manifest.model.name}",
        {
            "folder": bundle.path,
            "input": f"{manifest.input.shape}, {manifest.input.visibility}",
            "output": f"{manifest.output.shape}, {manifest.output.visibility}"
            + (f": {given}" if given else ""),
            "weights": manifest.weights.visibility,
            "constraints": f"{costs.constraints:,}",
            **accuracy_rows(manifest.report),
            "keys": "there" if bundle.has_keys else "none yet: setup()",
        },
    )
