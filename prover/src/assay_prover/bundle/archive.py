"""circuit.npz: an integer graph as a file.

An uncompressed zip of little-endian arrays in their narrowest integer type, and `graph.json` for the
structure. Written with fixed dates and order, so that equal graphs are equal bytes; read with nothing
executable in it, so that a stranger's bundle is only data.
"""

from __future__ import annotations

import dataclasses
import io
import zipfile
from collections.abc import Callable
from hashlib import sha256
from math import prod
from tokenize import TokenError
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
import scipy.sparse as sp

from assay_prover import reference as ref
from assay_prover import strict_json
from assay_prover.bundle.array_files import open_archive, read_integers
from assay_prover.bundle.effort import MAX_PRIVATE, check_effort, check_inputs
from assay_prover.errors import AssayProverError, BundleError
from assay_prover.reference.tensor import Int64Array

FORMAT = "assay/integer-graph/v1"
EPOCH = (1980, 1, 1, 0, 0, 0)
STRUCTURE = "graph.json"
MAX_STRUCTURE_BYTES = 1 << 25

Record = dict[str, Any]

_DAMAGE = (
    *(zipfile.BadZipFile, EOFError, NotImplementedError),  # of the archive
    *(SyntaxError, TokenError, MemoryError),  # of an array's header: numpy parses it, and believes its shape
    *(LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError),  # of the structure
)
"""What reading raises when bytes are wrong."""


class Writer:
    """Arrays of a file on its way, numbered in the order in which they come."""

    def __init__(self) -> None:
        self.arrays: list[Int64Array] = []

    def array(self, values: Int64Array) -> int:
        """The number of an array, which stands for it in the structure."""
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
    writer = Writer()
    structure = {
        "format": FORMAT,
        "inputs": [
            {"name": t.name, "shape": t.shape, "lo": writer.array(t.lo), "hi": writer.array(t.hi)}
            for t in graph.inputs
        ],
        "ops": [dump_operation(op, writer) for op in graph.ops],
        "output": graph.output,
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        text = strict_json.dumps(structure, compact=True, sort_keys=True).encode()
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
        with open_archive(data, "circuit.npz") as archive:
            text = archive.read(STRUCTURE)
            structure: Any = strict_json.loads(text, what=STRUCTURE, max_bytes=MAX_STRUCTURE_BYTES)
            if structure.get("format") != FORMAT:
                raise _refused(f"unknown format {structure.get('format')!r}")
            check_inputs([t["shape"] for t in structure["inputs"]])
            reader = Reader(archive)
            inputs = [
                ref.Tensor(t["name"], tuple(t["shape"]), reader.array(t["lo"]), reader.array(t["hi"]))
                for t in structure["inputs"]
            ]
            ops = [load_operation(record, reader) for record in structure["ops"]]
            check_effort(inputs, ops)
            return ref.IntegerGraph(inputs, ops, structure["output"])
    except BundleError:
        raise
    except _DAMAGE as error:
        raise BundleError(f"circuit.npz is damaged: {error}") from error
    except AssayProverError as error:
        raise BundleError(f"circuit.npz holds no valid network: {error}") from error


def _refused(why: str) -> BundleError:
    return BundleError(f"circuit.npz is refused: {why}")


class Reader:
    """Arrays of a file by number."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self._read: set[int] = set()

    def array(self, number: int) -> Int64Array:
        """Int64, row-major. Each belongs to one operation: read for all that name it, one array could fill
        the
        memory many times over.

        Raises:
            BundleError: read before.
            ValueError: it holds no integers, or is another size than it says.
        """
        if type(number) is not int or number in self._read:
            raise _refused(f"array {number!r} belongs to several operations, or is no number")
        self._read.add(number)
        return read_integers(self.archive.read(f"{number}.npy"))


def digest(graph: ref.IntegerGraph) -> bytes:
    """SHA-256 of the graph's bytes: what the quantisation hash of a model is."""
    return sha256(dump_graph(graph)).digest()


# -- operations and maps, by the types of their fields


def dump_operation(op: ref.Op, w: Writer) -> Record:
    """An operation as a record: its class's name and its fields."""
    custom = _CUSTOM.get(type(op))
    fields = _dump_fields(op, w) if custom is None else custom[0](op, w)
    return {"op": type(op).__name__, **fields}


def load_operation(record: Record, r: Reader) -> ref.Op:
    """The operation of a record.

    Raises:
        BundleError: no operation has this name, or a field is of another type than the class says.
    """
    kind = ref.Operation.KINDS.get(record["op"])
    if kind is None:
        raise BundleError(f"circuit.npz: unknown operation {record['op']!r}")
    custom = _CUSTOM.get(kind)
    loaded: ref.Op = _load_fields(kind, record, r) if custom is None else custom[1](record, r)
    return loaded


def _dump_map(linear: ref.LinearMap, w: Writer) -> Record:
    if type(linear).__name__ not in _MAPS:
        raise TypeError(f"no file form for {type(linear).__name__}")
    custom = _CUSTOM.get(type(linear))
    fields = _dump_fields(linear, w) if custom is None else custom[0](linear, w)
    return {"map": type(linear).__name__, **fields}


def _load_map(record: Record, r: Reader) -> ref.LinearMap:
    kind = _MAPS.get(record["map"])
    if kind is None:
        raise BundleError(f"circuit.npz: unknown map {record['map']!r}")
    custom = _CUSTOM.get(kind)
    loaded: ref.LinearMap = _load_fields(kind, record, r) if custom is None else custom[1](record, r)
    return loaded


_FIELDS: dict[type, dict[str, Any]] = {}


def _fields(kind: Any) -> dict[str, Any]:
    """A class's fields and their types, in the order of the class; looked up once."""
    if kind not in _FIELDS:
        hints = get_type_hints(kind)
        _FIELDS[kind] = {entry.name: hints[entry.name] for entry in dataclasses.fields(kind)}
    return _FIELDS[kind]


def _dump_fields(value: object, w: Writer) -> Record:
    return {name: _dump(getattr(value, name), kind, w) for name, kind in _fields(type(value)).items()}


def _load_fields(kind: type, record: Record, r: Reader) -> Any:
    return kind(**{name: _load(record[name], field, r) for name, field in _fields(kind).items()})


def _dump(value: Any, kind: Any, w: Writer) -> Any:
    if kind == Int64Array:
        return w.array(value)
    if kind == tuple[ref.LinearMap, ...]:
        return [_dump_map(linear, w) for linear in value]
    return value


def _load(value: Any, kind: Any, r: Reader) -> Any:
    """A field's value, of the very type that the class declares."""
    if kind == Int64Array:
        return r.array(_whole(value))
    if kind == tuple[ref.LinearMap, ...]:
        return tuple(_load_map(record, r) for record in value)
    if get_origin(kind) is tuple:
        inner, _ = get_args(kind)
        return tuple(_load(item, inner, r) for item in value)
    if kind == int | None:
        return None if value is None else _whole(value)
    if kind is int:
        return _whole(value)
    if kind in (str, bool) and isinstance(value, kind):
        return value
    raise BundleError(f"circuit.npz: {value!r} is no {getattr(kind, '__name__', kind)}")


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise BundleError(f"circuit.npz: {value!r} is no whole number")
    return value


# -- those whose records say it another way


_TREES = ("bit", "zero", "one", "roots", "values", "bias")


def _dump_trees(op: ref.Trees, w: Writer) -> Record:
    arrays = [w.array(getattr(op, name)) for name in _TREES]
    return {"output": op.output, "input": op.input, "shape": op.shape, "arrays": arrays}


def _load_trees(record: Record, r: Reader) -> ref.Trees:
    parts = dict(zip(_TREES, map(r.array, record["arrays"]), strict=True))
    return ref.Trees(str(record["input"]), str(record["output"]), tuple(record["shape"]), **parts)


def _dump_private(op: ref.PrivateAffine, w: Writer) -> Record:
    """The architecture alone: the numbers are in weights.npz."""
    return {
        "output": op.output,
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


def _load_private(record: Record, r: Reader) -> ref.PrivateAffine:
    limits = tuple(None if limit is None else int(limit) for limit in record["limits"])
    maps = tuple(
        _load_map(m, r) if limit is None else _load_private_map(m)
        for m, limit in zip(record["maps"], limits, strict=True)
    )
    least, most = (int(end) for end in record["span"])
    return ref.PrivateAffine(
        inputs=tuple(record["inputs"]),
        output=str(record["output"]),
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
    if min(shape, default=0) < 1 or prod(shape) > MAX_PRIVATE:
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


def _dump_sparse(linear: ref.Sparse, w: Writer) -> Record:
    matrix = linear.matrix
    arrays = [w.array(part) for part in (matrix.data, matrix.indices, matrix.indptr)]
    return {"csr": arrays, "shape": [linear.n_out, linear.n_in]}


def _load_sparse(record: Record, r: Reader) -> ref.LinearMap:
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


_MAPS: dict[str, type[ref.LinearMap]] = {
    kind.__name__: kind for kind in (ref.Dense, ref.Sparse, ref.Gather, ref.Scale, ref.Conv)
}

_CUSTOM: dict[type, tuple[Callable[[Any, Writer], Record], Callable[[Record, Reader], Any]]] = {
    ref.Trees: (_dump_trees, _load_trees),
    ref.PrivateAffine: (_dump_private, _load_private),
    ref.Sparse: (_dump_sparse, _load_sparse),
}
