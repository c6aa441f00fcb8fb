"""Where the error comes from: each layer's float values against its dequantised integers, on samples."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict

from assay_prover.graph.graph import FloatGraph
from assay_prover.graph.maps import Float64Array
from assay_prover.passes.quantise import QuantisedModel

LAYER_SAMPLES = 32
"""Samples that layers are compared on; every value of every layer counts."""

CHUNK_VALUES = 1 << 22
"""Both networks' values of a chunk are in memory at once (64 MB)."""


class LayerError(BaseModel):
    """One tensor of the network, as the circuit has it.

    relative: root mean square of the error over that of the float values; errors of earlier layers are in
    it. largest: absolute. added: `relative` less that of the worst tensor it was computed from, so what this
    layer itself added (negative where it averages errors out). step: real value of one integer step.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    layer: str
    tensor: str
    operator: str
    relative: float
    added: float
    largest: float
    step: float


VISIBLE = 5e-5
"""Added errors below this round to 0.00 %."""
MOST = 1e100
"""Largest relative error that is told: that of values which should all be zero."""


def _ratio(noise: float, power: float) -> float:
    """The root of a quotient of sums of squares, finite where there is nothing to divide by."""
    smallest = float(np.finfo(float).tiny) ** 0.5
    return float(min(noise**0.5 / max(power**0.5, smallest), MOST))


def compare_layers(graph: FloatGraph, model: QuantisedModel, samples: Float64Array) -> tuple[LayerError, ...]:
    """Every layer's error, in execution order; samples are clipped to the input's range, as when proving."""
    names = _shared(graph, model)
    used = samples[:LAYER_SAMPLES]
    lo, hi = model.input.lo * model.input.scale, model.input.hi * model.input.scale
    step = max(1, CHUNK_VALUES // sum(tensor.size for tensor in model.graph.tensors.values()))
    noise = dict.fromkeys(names, 0.0)
    power = dict.fromkeys(names, 0.0)
    largest = dict.fromkeys(names, 0.0)
    for start in range(0, len(used), step):
        part = np.clip(used[start : start + step], lo, hi)
        integers = model.graph.run(model.encode(part))
        exact = graph.run(part, names)
        for name, integer in names.items():
            values = exact[name].ravel()
            error = np.abs(integers[integer].ravel() * model.scales[integer] - values)
            noise[name] += float(error @ error)
            power[name] += float(values @ values)
            largest[name] = max(largest[name], float(error.max()))
    relative = {name: _ratio(noise[name], power[name]) for name in names}
    producers = {op.output: op for op in graph.ops}
    found = []
    for name, integer in names.items():
        op = producers[name]
        sources = [relative[source] for source in op.inputs if source in relative]
        found.append(
            LayerError(
                layer=op.label,
                tensor=name,
                operator=type(op).__name__.removeprefix("Float"),
                relative=relative[name],
                added=relative[name] - max(sources, default=0.0),
                largest=largest[name],
                step=model.scales[integer],
            )
        )
    return tuple(found)


def _shared(graph: FloatGraph, model: QuantisedModel) -> dict[str, str]:
    """Tensors that both networks have: float name to the integer name, requantised where it is."""
    shared = {op.output: model.names[op.output] for op in graph.ops}
    if model.is_label:
        shared.pop(graph.output, None)
    return shared


def worst(layers: tuple[LayerError, ...], count: int = 5) -> tuple[LayerError, ...]:
    """The layers that added most error, worst first.

    A node of the file may be several steps: the one that added most stands for it. Steps that add nothing
    visible, or average out errors of those before (a negative part), are left out.

    Args:
        layers: every step's error.
        count: at most this many.
    """
    blame: dict[str, LayerError] = {}
    for layer in layers:
        known = blame.get(layer.layer)
        if layer.added >= VISIBLE and (known is None or layer.added > known.added):
            blame[layer.layer] = layer
    return tuple(sorted(blame.values(), key=lambda layer: -layer.added)[:count])
