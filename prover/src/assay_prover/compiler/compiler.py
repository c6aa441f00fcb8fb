"""compile_model: an ONNX file and samples to a bundle without keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from hashlib import sha256
from math import prod
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from assay_prover.bundle.archive import dump_graph
from assay_prover.bundle.files import (
    CIRCUIT,
    MANIFEST,
    PICTURE,
    WEIGHTS,
    check_target,
    new_directory,
    replace_file,
)
from assay_prover.bundle.html import accuracy_rows, table
from assay_prover.bundle.manifest import (
    PRIVATE_WEIGHTS_NOTE,
    CutInfo,
    FeatureInfo,
    Hashes,
    InputInfo,
    LayoutInfo,
    Manifest,
    ModelInfo,
    OutputInfo,
    PlanInfo,
    PrecisionInfo,
    SliceInfo,
    WeightsInfo,
    circuit_hash,
    metadata_hash,
)
from assay_prover.bundle.weights import dump_weights, write_secret
from assay_prover.circuit import (
    Circuit,
    CostReport,
    InputVisibility,
    OutputVisibility,
    StatementSpec,
    range_bits,
)
from assay_prover.circuit.cost import total
from assay_prover.circuit.packing import values_per_word
from assay_prover.compiler.model_source import read_source
from assay_prover.compiler.preparation import Prepared, Samples, prepare, statement
from assay_prover.compiler.report_svg import draw
from assay_prover.errors import BundleError, InputError, ModelError
from assay_prover.groth16 import Cancelled
from assay_prover.lowering import compile_graph, planned_cost
from assay_prover.lowering.slices import compile_slices, live, words
from assay_prover.passes import QuantisedModel
from assay_prover.passes.quantise.limits import Limit
from assay_prover.passes.quantise.private_layers import architecture
from assay_prover.passes.selection.goals import GOALS, Target
from assay_prover.passes.selection.layers import LayerError, compare_layers, worst
from assay_prover.passes.selection.report import AccuracyReport, describe
from assay_prover.passes.selection.search import Choice
from assay_prover.reference import IntegerGraph, Trees

Progress = Callable[[str, float], bool | None]

FEW_SAMPLES = 32


class CompileReport(BaseModel):
    """What compiling found and chose."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    seconds: float
    model: str
    target: str
    target_met: bool
    candidates: int
    import_difference: float
    """Largest difference to onnxruntime, as a part of the outputs' span."""
    precision: PrecisionInfo
    accuracy: AccuracyReport
    """On held-out samples, if there were enough to hold some out."""
    selection: AccuracyReport
    """On the samples that chose scales and precision."""
    worst_layers: tuple[LayerError, ...]
    limits: tuple[Limit, ...] = ()
    """Tables and clamps that end before the worst case, those that it exceeds furthest first."""
    costs: CostReport
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    def _repr_html_(self) -> str:
        rows = {
            "bundle": self.path,
            **accuracy_rows(self.accuracy),
            "constraints": f"{self.costs.constraints:,}",
            "notes": "; ".join(self.notes) or None,
            "warnings": "; ".join(self.warnings) or None,
        }
        return table(f"Assay compiled {self.model}", rows)


def compile_model(
    model: Any,
    samples: Samples | None,
    out: Path | str,
    *,
    labels: Any = None,
    class_names: Sequence[str] = (),
    input: InputVisibility = "private",  # noqa: A002 - the protocol's word
    output: OutputVisibility = "encrypted",
    target: Target = "balanced",
    input_range: tuple[float, float] | None = None,
    ranges: np.ndarray | None = None,
    weights: Literal["constant", "private"] = "constant",
    slices: int | None = None,
    max_constraints: int | None = None,
    take: str | None = None,
    name: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> CompileReport:
    """Compile a network into a bundle at `out`, without keys (`Bundle.setup` makes them).

    Args:
        model: path of an ONNX file, its bytes, an `onnx.ModelProto`, or a fitted scikit-learn estimator
            (through skl2onnx, if it is installed; a classifier is proven by its probabilities).
        samples: typical inputs, `[n, *input shape]`, to choose scales and to measure accuracy; of a model
            with several inputs, an array for each by name, or their numbers side by side. A dynamic axis
            takes the samples' size. None takes uniform noise over `input_range`, with a warning.
        out: the bundle's directory.
        labels: what the samples are judged by: class numbers or class names `[n]` or, of a regression,
            floats `[n]` or `[n, outputs]`.
        class_names: names of the classes in the network's order; by default those that labels or file have.
        input: whether the input is behind a commitment or part of the statement.
        output: whether the output is for the salt's holder, behind a commitment, or for everyone. A
            commitment says nothing until it is opened (`Bundle.decode_output`); under a public input its salt
            is the prover's own.
        target: how much accuracy to pay for; see `assay_prover.passes.selection.goals.GOALS`.
        input_range: values that an input may have; by default from the samples. Its ends are probed, so that
            tables and clamps hold more than the samples show.
        ranges: the same for each feature of a table, `[features, 2]`; without either, features whose spans
            differ, or that hold whole numbers, have a scale and range of their own from the samples.
        weights: whether they are constants of the circuit, in the bundle for all to see, or private, behind a
            published commitment, under keys that serve every model of the architecture.
        slices: cut the network into so many circuits, 2 to 16, each with keys and a proof of its own.
        max_constraints: cut it into as few circuits as keep each within this size; one if the whole does.
        take: the tensor to prove, of a model with several outputs.
        name: the model's name; by default the file's.
        overwrite: replace a bundle that is there.
        progress: called with (stage, fraction); False cancels.

    Raises:
        ModelError, UnsupportedModel: the file cannot be compiled.
        InputError: the samples do not fit the model.
        QuantisationError: no exact integer form, or no such slices.
        BundleError: `out` is there already, or cannot be written.
        Cancelled: `progress` returned False.
    """
    started = perf_counter()
    folder = Path(out)
    check_target(folder, overwrite=overwrite)
    for what, value, known in (
        ("input", input, ("private", "public")),
        ("output", output, ("encrypted", "committed", "public")),
        ("weights", weights, ("constant", "private")),
        ("target", target, tuple(GOALS)),
    ):
        if value not in known:
            raise InputError(f"{what} is one of {', '.join(known)}, not {value!r}")
    if slices is not None and max_constraints is not None:
        raise InputError("either the number of slices or their largest size, not both")
    if output == "encrypted" and input != "private":
        raise InputError("an encrypted output needs a private input, whose salt is the key")

    def report(stage: str, fraction: float) -> None:
        if progress is not None and progress(stage, fraction) is False:
            raise Cancelled(f"cancelled during {stage}")

    source = read_source(model, samples)
    title = name or source.title
    if source.class_names and labels is not None:
        labels = [str(label) for label in np.asarray(labels).ravel().tolist()]
    prepared = prepare(
        source.data,
        samples,
        labels,
        input_range,
        report,
        take=take or source.take,
        class_names=tuple(class_names) or source.class_names,
        ranges=ranges,
        by_feature=weights == "constant",
    )

    def cost(quantised: QuantisedModel) -> float:
        return planned_cost(quantised.graph, statement(quantised, input, output))

    secret = weights == "private"
    choice = prepared.choose(target, cost, report, private=secret)
    report("circuit", 0.0)
    quantised = choice.model
    if secret:
        _check_secrets(quantised)
    spec = statement(quantised, input, output)
    circuits, positions = [compile_graph(quantised.graph, spec)], tuple[int, ...]()
    if slices is not None or max_constraints is not None:
        positions, circuits = compile_slices(
            quantised.graph, spec, circuits[0], slices=slices, max_constraints=max_constraints
        )
    held = prepared.held_out
    layers = compare_layers(prepared.graph, quantised, prepared.samples if held is None else held.samples)
    warnings = _warnings(choice, target, prepared)
    visibility = WeightsInfo()
    if secret:
        visibility = WeightsInfo(
            visibility="private", note=PRIVATE_WEIGHTS_NOTE, architecture=architecture(prepared.graph)
        )
    manifest = _manifest(
        ModelInfo(name=title, sha256="" if secret else prepared.sha256, notes=prepared.notes),
        visibility,
        choice,
        layers,
        spec,
        slice_infos(quantised.graph, positions, circuits),
        total([circuit.cost() for circuit in circuits]),
        prepared,
        warnings,
        prepared.class_names if quantised.is_label or choice.report.classes else (),
    )
    picture = draw(title, choice.report, choice.selection, layers, manifest.costs)
    try:
        with new_directory(folder, overwrite=overwrite) as partial:
            replace_file(partial / CIRCUIT, dump_graph(quantised.graph))
            if secret:
                write_secret(partial / WEIGHTS, dump_weights(quantised.graph))
            replace_file(partial / PICTURE, picture.encode())
            replace_file(partial / MANIFEST, manifest.write().encode())
    except OSError as error:
        raise BundleError(f"cannot write {folder}: {error.strerror}") from error
    report("circuit", 1.0)
    return CompileReport(
        path=folder,
        seconds=perf_counter() - started,
        model=title,
        target=target,
        target_met=choice.met,
        candidates=choice.candidates,
        import_difference=prepared.difference,
        precision=manifest.precision,
        accuracy=choice.report,
        selection=choice.selection,
        worst_layers=worst(layers),
        limits=manifest.limits,
        costs=manifest.costs,
        notes=prepared.notes,
        warnings=warnings,
    )


def _check_secrets(quantised: QuantisedModel) -> None:
    """Everything that was trained is in layers with private weights."""
    if not quantised.graph.private:
        raise ModelError("the network has no weights that could be private; compile it with constant weights")
    for op in quantised.graph.ops:
        if isinstance(op, Trees):
            layer = quantised.labels.get(op.output, op.output)
            raise ModelError(f"layer {layer!r}: trees cannot be private; compile with constant weights")


def _warnings(choice: Choice, target: Target, prepared: Prepared) -> tuple[str, ...]:
    found = []
    if prepared.synthetic:
        found.append(
            "no samples were given: scales come from uniform noise over the declared range, "
            "and the accuracy says nothing about real data; compile again with samples"
        )
    elif prepared.count < FEW_SAMPLES:
        found.append(f"only {prepared.count} samples: the accuracy is a rough guess")
    if not choice.met:
        found.append(
            f"no candidate reached the target {target!r}; this is the cheapest that comes close to the best "
            f"({describe(choice.report)})"
        )
    elif not GOALS[target].accepts(choice.report):
        found.append(
            f"the target {target!r} was reached on the samples that chose the precision, not on the held-out "
            f"ones ({describe(choice.report)}): give more samples, or aim higher"
        )
    if (
        not prepared.synthetic
        and prepared.count > 1
        and not np.ptp(prepared.calibration.outputs, axis=0).any()
    ):
        found.append(
            "the network answers all samples alike: neither scales nor accuracy say anything; vary them"
        )
    if unresolved := _unresolved(choice, prepared):
        found.append(
            f"{unresolved} of {prod(prepared.graph.input_shape)} features vary by less than a step of the "
            "input's scale, which all share: bring them to a like size before the network, not in it"
        )
    if choice.report.saturated:
        found.append(
            f"{choice.report.saturated:.2%} of the samples' values are outside the declared range "
            "and were clipped"
        )
    return tuple(found)


def _unresolved(choice: Choice, prepared: Prepared) -> int:
    """How many features of a table are too small beside the others."""
    graph, scale = prepared.graph, choice.model.input.scale
    if prepared.synthetic or graph.whole_input or len(graph.input_shape) > 2:
        return 0
    spans = np.ptp(prepared.samples.reshape(len(prepared.samples), -1), axis=0)
    return int(((spans > 0) & (spans < scale)).sum())


def _unbatched(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:] if len(shape) > 1 and shape[0] == 1 else shape


def slice_infos(
    graph: IntegerGraph, positions: tuple[int, ...], circuits: list[Circuit]
) -> tuple[SliceInfo, ...]:
    """What a manifest says of its circuits.

    Args:
        graph: the whole network.
        positions: where it is cut.
        circuits: one more than cuts.
    """
    infos = []
    for circuit, stop in zip(circuits, [*positions, len(graph.ops)], strict=True):
        leaving = None
        if stop < len(graph.ops):
            tensors = live(graph, stop)
            leaving = CutInfo(
                tensors=tuple(tensor.name for tensor in tensors),
                values=sum(tensor.size for tensor in tensors),
                words=sum(words(tensor) for tensor in tensors),
            )
        layout = circuit.layout
        infos.append(
            SliceInfo(
                stop=stop,
                leaving=leaving,
                layout=LayoutInfo(
                    n_public=layout.n_public,
                    committed=layout.committed,
                    n_model=layout.n_model,
                    n_w1=layout.n_w1,
                    n_w2=layout.n_w2,
                    n_constraints=circuit.n_constraints,
                ),
                plan=PlanInfo(
                    limb_widths=circuit.plan.widths,
                    maxima_hoisted=circuit.plan.hoist_maxima,
                    product_checks=circuit.plan.product_checks,
                ),
                circuit=circuit.digest().hex(),
            )
        )
    return tuple(infos)


def _manifest(
    model: ModelInfo,
    weights: WeightsInfo,
    choice: Choice,
    layers: tuple[LayerError, ...],
    spec: StatementSpec,
    slices: tuple[SliceInfo, ...],
    costs: CostReport,
    prepared: Prepared,
    warnings: tuple[str, ...],
    class_names: tuple[str, ...],
) -> Manifest:
    declared = prepared.declared
    features: tuple[FeatureInfo, ...] = ()
    if prepared.features is not None:
        columns = (
            prepared.features.scale,
            prepared.features.zero,
            prepared.features.lo,
            prepared.features.hi,
        )
        features = tuple(
            FeatureInfo(scale=float(s), zero=int(z), lo=float(a), hi=float(b))
            for s, z, a, b in zip(*columns, strict=True)
        )
        declared = float(prepared.features.lo.min()), float(prepared.features.hi.max())
    quantised = choice.model
    source, result = quantised.graph.input, quantised.graph.result
    packed = -(-source.size // values_per_word(quantised.input.bits))
    bits = range_bits(result.min, result.max)
    input_ = InputInfo(
        shape=_unbatched(source.shape),
        scale=quantised.input.scale,
        lo=quantised.input.lo,
        bits=quantised.input.bits,
        words=1 if spec.input_visibility == "private" else packed,
        visibility=spec.input_visibility,
        declared_range=declared,
        features=features,
    )
    output = OutputInfo(
        shape=_unbatched(result.shape),
        scale=quantised.output_scale,
        lo=result.min,
        hi=result.max,
        bits=bits,
        words=1 if spec.output_visibility == "committed" else -(-result.size // values_per_word(bits)),
        kind="label" if quantised.is_label else "logits" if choice.report.classes else "values",
        labels=class_names,
        visibility=spec.output_visibility,
    )
    limits = tuple(sorted(quantised.limits, key=lambda limit: -limit.beyond))
    return Manifest.of(
        model=model,
        input=input_,
        output=output,
        weights=weights,
        slices=slices,
        precision=PrecisionInfo(**asdict(quantised.precision)),
        costs=costs,
        report=choice.report,
        selection=choice.selection,
        layers=layers,
        limits=limits,
        warnings=warnings,
        hashes=Hashes(
            circuit=circuit_hash([part.circuit for part in slices]),
            quantisation=sha256(dump_graph(quantised.graph)).hexdigest(),
            metadata=metadata_hash(model, input_, output, weights, limits),
        ),
    )
