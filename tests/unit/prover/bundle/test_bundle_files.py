"""Bundles on disk: compiled once the same way, refused when damaged."""

from __future__ import annotations

import io
import json
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay_prover import (
    Bundle,
    BundleError,
    Cancelled,
    InputError,
    ModelError,
    compile_model,
)
from assay_prover.bundle.archive import STRUCTURE, dump_graph, load_graph
from assay_prover.passes.selection.goals import GOALS
from unit.prover.bundles import edit_json, load_samples
from unit.prover.onnx_models import MODELS, build, mlp
from unit.prover.operator_cases import Nodes

# -- compiling


def test_compiling_twice_gives_the_same_bytes(bc: Bundle, tmp_path: Path) -> None:
    x, y = load_samples("bc_mlp")
    compile_model(MODELS / "bc_mlp.onnx", x, tmp_path / "again", labels=y)
    for name in ("manifest.json", "circuit.npz"):
        assert (tmp_path / "again" / name).read_bytes() == (bc.path / name).read_bytes()


def test_report_says_what_it_cost_and_how_well_it_answers(tmp_path: Path) -> None:
    x, y = load_samples("digits_mlp")
    stages: list[str] = []

    def progress(stage: str, part: float) -> None:
        assert 0.0 <= part <= 1.0
        stages.append(stage)

    report = compile_model(MODELS / "digits_mlp.onnx", x, tmp_path / "d", labels=y, progress=progress)
    assert report.target_met
    assert report.selection.accuracy_loss <= 0.003
    assert report.accuracy.held_out
    assert report.accuracy.accuracy_loss <= 1.5 / report.accuracy.samples
    assert 0 < report.costs.constraints < 4000
    assert report.import_difference < 1e-5
    # on the held-out half one digit changes sides: less than the target asks for, which is said
    assert [w for w in report.warnings if "held-out" not in w] == []
    assert bool(report.warnings) == (not GOALS["balanced"].accepts(report.accuracy))
    assert {"import", "calibrate", "search", "circuit"} <= set(stages)
    assert json.loads(report.model_dump_json())["costs"]["constraints"] == report.costs.constraints


def test_manifest_says_that_weights_are_in_the_bundle(bc: Bundle) -> None:
    text = json.loads((bc.path / "manifest.json").read_text())["weights"]
    assert text["visibility"] == "constant"
    assert "can read them" in text["note"]


def test_compiling_without_samples_warns(tmp_path: Path) -> None:
    report = compile_model(MODELS / "digits_mlp.onnx", None, tmp_path / "d", input_range=(0.0, 1.0))
    assert report.accuracy.synthetic
    assert any("no samples" in warning for warning in report.warnings)


def test_existing_bundle_is_kept_unless_overwriting(copy: Path) -> None:
    before = (copy / "setup.json").read_bytes()
    with pytest.raises(BundleError, match="exists already"):
        compile_model(MODELS / "digits_mlp.onnx", None, copy, input_range=(0.0, 1.0))
    assert (copy / "setup.json").read_bytes() == before
    compile_model(MODELS / "digits_mlp.onnx", None, copy, input_range=(0.0, 1.0), overwrite=True)
    assert Bundle.open(copy).manifest.model.name == "digits_mlp"
    assert not Bundle.open(copy).has_keys


def test_failed_compilation_leaves_nothing(tmp_path: Path) -> None:
    def stop(stage: str, _: float) -> bool:
        return stage != "circuit"

    with pytest.raises(Cancelled):
        compile_model(MODELS / "bc_mlp.onnx", load_samples("bc_mlp")[0], tmp_path / "b", progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("samples", "labels", "error"),
    [
        (np.zeros((4, 29)), None, InputError),
        (np.full((4, 30), np.nan), None, InputError),
        (np.zeros((0, 30)), None, InputError),
        (np.zeros((4, 30)), np.zeros(3, dtype=np.int64), InputError),
        (None, None, InputError),
    ],
)
def test_samples_that_do_not_fit_are_refused(
    tmp_path: Path, samples: np.ndarray | None, labels: np.ndarray | None, error: type[Exception]
) -> None:
    with pytest.raises(error):
        compile_model(MODELS / "bc_mlp.onnx", samples, tmp_path / "b", labels=labels)


def test_encrypted_output_needs_a_private_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="private input"):
        compile_model(MODELS / "bc_mlp.onnx", None, tmp_path / "b", input="public", input_range=(0.0, 1.0))


def test_network_that_overflows_is_refused(tmp_path: Path) -> None:
    nodes: Nodes = [("Mul", ["input", "c"], "m", {}), ("Mul", ["m", "m"], "output", {})]
    model = build(nodes, {"c": np.full((1, 3), 3e38)}, (1, 3))
    with pytest.raises((ModelError, InputError)):
        compile_model(model, None, tmp_path / "b", input_range=(1.0, 2.0))


# -- damaged bundles


def test_missing_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot read"):
        Bundle.open(tmp_path)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("version",), 3, "version 3"),
        (("input", "scale"), 1.0, "metadata hash"),
        (("output", "visibility"), "public", "metadata hash"),
        (("input", "bits"), 99, "damaged"),
        (("surprise",), 1, "damaged"),
        (("hashes", "quantisation"), "0" * 64, "was changed"),
    ],
)
def test_changed_manifest_is_refused(copy: Path, keys: tuple[str, ...], value: object, message: str) -> None:
    edit_json(copy / "manifest.json", *keys, value=value)
    with pytest.raises(BundleError, match=message):
        Bundle.open(copy)


def test_truncated_manifest_is_refused(copy: Path) -> None:
    text = (copy / "manifest.json").read_text()
    (copy / "manifest.json").write_text(text[: len(text) // 2])
    with pytest.raises(BundleError, match="damaged"):
        Bundle.open(copy)


@pytest.mark.parametrize("where", [0, 500, -1])
def test_changed_circuit_is_refused(copy: Path, where: int) -> None:
    data = bytearray((copy / "circuit.npz").read_bytes())
    data[where] ^= 1
    (copy / "circuit.npz").write_bytes(bytes(data))
    with pytest.raises(BundleError, match="was changed or is damaged"):
        Bundle.open(copy)


def test_circuit_of_another_layout_is_refused(copy: Path) -> None:
    edit_json(copy / "manifest.json", "slices", 0, "layout", "n_w2", value=1)
    with pytest.raises(BundleError, match="another circuit"):
        Bundle.open(copy)


@pytest.mark.parametrize("claimed", ["0" * 64, "ab" * 32])
def test_circuit_other_than_the_compiled_is_refused(copy: Path, claimed: str) -> None:
    edit_json(copy / "manifest.json", "hashes", "circuit", value=claimed)
    with pytest.raises(BundleError, match="not that of its slices"):
        Bundle.open(copy)
    edit_json(copy / "manifest.json", "slices", 0, "circuit", value=claimed)
    edit_json(copy / "setup.json", "circuit_hash", value=claimed)
    for _ in range(2):  # what is refused is not remembered
        with pytest.raises(BundleError, match=r"circuit hash is not that of circuit\.npz"):
            Bundle.open(copy)


# -- the graph file


def _repack(data: bytes, changes: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", method) as target:
        for name in source.namelist():
            target.writestr(name, changes.get(name, source.read(name)))
    return out.getvalue()


def test_graph_file_round_trips_to_the_same_bytes(bc: Bundle) -> None:
    data = (bc.path / "circuit.npz").read_bytes()
    assert dump_graph(load_graph(data)) == data
    assert sha256(data).digest() == bc.quantisation_hash


def test_graph_file_with_compressed_members_is_refused(bc: Bundle) -> None:
    data = _repack((bc.path / "circuit.npz").read_bytes(), {}, zipfile.ZIP_DEFLATED)
    with pytest.raises(BundleError, match="compressed"):
        load_graph(data)


def test_graph_file_with_pickled_objects_is_refused(bc: Bundle) -> None:
    member = io.BytesIO()
    np.save(member, np.array([{}], dtype=object), allow_pickle=True)
    data = _repack((bc.path / "circuit.npz").read_bytes(), {"0.npy": member.getvalue()})
    with pytest.raises(BundleError, match="damaged"):
        load_graph(data)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "assay/integer-graph/v9"},
        {"output": "nowhere"},
        {"ops": [{"op": "Launch", "output": "y"}]},
        {"ops": [{"op": "Requantise", "input": "input", "output": "y", "shift": 99, "lo": None, "hi": None}]},
        {"inputs": []},
    ],
)
def test_graph_file_with_another_structure_is_refused(bc: Bundle, change: dict[str, Any]) -> None:
    data = (bc.path / "circuit.npz").read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        structure = json.loads(archive.read(STRUCTURE)) | change
    with pytest.raises(BundleError):
        load_graph(_repack(data, {STRUCTURE: json.dumps(structure).encode()}))


def test_wide_mlp_with_private_words_over_several_hashes(tmp_path: Path) -> None:
    """More packed words than one Poseidon call takes, in committed mode."""
    rng = np.random.default_rng(4)
    x = rng.uniform(0, 1, size=(40, 700))
    compile_model(mlp(rng, [700, 4, 3]), x, tmp_path / "wide", output="public")
    bundle = Bundle.open(tmp_path / "wide")
    bundle.setup(seed=bytes(32))
    ints = bundle.encode_input(x[0])
    proved = bundle.prover().prove(ints, salt=9)
    assert bundle.manifest.slices[0].layout.committed
    assert len(proved.proof) == 320
    assert proved.public[1:2] == bundle.input_words(ints, 9)
    bundle.verify(proved.public, proved.proof)
