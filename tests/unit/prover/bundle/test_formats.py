"""Documents and archives under damage: a value or an error of the library's own, whatever the bytes are."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from assay_prover import reference as ref
from assay_prover.bundle.archive import STRUCTURE, dump_graph, load_graph
from assay_prover.bundle.manifest import Manifest
from assay_prover.errors import AssayProverError, BundleError
from assay_prover.groth16 import ProverError, snarkjs

VECTORS = Path(__file__).parents[3] / "vectors" / "snarkjs"
# Leaves that a document may hold where another is expected.
LEAVES: st.SearchStrategy[object] = st.sampled_from(
    [None, True, -1, 0, 2**31, 2**63, 2**256, 1e308, float("nan"), "", "x", "0x1", "1" * 100, [], [[]], {}]
)


def _paths(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for key, part in inner for deeper in _paths(part, (*path, key)))]


def _replace(value: object, path: tuple[object, ...], new: object) -> object:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)  # type: ignore[call-overload]
    copy[path[0]] = _replace(copy[path[0]], path[1:], new)
    return copy


def _damaged_text(data: st.DataObject, text: str) -> str:
    """One value of a JSON document replaced, or its text cut or with a character changed."""
    document = json.loads(text)
    if data.draw(st.booleans()):
        path = data.draw(st.sampled_from(_paths(document)))
        return json.dumps(_replace(document, path, data.draw(LEAVES)))
    at = data.draw(st.integers(0, len(text) - 1))
    return text[:at] + data.draw(st.sampled_from(["", "0", "9", '"', "}", "\\", "\0", "é"])) + text[at + 1 :]


def _damaged_bytes(data: st.DataObject, good: bytes) -> bytes:
    at = data.draw(st.integers(0, len(good) - 1))
    kind = data.draw(st.sampled_from(["cut", "flip", "fill", "repeat"]))
    if kind == "cut":
        return good[:at]
    if kind == "flip":
        return good[:at] + bytes([good[at] ^ 1 << data.draw(st.integers(0, 7))]) + good[at + 1 :]
    if kind == "fill":
        return good[:at] + b"\xff" * 8 + good[at + 8 :]
    return good + good[at:]


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("proof.json", snarkjs.proof_from_json),
        ("verification_key.json", snarkjs.verifying_key_from_json),
        ("public.json", snarkjs.public_from_json),
    ],
)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_documents_are_read_or_refused(
    name: str, read: Callable[[str], object], data: st.DataObject
) -> None:
    text = _damaged_text(data, (VECTORS / name).read_text())
    with contextlib.suppress(ProverError):
        read(text)


def _graph() -> ref.IntegerGraph:
    x = ref.Tensor("x", (4,), np.full(4, -8, dtype=np.int64), np.full(4, 7, dtype=np.int64))
    dense = ref.Dense(np.arange(8, dtype=np.int64).reshape(2, 4))
    sparse = ref.Sparse(sp.csr_array(np.eye(2, dtype=np.int64)))
    bias = np.array([1, -1], dtype=np.int64)
    return ref.IntegerGraph(
        [x],
        [
            ref.Affine(("x",), "y", (2,), (dense,), bias),
            ref.Affine(("y",), "z", (2,), (sparse,), bias),
        ],
        "z",
    )


GRAPH = dump_graph(_graph())


def _repacked(members: dict[str, bytes]) -> bytes:
    """The archive with sums that fit, so that what is behind them is reached."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damaged_graphs_are_read_or_refused(data: st.DataObject) -> None:
    with zipfile.ZipFile(io.BytesIO(GRAPH)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = data.draw(st.sampled_from([*members, ""]))
    if name == "":
        damaged = _damaged_bytes(data, GRAPH)
    elif name == STRUCTURE:
        text = _damaged_text(data, members[name].decode())
        damaged = _repacked({**members, name: text.encode()})
    else:
        damaged = _repacked({**members, name: _damaged_bytes(data, members[name])})
    with contextlib.suppress(BundleError):
        load_graph(damaged)


def test_a_graph_that_claims_more_than_memory_holds_is_refused() -> None:
    with zipfile.ZipFile(io.BytesIO(GRAPH)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    huge = io.BytesIO()
    header = {"descr": "<i8", "fortran_order": False, "shape": (1 << 45,)}
    np.lib.format.write_array_header_1_0(huge, header)
    with pytest.raises(BundleError):
        load_graph(_repacked({**members, "0.npy": huge.getvalue()}))


@settings(max_examples=100, deadline=None)
@given(
    text=st.text()
    | st.recursive(LEAVES, lambda x: st.lists(x) | st.dictionaries(st.text(), x)).map(json.dumps)
)
def test_what_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(AssayProverError):
        Manifest.read(text)
