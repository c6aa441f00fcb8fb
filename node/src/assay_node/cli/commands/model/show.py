"""A bundle in a dozen lines for a person; `--json` has all of it."""

from __future__ import annotations

import assay_prover

PROOF_BYTES = {"plain": 256, "committed": 320}
LARGEST = 3
"""Layers that are named."""
NAMED = 6
"""Classes that are named."""

_SEEN = {
    "private": "behind a commitment",
    "committed": "behind a commitment",
    "encrypted": "encrypted to the salt's holder",
    "public": "on chain",
}


_GIVEN = {"logits": "scores of classes", "label": "class number", "values": "values"}


def portrait(bundle: assay_prover.Bundle) -> dict[str, object]:
    """What a bundle is, costs and is worth, by name."""
    manifest, costs = bundle.manifest, bundle.manifest.costs
    taken, given = manifest.input, manifest.output
    low, high = taken.declared_range
    layers = sorted(costs.layers, key=lambda layer: -layer.constraints)[:LARGEST]
    named = (f"{layer.layer}/{layer.gadget} {layer.constraints:,}" for layer in layers)
    return {
        "bundle": bundle.path,
        "model": f"{manifest.model.name}, {manifest.weights.visibility} weights",
        "input": f"{_shape(taken.shape)} in [{low:.4g}, {high:.4g}], {_SEEN[taken.visibility]}",
        "output": f"{_shape(given.shape)} {_GIVEN[given.kind]}{_names(given.labels)}, "
        + _SEEN[given.visibility],
        "circuit": f"{costs.constraints:,} constraints, {costs.wires:,} wires, domain {costs.domain:,}",
        "most in": ", ".join(named),
        "proof": f"{PROOF_BYTES[costs.mode]} bytes for {costs.public_inputs} public inputs",
        "proving key": f"{costs.proving_key_bytes / 1e6:,.1f} MB",
        "accuracy": _accuracy(manifest),
        "circuit hash": "0x" + bundle.circuit_hash.hex(),
        "key hash": "0x" + bundle.vk_hash.hex() if bundle.has_verifying_key else "no keys yet",
        "setup": bundle.setup_report.origin if bundle.has_verifying_key else "not yet",
    }


def _accuracy(manifest: assay_prover.Manifest) -> str:
    report = manifest.report
    kind = "random inputs" if report.synthetic else "samples held out" if report.held_out else "samples"
    if report.classes:
        text = f"same class as in floats for {100 * report.agreement:.1f} % of {report.samples} {kind}"
    else:
        text = f"within 1 % of the span for {100 * report.agreement:.1f} % of {report.samples} {kind}"
    if report.accuracy_float is not None and report.accuracy_quantised is not None:
        right, floats = 100 * report.accuracy_quantised, 100 * report.accuracy_float
        text += f"; right on {right:.1f} %, the floats on {floats:.1f} %"
    if report.mae_quantised is not None and report.mae_float is not None:
        text += f"; mean absolute error {report.mae_quantised:.4g}, in floats {report.mae_float:.4g}"
    if report.r2_quantised is not None and report.r2_float is not None:
        text += f"; R² {report.r2_quantised:.4f}, in floats {report.r2_float:.4f}"
    if report.error_p99 is not None:
        text += f"; 99 % of errors below {report.error_p99:.3g} in a span of {report.output_span:.3g}"
    return text


def _names(labels: tuple[str, ...]) -> str:
    return f" ({', '.join(labels[:NAMED])}{', ..' if len(labels) > NAMED else ''})" if labels else ""


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"
