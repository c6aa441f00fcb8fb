"""compile_model: an ONNX file and samples to a bundle without keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from assay_prover.bundle.archive import dump_graph
from assay_prover.bundle.bundle import CIRCUIT, MANIFEST
from assay_prover.bundle.files import new_directory, replace_file
from assay_prover.bundle.manifest import (
    Hashes,
    InputInfo,
    LayoutInfo,
    Manifest,
    ModelInfo,
    OutputInfo,
    PlanInfo,
    PrecisionInfo,
    WeightsInfo,
    metadata_hash,
)
from assay_prover.bundle.oracle import check_import
from assay_prover.circuit import Circuit, CostReport, StatementSpec, compile_graph, range_bits
from assay_prover.circuit.packing import values_per_word
from assay_prover.errors import BundleError, InputError
from assay_prover.frontend import FloatGraph, import_model, read_model
from assay_prover.frontend.graph import FloatArgMax
from assay_prover.frontend.maps import Float64Array
from assay_prover.groth16 import Cancelled
from assay_prover.passes import QuantisedModel, calibrate, declare_range, fuse, synthetic_samples
from assay_prover.passes.report import AccuracyReport
from assay_prover.passes.search import Choice, Target, search

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
    costs: CostReport
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def compile_model(
    model: Path | str | bytes,
    samples: NDArray[Any] | None,
    out: Path | str,
    *,
    labels: NDArray[Any] | None = None,
    input: Literal["private", "public"] = "private",  # noqa: A002 - the protocol's word
    output: Literal["encrypted", "public"] = "encrypted",
    target: Target = "balanced",
    input_range: tuple[float, float] | None = None,
    name: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> CompileReport:
    """Compile a network into a bundle at `out`, without keys (`Bundle.setup` makes them).

    Args:
        model: ONNX file or its bytes.
        samples: typical inputs, `[n, *input shape]`, to choose scales and to measure accuracy; None takes
            uniform noise over `input_range`, with a warning.
        out: the bundle's directory.
        labels: class numbers of the samples, `[n]`.
        input: whether the input is behind a commitment or part of the statement.
        output: whether the output is for the salt's holder or for everyone.
        target: how much accuracy to pay for; see `assay_prover.passes.search.GOALS`.
        input_range: values that an input may have; by default from the samples.
        name: the model's name; by default the file's.
        overwrite: replace a bundle that is there.
        progress: called with (stage, fraction); False cancels.

    Raises:
        ModelError, UnsupportedModel: the file cannot be compiled.
        InputError: the samples do not fit the model.
        QuantisationError: no exact integer form.
        BundleError: `out` is there already, or cannot be written.
    """
    started = perf_counter()
    folder = Path(out)
    if folder.exists() and not overwrite:
        raise BundleError(f"{folder} exists already; overwrite it or choose another place")
    if output == "encrypted" and input != "private":
        raise InputError("an encrypted output needs a private input, whose salt is the key")

    def report(stage: str, fraction: float) -> None:
        if progress is not None and progress(stage, fraction) is False:
            raise Cancelled(f"cancelled during {stage}")

    source = Path(model) if isinstance(model, str) else model
    data = read_model(source)
    title = name or (source.stem if isinstance(source, Path) else "model")
    report("import", 0.0)
    imported = import_model(data)
    is_label = any(isinstance(op, FloatArgMax) for op in imported.ops)
    given = None if samples is None else _shape_samples(samples, imported)
    truth = _check_labels(labels, given)
    declared = declare_range(given, input_range)
    x = synthetic_samples(imported, declared) if given is None else given
    difference = check_import(data, imported, np.clip(x, *declared), is_label)
    report("calibrate", 0.0)
    graph = fuse(imported)
    calibration = calibrate(graph, x, declared)

    def spec(quantised: QuantisedModel) -> StatementSpec:
        return StatementSpec(input, output, quantised.input.lo, quantised.input.bits)

    choice = search(
        graph,
        calibration,
        x,
        truth,
        lambda quantised: compile_graph(quantised.graph, spec(quantised)).plan.cost,
        target=target,
        synthetic=given is None,
        progress=report,
    )
    report("circuit", 0.0)
    quantised = choice.model
    bounds = quantised.graph.result
    circuit = compile_graph(
        quantised.graph, replace(spec(quantised), output_lo=bounds.min, output_hi=bounds.max)
    )
    warnings = _warnings(choice, target, given)
    manifest = _manifest(
        ModelInfo(name=title, sha256=sha256(data).hexdigest(), notes=imported.notes),
        choice,
        circuit,
        declared,
        warnings,
    )
    try:
        with new_directory(folder, overwrite=overwrite) as partial:
            replace_file(partial / CIRCUIT, dump_graph(quantised.graph))
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
        import_difference=difference,
        precision=manifest.precision,
        accuracy=choice.report,
        costs=manifest.costs,
        notes=imported.notes,
        warnings=warnings,
    )


def _shape_samples(samples: NDArray[Any], graph: FloatGraph) -> Float64Array:
    """`[n, *input_shape]` in float64; the graph's shape has a batch axis of 1 that samples may leave out."""
    try:
        array = np.asarray(samples, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"the samples are not numeric: {error}") from error
    shape = graph.input_shape
    short = shape[1:] if len(shape) > 1 and shape[0] == 1 else shape
    if not array.size or array.shape[1:] not in (shape, short):
        raise InputError(f"samples must be [n, {', '.join(map(str, short))}], got {list(array.shape)}")
    if not np.isfinite(array).all():
        raise InputError("the samples hold NaN or infinity")
    return array.reshape(-1, *shape)


def _check_labels(labels: NDArray[Any] | None, samples: Float64Array | None) -> NDArray[Any] | None:
    if labels is None:
        return None
    array = np.asarray(labels)
    if samples is None or array.shape != (len(samples),) or array.dtype.kind not in "iu":
        raise InputError("labels must be one class number for each sample")
    return array


def _warnings(choice: Choice, target: Target, samples: Float64Array | None) -> tuple[str, ...]:
    found = []
    if samples is None:
        found.append(
            "no samples were given: scales come from uniform noise over the declared range, "
            "and the accuracy says nothing about real data; compile again with samples"
        )
    elif len(samples) < FEW_SAMPLES:
        found.append(f"only {len(samples)} samples: the accuracy is a rough guess")
    if not choice.met:
        found.append(
            f"no candidate reached the target {target!r}; this is the one that agrees most "
            f"({choice.report.agreement:.2%} with float)"
        )
    if choice.report.saturated:
        found.append(
            f"{choice.report.saturated:.2%} of the samples' values are outside the declared range "
            "and were clipped"
        )
    return tuple(found)


def _unbatched(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:] if len(shape) > 1 and shape[0] == 1 else shape


def _manifest(
    model: ModelInfo,
    choice: Choice,
    circuit: Circuit,
    declared: tuple[float, float],
    warnings: tuple[str, ...],
) -> Manifest:
    quantised, spec = choice.model, circuit.spec
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
    )
    output = OutputInfo(
        shape=_unbatched(result.shape),
        scale=quantised.output_scale,
        lo=result.min,
        hi=result.max,
        bits=bits,
        words=-(-result.size // values_per_word(bits)),
        kind="label" if quantised.is_label else "logits",
        visibility=spec.output_visibility,
    )
    weights = WeightsInfo()
    layout = circuit.layout
    return Manifest(
        model=model,
        input=input_,
        output=output,
        weights=weights,
        layout=LayoutInfo(
            n_public=layout.n_public,
            committed=layout.committed,
            n_model=layout.n_model,
            n_w1=layout.n_w1,
            n_w2=layout.n_w2,
            n_constraints=circuit.n_constraints,
        ),
        plan=PlanInfo(limb_widths=circuit.plan.widths, maxima_hoisted=circuit.plan.hoist_maxima),
        precision=PrecisionInfo(**asdict(quantised.precision)),
        costs=circuit.cost(),
        report=choice.report,
        warnings=warnings,
        hashes=Hashes(
            circuit=circuit.digest().hex(),
            quantisation=sha256(dump_graph(quantised.graph)).hexdigest(),
            metadata=metadata_hash(model, input_, output, weights),
        ),
    )
