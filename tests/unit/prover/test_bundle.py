"""Bundles: compiled once the same way, refused when damaged, resumed after a kill, and whole from input to
decoded answer.
"""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from onnx import TensorProto

import assay_prover
from assay_prover import (
    FIELD_ORDER,
    AssayProverError,
    Bundle,
    BundleError,
    Cancelled,
    InputError,
    InvalidInput,
    InvalidKey,
    InvalidProof,
    ModelError,
    binding,
    compile_model,
    new_salt,
    verify,
)
from assay_prover.bundle.archive import STRUCTURE, dump_graph, load_graph
from assay_prover.groth16 import ProverError
from assay_prover.passes.search import GOALS
from unit.prover.onnx_models import MODELS, build, mlp, run

MARKET, WORKER, JOB = "0x" + "1a" * 20, "0x" + "2B" * 20, bytes(range(32))
BINDING = binding(31337, MARKET, JOB, WORKER)


def _samples(name: str) -> tuple[np.ndarray, np.ndarray]:
    with np.load(MODELS / f"{name}.npz") as data:
        return data["x"], data["y"]


def _make(name: str, folder: Path, **options: Any) -> Bundle:
    x, y = _samples(name)
    compile_model(MODELS / f"{name}.onnx", x, folder, labels=y, **options)
    bundle = Bundle.open(folder)
    bundle.setup(seed=bytes(32))
    return bundle


@pytest.fixture(scope="module")
def bc(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Private input, encrypted output, plain mode."""
    return _make("bc_mlp", tmp_path_factory.mktemp("bundles") / "bc")


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Public input and output."""
    return _make("digits_mlp", tmp_path_factory.mktemp("bundles") / "digits", input="public", output="public")


@pytest.fixture
def copy(bc: Bundle, tmp_path: Path) -> Path:
    """A bundle to damage."""
    return Path(shutil.copytree(bc.path, tmp_path / "copy"))


def test_public_names_are_sorted_and_there() -> None:
    names = assay_prover.__all__
    assert names == sorted(names, key=lambda n: (not n.isupper(), n.startswith("_") or n[0].islower(), n))
    assert all(hasattr(assay_prover, name) for name in names)


def test_every_error_of_the_library_has_one_base() -> None:
    for name in assay_prover.__all__:
        thing = getattr(assay_prover, name)
        if isinstance(thing, type) and issubclass(thing, Exception):
            assert issubclass(thing, AssayProverError), name


# -- the whole way


@pytest.mark.parametrize("index", [0, 1, 2])
def test_private_job_proves_verifies_and_decrypts(bc: Bundle, index: int) -> None:
    x, _ = _samples("bc_mlp")
    ints, salt = bc.encode_input(x[index]), new_salt()
    proved = bc.prover().prove(ints, salt=salt, binding=BINDING)
    assert len(proved.proof) == 256
    assert proved.public == [BINDING, *bc.input_words(ints, salt), *proved.output_words]
    bc.verify(proved.public, proved.proof)
    verify(bc.verifying_key, proved.public, proved.proof)
    decoded = bc.decode_output(proved.output_words, salt=salt)
    expected = run((MODELS / "bc_mlp.onnx").read_bytes(), x[index][None])
    assert decoded.label == expected.argmax()
    np.testing.assert_array_equal(decoded.integers, proved.outputs)
    np.testing.assert_allclose(decoded.values, expected[0], atol=2.0)


def test_public_job_shows_input_and_output(digits: Bundle) -> None:
    x, _ = _samples("digits_mlp")
    ints = digits.encode_input(x[5])
    proved = digits.prover(threads=1, tables=True).prove(ints)
    assert proved.public[0] == 0
    assert proved.public[1 : 1 + digits.manifest.input.words] == digits.input_words(ints)
    digits.verify(proved.public, proved.proof)
    decoded = digits.decode_output(proved.output_words)
    assert decoded.label == run((MODELS / "digits_mlp.onnx").read_bytes(), x[5][None]).argmax()


@pytest.mark.parametrize("visibility", ["private", "public"])
def test_committed_output_opens_to_the_answer_and_to_nothing_else(tmp_path: Path, visibility: str) -> None:
    bundle = _make("bc_mlp", tmp_path / "bc", input=visibility, output="committed")
    x, _ = _samples("bc_mlp")
    ints, salt = bundle.encode_input(x[1]), new_salt()
    with pytest.raises(InputError, match="needs a salt"):
        bundle.prover().prove(ints)
    proved = bundle.prover().prove(ints, salt=salt, binding=BINDING)
    given = bundle.input_words(ints, salt if visibility == "private" else None)
    assert proved.public == [BINDING, *given, *proved.output_words]
    bundle.verify(proved.public, proved.proof)
    (word,) = proved.output_words
    answer = bundle.infer(ints)
    decoded = bundle.decode_output([word], salt=salt, outputs=answer)
    np.testing.assert_array_equal(decoded.integers, proved.outputs)
    assert decoded.label == run((MODELS / "bc_mlp.onnx").read_bytes(), x[1][None]).argmax()
    moved = answer.copy()
    moved[0] += 1
    out = bundle.manifest.output
    for wrong, match in (
        ({"salt": salt ^ 1, "outputs": answer}, "under this salt"),
        ({"salt": salt, "outputs": moved}, "under this salt"),
        ({"salt": salt, "outputs": np.full(out.shape, out.hi + 1)}, "declared range"),
        ({"salt": salt, "outputs": answer[:1]}, "of shape"),
        ({"salt": salt, "outputs": answer.astype(float)}, "expected integers"),
        ({"salt": salt}, "no other"),
        ({"outputs": answer}, "needs its salt"),
    ):
        with pytest.raises(InputError, match=match):
            bundle.decode_output([word], **wrong)
    with pytest.raises(InvalidProof):
        bundle.verify(
            [*proved.public[:-1], bundle.input_words(ints, salt)[0] if visibility == "private" else 1],
            proved.proof,
        )


def test_any_corner_of_the_declared_range_proves(bc: Bundle, digits: Bundle) -> None:
    rng = np.random.default_rng(0)
    for bundle in (bc, digits):
        info = bundle.manifest.input
        prover = bundle.prover()
        salt = 1 if info.visibility == "private" else None
        for choice in (np.zeros(info.shape), np.ones(info.shape), rng.random(info.shape).round()):
            corner = np.where(choice > 0, info.hi, info.lo).astype(np.int64)
            proved = prover.prove(corner, salt=salt)
            bundle.verify(proved.public, proved.proof)


def test_reference_alone_recomputes_a_proven_answer(digits: Bundle) -> None:
    x, _ = _samples("digits_mlp")
    ints = digits.encode_input(x[9])
    proved = digits.prover().prove(ints)
    graph = load_graph((digits.path / "circuit.npz").read_bytes())
    np.testing.assert_array_equal(graph.run(ints[None, None])[graph.output].ravel(), proved.outputs.ravel())


def test_network_that_ends_in_argmax_proves_its_label(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    nodes = [
        ("MatMul", ["input", "w"], "m", {}),
        ("Relu", ["m"], "r", {}),
        ("ArgMax", ["r"], "output", {"axis": 1, "keepdims": 0}),
    ]
    model = build(nodes, {"w": rng.normal(size=(5, 4))}, (1, 5), output_type=TensorProto.INT64)
    x = rng.uniform(0, 1, size=(60, 5))
    report = compile_model(model, x, tmp_path / "label", output="public")
    assert report.accuracy.agreement > 0.95
    bundle = Bundle.open(tmp_path / "label")
    assert bundle.manifest.output.kind == "label"
    bundle.setup(seed=bytes(32))
    ints = bundle.encode_input(x[0])
    proved = bundle.prover().prove(ints, salt=5)
    bundle.verify(proved.public, proved.proof)
    assert bundle.decode_output(proved.output_words).label == int(proved.outputs.ravel()[0])


# -- what a verifier refuses


@pytest.fixture(scope="module")
def proved(bc: Bundle) -> tuple[list[int], bytes]:
    """A valid statement and proof."""
    x, _ = _samples("bc_mlp")
    done = bc.prover().prove(bc.encode_input(x[0]), salt=77, binding=BINDING)
    return done.public, done.proof


@pytest.mark.parametrize("place", [0, 1, 2])
def test_another_statement_is_refused(bc: Bundle, proved: tuple[list[int], bytes], place: int) -> None:
    public, proof = proved
    bc.verify(public, proof)
    changed = list(public)
    changed[place] = (changed[place] + 1) % FIELD_ORDER
    with pytest.raises(InvalidProof):
        bc.verify(changed, proof)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_public_input_plus_r_is_refused(bc: Bundle, proved: tuple[list[int], bytes], place: int) -> None:
    public, proof = proved
    changed = list(public)
    changed[place] += FIELD_ORDER
    with pytest.raises((InvalidInput, InvalidProof)):
        bc.verify(changed, proof)


@pytest.mark.parametrize("byte", [0, 31, 64, 100, 191, 192, 255])
def test_proof_with_a_flipped_bit_is_refused(bc: Bundle, proved: tuple[list[int], bytes], byte: int) -> None:
    public, proof = proved
    flipped = bytearray(proof)
    flipped[byte] ^= 1
    with pytest.raises((InvalidInput, InvalidProof)):
        bc.verify(public, bytes(flipped))


def test_output_word_under_another_salt_does_not_decode(bc: Bundle, proved: tuple[list[int], bytes]) -> None:
    public, _ = proved
    bc.decode_output(public[2:], salt=77)
    with pytest.raises(InputError, match="salt is not the one"):
        bc.decode_output(public[2:], salt=78)


# -- the binding


def test_binding_is_the_abi_encoding_hashed() -> None:
    types = ["uint256", "address", "bytes32", "address"]
    expected = int.from_bytes(keccak(encode(types, [31337, MARKET, JOB, WORKER]))) % FIELD_ORDER
    assert expected == BINDING
    assert binding(31337, MARKET.upper().replace("X", "x"), JOB, WORKER.lower()) == BINDING


@pytest.mark.parametrize(
    "bad",
    [
        (-1, MARKET, JOB, WORKER),
        (1 << 256, MARKET, JOB, WORKER),
        (1, MARKET[:-2], JOB, WORKER),
        (1, "0xzz" + "0" * 38, JOB, WORKER),
        (1, MARKET, JOB[:31], WORKER),
        (1, MARKET, JOB, WORKER + "00"),
    ],
)
def test_malformed_binding_is_refused(bad: tuple[int, str, bytes, str]) -> None:
    with pytest.raises(InputError):
        binding(*bad)


# -- inputs


def test_input_encodes_with_or_without_batch_axis(bc: Bundle) -> None:
    x, _ = _samples("bc_mlp")
    info = bc.manifest.input
    ints = bc.encode_input(x[0])
    np.testing.assert_array_equal(ints, bc.encode_input(x[0][None]))
    assert ints.dtype == np.int64
    assert np.abs(ints * info.scale - x[0]).max() <= info.scale / 2 + 1e-9


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.full(30, np.nan), "NaN"),
        (np.full(30, np.inf), "NaN or infinity"),
        (np.zeros(29), "shape"),
        (np.zeros((2, 30)), "shape"),
        (np.array(["a"] * 30), "not numeric"),
        (np.full(30, 1e6), "outside the declared range"),
    ],
)
def test_input_that_does_not_fit_is_refused(bc: Bundle, bad: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        bc.encode_input(bad)


def test_input_outside_the_range_saturates_if_asked(bc: Bundle) -> None:
    info = bc.manifest.input
    assert set(bc.encode_input(np.full(30, 1e6), saturate=True)) == {info.hi}
    assert set(bc.encode_input(np.full(30, -np.inf), saturate=True)) == {info.lo}


def test_integers_out_of_range_are_refused_everywhere(bc: Bundle) -> None:
    bad = np.full(30, bc.manifest.input.hi + 1, dtype=np.int64)
    prover = bc.prover()
    with pytest.raises(InputError, match="declared range"):
        bc.input_words(bad, 1)
    with pytest.raises(InputError, match="declared range"):
        prover.prove(bad, salt=1)
    with pytest.raises(InputError, match="expected integers"):
        prover.prove(np.zeros(30), salt=1)


@pytest.mark.parametrize("salt", [None, -1, FIELD_ORDER])
def test_salt_that_does_not_fit_is_refused(bc: Bundle, salt: int | None) -> None:
    ints = np.zeros(30, dtype=np.int64)
    for call in (lambda: bc.input_words(ints, salt), lambda: bc.prover().prove(ints, salt=salt)):
        with pytest.raises(InputError, match="salt"):
            call()


def test_binding_above_r_is_refused(bc: Bundle) -> None:
    with pytest.raises(InputError, match="binding"):
        bc.prover().prove(np.zeros(30, dtype=np.int64), salt=1, binding=FIELD_ORDER)


def test_public_input_takes_no_salt(digits: Bundle) -> None:
    with pytest.raises(InputError, match="takes no salt"):
        digits.input_words(np.zeros(64, dtype=np.int64), 1)


@pytest.mark.parametrize("words", [[], [0, 0, 0, 0, 0, 0], [FIELD_ORDER], [-1], [FIELD_ORDER - 1]])
def test_words_that_are_no_output_are_refused(digits: Bundle, words: list[int]) -> None:
    assert digits.manifest.output.words == 1
    with pytest.raises(InputError):
        digits.decode_output(words)


def test_proving_can_be_cancelled(digits: Bundle) -> None:
    with pytest.raises(Cancelled):
        digits.prover().prove(np.zeros(64, dtype=np.int64), progress=lambda _stage, _part: False)


# -- compiling


def test_compiling_twice_gives_the_same_bytes(bc: Bundle, tmp_path: Path) -> None:
    x, y = _samples("bc_mlp")
    compile_model(MODELS / "bc_mlp.onnx", x, tmp_path / "again", labels=y)
    for name in ("manifest.json", "circuit.npz"):
        assert (tmp_path / "again" / name).read_bytes() == (bc.path / name).read_bytes()


def test_report_says_what_it_cost_and_how_well_it_answers(tmp_path: Path) -> None:
    x, y = _samples("digits_mlp")
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
        compile_model(MODELS / "bc_mlp.onnx", _samples("bc_mlp")[0], tmp_path / "b", progress=stop)
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
    nodes = [("Mul", ["input", "c"], "m", {}), ("Mul", ["m", "m"], "output", {})]
    model = build(nodes, {"c": np.full((1, 3), 3e38)}, (1, 3))
    with pytest.raises((ModelError, InputError)):
        compile_model(model, None, tmp_path / "b", input_range=(1.0, 2.0))


# -- damaged bundles


def test_missing_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot read"):
        Bundle.open(tmp_path)


def _edit(path: Path, *keys: str | int, value: object) -> None:
    document = json.loads(path.read_text())
    part = document
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    path.write_text(json.dumps(document))


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
    _edit(copy / "manifest.json", *keys, value=value)
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
    _edit(copy / "manifest.json", "slices", 0, "layout", "n_w2", value=1)
    with pytest.raises(BundleError, match="another circuit"):
        _ = Bundle.open(copy).circuit


def test_circuit_other_than_the_compiled_is_refused_at_setup(copy: Path) -> None:
    _edit(copy / "manifest.json", "hashes", "circuit", value="0" * 64)
    with pytest.raises(BundleError, match="not that of its slices"):
        Bundle.open(copy)
    _edit(copy / "manifest.json", "slices", 0, "circuit", value="0" * 64)
    bundle = Bundle.open(copy)
    assert not bundle.has_keys
    with pytest.raises(BundleError, match="another circuit"):
        bundle.setup(seed=bytes(32))


# -- keys


def test_setup_is_skipped_when_fresh(bc: Bundle) -> None:
    before = bc.proving_key_path.stat().st_mtime_ns
    assert bc.setup().origin == "seeded test setup"
    assert bc.proving_key_path.stat().st_mtime_ns == before


def test_setup_without_seed_draws_new_secrets(copy: Path, bc: Bundle) -> None:
    (copy / "setup.json").unlink()
    report = Bundle.open(copy).setup()
    assert report.origin == "single-party development setup"
    assert Bundle.open(copy).vk_hash != bc.vk_hash


@pytest.mark.parametrize("missing", ["setup.json", "verifying.key", "proving.key"])
def test_interrupted_setup_is_done_again(copy: Path, missing: str) -> None:
    (copy / missing).unlink()
    bundle = Bundle.open(copy)
    assert not bundle.has_keys
    with pytest.raises(BundleError, match="run setup"):
        bundle.prover()
    bundle.setup(seed=bytes(32))
    assert bundle.has_keys


def test_cancelled_setup_leaves_no_keys(copy: Path) -> None:
    for name in ("setup.json", "proving.key", "verifying.key"):
        (copy / name).unlink()
    bundle = Bundle.open(copy)
    with pytest.raises(Cancelled):
        bundle.setup(seed=bytes(32), progress=lambda _stage, _part: False)
    assert sorted(p.name for p in copy.iterdir()) == ["circuit.npz", "manifest.json", "report.svg"]


def test_truncated_proving_key_is_stale(copy: Path) -> None:
    data = (copy / "proving.key").read_bytes()
    (copy / "proving.key").write_bytes(data[:-64])
    assert not Bundle.open(copy).has_keys


def test_damaged_proving_key_is_refused(copy: Path) -> None:
    data = bytearray((copy / "proving.key").read_bytes())
    data[len(data) // 2] ^= 1
    (copy / "proving.key").write_bytes(bytes(data))
    with pytest.raises(InvalidKey):
        Bundle.open(copy).prover()


def test_damaged_verifying_key_is_refused(copy: Path) -> None:
    data = bytearray((copy / "verifying.key").read_bytes())
    data[200] ^= 1
    (copy / "verifying.key").write_bytes(bytes(data))
    bundle = Bundle.open(copy)
    assert not bundle.has_keys
    with pytest.raises(BundleError, match="no keys"):
        _ = bundle.verifying_key


def test_keys_of_another_circuit_are_refused(copy: Path, digits: Bundle) -> None:
    for name in ("setup.json", "proving.key", "verifying.key"):
        shutil.copy(digits.path / name, copy / name)
    bundle = Bundle.open(copy)
    assert not bundle.has_keys
    _edit(copy / "setup.json", "circuit_hash", value=bundle.manifest.hashes.circuit)
    with pytest.raises((BundleError, ProverError)):
        bundle.prover()


def test_proving_key_of_another_setup_is_refused(copy: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(copy, tmp_path / "other"))
    (other / "setup.json").unlink()
    Bundle.open(other).setup(seed=bytes([1]) * 32)
    shutil.copy(other / "proving.key", copy / "proving.key")
    with pytest.raises(BundleError, match="not that of this circuit"):
        Bundle.open(copy).prover()


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
