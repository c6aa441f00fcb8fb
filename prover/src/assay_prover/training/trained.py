"""What training made: a network that answers for one row, as integers, as a bundle, as ONNX.

The network is a function of program and weights alone, so whoever knows both can make it again and compare:
this is how lineage is verified.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np

from assay_prover.bundle.archive import dump_graph
from assay_prover.bundle.files import CIRCUIT, MANIFEST, check_target, new_directory, replace_file
from assay_prover.bundle.manifest import (
    FeatureInfo,
    Hashes,
    InputInfo,
    Manifest,
    ModelInfo,
    OutputInfo,
    PrecisionInfo,
    WeightsInfo,
    circuit_hash,
)
from assay_prover.circuit import Circuit, Part, StatementSpec, range_bits
from assay_prover.circuit.packing import values_per_word
from assay_prover.compiler.compiler import slice_infos
from assay_prover.errors import BundleError, InputError
from assay_prover.lowering import compile_graph
from assay_prover.passes.selection.report import AccuracyReport
from assay_prover.reference import Affine, Dense, IntegerGraph, Op, Requantise, Tensor
from assay_prover.reference.tensor import Int64Array
from assay_prover.reference.training import Recipe
from assay_prover.training.program import Program


def layers_of(recipe: Recipe, flat: Int64Array) -> list[Int64Array]:
    """The weights of each layer from a program's output.

    Raises:
        ValueError: another number of weights, or one outside the program's bits.
    """
    values = np.asarray(flat, dtype=np.int64).ravel()
    if values.size != recipe.weights:
        raise ValueError(f"the program has {recipe.weights} weights, not {values.size}")
    if values.min() < -recipe.weight_limit or values.max() >= recipe.weight_limit:
        raise ValueError("a weight is outside the program's bits")
    found, start = [], 0
    for rows, columns in recipe.shapes:
        found.append(values[start : start + rows * columns].reshape(rows, columns))
        start += rows * columns
    return found


def row_part(recipe: Recipe) -> Part:
    """How one row stands in the statement of the trained network."""
    return Part(recipe.features, -(1 << (recipe.data_bits - 1)), recipe.data_bits)


def trained_graph(recipe: Recipe, weights: list[Int64Array]) -> IntegerGraph:
    """The network for one row: scores of the classes, the greatest the answer.

    Two classes of one logistic function have the scores 0 and z. Hidden layers are those of the training,
    to the last bit; the last layer's scores are not clamped, so that no two classes seem alike which are
    not.
    """
    part = row_part(recipe)
    ops: list[Op] = []
    source, fraction = "row", recipe.data_fraction
    for number, layer in enumerate(weights[:-1]):
        units = layer.shape[1]
        bias = layer[-1] << fraction
        ops.append(Affine((source,), f"sums {number}", (units,), (Dense(_rows(layer[:-1])),), bias))
        shift = fraction + recipe.weight_fraction - recipe.activation_fraction
        high = (1 << recipe.activation_bits) - 1
        ops.append(Requantise(f"sums {number}", f"units {number}", shift, 0, high))
        source, fraction = f"units {number}", recipe.activation_fraction
    last = weights[-1]
    scores, bias = _rows(last[:-1]), last[-1] << fraction
    if recipe.outputs == 1:
        scores = np.concatenate([np.zeros_like(scores), scores])
        bias = np.concatenate([np.zeros_like(bias), bias])
    ops.append(Affine((source,), "scores", (recipe.classes,), (Dense(scores),), bias))
    taken = Tensor(
        "row", (recipe.features,), np.full(recipe.features, part.lo), np.full(recipe.features, part.hi)
    )
    return IntegerGraph([taken], ops, "scores")


def score_scale(recipe: Recipe) -> float:
    """What one step of a score is worth."""
    fraction = recipe.activation_fraction if recipe.hidden else recipe.data_fraction
    return float(2.0 ** -(fraction + recipe.weight_fraction))


def _rows(columns: Int64Array) -> Int64Array:
    return np.ascontiguousarray(columns.T)


def trained_model(
    program: Program, flat: Int64Array, out: Path | str, *, overwrite: bool = False
) -> Manifest:
    """The trained network as a bundle at `out`, without keys.

    It is a function of program and weights alone: everybody makes the same circuit of them.

    Args:
        program: that made the weights.
        flat: the program's output, `int64[weights]`.
        out: the bundle's directory.
        overwrite: replace a bundle that is there.

    Raises:
        InputError: no weights of the program, or a schema whose scales no bundle can have.
        BundleError: `out` is there already, or cannot be written.
    """
    folder = Path(out)
    check_target(folder, overwrite=overwrite)
    try:
        graph = trained_graph(program.recipe, layers_of(program.recipe, flat))
    except ValueError as error:
        raise InputError(f"these are no weights of the program: {error}") from error
    circuit, spec = trained_circuit(graph, program.recipe)
    slices = slice_infos(graph, (), [circuit])
    part, result = row_part(program.recipe), graph.result
    bits = range_bits(result.min, result.max)
    features = _features(program)
    recipe, label = program.recipe, program.schema.label
    manifest = Manifest.of(
        model=ModelInfo(
            name=program.name, sha256="", notes=("trained by a program whose run can be proven",)
        ),
        input=InputInfo(
            shape=(recipe.features,),
            scale=2.0**-recipe.data_fraction,
            lo=part.lo,
            bits=part.bits,
            words=1,
            visibility="private",
            declared_range=(min(f.lo for f in features), max(f.hi for f in features)),
            features=features,
        ),
        output=OutputInfo(
            shape=result.shape,
            scale=score_scale(recipe),
            lo=result.min,
            hi=result.max,
            bits=bits,
            words=-(-result.size // values_per_word(bits)),
            kind="logits",
            visibility=spec.output_visibility,
            labels=() if label is None else label.values,
        ),
        weights=WeightsInfo(),
        slices=slices,
        precision=precision_of(recipe),
        costs=circuit.cost(),
        report=AccuracyReport(
            samples=0,
            synthetic=True,
            agreement=1.0,
            accuracy_float=None,
            accuracy_quantised=None,
            error_median=None,
            error_p99=None,
            error_max=None,
            output_span=0.0,
            saturated=0.0,
        ),
        warnings=("its accuracy was not measured here: examine it on rows that it was not trained on",),
        hashes=Hashes(
            circuit=circuit_hash([each.circuit for each in slices]),
            quantisation=sha256(dump_graph(graph)).hexdigest(),
            metadata="0" * 64,
        ),
    )
    try:
        with new_directory(folder, overwrite=overwrite) as partial:
            replace_file(partial / CIRCUIT, dump_graph(graph))
            replace_file(partial / MANIFEST, manifest.write().encode())
    except OSError as error:
        raise BundleError(f"cannot write {folder}: {error.strerror}") from error
    return manifest


def trained_circuit(graph: IntegerGraph, recipe: Recipe) -> tuple[Circuit, StatementSpec]:
    """The circuit of a trained network: private input, encrypted output."""
    part, result = row_part(recipe), graph.result
    spec = StatementSpec("private", "encrypted", part.lo, part.bits, result.min, result.max)
    return compile_graph(graph, spec), spec


def trained_circuit_hash(program: Program, flat: Int64Array) -> bytes:
    """The circuit hash that a model must have which these weights of the program make, 32 bytes.

    Raises:
        ValueError: no weights of the program.
    """
    graph = trained_graph(program.recipe, layers_of(program.recipe, flat))
    return bytes.fromhex(circuit_hash([trained_circuit(graph, program.recipe)[0].digest().hex()]))


def precision_of(recipe: Recipe) -> PrecisionInfo:
    """The recipe's bits, where a manifest has them."""
    return PrecisionInfo(
        limb_bits=1,
        input_bits=recipe.data_bits,
        activation_bits=recipe.activation_bits,
        output_bits=recipe.weight_bits,
        weight_noise=0.0,
        headroom_bits=0,
        table_bits=recipe.logit_bits,
    )


def _features(program: Program) -> tuple[FeatureInfo, ...]:
    """How a bundle encodes the schema's columns."""
    found: list[FeatureInfo] = []
    for column in program.schema.columns:
        if column.kind in ("real", "whole"):
            found.append(
                FeatureInfo(scale=column.step, zero=-column.offset_steps, lo=column.lo, hi=column.hi)
            )
        else:
            one = FeatureInfo(scale=1 / program.schema.one, zero=0, lo=0.0, hi=1.0)
            found += [one] * len(column.features)
    return tuple(found)
