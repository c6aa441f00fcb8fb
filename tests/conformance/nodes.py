"""ONNX's backend node tests as a conformance suite for the compiler.

Each case is one node with inputs and the answers ONNX expects. A circuit has one input, so a case is taken in
every form that has one: each of its inputs alone, the others bound to their values, and all its inputs of one
kind joined end to end in a vector. In each form the imported float graph must give the expected answer, and
the quantised integers the float graph's answer (at the same, encoded input) within quantisation error.

A case passes when some form of it is accepted and none is wrong, and is refused when all forms are, with the
compiler's own reason. Never is a case skipped.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

from assay_prover.errors import ModelError, QuantisationError, UnsupportedModel
from assay_prover.frontend import import_model
from assay_prover.graph.graph import FloatGraph
from assay_prover.passes import Precision, calibrate, fuse, quantise

Array = np.ndarray[Any, Any]
Verdict = Literal["passed", "refused", "wrong"]

FINE = Precision(
    limb_bits=1, input_bits=14, activation_bits=14, output_bits=14, weight_noise=0.1, table_bits=14
)
TOLERANCE = 0.01
"""Of the answer's largest magnitude: what fine integers may differ by from the float network."""

FLOAT_TOLERANCE = 1e-3

OWN_OPSET = 17
"""For the nodes that join inputs, where the case itself needs no standard operators."""


@dataclass(frozen=True)
class Result:
    """What became of a case; `reason` says why it was refused or how it is wrong."""

    name: str
    operator: str
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True)
class Form:
    """A case as a model of one input."""

    model: bytes
    output: str
    x: Array
    parts: tuple[int, ...]
    """Lengths of the joined inputs in x."""


def results() -> Iterator[Result]:
    """Every node test of the installed onnx."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # onnx's own, from building the cases
        cases = collect_testcases(None)
    for case in cases:
        yield judge(case)


def judge(case: Any) -> Result:
    """One case in all its forms."""
    operator = case.name.removeprefix("test_").split("_")[0]
    if not case.data_sets:
        return Result(case.name, operator, "refused", "the case holds no data")
    if len(case.model.graph.node) == 1:
        operator = case.model.graph.node[0].op_type
    inputs, outputs = case.data_sets[0]
    if not all(_is_tensor(value) for value in (*inputs, *outputs)):
        return Result(case.name, operator, "refused", _odd_type((*inputs, *outputs)))
    refusal = ""
    accepted = 0
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for name, expected in zip((value.name for value in case.model.graph.output), outputs, strict=False):
            done = False
            for form in forms(case, inputs, name):
                try:
                    problem = check(form, np.asarray(expected))
                except (ModelError, QuantisationError) as error:
                    refusal = refusal or reason(error)
                    continue
                except Exception as error:  # noqa: BLE001 - a crash is the worst of all wrong answers
                    problem = f"crash: {error!r}"
                if problem:
                    return Result(case.name, operator, "wrong", f"output {name}: {problem}")
                done = True
            if not done:
                return Result(case.name, operator, "refused", refusal or "no input is a tensor of numbers")
            refusal = ""
            accepted += 1
    return Result(case.name, operator, "passed" if accepted else "refused", "" if accepted else "no output")


def reason(error: ModelError | QuantisationError) -> str:
    """The error without what names the node."""
    text = str(error)
    if isinstance(error, UnsupportedModel):
        text = text.split("): ", 1)[1].split("; docs/operators.md", 1)[0]
    text = re.sub(r"'[^']*'", "...", text.split(". ")[0])
    return re.sub(r"-?\d[\d.e+-]*(, -?\d[\d.e+-]*)*", "n", text)


def _is_tensor(value: object) -> bool:
    return isinstance(value, np.ndarray | np.generic) and np.asarray(value).dtype.kind in "fiub"


def _odd_type(values: Iterable[object]) -> str:
    # what numpy has no type for is given as onnx's own tensors
    kinds = {getattr(getattr(value, "dtype", None), "kind", type(value).__name__) for value in values}
    if kinds & {"V", "TensorProto"}:
        return "numbers of fewer than eight bits, float8 and bfloat16"
    return "sequences, optional values, text and complex numbers"


def forms(case: Any, inputs: list[Array], output: str) -> Iterator[Form]:
    """One input at a time, floats first, then all floats joined, then all integers joined."""
    names = [value.name for value in case.model.graph.input]
    values = {n: np.asarray(v) for n, v in zip(names, inputs, strict=False)}
    usable = [n for n, v in values.items() if v.size]
    ordered = sorted(usable, key=lambda n: values[n].dtype.kind != "f")
    for name in ordered:
        model = _single_output(case.model, output)
        kept = [value for value in model.graph.input if value.name == name]
        _bind(model, {n: v for n, v in values.items() if n != name})
        model.graph.input.extend(kept)
        yield Form(model.SerializeToString(), output, values[name], (values[name].size,))
    for kinds in ("f", "iub"):
        group = [n for n in usable if values[n].dtype.kind in kinds]
        if len(group) > 1 and len({values[n].dtype for n in group}) == 1:
            yield _joined(case.model, output, values, group)


def _single_output(model: onnx.ModelProto, output: str) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    # from version 4 on an initialiser need not be an input too
    copy.ir_version = max(copy.ir_version, 8)
    kept = [value for value in copy.graph.output if value.name == output]
    del copy.graph.output[:]
    copy.graph.output.extend(kept)
    return copy


def _bind(model: onnx.ModelProto, values: dict[str, Array]) -> None:
    del model.graph.input[:]
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in values.items())


def _joined(model: onnx.ModelProto, output: str, values: dict[str, Array], group: list[str]) -> Form:
    """Inputs cut from one vector by Slice and Reshape."""
    copy = _single_output(model, output)
    _bind(copy, {n: v for n, v in values.items() if n not in group})
    sizes = tuple(values[n].size for n in group)
    kind = helper.np_dtype_to_tensor_dtype(values[group[0]].dtype)
    copy.graph.input.append(helper.make_tensor_value_info("joined", kind, [sum(sizes)]))
    if not any(entry.domain in ("", "ai.onnx") for entry in copy.opset_import):
        copy.opset_import.append(helper.make_opsetid("", OWN_OPSET))
    opset = next(entry.version for entry in copy.opset_import if entry.domain in ("", "ai.onnx"))
    nodes, start = [], 0
    for k, name in enumerate(group):
        end = start + sizes[k]
        if opset >= 10:
            for key, value in (("start", start), ("end", end)):
                constant = np.array([value], dtype=np.int64)
                copy.graph.initializer.append(numpy_helper.from_array(constant, f"{name}/{key}"))
            nodes.append(
                helper.make_node("Slice", ["joined", f"{name}/start", f"{name}/end"], [f"{name}/part"])
            )
        else:
            nodes.append(helper.make_node("Slice", ["joined"], [f"{name}/part"], starts=[start], ends=[end]))
        shape = np.array(values[name].shape, dtype=np.int64)
        if opset >= 5:
            copy.graph.initializer.append(numpy_helper.from_array(shape, f"{name}/shape"))
            nodes.append(helper.make_node("Reshape", [f"{name}/part", f"{name}/shape"], [name]))
        else:
            nodes.append(helper.make_node("Reshape", [f"{name}/part"], [name], shape=shape.tolist()))
        start = end
    rest = list(copy.graph.node)
    del copy.graph.node[:]
    copy.graph.node.extend([*nodes, *rest])
    x = np.concatenate([values[n].ravel() for n in group])
    return Form(copy.SerializeToString(), output, x, sizes)


def check(form: Form, expected: Array) -> str:
    """How the form is wrong, or "".

    Raises:
        ModelError, QuantisationError: the compiler refuses it.
    """
    graph = import_model(form.model)
    x = form.x.astype(np.float64).reshape(1, *graph.input_shape)
    if not np.isfinite(x).all():
        raise ModelError("an input that is NaN or infinite")
    answer = graph.run(x)[graph.output][0]
    if graph.onnx_output == form.output:
        wanted = expected.astype(np.float64)
        if not np.isfinite(wanted).all():
            raise ModelError("an answer that is NaN or infinite")
        if answer.shape != wanted.shape:
            return f"shape {answer.shape} instead of {wanted.shape}"
        half = expected.dtype == np.float16
        rtol, atol = (1e-2, 2e-3) if half else (FLOAT_TOLERANCE, 1e-5)
        if not np.allclose(answer, wanted, rtol=rtol, atol=atol):
            return f"differs by {np.abs(answer - wanted).max():g}"
    return compare_integers(graph, x, form.parts)


def compare_integers(graph: FloatGraph, x: Array, parts: tuple[int, ...]) -> str:
    """How the integers differ from the float graph, or ""."""
    fused = fuse(graph)
    samples = shuffled(x, parts)
    ends = (float(samples.min()), float(samples.max()))
    if ends[0] == ends[1]:
        ends = (ends[0] - 1.0, ends[1] + 1.0)
    calibration = calibrate(fused, samples, ends)
    if not all(np.isfinite((t.lo, t.hi)).all() for t in calibration.tensors.values()):
        raise QuantisationError("the operator is not defined on all of the input's range")
    model = quantise(fused, calibration, FINE)
    integers = model.encode(samples)
    decoded = integers * model.input.scale
    wanted = fused.run(decoded)[fused.output]
    answer = model.graph.run(integers)[model.graph.output] * model.output_scale
    size = max(float(np.abs(wanted).max()), float(np.abs(calibration.outputs).max()), 1e-9)
    # a threshold is rounded with the input: at a value that equals it the answer is that of the value itself
    error = np.minimum(np.abs(answer - wanted), np.abs(answer - fused.run(samples)[fused.output]))
    if error.max() > TOLERANCE * size:
        return f"integers differ by {error.max() / size:.2%} of {size:g}"
    return ""


def shuffled(x: Array, parts: tuple[int, ...], count: int = 8) -> Array:
    """The sample and permutations of it within each joined part, some made smaller."""
    rng = np.random.default_rng(0)
    flat = x.ravel()
    whole = bool((flat == np.rint(flat)).all())
    found = [flat]
    for k in range(count - 1):
        places = np.concatenate(
            [np.sum(parts[:j]).astype(int) + rng.permutation(size) for j, size in enumerate(parts)]
        )
        found.append(flat[places] * (1.0 if whole or k % 2 else rng.uniform(0.5, 1.0)))
    return np.stack(found).reshape(count, *x.shape[1:])


def summary(found: list[Result]) -> str:
    """Counts, refusals by reason, and everything that is wrong."""
    verdicts = Counter(result.verdict for result in found)
    lines = [f"passed {verdicts['passed']}, refused {verdicts['refused']}, wrong {verdicts['wrong']}"]
    lines += [f"  {n:4d} refused: {why}" for why, n in refusals(found).most_common()]
    lines += [f"  wrong: {r.name}: {r.reason}" for r in found if r.verdict == "wrong"]
    return "\n".join(lines)


def refusals(found: list[Result]) -> Counter[str]:
    """How many cases each reason refuses."""
    return Counter(f"{result.operator}: {result.reason}" for result in found if result.verdict == "refused")
