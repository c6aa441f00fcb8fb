"""A training program as a bundle: it is registered, posted, proven and settled as any other model."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np

from assay_prover.bundle.archive import dump_graph
from assay_prover.bundle.files import CIRCUIT, MANIFEST, check_target, new_directory, replace_file
from assay_prover.bundle.manifest import (
    Hashes,
    InputInfo,
    Manifest,
    ModelInfo,
    OutputInfo,
    PortInfo,
    WeightsInfo,
    circuit_hash,
)
from assay_prover.circuit import OutputVisibility, StatementSpec, range_bits
from assay_prover.circuit.packing import values_per_word
from assay_prover.compiler.compiler import slice_infos
from assay_prover.data import DataSet
from assay_prover.errors import BundleError, InputError
from assay_prover.lowering import compile_graph
from assay_prover.passes.selection.report import AccuracyReport
from assay_prover.reference.tensor import Int64Array
from assay_prover.reference.training import Recipe, predict, train
from assay_prover.training.float_run import predict_float, train_float
from assay_prover.training.graph import table_parts, training_graph
from assay_prover.training.program import Program
from assay_prover.training.trained import precision_of

PORTS = ("features", "labels")
Progress = Callable[[str, float], bool | None]


def compile_program(
    program: Program,
    out: Path | str,
    *,
    data: DataSet | None = None,
    output: OutputVisibility = "public",
    overwrite: bool = False,
) -> Manifest:
    """Compile a training program into a bundle at `out`, without keys.

    Args:
        program: what to compile.
        out: the bundle's directory.
        data: a data set that it is for, to report how the integers train beside floating point; without, a
            table drawn by a fixed generator stands in, and the report says so.
        output: `public`, or `committed`: the weights' digest, which whoever knows data set and salt can open.
            An encrypted output is refused: its pads would be those of every other run over the same data set.
        overwrite: replace a bundle that is there.

    Raises:
        InputError: a data set of another schema or size, or an encrypted output.
        QuantisationError: the program's integers can exceed 62 bits.
        BundleError: `out` is there already, or cannot be written.
    """
    folder = Path(out)
    check_target(folder, overwrite=overwrite)
    if output == "encrypted":
        raise InputError(
            "the weights of a training program cannot be encrypted under the data set's salt: several runs "
            "over it would share their pads; choose public or committed"
        )
    recipe = program.recipe
    features, labels = generated(recipe) if data is None else table_of(program, data)
    graph = training_graph(recipe)
    result, parts = graph.result, table_parts(recipe)
    bits = range_bits(result.min, result.max)
    low, high = min(part.lo for part in parts), max(part.hi for part in parts)
    spec = StatementSpec(
        "private", output, low, range_bits(low, high), result.min, result.max, input_parts=parts
    )
    circuit = compile_graph(graph, spec)
    slices = slice_infos(graph, (), [circuit])
    shapes = ((recipe.rows, recipe.features), (recipe.rows,))
    scales = (2.0**-recipe.data_fraction, 1.0)
    ports = tuple(
        PortInfo(name=name, shape=shape, scale=scale, lo=part.lo, bits=part.bits)
        for name, shape, scale, part in zip(PORTS, shapes, scales, parts, strict=True)
    )
    words = 1 if output == "committed" else -(-result.size // values_per_word(bits))
    scale = 2.0**-recipe.weight_fraction
    manifest = Manifest.of(
        model=ModelInfo(name=program.name, sha256=""),
        input=InputInfo(
            shape=graph.input.shape,
            scale=1.0,
            lo=low,
            bits=range_bits(low, high),
            words=1,
            visibility="private",
            declared_range=(float(low), float(high)),
            ports=ports,
        ),
        output=OutputInfo(
            shape=result.shape,
            scale=scale,
            lo=result.min,
            hi=result.max,
            bits=bits,
            words=words,
            kind="values",
            visibility=output,
        ),
        weights=WeightsInfo(),
        slices=slices,
        precision=precision_of(recipe),
        costs=circuit.cost(),
        report=_report(recipe, features, labels, synthetic=data is None),
        hashes=Hashes(
            circuit=circuit_hash([part.circuit for part in slices]),
            quantisation=sha256(dump_graph(graph)).hexdigest(),
            metadata="0" * 64,
        ),
        program=program.to_json(),
    )
    try:
        with new_directory(folder, overwrite=overwrite) as partial:
            replace_file(partial / CIRCUIT, dump_graph(graph))
            replace_file(partial / MANIFEST, manifest.write().encode())
    except OSError as error:
        raise BundleError(f"cannot write {folder}: {error.strerror}") from error
    return manifest


def table_of(program: Program, data: DataSet) -> tuple[Int64Array, Int64Array]:
    """Features and labels of a data set that a program takes.

    Raises:
        InputError: another schema, another number of rows, or several blocks.
    """
    if data.schema.hash != program.schema.hash:
        raise InputError("the data set has another schema than the program")
    if data.rows != program.recipe.rows:
        raise InputError(f"the program takes {program.recipe.rows} rows, the data set has {data.rows}")
    if len(data.salts) != 1:
        raise InputError("the data set has several blocks; a run in one proof takes one: commit without them")
    features, labels = data.block(0)
    if labels is None:
        raise InputError("the data set has no labels")
    return features, labels


def flat_table(features: Int64Array, labels: Int64Array) -> Int64Array:
    """A program's input: features row by row, then labels."""
    return np.concatenate([features.ravel(), labels])


def generated(recipe: Recipe, seed: int = 1) -> tuple[Int64Array, Int64Array]:
    """A table from a fixed generator: classes around centres of their own."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, recipe.classes, recipe.rows)
    centres = random.normal(0, 1, (recipe.classes, recipe.features))
    values = centres[labels] + random.normal(0, 1, (recipe.rows, recipe.features))
    limit = 1 << (recipe.data_bits - 1)
    steps = np.rint(values * (1 << recipe.data_fraction))
    return np.clip(steps, -limit, limit - 1).astype(np.int64), labels.astype(np.int64)


def _report(recipe: Recipe, features: Int64Array, labels: Int64Array, *, synthetic: bool) -> AccuracyReport:
    """How the integers train beside floating point, on the rows that they train on."""
    integers = predict(recipe, train(recipe, features, labels).weights, features)
    floats = predict_float(recipe, train_float(recipe, features, labels).weights, features)
    return AccuracyReport(
        samples=recipe.rows,
        synthetic=synthetic,
        agreement=float((integers == floats).mean()),
        accuracy_float=float((floats == labels).mean()),
        accuracy_quantised=float((integers == labels).mean()),
        error_median=None,
        error_p99=None,
        error_max=None,
        output_span=0.0,
        saturated=0.0,
    )
