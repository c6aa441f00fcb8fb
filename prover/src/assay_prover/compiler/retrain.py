"""Another training of a network under the keys of its architecture: new weights, no new setup."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay_prover.bundle.bundle import Bundle
from assay_prover.bundle.files import (
    CIRCUIT,
    MANIFEST,
    PROVING_KEY,
    SETUP,
    VERIFYING_KEY,
    WEIGHTS,
    check_target,
    new_directory,
    replace_file,
)
from assay_prover.bundle.manifest import Manifest, legible, metadata_hash
from assay_prover.bundle.weights import dump_weights, write_secret
from assay_prover.compiler.labels import read_labels
from assay_prover.compiler.onnxruntime_check import check_import
from assay_prover.compiler.preparation import Samples, shape_samples, wanted
from assay_prover.errors import BundleError, QuantisationError
from assay_prover.frontend import Wanted, import_model, read_model
from assay_prover.graph.graph import FloatAffine
from assay_prover.passes import Precision, QuantisedModel, calibrate, fuse, synthetic_samples
from assay_prover.passes.quantise.precision import InputEncoding
from assay_prover.passes.quantise.private_layers import (
    architecture,
    is_private,
    private_form,
    requantised_weights,
)
from assay_prover.passes.selection.report import AccuracyReport, assess

if TYPE_CHECKING:
    from assay_prover.graph import FloatGraph
    from assay_prover.reference import IntegerGraph


def with_weights(
    bundle: Bundle,
    model: Path | str | bytes,
    out: Path | str,
    *,
    samples: Samples | None = None,
    labels: Any = None,
    take: str | None = None,
    name: str | None = None,
    overwrite: bool = False,
) -> Bundle:
    """A bundle at `out` with the circuit and keys of `bundle` and the weights of another ONNX file.

    Args:
        bundle: with private weights; its own are not needed, so an exported one will do, without keys to
            prove with.
        model: ONNX file or its bytes; the same network as the bundle's, trained otherwise.
        out: the new bundle's directory. Keys are linked, not copied, where the file system can.
        samples: typical inputs to measure the accuracy on; None takes uniform noise.
        labels: what the samples are judged by; see `compile_model`.
        take: the tensor to prove, of a model with several outputs.
        name: the model's name; by default the file's.
        overwrite: replace a bundle that is there.

    Raises:
        BundleError: constant weights; another network; a weight beyond its layer's limit. Only a new
            compilation and setup can prove these.
        ModelError, InputError: as in `compile_model`.
    """
    if not bundle.is_private:
        raise BundleError(f"{bundle.path}: its weights are constants of the circuit: compile anew")
    folder = Path(out)
    check_target(folder, overwrite=overwrite)
    source = Path(model) if isinstance(model, str) else model
    data = read_model(source)
    sizes = {"": bundle.manifest.input.shape}
    imported = import_model(data, Wanted(sizes, take) if samples is None else wanted(samples, take))
    graph = fuse(imported)
    if architecture(graph) != bundle.manifest.weights.architecture:
        raise BundleError(
            "the network is not the bundle's architecture (layers, shapes, activations or constants that are "
            "no weights differ): compile it as a model of its own"
        )
    given = None if samples is None else shape_samples(samples, imported)
    truth, _ = read_labels(labels, None if given is None else len(given), bundle.manifest.output.labels)
    declared = bundle.manifest.input.declared_range
    x = synthetic_samples(imported, declared) if given is None else given
    is_label = bundle.manifest.output.kind == "label"
    check_import(data, imported, np.clip(x, *declared), is_label)
    integers = _integers(bundle.graph, graph)
    report = _report(bundle, integers, graph, x, truth, given is None)
    title = name or (source.stem if isinstance(source, Path) else bundle.manifest.model.name)
    manifest = _renamed(bundle.manifest, title, report)
    try:
        with new_directory(folder, overwrite=overwrite) as partial:
            replace_file(partial / CIRCUIT, (bundle.path / CIRCUIT).read_bytes())
            replace_file(partial / MANIFEST, manifest.write().encode())
            write_secret(partial / WEIGHTS, dump_weights(integers))
            for folder_of_keys in (Path(), *(part.folder.relative_to(bundle.path) for part in bundle.slices)):
                for key in (PROVING_KEY, VERIFYING_KEY, SETUP):
                    _link(bundle.path / folder_of_keys / key, partial / folder_of_keys / key)
    except OSError as error:
        raise BundleError(f"cannot write {folder}: {error.strerror}") from error
    return Bundle.open(folder)


def _integers(integers: IntegerGraph, graph: FloatGraph) -> IntegerGraph:
    layers = [op for op in graph.ops if isinstance(op, FloatAffine) and is_private(op)]
    pairs = zip(layers, integers.private, strict=True)
    try:
        return integers.with_private([requantised_weights(private_form(op), layer) for op, layer in pairs])
    except (QuantisationError, OverflowError) as error:
        raise BundleError(f"the keys cannot prove this model: {error}; compile it anew") from error


def _report(
    bundle: Bundle,
    integers: IntegerGraph,
    graph: FloatGraph,
    samples: NDArray[np.float64],
    labels: NDArray[Any] | None,
    synthetic: bool,
) -> AccuracyReport:
    info, out = bundle.manifest.input, bundle.manifest.output
    precision = Precision(**bundle.manifest.precision.model_dump())
    encoding = InputEncoding(info.scale, info.lo, info.bits)
    scales = {integers.output: out.scale}
    quantised = QuantisedModel(integers, encoding, scales, {}, out.kind == "label", precision)
    expected = calibrate(graph, samples, info.declared_range).outputs
    return assess(quantised, samples, expected, labels, synthetic)


def _renamed(manifest: Manifest, name: str, report: AccuracyReport) -> Manifest:
    model = manifest.model.model_copy(update={"name": legible(name)})
    digest = metadata_hash(model, manifest.input, manifest.output, manifest.weights, manifest.limits)
    return manifest.model_copy(
        update={
            "model": model,
            "report": report,
            "selection": None,
            "layers": (),
            "warnings": (),
            "hashes": manifest.hashes.model_copy(update={"metadata": digest}),
        }
    )


def _link(source: Path, target: Path) -> None:
    if target.exists() or not source.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
