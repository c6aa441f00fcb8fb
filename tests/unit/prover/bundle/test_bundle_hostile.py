"""Bundles that a stranger wrote to mislead or to exhaust whoever opens them."""

from __future__ import annotations

import io
import json
import shutil
import tracemalloc
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from assay_prover import Bundle, BundleError, InvalidKey, ModelError, compile_model, groth16
from assay_prover.bundle.archive import STRUCTURE, load_graph
from assay_prover.bundle.files import replace_file
from assay_prover.bundle.keyed_circuit import SetupReport
from unit.prover.bundles import edit_json
from unit.prover.onnx_models import MODELS, mlp

Change = Callable[[dict[str, Any]], None]


def rewrite(folder: Path, change: Change) -> None:
    """A manifest with one thing changed and its hashes made to fit, as its author would."""
    path = folder / "manifest.json"
    document = json.loads(path.read_text())
    change(document)
    parts: dict[str, Any] = {name: document[name] for name in ("model", "input", "output")}
    parts["weights"] = document["weights"]["visibility"]
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    document["hashes"]["metadata"] = sha256(b"assay/metadata/v1" + text.encode()).hexdigest()
    path.write_text(json.dumps(document))


def put(value: object, *place: str | int) -> Change:
    def change(document: dict[str, Any]) -> None:
        part: Any = document
        for key in place[:-1]:
            part = part[key]
        part[place[-1]] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        *(
            put(value, end, "scale")
            for end in ("input", "output")
            for value in (0, -1.0, 1e-320, 1e300, float("nan"), float("inf"), 1e400, True, "1")
        ),
        put([-1, 4], "input", "shape"),
        put([1 << 40], "input", "shape"),
        put([1 << 12, 1 << 13], "output", "shape"),
        put([1] * 100, "output", "shape"),
        put([1.0, float("nan")], "input", "declared_range"),
        put([2.0, 1.0], "input", "declared_range"),
        put(1 << 80, "input", "lo"),
        put(float("inf"), "report", "output_span"),
        put(1.5, "report", "agreement"),
        put(-0.5, "report", "accuracy_float"),
        put(-1, "report", "samples"),
        put([2] * 10_000, "slices", 0, "plan", "limb_widths"),
        put([60], "slices", 0, "plan", "limb_widths"),
        put([0], "slices", 0, "plan", "limb_widths"),
        put(1 << 31, "slices", 0, "layout", "n_constraints"),
        put("x\u001b[31mEVIL\nverified", "model", "name"),
        put("\u202eelbatpecca", "model", "name"),
        put("a" * 5000, "model", "name"),
        put(["\u001b]0;title\u0007"], "warnings"),
        put(["a\rb"], "model", "notes"),
        put(True, "version"),
        put(2.0, "version"),
        put("else", "format"),
        put([[]] * 10, "layers"),
    ],
)
def test_a_manifest_that_misleads_is_refused(copy: Path, change: Change) -> None:
    rewrite(copy, change)
    with pytest.raises(BundleError) as refused:
        Bundle.open(copy)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("name", "value"),
    [("constraints", 1), ("domain", 2), ("proving_key_bytes", 1), ("wires", 1), ("layers", [])],
)
def test_costs_are_those_of_the_circuit(copy: Path, name: str, value: object) -> None:
    edit_json(copy / "manifest.json", "costs", name, value=value)
    for _ in range(2):
        with pytest.raises(BundleError, match="costs are not those"):
            Bundle.open(copy)


@pytest.mark.parametrize(
    "text", ["[" * 500_000, '{"a":' * 500_000, "NaN", '{"version": 2, "version": 2}', "\ufeff", "[]", "7"]
)
def test_a_manifest_that_is_no_strict_json_is_refused(copy: Path, text: str) -> None:
    (copy / "manifest.json").write_text(text)
    with pytest.raises(BundleError, match=r"manifest\.json"):
        Bundle.open(copy)


def test_a_manifest_without_end_is_not_read_to_its_end(copy: Path) -> None:
    with (copy / "manifest.json").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(BundleError, match="larger than"):
        Bundle.open(copy)


def test_what_compiles_can_be_opened_and_printed(tmp_path: Path) -> None:
    """Names of an ONNX file are anyone's; in a bundle they are fit to be printed."""
    rng = np.random.default_rng(1)
    model = onnx.load_from_string(mlp(rng, [4, 3, 2]))
    for node in model.graph.node:
        node.name = f"layer\x1b[31m {node.name}\n" + "x" * 3000
    compile_model(model.SerializeToString(), rng.uniform(size=(40, 4)), tmp_path / "b", name="a\x1b[2Jb")
    manifest = Bundle.open(tmp_path / "b").manifest
    assert manifest.model.name == "a\ufffd[2Jb"
    assert "\\u001b" not in (tmp_path / "b" / "manifest.json").read_text()


@pytest.mark.parametrize("name", ["bad_300030", "never_true"])
def test_nothing_is_written_that_cannot_be_opened(tmp_path: Path, name: str) -> None:
    """Networks whose answers, or errors, leave the numbers that JSON has."""
    samples = np.load(MODELS.parent / "hostile" / f"{name}.npy")
    try:
        compile_model(MODELS.parent / "hostile" / f"{name}.onnx", samples, tmp_path / "b")
    except ModelError:
        assert not (tmp_path / "b").exists()
    else:
        Bundle.open(tmp_path / "b")


# -- what opening takes


def _archive(structure: dict[str, Any], arrays: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(STRUCTURE, json.dumps({"format": "assay/integer-graph/v1", **structure}))
        for name, data in arrays.items():
            archive.writestr(f"{name}.npy", data)
    return out.getvalue()


def _npy(values: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, values, version=(1, 0))
    return out.getvalue()


ZERO, ONE = _npy(np.array(0, dtype=np.int8)), _npy(np.array(1, dtype=np.int8))


def _input(*shape: int) -> dict[str, Any]:
    return {"name": "x", "shape": list(shape), "lo": 0, "hi": 1}


def _private(maps: list[dict[str, Any]], shape: list[int], biases: int) -> dict[str, Any]:
    return {
        "op": "PrivateAffine", "output": "y", "inputs": ["x"], "shape": shape, "maps": maps, "limits": [1],
        "biases": biases, "bias_limit": 1, "span": [-8, 8], "factors": [1.0], "bias_factor": 1.0,
    }  # fmt: skip


def _conv(weight: list[int], **changes: Any) -> dict[str, Any]:
    fields = {
        "map": "Conv", "weight_shape": weight, "strides": [1, 1], "pads": [0, 0, 0, 0], "dilations": [1, 1],
        "groups": 1, "in_shape": [1, 2, 2], "channels_last": False,
    }  # fmt: skip
    return {**fields, **changes}


BOMBS: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "a layer of private weights": (
        [_input(1 << 13)],
        [_private([{"map": "Dense", "weight_shape": [1 << 13, 1 << 13]}], [1 << 13], 1 << 13)],
    ),
    "many private biases": (
        [_input(4)],
        [_private([{"map": "Dense", "weight_shape": [4, 4]}], [1 << 40], 1 << 40)],
    ),
    "a large input": ([_input(1 << 40)], []),
    "many inputs": (
        [{**_input(1 << 22), "name": f"x{i}", "lo": 2 * i, "hi": 2 * i + 1} for i in range(8)],
        [],
    ),
    "a wide code": (
        [_input(1 << 10)],
        [{"op": "OneHot", "output": "y", "input": "x", "lo": 0, "size": 1 << 40}],
    ),
    "a matrix product": (
        [_input(1 << 12, 1), {**_input(1, 1 << 12), "name": "z", "lo": 2, "hi": 3}],
        [{"op": "MatMul", "output": "y", "a": "x", "b": "z"}],
    ),
    "a long dot product": (
        [_input(1, 1 << 22), {**_input(1 << 22, 1), "name": "z", "lo": 2, "hi": 3}],
        [{"op": "MatMul", "output": "y", "a": "x", "b": "z"}] * 1
        + [{"op": "MatMul", "output": f"y{i}", "a": "x", "b": "z"} for i in range(8)],
    ),
    "a padded convolution": (
        [_input(1, 2, 2)],
        [_private([_conv([1, 1, 3, 3], pads=[1 << 20, 1 << 20, 0, 0])], [1 << 20, 1 << 20], 1)],
    ),
    "a convolution of many taps": (
        [_input(1, 1 << 11, 1 << 11)],
        [_private([_conv([1, 1, 16, 16], in_shape=[1, 1 << 11, 1 << 11])], [2033 * 2033], 1)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_few_bytes_do_not_fill_the_memory(name: str) -> None:
    inputs, ops = BOMBS[name]
    arrays = {str(i): ZERO if i % 2 == 0 else ONE for i in range(2 * len(inputs))}
    data = _archive({"inputs": inputs, "ops": ops, "output": "y"}, arrays)
    assert len(data) < 8000
    tracemalloc.start()
    try:
        with pytest.raises(BundleError):
            load_graph(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 300 << 20


def test_an_array_is_read_for_one_operation_alone() -> None:
    weights = _npy(np.ones((64, 64), dtype=np.int8))
    ops = [
        {
            "op": "Affine", "output": f"y{i}", "inputs": ["x"], "shape": [64],
            "maps": [{"map": "Dense", "weight": 2}], "bias": 3 + i,
        }
        for i in range(2)
    ]  # fmt: skip
    bias = {str(3 + i): _npy(np.zeros(64, dtype=np.int8)) for i in range(2)}
    arrays = {"0": ZERO, "1": ONE, "2": weights, **bias}
    data = _archive({"inputs": [_input(64)], "ops": ops, "output": "y1"}, arrays)
    with pytest.raises(BundleError, match="several operations"):
        load_graph(data)


@pytest.mark.parametrize(
    "member",
    [
        _npy(np.zeros(8, dtype=np.int8))[:-1],
        _npy(np.zeros(8, dtype=np.int8)) + b"x",
        _npy(np.zeros(8, dtype=np.int8)).replace(b"(8,)", b"(9,)"),
        _npy(np.zeros(8, dtype=np.int8)).replace(b"(8,),", b"(8,1000000000000),"[:6]),
        _npy(np.zeros(8, dtype=np.float32)),
        _npy(np.zeros(8, dtype=np.uint8)),
        _npy(np.zeros(8, dtype=np.bool_)),
        _npy(np.zeros(8, dtype=np.complex64)),
        b"",
        b"\x93NUMPY",
    ],
)
def test_an_array_is_what_its_header_says(member: bytes) -> None:
    data = _archive({"inputs": [_input(8)], "ops": [], "output": "x"}, {"0": member, "1": ONE})
    with pytest.raises(BundleError):
        load_graph(data)


def test_members_lie_within_the_file(bc: Bundle) -> None:
    """Central directories may name one stretch of bytes many times over."""
    data = (bc.path / "circuit.npz").read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        largest = max(archive.infolist(), key=lambda info: info.file_size)
        out = io.BytesIO(data)
        with zipfile.ZipFile(out, "a") as bomb:
            for i in range(50):
                again = zipfile.ZipInfo(f"again{i}.npy")
                again.header_offset, again.CRC = largest.header_offset, largest.CRC
                again.file_size = again.compress_size = max(largest.file_size, len(data))
                bomb.filelist.append(again)
                bomb.NameToInfo[again.filename] = again
                bomb._didModify = True  # type: ignore[attr-defined]
    with pytest.raises(BundleError, match="larger than the file"):
        load_graph(out.getvalue())


# -- keys that fit one another, and not the circuit


def test_a_key_of_another_circuit_of_the_same_shape_is_refused(tmp_path: Path) -> None:
    """Everything in the bundle is made to fit; what does not is the circuit that the key proves."""
    rng = np.random.default_rng(3)
    x = rng.uniform(size=(40, 3))
    compile_model(mlp(rng, [3, 2]), x, tmp_path / "b", output="public", input="public")
    bundle = Bundle.open(tmp_path / "b")
    circuit = bundle.circuit
    wires = circuit.layout
    layout = groth16.Layout(wires.n_public, wires.committed, wires.n_model, wires.n_w1, wires.n_w2)
    builder = groth16.SetupBuilder(layout, circuit.n_constraints)
    for number, (a, b, c) in enumerate(circuit.blocks()):
        coefficients = c[2].copy()
        if number == 0 and coefficients.size:
            coefficients.flat[0] += 1
        builder.push(a, b, (c[0], c[1], coefficients))
    vk = builder.finish(bundle.path / "proving.key")
    key = groth16.ProvingKey.open(bundle.path / "proving.key")
    report = SetupReport(
        circuit_hash=bundle.circuit_hash.hex(),
        vk_hash=key.vk_hash.hex(),
        proving_key_hash=key.file_hash.hex(),
        seconds=1.0,
        proving_key_bytes=key.bytes,
        verifying_key_bytes=len(vk),
        origin="single-party development setup",
    )
    replace_file(bundle.path / "verifying.key", vk)
    replace_file(bundle.path / "setup.json", report.model_dump_json().encode())
    opened = Bundle.open(bundle.path)
    assert opened.has_keys
    for use in (opened.prover, opened.check_keys, opened.prover):
        with pytest.raises(InvalidKey, match="made of another circuit"):
            use()
    shutil.rmtree(bundle.path)


def test_a_key_is_checked_once_on_a_machine(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from assay_prover.bundle import keyed_circuit, remembered

    checks: list[str] = []
    monkeypatch.setattr(keyed_circuit, "check_key", lambda *_args, **_options: checks.append("checked"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(copy.parent / "cache"))
    monkeypatch.setattr(remembered, "_known", set())
    bundle = Bundle.open(copy)
    bundle.prover()
    assert checks == ["checked"]
    monkeypatch.setattr(remembered, "_known", set())  # another process
    bundle.prover()
    bundle.check_keys()
    assert checks == ["checked"]
    # A folder that others may write to is nobody's word.
    (copy.parent / "cache" / "assay" / "checks").chmod(0o777)
    monkeypatch.setattr(remembered, "_known", set())
    bundle.prover()
    assert checks == ["checked", "checked"]
    bundle.prover(check_keys=False)
    # Without a home, a process remembers for itself.
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", classmethod(_homeless))
    monkeypatch.setattr(remembered, "_known", set())
    bundle.prover()
    bundle.prover()
    assert checks == ["checked", "checked", "checked"]


def _homeless(_cls: type[Path]) -> Path:
    raise RuntimeError("no home")
