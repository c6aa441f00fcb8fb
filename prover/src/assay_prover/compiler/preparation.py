"""From a file and samples to what the search needs: the fused network, its statistics, samples held out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay_prover.circuit import InputVisibility, OutputVisibility, StatementSpec
from assay_prover.compiler.labels import check_names, read_labels
from assay_prover.compiler.onnxruntime_check import check_import
from assay_prover.errors import InputError, ModelError
from assay_prover.frontend import Wanted, import_model
from assay_prover.graph import FloatGraph
from assay_prover.graph.graph import FloatAffine
from assay_prover.graph.maps import Float64Array, FloatConv, FloatDense
from assay_prover.passes import Calibration, QuantisedModel, calibrate, declare_range, fuse, synthetic_samples
from assay_prover.passes.calibrate import probe_range, run_float
from assay_prover.passes.features import Features, features_of, in_steps
from assay_prover.passes.quantise.wide import reading_the_input
from assay_prover.passes.selection.goals import Target
from assay_prover.passes.selection.search import Choice, HeldOut, hold_out, search
from assay_prover.passes.selection.work import sample_work
from assay_prover.real_numbers import real_numbers

FEWEST_SAMPLES = 16
"""Samples that are looked at however large the network is."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A network ready to be quantised.

    `difference` is the largest to onnxruntime, as a part of the outputs' span; `synthetic` when no samples
    were given; `count` all samples, held-out ones included; `whole` if none was left out; `features` if
    each has a scale of its own, and then `graph` and `samples` are in steps.
    """

    graph: FloatGraph
    sha256: str
    notes: tuple[str, ...]
    difference: float
    declared: tuple[float, float]
    calibration: Calibration
    samples: Float64Array
    labels: NDArray[Any] | None
    class_names: tuple[str, ...]
    held_out: HeldOut | None
    synthetic: bool
    count: int
    whole: bool
    features: Features | None = None

    @property
    def parameters(self) -> int:
        """Weights of dense layers and convolutions."""
        return sum(
            linear.coefficients.size
            for op in self.graph.ops
            if isinstance(op, FloatAffine)
            for linear in op.maps
            if isinstance(linear, FloatDense | FloatConv)
        )

    def choose(
        self,
        target: Target,
        cost: Callable[[QuantisedModel], float],
        progress: Callable[[str, float], None] | None = None,
        *,
        private: bool = False,
    ) -> Choice:
        """The cheapest precision that reaches the target; see `passes.selection.search.search`."""
        return search(
            self.graph,
            self.calibration,
            self.samples,
            self.labels,
            cost,
            target=target,
            synthetic=self.synthetic,
            private=private,
            held_out=self.held_out,
            progress=progress,
        )


def prepare(
    data: bytes,
    samples: Samples | None,
    labels: Any,
    input_range: tuple[float, float] | None,
    report: Callable[[str, float], None],
    within: int | None = None,
    take: str | None = None,
    class_names: Sequence[str] = (),
    ranges: Float64Array | None = None,
    *,
    by_feature: bool = True,
) -> Prepared:
    """Import, check against onnxruntime, fuse, and calibrate on the half of the samples that may choose.

    Args:
        data: the ONNX file.
        samples: see `shape_samples`; None takes uniform noise over `input_range`.
        labels: what the samples are judged by, or None; see `labels.read_labels`.
        input_range: values that an input may have; by default from the samples, held-out ones included.
        report: told what is being done.
        within: work that all samples together may take (`sample_work`); beyond it fewer are looked at.
        take: the output to prove, of a model with several.
        class_names: the classes' names in the network's order, if it has classes.
        ranges: least and greatest value of each feature, `[features, 2]`.
        by_feature: whether features may have scales of their own (`passes.features`).

    Raises:
        ModelError, UnsupportedModel: the file cannot be compiled.
        InputError: the samples do not fit it.
    """
    report("import", 0.0)
    imported = import_model(data, wanted(samples, take))
    if imported.onnx_output in {imported.input, *(name for name, _ in imported.parts)}:
        raise ModelError(
            "the model computes nothing: its answer is its input (a Softmax at the end is dropped, since the "
            "order of the classes is that of its arguments; a network that is one Softmax has nothing else)"
        )
    given = None if samples is None else shape_samples(samples, imported)
    if any(name == "y" for name, _ in imported.parts) and _is_input(labels, samples):
        labels = None
    count = None if given is None else len(given)
    outputs = prod(imported.output_shape)
    truth, names = read_labels(labels, count, class_names or imported.classes)
    if truth is not None and truth.dtype.kind == "i" and outputs == 1 and not imported.is_label and not names:
        # one number that is no class: what is given are the values it should have
        truth = None if set(np.unique(truth)) <= {0, 1} else truth.astype(np.float64)[:, None]
    check_names(names, outputs, is_label=imported.is_label)
    spanned = input_range
    if given is None and input_range is None and ranges is not None and ranges.size:
        spanned = float(ranges.min()), float(ranges.max())
    declared = declare_range(given, spanned, whole=imported.whole_input)
    x = synthetic_samples(imported, declared) if given is None else given
    if given is None and ranges is not None and ranges.shape == (prod(imported.input_shape), 2):
        noise = (x - declared[0]).reshape(len(x), -1) / (declared[1] - declared[0])
        x = (ranges[:, 0] + noise * (ranges[:, 1] - ranges[:, 0])).reshape(x.shape)
    # judged as it is quantised, with what was fused and recognised
    graph = fuse(imported)
    difference = check_import(data, graph, np.clip(x, *declared), graph.is_label)
    features = None
    if by_feature and not imported.whole_input and not (ranges is None and reading_the_input(graph)):
        features = features_of(given, imported.input_shape, ranges, input_range, imported.whole_elements)
    if features is not None:
        graph = fuse(in_steps(imported, features))
        x, declared = features.steps(x), (0.0, float((1 << features.bits) - 1))
    elif ranges is not None:
        raise InputError("ranges of features are for inputs of real numbers, with constant weights")
    report("calibrate", 0.0)
    affordable = len(x) if within is None else max(FEWEST_SAMPLES, within // sample_work(graph))
    whole = len(x) <= affordable
    if not whole:
        few = np.linspace(0, len(x) - 1, affordable).astype(np.int64)
        x, truth = x[few], None if truth is None else truth[few]
    probes = None if input_range is None or given is None else probe_range(graph, declared)
    chosen, rest = hold_out(len(x))
    held_out = None
    if rest.size:
        held_out = HeldOut(
            x[rest], run_float(graph, x[rest], declared), None if truth is None else truth[rest]
        )
    return Prepared(
        graph=graph,
        sha256=sha256(data).hexdigest(),
        notes=imported.notes,
        difference=difference,
        declared=declared,
        calibration=calibrate(graph, x[chosen], declared, probes),
        samples=x[chosen],
        labels=None if truth is None else truth[chosen],
        class_names=names,
        held_out=held_out,
        synthetic=given is None,
        count=len(x),
        whole=whole,
        features=features,
    )


def statement(
    quantised: QuantisedModel,
    input_: InputVisibility,
    output: OutputVisibility,
) -> StatementSpec:
    """The statement's specification, with the output's range as the worst case has it."""
    bounds = quantised.graph.result
    return StatementSpec(
        input_, output, quantised.input.lo, quantised.input.bits, output_lo=bounds.min, output_hi=bounds.max
    )


Samples = NDArray[Any] | Mapping[str, NDArray[Any]]
"""Typical inputs: `[n, *input shape]`, or such arrays by name, one for each input; the only input's may be
called "x"."""


def wanted(samples: Samples | None, take: str | None) -> Wanted:
    """What a caller's samples say about dynamic axes."""
    named = {} if samples is None else samples if isinstance(samples, Mapping) else {"x": samples}
    sizes = {name: np.shape(part)[1:] for name, part in named.items()}
    return Wanted(sizes | ({"": sizes["x"]} if "x" in sizes else {}), take)


def shape_samples(samples: Samples, graph: FloatGraph) -> Float64Array:
    """`[n, *input_shape]` in float64; the graph's shape has a batch axis of 1 that samples may leave out.

    Samples of several inputs, by name, are put side by side.

    Raises:
        InputError: not numbers, not finite, or of another shape.
    """
    parts = graph.parts or ((graph.input, graph.input_shape),)
    if isinstance(samples, Mapping) and "x" in samples and any(name not in samples for name, _ in parts):
        samples = samples["x"]
    if not isinstance(samples, Mapping):
        return _shaped("samples", samples, graph.input_shape)
    if any(name not in samples for name, _ in parts):
        raise InputError(
            f"samples are given for {', '.join(sorted(samples))}; "
            f"the model's inputs are {', '.join(name for name, _ in parts)}"
        )
    shaped = [_shaped(f"samples of {name!r}", samples[name], shape) for name, shape in parts]
    counts = {len(part) for part in shaped}
    if len(counts) > 1:
        raise InputError(f"the inputs have different numbers of samples: {sorted(counts)}")
    return np.hstack([part.reshape(len(part), -1) for part in shaped]).reshape(-1, *graph.input_shape)


def _shaped(what: str, samples: NDArray[Any], shape: tuple[int, ...]) -> Float64Array:
    array = real_numbers(what, samples)
    short = shape[1:] if len(shape) > 1 and shape[0] == 1 else shape
    if not array.size or array.shape[1:] not in (shape, short):
        labelled = array.ndim == 2 and short == (array.shape[1] - 1,)
        hint = ". If one column holds the labels, call it y" if labelled else ""
        raise InputError(f"{what} must be [n, {', '.join(map(str, short))}], got {list(array.shape)}{hint}")
    if not np.isfinite(array).all():
        raise InputError(f"{what}: NaN or infinity among them; leave such samples out")
    return array.reshape(-1, *shape)


def _is_input(labels: NDArray[Any] | None, samples: Samples | None) -> bool:
    """Whether the labels are the samples' own array "y", which a file has for either."""
    return isinstance(samples, Mapping) and labels is not None and labels is samples.get("y")
