"""Private weights: one key for every training of a network, and nothing of them in what is given away."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import traceback
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from assay_prover import (
    FIELD_ORDER,
    Bundle,
    BundleError,
    InvalidInput,
    InvalidProof,
    ModelError,
    compile_model,
    verify,
    with_weights,
)
from assay_prover.bundle.archive import STRUCTURE, load_graph
from assay_prover.bundle.files import COMMITMENT, OPENING, WEIGHTS
from assay_prover.bundle.weights import read_opening
from assay_prover.groth16 import InvalidWitness, ProvingKey
from unit.prover.onnx_models import MODELS, build, mlp, run
from unit.prover.trainings import bc_mlp, retrained, small_cnn


@dataclass(frozen=True)
class Family:
    """Three trainings of one network under one key; the third was made from what requesters get."""

    bundles: tuple[Bundle, Bundle, Bundle]
    files: tuple[bytes, bytes, bytes]
    x: np.ndarray
    public: Path


def _samples(name: str) -> tuple[np.ndarray, np.ndarray]:
    with np.load(MODELS / f"{name}.npz") as data:
        return data["x"], data["y"]


def _family(folder: Path, files: tuple[bytes, bytes, bytes], x: np.ndarray) -> Family:
    previous = os.umask(0)
    try:
        compile_model(files[0], x, folder / "0", weights="private", name="first")
        first = Bundle.open(folder / "0")
        first.setup(seed=bytes(32))
        first.commit_model()
        public = folder / "public"
        first.export_public(public)
        second = with_weights(first, files[1], folder / "1", samples=x, name="second")
        second.commit_model()
        third = with_weights(Bundle.open(public), files[2], folder / "2", samples=x, name="third")
        shutil.copyfile(first.proving_key_path, third.proving_key_path)
        third.commit_model()
    finally:
        os.umask(previous)
    return Family((first, second, third), files, x, public)


@pytest.fixture(scope="module", params=["dense", "convolutions"])
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Family:
    folder = tmp_path_factory.mktemp("private")
    if request.param == "dense":
        x, _ = _samples("bc_mlp")
        model = bc_mlp()
    else:
        x, _ = _samples("digits_mlp")
        x = x.reshape(-1, 1, 8, 8)[:96]
        model = small_cnn()
    files = (model, retrained(model, 1), retrained(model, 2))
    return _family(folder, files, x)


@pytest.fixture
def copy(family: Family, tmp_path: Path) -> Path:
    """A bundle with weights, keys and commitment, to damage."""
    return Path(shutil.copytree(family.bundles[0].path, tmp_path / "copy"))


def test_convolutions_are_checked_by_freivalds_and_matrices_are_not(family: Family) -> None:
    gadgets = {cost.gadget for cost in family.bundles[0].manifest.costs.layers}
    assert ("powers" in gadgets) == (family.x.ndim == 4)
    # the packed form keeps weights out of G2; what they add anywhere is not paid for by each proof
    costs = family.bundles[0].manifest.costs
    assert (costs.model_g2_points > 0) == (family.x.ndim == 4)
    assert costs.model_wires <= costs.model_points < costs.full_points


def test_each_training_proves_under_the_one_key_and_its_own_commitment(family: Family) -> None:
    key = family.bundles[0].verifying_key
    commitments = [bundle.model_commitment for bundle in family.bundles]
    assert len(set(commitments)) == 3
    sample = family.x[5]
    for bundle, file, own in zip(family.bundles, family.files, commitments, strict=True):
        assert bundle.verifying_key == key
        proved = bundle.prover().prove(bundle.encode_input(sample), salt=11)
        bundle.verify(proved.public, proved.proof)
        answer = bundle.decode_output(proved.output_words, salt=11).values.ravel()
        expected = run(file, sample.reshape(1, *bundle.manifest.input.shape)).ravel()
        assert np.abs(answer - expected).max() < 0.1 * np.abs(expected).max()
        for other in commitments:
            if other != own:
                with pytest.raises(InvalidProof):
                    verify(key, proved.public, proved.proof, other)
        with pytest.raises(InvalidInput):
            verify(key, proved.public, proved.proof, None)


def test_another_trainings_answer_is_refused_under_the_first_ones_commitment(family: Family) -> None:
    """The whole prover of the second model, who names the first one's M."""
    first, second, _ = family.bundles
    key = ProvingKey.open(second.proving_key_path)
    circuit = second.circuit
    witness = circuit.witness(second.encode_input(family.x[3]).reshape(circuit.graph.input.shape), salt=3)
    (opening,) = second.model_openings()
    assert opening is not None
    assert first.model_commitment is not None
    model = (circuit.model_values(), first.model_commitment, opening[1])
    if circuit.layout.committed:
        session = key.commit(witness.public, witness.w1, model=model)
        proof = session.finish(witness.w2(session.challenge), *witness.rows(session.challenge))
    else:
        proof = key.prove(witness.public, witness.w2(), *witness.rows(), model=model)
    with pytest.raises(InvalidProof):
        first.verify(witness.public, proof)


def test_a_commitment_is_refused_with_weights_that_it_does_not_open_to(family: Family, copy: Path) -> None:
    _, second, _ = family.bundles
    shutil.copyfile(second.path / WEIGHTS, copy / WEIGHTS)
    with pytest.raises(BundleError, match="commit first"):
        Bundle.open(copy).prover()
    opening = json.loads((copy / OPENING).read_text())
    opening["weights"] = json.loads((second.path / OPENING).read_text())["weights"]
    (copy / OPENING).write_text(json.dumps(opening))
    with pytest.raises(InvalidWitness, match="does not open"):
        Bundle.open(copy).prover()


def test_a_commitment_is_made_once_for_the_same_weights_and_keys(copy: Path) -> None:
    bundle = Bundle.open(copy)
    before = bundle.model_commitment
    assert bundle.commit_model() == before
    (copy / OPENING).unlink()
    assert bundle.commit_model() != before
    bundle.setup(force=True)
    with pytest.raises(BundleError, match="commit first"):
        _ = bundle.model_commitment


def test_shared_keys_are_not_replaced_by_accident(copy: Path, family: Family, tmp_path: Path) -> None:
    """A setup where the proving key is missing would make keys under which no other training verifies."""
    (copy / "proving.key").unlink()
    exported = Path(shutil.copytree(family.public, tmp_path / "exported"))
    for path in (copy, exported):
        before = (path / "verifying.key").read_bytes()
        with pytest.raises(BundleError, match="shared verifying key"):
            Bundle.open(path).setup()
        assert (path / "verifying.key").read_bytes() == before
    (copy / "verifying.key").unlink()
    with pytest.raises(BundleError, match="force"):
        Bundle.open(copy).setup()
    Bundle.open(copy).setup(force=True)
    assert Bundle.open(copy).has_keys


# -- secrets


def test_secret_files_are_for_their_owner_alone(family: Family) -> None:
    """Under an umask that would let everybody read."""
    for bundle in family.bundles:
        for name in (WEIGHTS, OPENING):
            assert (bundle.path / name).stat().st_mode & 0o777 == 0o600, name


def test_an_exported_bundle_is_these_files(family: Family) -> None:
    names = {"manifest.json", "circuit.npz", "verifying.key", "setup.json", COMMITMENT}
    assert {entry.name for entry in family.public.iterdir()} == names


def test_exports_of_two_trainings_differ_in_name_accuracy_and_commitment(
    family: Family, tmp_path: Path
) -> None:
    first, second, third = family.bundles
    exported = [b.export_public(tmp_path / b.manifest.model.name) for b in (first, second, third)]
    for name in ("circuit.npz", "verifying.key", "setup.json"):
        assert len({(bundle.path / name).read_bytes() for bundle in exported}) == 1
    documents = [json.loads((bundle.path / "manifest.json").read_text()) for bundle in exported]
    for document in documents:
        report = document.pop("report")
        assert report["error_percentiles"] == []
        for figure in ("error_median", "error_p99", "error_max", "output_span"):
            assert float(f"{report[figure]:.1e}") == report[figure]
        assert (document["layers"], document["selection"], document["warnings"]) == ([], None, [])
        assert document["model"].pop("name")
        assert document["model"]["sha256"] == ""
        assert document["hashes"].pop("metadata")
    assert documents[0] == documents[1] == documents[2]


def test_weights_that_differ_little_compile_to_the_same_circuit(family: Family, tmp_path: Path) -> None:
    """Scales and limits come in quarters of an octave: what is public is no fine function of weights."""
    near = retrained(family.files[0], 7, change=1e-5)
    compile_model(near, family.x, tmp_path / "near", weights="private")
    assert (tmp_path / "near" / "circuit.npz").read_bytes() == (
        family.bundles[0].path / "circuit.npz"
    ).read_bytes()


def test_an_exported_bundle_verifies_and_decodes_but_does_not_prove(family: Family) -> None:
    first = family.bundles[0]
    public = Bundle.open(family.public)
    assert not public.has_weights
    assert all(not values.any() for layer in public.graph.private for values in layer.weights)
    ints = public.encode_input(family.x[2])
    proved = first.prover().prove(ints, salt=4)
    public.verify(proved.public, proved.proof)
    assert public.input_words(ints, 4) == proved.public[1:2]
    decoded = public.decode_output(proved.output_words, salt=4)
    np.testing.assert_array_equal(decoded.integers, proved.outputs)
    with pytest.raises(BundleError):
        public.prover()
    with pytest.raises(BundleError, match=WEIGHTS):
        public.commit_model()


def test_the_secret_is_in_no_error_and_no_representation(copy: Path) -> None:
    opening = read_opening(copy)
    assert opening is not None
    secret, digest = opening.opening, opening.weights
    assert secret not in repr(opening)
    assert digest not in repr(opening)
    document = json.loads((copy / OPENING).read_text())
    for broken in ({**document, "opening": secret[:-1]}, {**document, "version": 2}):
        (copy / OPENING).write_text(json.dumps(broken))
        with pytest.raises(BundleError) as caught:
            Bundle.open(copy).prover()
        shown = "".join(traceback.format_exception(caught.value))
        assert secret[:-1] not in shown
        assert digest not in shown


def _arrays(path: Path) -> Iterator[np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            yield np.load(io.BytesIO(archive.read(name)))


def _write(path: Path, arrays: list[np.ndarray], kind: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", kind) as archive:
        for number, values in enumerate(arrays):
            member = io.BytesIO()
            np.save(member, values)
            archive.writestr(f"{number}.npy", member.getvalue())


def test_damaged_weights_are_refused(copy: Path) -> None:
    path = copy / WEIGHTS
    good = [values.astype(np.int64) for values in _arrays(path)]
    beyond = [values.copy() for values in good]
    beyond[0].flat[0] = 123_456_789_123
    for arrays, message in (
        (good[:-1], "another architecture"),
        ([*good, good[0]], "another architecture"),
        ([good[0].T.copy(), *good[1:]], "another shape|disagree"),
        ([good[0].astype(np.float64), *good[1:]], "other numbers"),
        (beyond, "exceeds the"),
    ):
        _write(path, arrays)
        with pytest.raises(BundleError, match=message) as caught:
            Bundle.open(copy)
        assert "123456789123" not in str(caught.value)
    _write(path, good, zipfile.ZIP_DEFLATED)
    with pytest.raises(BundleError, match="compressed"):
        Bundle.open(copy)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BundleError, match="damaged"):
        Bundle.open(copy)


def _with_structure(data: bytes, change: Callable[[str], str]) -> bytes:
    """circuit.npz with another graph.json."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            member = old.read(name)
            new.writestr(name, change(member.decode()) if name == STRUCTURE else member)
    return buffer.getvalue()


@pytest.mark.parametrize("shape", [[1 << 20, 1 << 20], [0, 30], [-16, 30], []], ids=str)
def test_weights_that_a_file_only_names_are_bounded(family: Family, shape: list[int]) -> None:
    """A few bytes of a stranger's circuit.npz must not ask for memory without end."""
    data = (family.bundles[0].path / "circuit.npz").read_bytes()
    claimed = _with_structure(
        data, lambda text: re.sub(r'"weight_shape":\[[\d,]*\]', f'"weight_shape":{shape}', text)
    )
    with pytest.raises(BundleError, match="private weights"):
        load_graph(claimed)


# -- commitments to anything


def test_a_model_that_leaves_its_span_has_no_proof_that_verifies(family: Family) -> None:
    """M opens to full-width weights; the prover does its best with honest results of honest weights."""
    bundle = family.bundles[0]
    key = ProvingKey.open(bundle.proving_key_path)
    circuit = bundle.circuit
    rng = np.random.default_rng(0)
    for hostile in (
        _random_elements(circuit.layout.n_model, rng),
        np.full(circuit.layout.n_model, 1 << 62, dtype=np.int64),
    ):
        made = key.commit_model([hostile])
        witness = circuit.witness(bundle.encode_input(family.x[0]).reshape(circuit.graph.input.shape), salt=3)
        model = ([hostile], made.M, made.mu)
        if circuit.layout.committed:
            session = key.commit(witness.public, witness.w1, model=model)
            proof = session.finish(witness.w2(session.challenge), *witness.rows(session.challenge))
        else:
            proof = key.prove(witness.public, witness.w2(), *witness.rows(), model=model)
        for commitment in (made.M, bundle.model_commitment):
            with pytest.raises(InvalidProof):
                verify(bundle.verifying_key, witness.public, proof, commitment)


def _random_elements(count: int, rng: np.random.Generator) -> np.ndarray:
    values = rng.integers(0, 1 << 62, (count, 4), dtype=np.uint64)
    values[:, 3] >>= np.uint64(2)
    return values


# -- retraining


def test_a_weight_beyond_its_limit_is_refused_without_saying_how_large(
    family: Family, tmp_path: Path
) -> None:
    grown = retrained(family.files[0], 1, scale=3.0)
    with pytest.raises(BundleError, match="exceeds the") as caught:
        with_weights(family.bundles[0], grown, tmp_path / "grown", samples=family.x)
    assert not (tmp_path / "grown").exists()
    assert "compile it anew" in str(caught.value)


def test_a_wider_network_is_refused(family: Family, tmp_path: Path) -> None:
    wider = small_cnn(channels=5) if family.x.ndim == 4 else mlp(np.random.default_rng(0), (30, 17, 2))
    with pytest.raises(BundleError, match="not the bundle's architecture"):
        with_weights(family.bundles[0], wider, tmp_path / "wider", samples=family.x)
    assert not (tmp_path / "wider").exists()


def test_other_activations_are_another_architecture(family: Family, tmp_path: Path) -> None:
    changed = family.files[0].replace(b"Relu", b"Tanh")
    assert changed != family.files[0]
    with pytest.raises(BundleError, match="not the bundle's architecture"):
        with_weights(family.bundles[0], changed, tmp_path / "tanh", samples=family.x)


def test_constant_weights_are_not_retrained_committed_or_exported(tmp_path: Path) -> None:
    x, _ = _samples("bc_mlp")
    compile_model(bc_mlp(), x, tmp_path / "constant")
    bundle = Bundle.open(tmp_path / "constant")
    with pytest.raises(BundleError, match="constants"):
        with_weights(bundle, bc_mlp(), tmp_path / "again")
    with pytest.raises(BundleError, match="constant"):
        bundle.commit_model()
    with pytest.raises(BundleError, match="constant"):
        bundle.export_public(tmp_path / "public")
    assert bundle.model_commitment is None


def test_a_network_without_weights_is_refused(tmp_path: Path) -> None:
    relu = build([("Relu", ["input"], "output", {})], {}, (1, 4))
    with pytest.raises(ModelError, match="no weights"):
        compile_model(relu, None, tmp_path / "relu", weights="private", input_range=(-1.0, 1.0))


def _sequence(seed: int) -> bytes:
    """Rows of 6: normalised with trained factors, two matrices over every row, and the input again."""
    rng = np.random.default_rng(seed)
    constants = {
        "g": 1 + 0.2 * rng.normal(size=6),
        "b": 0.2 * rng.normal(size=6),
        "u": rng.normal(size=(6, 12)) / 2,
        "c": 0.2 * rng.normal(size=12),
        "v": rng.normal(size=(12, 6)) / 3,
    }
    nodes = [
        ("LayerNormalization", ["input", "g", "b"], "n", {"axis": -1}),
        ("MatMul", ["n", "u"], "m", {}),
        ("Add", ["m", "c"], "a", {}),
        ("Relu", ["a"], "r", {}),
        ("MatMul", ["r", "v"], "w", {}),
        ("Add", ["w", "input"], "output", {}),
    ]
    return build(nodes, constants, (1, 16, 6))


def test_matrices_over_a_sequence_are_private_and_met_once(tmp_path: Path) -> None:
    model = _sequence(0)
    x = np.random.default_rng(1).uniform(-1, 1, (40, 16, 6))
    compile_model(model, x, tmp_path / "a", weights="private", output="public")
    bundle = Bundle.open(tmp_path / "a")
    # 6 + 6 factors and shifts, two matrices, a bias of 12: no weight is there once a row
    assert sum(values.size for layer in bundle.graph.private for values in layer.weights) < 200
    assert {cost.gadget for cost in bundle.manifest.costs.layers} >= {"powers", "privateaffine"}
    bundle.setup(seed=bytes(32))
    bundle.commit_model()
    again = with_weights(bundle, retrained(model, 3), tmp_path / "b", samples=x)
    again.commit_model()
    for trained, file in ((bundle, model), (again, retrained(model, 3))):
        proved = trained.prover().prove(trained.encode_input(x[3]), salt=1)
        trained.verify(proved.public, proved.proof)
        answer = trained.decode_output(proved.output_words).values
        np.testing.assert_allclose(answer, run(file, x[3:4])[0], atol=0.1)
    with pytest.raises(InvalidProof):
        bundle.verify(proved.public, proved.proof)


# -- every input


def test_corners_of_the_declared_range_prove(family: Family) -> None:
    for bundle in family.bundles[:2]:
        prover = bundle.prover()
        info = bundle.manifest.input
        rng = np.random.default_rng(0)
        corners = [np.full(info.shape, info.lo), np.full(info.shape, info.hi)]
        corners += [rng.choice([info.lo, info.hi], info.shape) for _ in range(2)]
        for ints in corners:
            proved = prover.prove(ints.astype(np.int64), salt=FIELD_ORDER - 1)
            bundle.verify(proved.public, proved.proof)
            expected = bundle.graph.run(ints.reshape(1, *bundle.graph.input.shape))[bundle.graph.output]
            np.testing.assert_array_equal(proved.outputs.ravel(), expected.ravel())
