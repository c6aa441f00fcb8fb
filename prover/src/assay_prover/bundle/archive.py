"""circuit.npz: an integer graph as a file.

An uncompressed zip of little-endian arrays in their narrowest integer type, and `graph.json` for the
structure. Written with fixed dates and order, so that equal graphs are equal bytes; read with nothing
executable in it, so that a stranger's bundle is only data.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from hashlib import sha256
from math import prod
from tokenize import TokenError
from typing import Any

import numpy as np
import scipy.sparse as sp

from assay_prover import reference as ref
from assay_prover.errors import AssayProverError, BundleError
from assay_prover.reference.tensor import Int64Array

FORMAT = "assay/integer-graph/v1"
EPOCH = (1980, 1, 1, 0, 0, 0)
STRUCTURE = "graph.json"
MOST_WEIGHTS = 1 << 27
"""Of one layer, where the file names their number and does not hold them: a gigabyte."""

Record = dict[str, Any]

_DAMAGE = (
    *(zipfile.BadZipFile, EOFError, NotImplementedError),  # of the archive
    *(SyntaxError, TokenError, MemoryError),  # of an array's header: numpy parses it, and believes its shape
    *(LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError),  # of the structure
)
"""What reading raises when bytes are wrong."""


class _Writer:
    def __init__(self) -> None:
        self.arrays: list[Int64Array] = []

    def array(self, values: Int64Array) -> int:
        # row-major, so that the bytes say nothing of how the array came about
        self.arrays.append(np.asarray(values, dtype=np.int64, order="C"))
        return len(self.arrays) - 1


def _narrow(values: Int64Array) -> np.ndarray[Any, Any]:
    lo, hi = (int(values.min()), int(values.max())) if values.size else (0, 0)
    for kind in ("<i1", "<i2", "<i4"):
        info = np.iinfo(kind)
        if info.min <= lo and hi <= info.max:
            return values.astype(kind)
    return values.astype("<i8")


def dump_graph(graph: ref.IntegerGraph) -> bytes:
    """The file's bytes, the same for equal graphs on every machine."""
    writer = _Writer()
    structure = {
        "format": FORMAT,
        "inputs": [
            {"name": t.name, "shape": t.shape, "lo": writer.array(t.lo), "hi": writer.array(t.hi)}
            for t in graph.inputs
        ],
        "ops": [_dump_op(op, writer) for op in graph.ops],
        "output": graph.output,
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        text = json.dumps(structure, separators=(",", ":"), sort_keys=True).encode()
        archive.writestr(zipfile.ZipInfo(STRUCTURE, EPOCH), text)
        for number, values in enumerate(writer.arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, _narrow(values), version=(1, 0), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{number}.npy", EPOCH), member.getvalue())
    return buffer.getvalue()


def load_graph(data: bytes) -> ref.IntegerGraph:
    """Read a graph and analyse its intervals anew: the file's claims about bounds are never believed.

    Raises:
        BundleError: anything but a complete, valid file.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
                raise _refused("compressed members")
            structure = json.loads(archive.read(STRUCTURE))
            if structure.get("format") != FORMAT:
                raise _refused(f"unknown format {structure.get('format')!r}")
            reader = _Reader(archive)
            inputs = [
                ref.Tensor(t["name"], tuple(t["shape"]), reader.array(t["lo"]), reader.array(t["hi"]))
                for t in structure["inputs"]
            ]
            ops = [_load_op(record, reader) for record in structure["ops"]]
            return ref.IntegerGraph(inputs, ops, structure["output"])
    except BundleError:
        raise
    except _DAMAGE as error:
        raise BundleError(f"circuit.npz is damaged: {error}") from error
    except AssayProverError as error:
        raise BundleError(f"circuit.npz holds no valid network: {error}") from error


def _refused(why: str) -> BundleError:
    return BundleError(f"circuit.npz is refused: {why}")


class _Reader:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive

    def array(self, number: int) -> Int64Array:
        with self.archive.open(f"{int(number)}.npy") as member:
            values = np.lib.format.read_array(io.BytesIO(member.read()), allow_pickle=False)
        if values.dtype.kind != "i":
            raise BundleError(f"circuit.npz: array {number} holds no integers")
        return np.array(values, dtype=np.int64, order="C")


def digest(graph: ref.IntegerGraph) -> bytes:
    """SHA-256 of the graph's bytes: what the quantisation hash of a model is."""
    return sha256(dump_graph(graph)).digest()


def _dump_op(op: ref.Op, w: _Writer) -> Record:
    match op:
        case ref.Affine():
            fields: Record = {
                "inputs": op.inputs,
                "shape": op.shape,
                "maps": [_dump_map(m, w) for m in op.maps],
                "bias": w.array(op.bias),
            }
        case ref.PrivateAffine():
            # the architecture alone: the numbers are in weights.npz
            fields = {
                "inputs": op.inputs,
                "shape": op.shape,
                "maps": [
                    _dump_map(m, w) if limit is None else _dump_private_map(m)
                    for m, limit in zip(op.maps, op.limits, strict=True)
                ],
                "limits": op.limits,
                "biases": op.bias.size,
                "bias_limit": op.bias_limit,
                "span": op.span,
                "factors": op.factors,
                "bias_factor": op.bias_factor,
            }
        case ref.Requantise():
            fields = {"input": op.input, "shift": op.shift, "lo": op.lo, "hi": op.hi}
        case ref.RoundEven():
            fields = {"input": op.input, "shift": op.shift}
        case ref.ReduceMax() | ref.ArgMax():
            fields = {"input": op.input, "shape": op.shape, "index": w.array(op.index)}
        case ref.Multiply() | ref.MatMul():
            fields = {"a": op.a, "b": op.b}
        case ref.Table():
            fields = {"input": op.input, "lo": op.lo, "values": w.array(op.values)}
        case ref.Step():
            fields = {"input": op.input}
        case ref.OneHot():
            fields = {"input": op.input, "lo": op.lo, "size": op.size}
        case ref.Divide():
            fields = {"a": op.a, "b": op.b}
        case ref.Normalise():
            constants = {"epsilon": op.epsilon, "shift": op.shift, "unit": op.unit}
            fields = {"input": op.input, "index": w.array(op.index), **constants}
        case ref.Trees():
            arrays = (op.bit, op.zero, op.one, op.roots, op.values, op.bias)
            fields = {"input": op.input, "shape": op.shape, "arrays": [w.array(part) for part in arrays]}
    return {"op": type(op).__name__, "output": op.output, **fields}


def _optional(value: Any) -> int | None:
    return None if value is None else int(value)


def _load_op(record: Record, r: _Reader) -> ref.Op:
    output = str(record["output"])
    match record["op"]:
        case "Affine":
            maps = tuple(_load_map(m, r) for m in record["maps"])
            return ref.Affine(
                tuple(record["inputs"]), output, tuple(record["shape"]), maps, r.array(record["bias"])
            )
        case "PrivateAffine":
            return _load_private(record, output, r)
        case "Requantise":
            lo, hi = _optional(record["lo"]), _optional(record["hi"])
            return ref.Requantise(str(record["input"]), output, int(record["shift"]), lo, hi)
        case "RoundEven":
            return ref.RoundEven(str(record["input"]), output, int(record["shift"]))
        case "ReduceMax":
            return ref.ReduceMax(
                str(record["input"]), output, tuple(record["shape"]), r.array(record["index"])
            )
        case "ArgMax":
            return ref.ArgMax(str(record["input"]), output, tuple(record["shape"]), r.array(record["index"]))
        case "Multiply":
            return ref.Multiply(str(record["a"]), str(record["b"]), output)
        case "MatMul":
            return ref.MatMul(str(record["a"]), str(record["b"]), output)
        case "Table":
            return ref.Table(str(record["input"]), output, int(record["lo"]), r.array(record["values"]))
        case "Step":
            return ref.Step(str(record["input"]), output)
        case "OneHot":
            return ref.OneHot(str(record["input"]), output, int(record["lo"]), int(record["size"]))
        case "Divide":
            return ref.Divide(str(record["a"]), str(record["b"]), output)
        case "Normalise":
            constants = (int(record[name]) for name in ("epsilon", "shift", "unit"))
            return ref.Normalise(str(record["input"]), output, r.array(record["index"]), *constants)
        case "Trees":
            bit, zero, one, roots, values, bias = (r.array(number) for number in record["arrays"])
            shape = tuple(record["shape"])
            return ref.Trees(str(record["input"]), output, shape, bit, zero, one, roots, values, bias)
        case unknown:
            raise BundleError(f"circuit.npz: unknown operation {unknown!r}")


def _load_private(record: Record, output: str, r: _Reader) -> ref.PrivateAffine:
    limits = tuple(_optional(limit) for limit in record["limits"])
    maps = tuple(
        _load_map(m, r) if limit is None else _load_private_map(m)
        for m, limit in zip(record["maps"], limits, strict=True)
    )
    least, most = (int(end) for end in record["span"])
    return ref.PrivateAffine(
        inputs=tuple(record["inputs"]),
        output=output,
        shape=tuple(record["shape"]),
        maps=maps,
        limits=limits,
        bias=_blank((int(record["biases"]),)),
        bias_limit=int(record["bias_limit"]),
        span=(least, most),
        factors=tuple(None if f is None else float(f) for f in record["factors"]),
        bias_factor=float(record["bias_factor"]),
    )


def _blank(shape: tuple[int, ...]) -> Int64Array:
    """Zeros of any shape in eight bytes."""
    return np.broadcast_to(np.zeros((), dtype=np.int64), shape)


def _dump_private_map(linear: ref.LinearMap) -> Record:
    match linear:
        case ref.Dense():
            return {"map": "Dense", "weight_shape": linear.weight.shape}
        case ref.Conv():
            return {"map": "Conv", "weight_shape": linear.weight.shape, **_geometry(linear)}
        case _:
            raise TypeError(f"{type(linear).__name__} has no private weights")


def _load_private_map(record: Record) -> ref.LinearMap:
    shape = tuple(int(n) for n in record["weight_shape"])
    if min(shape, default=0) < 1 or prod(shape) > MOST_WEIGHTS:
        raise BundleError(f"circuit.npz: a layer of {list(shape)} private weights")
    weight = _blank(shape)
    if record["map"] == "Dense" and weight.ndim == 2:
        return ref.Dense(weight)
    if record["map"] == "Conv":
        return _conv(weight, record)
    raise BundleError(f"circuit.npz: no private map {record['map']!r}")


def _geometry(linear: ref.Conv) -> Record:
    return {
        "strides": linear.strides,
        "pads": linear.pads,
        "dilations": linear.dilations,
        "groups": linear.groups,
        "in_shape": linear.in_shape,
        "channels_last": linear.channels_last,
    }


def _dump_map(linear: ref.LinearMap, w: _Writer) -> Record:
    match linear:
        case ref.Dense():
            fields: Record = {"weight": w.array(linear.weight)}
        case ref.Sparse():
            m = linear.matrix
            arrays = (m.data, m.indices, m.indptr)
            fields = {"csr": [w.array(part) for part in arrays], "shape": [linear.n_out, linear.n_in]}
        case ref.Gather():
            fields = {"index": w.array(linear.index), "size": linear.size}
        case ref.Scale():
            fields = {"factor": w.array(linear.factor)}
        case ref.Conv():
            fields = {"weight": w.array(linear.weight), **_geometry(linear)}
        case _:
            raise TypeError(f"no file form for {type(linear).__name__}")
    return {"map": type(linear).__name__, **fields}


def _load_sparse(record: Record, r: _Reader) -> ref.LinearMap:
    data, indices, indptr = (r.array(number) for number in record["csr"])
    matrix = sp.csr_array((data, indices, indptr), shape=tuple(record["shape"]))
    matrix.check_format(full_check=True)
    return ref.Sparse(matrix)


def _conv(weight: Int64Array, record: Record) -> ref.LinearMap:
    return ref.Conv(
        weight,
        tuple(record["strides"]),
        tuple(record["pads"]),
        tuple(record["dilations"]),
        int(record["groups"]),
        tuple(record["in_shape"]),
        bool(record["channels_last"]),
    )


_MAPS: dict[str, Callable[[Record, _Reader], ref.LinearMap]] = {
    "Dense": lambda record, r: ref.Dense(r.array(record["weight"])),
    "Sparse": _load_sparse,
    "Gather": lambda record, r: ref.Gather(r.array(record["index"]), int(record["size"])),
    "Scale": lambda record, r: ref.Scale(r.array(record["factor"])),
    "Conv": lambda record, r: _conv(r.array(record["weight"]), record),
}


def _load_map(record: Record, r: _Reader) -> ref.LinearMap:
    if record["map"] not in _MAPS:
        raise BundleError(f"circuit.npz: unknown map {record['map']!r}")
    return _MAPS[record["map"]](record, r)
