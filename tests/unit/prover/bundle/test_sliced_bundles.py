"""Bundles cut into slices: one linked proof that only the right slices make."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay_prover import (
    FIELD_ORDER,
    AssayProverError,
    Bundle,
    BundleError,
    InputError,
    InvalidInput,
    InvalidKey,
    InvalidProof,
    compile_model,
    new_salt,
    verify,
    with_weights,
)
from assay_prover.circuit import commit, pack_range, range_bits
from assay_prover.groth16 import join_keys, join_proofs, split_key
from unit.prover.onnx_models import MODELS

SALT, BINDING, BLINDING = 12345, 67, 89 << 200
P = 21888242871839275222246405745257275088696311157297823662689037894645226208583


def _samples(name: str) -> tuple[np.ndarray, np.ndarray]:
    with np.load(MODELS / f"{name}.npz") as data:
        return data["x"], data["y"]


def _make(folder: Path, name: str = "bc_mlp", **options: Any) -> Bundle:
    x, y = _samples(name)
    compile_model(MODELS / f"{name}.onnx", x, folder, labels=y, **options)
    bundle = Bundle.open(folder)
    bundle.setup(seed=bytes(32))
    return bundle


@pytest.fixture(scope="module")
def sliced(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Private input, encrypted output, three slices."""
    return _make(tmp_path_factory.mktemp("sliced") / "bc", slices=3)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The same network, uncut."""
    return _make(tmp_path_factory.mktemp("whole") / "bc")


def test_sliced_statement_and_answer_are_those_of_the_whole_network(sliced: Bundle, whole: Bundle) -> None:
    x, _ = _samples("bc_mlp")
    for index in range(3):
        ints, salt = sliced.encode_input(x[index]), new_salt()
        ours = sliced.prover().prove(ints, salt=salt, binding=BINDING)
        theirs = whole.prover().prove(ints, salt=salt, binding=BINDING)
        assert ours.public == theirs.public
        np.testing.assert_array_equal(ours.outputs, theirs.outputs)
        sliced.verify(ours.public, ours.proof)
        verify(sliced.verifying_key, ours.public, ours.proof)
        assert len(ours.proof) == 2 * 32 + sum(320 if p.info.layout.committed else 256 for p in sliced.slices)
        decoded = sliced.decode_output(ours.output_words, salt=salt)
        np.testing.assert_array_equal(decoded.integers, ours.outputs)


def test_slices_proven_apart_make_the_same_proof_as_together(sliced: Bundle) -> None:
    """As on three machines: each opens the bundle on its own."""
    x, _ = _samples("bc_mlp")
    ints, salt, blinding = sliced.encode_input(x[4]), new_salt(), new_salt()
    parts = [
        Bundle.open(sliced.path).prover().prove_slice(i, ints, salt=salt, binding=BINDING, blinding=blinding)
        for i in (2, 0, 1)
    ]
    parts = [parts[1], parts[2], parts[0]]
    for i, part in enumerate(parts):
        sliced.verify_slice(i, part.public, part.proof)
    proof = join_proofs([part.leaving[0] for part in parts[:2]], [part.proof for part in parts])
    public = [BINDING, *sliced.input_words(ints, salt), *parts[2].leaving]
    sliced.verify(public, proof)


def test_the_requesters_salt_opens_no_cut(sliced: Bundle) -> None:
    """With salt, input and weights everything but the blinding is known: it is fresh in each proof."""
    x, _ = _samples("bc_mlp")
    ints = sliced.encode_input(x[4])
    first, second = (sliced.prover().prove(ints, salt=SALT, binding=BINDING) for _ in range(2))
    assert first.public == second.public
    known = sliced.graph.run(ints.reshape(1, *sliced.graph.input.shape))
    for number, part in enumerate(sliced.slices[1:], 1):
        packed = [
            word
            for t in part.graph.inputs
            for word in pack_range(known[t.name], t.min, range_bits(t.min, t.max))
        ]
        found = {int.from_bytes(p.proof[32 * number - 32 : 32 * number]) for p in (first, second)}
        assert len(found) == 2
        assert commit(packed, SALT, 3 + number) not in found
        made = sliced.prover().prove_slice(number, ints, salt=SALT, binding=BINDING, blinding=BLINDING)
        assert made.public[1] == commit([BLINDING, *packed], SALT, 3 + number)


def test_a_blinding_is_given_exactly_where_there_are_cuts(sliced: Bundle, whole: Bundle) -> None:
    x, _ = _samples("bc_mlp")
    ints = sliced.encode_input(x[0])
    with pytest.raises(InputError, match="need a blinding"):
        sliced.prover().prove_slice(1, ints, salt=SALT)
    with pytest.raises(InputError, match="takes no blinding"):
        whole.prover().prove_slice(0, ints, salt=SALT, blinding=BLINDING)
    for wrong in (-1, FIELD_ORDER):
        with pytest.raises(InputError, match="blinding is outside"):
            sliced.prover().prove_slice(1, ints, salt=SALT, blinding=wrong)


@pytest.fixture(scope="module")
def proven(sliced: Bundle) -> tuple[bytes, list[int], list[int], list[bytes]]:
    """Key, statement, cuts and proofs of a valid sliced proof."""
    x, _ = _samples("bc_mlp")
    ints = sliced.encode_input(x[0])
    prover = sliced.prover()
    parts = [prover.prove_slice(i, ints, salt=SALT, binding=BINDING, blinding=BLINDING) for i in range(3)]
    public = [BINDING, *sliced.input_words(ints, SALT), *parts[-1].leaving]
    cuts, proofs = [part.leaving[0] for part in parts[:2]], [part.proof for part in parts]
    verify(sliced.verifying_key, public, join_proofs(cuts, proofs))
    return sliced.verifying_key, public, cuts, proofs


def _refuse(
    kind: type[Exception], proven: tuple[bytes, list[int], list[int], list[bytes]], **changes: Any
) -> None:
    key, public, cuts, proofs = proven
    fields = {"key": key, "public": public, "cuts": cuts, "proofs": proofs, **changes}
    with pytest.raises(kind):
        verify(fields["key"], fields["public"], join_proofs(fields["cuts"], fields["proofs"]))


def test_swapped_repeated_missing_and_foreign_slices_are_refused(sliced: Bundle, proven: Any) -> None:
    _, _, cuts, proofs = proven
    for order in ([1, 0, 2], [0, 2, 1], [2, 1, 0], [0, 0, 2], [0, 1, 1]):
        _refuse(InvalidProof, proven, proofs=[proofs[i] for i in order])
    _refuse(InvalidProof, proven, cuts=cuts[:1], proofs=proofs[:2])
    _refuse(InvalidProof, proven, cuts=cuts[:1], proofs=[proofs[0], proofs[2]])
    x, _ = _samples("bc_mlp")
    ints, other = sliced.encode_input(x[0]), sliced.encode_input(x[1])
    prover = sliced.prover()
    for i in range(3):
        for job in (
            prover.prove_slice(i, ints, salt=SALT, binding=BINDING + 1, blinding=BLINDING),
            prover.prove_slice(i, ints, salt=SALT + 1, binding=BINDING, blinding=BLINDING),
            prover.prove_slice(i, other, salt=SALT, binding=BINDING, blinding=BLINDING),
            prover.prove_slice(i, ints, salt=SALT, binding=BINDING, blinding=BLINDING + 1),
        ):
            _refuse(InvalidProof, proven, proofs=[*proofs[:i], job.proof, *proofs[i + 1 :]])
            moved = [*cuts[:i], job.leaving[0], *cuts[i + 1 :]]
            if i < 2 and moved != cuts:
                _refuse(InvalidProof, proven, cuts=moved)
                _refuse(InvalidProof, proven, cuts=moved, proofs=[*proofs[:i], job.proof, *proofs[i + 1 :]])


def test_words_of_statement_and_cuts_are_bound_and_canonical(proven: Any) -> None:
    _, public, cuts, _ = proven
    for i in range(len(public)):
        _refuse(InvalidProof, proven, public=[*public[:i], public[i] ^ 1, *public[i + 1 :]])
        _refuse(InvalidInput, proven, public=[*public[:i], public[i] + FIELD_ORDER, *public[i + 1 :]])
    _refuse(InvalidInput, proven, public=[*public, 0])
    _refuse(InvalidInput, proven, public=public[:-1])
    for i in range(2):
        _refuse(InvalidProof, proven, cuts=[*cuts[:i], cuts[i] ^ 1, *cuts[i + 1 :]])
        _refuse(InvalidInput, proven, cuts=[*cuts[:i], cuts[i] + FIELD_ORDER, *cuts[i + 1 :]])
    _refuse(InvalidProof, proven, cuts=cuts[::-1])


def test_bytes_too_many_or_too_few_are_refused(proven: Any) -> None:
    key, public, cuts, proofs = proven
    proof = join_proofs(cuts, proofs)
    for wrong in (proof[:-1], proof + b"\0", proof[32:], b"", proof + proofs[0]):
        with pytest.raises(InvalidProof):
            verify(key, public, wrong)
    with pytest.raises(InvalidInput):
        verify(key, public, proof, bytes(64))
    for wrong in (
        key[:-1],
        key + b"\0",
        key[:32],
        key[:5],
        key[:5] + bytes([2]) + key[6:],
        key[:5] + bytes([4]) + key[6:],
        key[:5] + bytes([1]) + key[6:],
        key[:5] + bytes([17]) + key[6:],
        key[:6] + b"\1" + key[7:],
        key[:37] + b"\7" + key[38:],
    ):
        with pytest.raises(AssayProverError):
            verify(wrong, public, proof)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_keys_and_proofs_are_refused_with_the_librarys_own_errors(
    proven: Any, data: st.DataObject
) -> None:
    key, public, cuts, proofs = proven
    parts = [key, join_proofs(cuts, proofs)]
    which = data.draw(st.integers(0, 1))
    damaged = bytearray(parts[which])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place] ^= data.draw(st.integers(1, 255))
    if data.draw(st.booleans()):
        del damaged[data.draw(st.integers(0, len(damaged) - 1)) :]
    if bytes(damaged) == parts[which]:
        return
    parts[which] = bytes(damaged)
    with pytest.raises(AssayProverError):
        verify(parts[0], public, parts[1])


def test_sliced_keys_are_joined_from_what_can_be_slices_only(proven: Any, whole: Bundle) -> None:
    key = proven[0]
    keys = split_key(key)
    assert join_keys(keys) == key
    assert split_key(join_keys([keys[0], keys[2]])) == [keys[0], keys[2]]
    with pytest.raises(InvalidKey):
        join_keys(keys[:1])
    with pytest.raises(InvalidKey):
        join_keys([keys[0]] + [keys[1]] * 15 + [keys[2]])
    wide = keys[1][:8] + (4).to_bytes(4, "big") + keys[1][12:] + bytes(64)
    with pytest.raises(InvalidKey, match="cannot have a statement of 4 words"):
        join_keys([keys[0], wide, keys[2]])
    with pytest.raises(InvalidKey, match="no header of a sliced"):
        split_key(whole.verifying_key)


def test_no_two_slices_share_an_element_of_their_setup(sliced: Bundle) -> None:
    keys = split_key(sliced.verifying_key)
    for offset, size in ((0x20, 64), (0x60, 128), (0xE0, 128), (0x160, 128)):
        assert len({key[offset : offset + size] for key in keys}) == len(keys)


def test_slices_that_share_a_delta_are_refused(proven: Any) -> None:
    """Up to sign, and as the other's gamma too; equal gammas are as good as any."""
    key, public, cuts, proofs = proven
    keys = split_key(key)
    gamma, delta = slice(0xE0, 0x160), slice(0x160, 0x1E0)

    def refuse(own: slice, foreign: bytes) -> None:
        changed = bytearray(keys[2])
        changed[own] = foreign
        with pytest.raises(InvalidKey, match="shares a delta"):
            verify(key[: -len(keys[2])] + bytes(changed), public, join_proofs(cuts, proofs))

    point = keys[0][delta]
    negated = point[:64] + b"".join((P - int.from_bytes(point[i : i + 32])).to_bytes(32) for i in (64, 96))
    for foreign in (point, negated, keys[0][gamma]):
        refuse(delta, foreign)
    refuse(gamma, point)
    same = bytearray(keys[2])
    same[gamma] = keys[0][gamma]
    join_keys([keys[0], keys[1], bytes(same)])


@pytest.mark.parametrize("output", ["public", "committed"])
def test_cuts_of_a_public_input_are_under_the_provers_salt(tmp_path: Path, output: str) -> None:
    bundle = _make(tmp_path / "bc", slices=2, input="public", output=output)
    x, _ = _samples("bc_mlp")
    ints = bundle.encode_input(x[2])
    with pytest.raises(InputError, match="needs a salt"):
        bundle.prover().prove(ints)
    proved = bundle.prover().prove(ints, salt=SALT)
    bundle.verify(proved.public, proved.proof)
    again = bundle.prover().prove(ints, salt=SALT + 1)
    assert again.proof[:32] != proved.proof[:32]
    if output == "public":
        assert again.public == proved.public
        np.testing.assert_array_equal(bundle.decode_output(proved.output_words).integers, bundle.infer(ints))
    else:
        bundle.decode_output(proved.output_words, salt=SALT, outputs=bundle.infer(ints))


def test_private_weights_have_a_commitment_for_each_slice(tmp_path: Path) -> None:
    x, y = _samples("bc_mlp")
    bundle = _make(tmp_path / "bc", slices=3, weights="private")
    joined = bundle.commit_model()
    private = sum(bool(part.graph.private) for part in bundle.slices)
    assert len(joined) == 64 * private > 64
    assert Bundle.open(bundle.path).commit_model() == joined
    ints = bundle.encode_input(x[0])
    proved = bundle.prover().prove(ints, salt=SALT, binding=BINDING)
    bundle.verify(proved.public, proved.proof)
    key = bundle.verifying_key
    for wrong in (joined[64:] + joined[:64], joined[:64] * private):
        with pytest.raises(InvalidProof):
            verify(key, proved.public, proved.proof, wrong)
    for misshapen in (joined[:64], joined + joined[:64], None):
        with pytest.raises(InvalidInput):
            verify(key, proved.public, proved.proof, misshapen)

    shown = bundle.export_public(tmp_path / "public")
    shown.verify(proved.public, proved.proof)
    assert not (shown.path / "slices").exists()

    again = with_weights(bundle, MODELS / "bc_mlp.onnx", tmp_path / "again", samples=x, labels=y)
    assert again.has_keys
    assert again.vk_hash == bundle.vk_hash
    other = again.commit_model()
    assert other != joined
    second = again.prover().prove(ints, salt=SALT, binding=BINDING)
    verify(key, second.public, second.proof, other)
    with pytest.raises(InvalidProof):
        verify(key, second.public, second.proof, joined)


# -- files


def test_setup_makes_only_the_slices_that_are_missing(sliced: Bundle, tmp_path: Path) -> None:
    bundle = Bundle.open(shutil.copytree(sliced.path, tmp_path / "copy"))
    report = bundle.setup()
    assert report == sliced.setup()
    kept = [(part.proving_key_path.stat().st_mtime_ns, part.vk_hash) for part in bundle.slices]
    for name in ("setup.json", "proving.key", "verifying.key"):
        (bundle.slices[1].folder / name).unlink()
    assert not bundle.has_keys
    with pytest.raises(BundleError, match="no keys"):
        bundle.prover()
    again = Bundle.open(bundle.path)
    again.setup()
    assert again.has_keys
    new = [(part.proving_key_path.stat().st_mtime_ns, part.vk_hash) for part in again.slices]
    assert [new[0], new[2]] == [kept[0], kept[2]]
    assert new[1] != kept[1]
    assert again.vk_hash.hex() != report.vk_hash
    assert split_key(again.verifying_key)[1] == again.slices[1].verifying_key


def test_a_sliced_bundle_with_another_slices_key_has_no_keys(sliced: Bundle, tmp_path: Path) -> None:
    bundle = Bundle.open(shutil.copytree(sliced.path, tmp_path / "copy"))
    a, b = bundle.slices[0].folder, bundle.slices[1].folder
    for name in ("proving.key", "verifying.key", "setup.json"):
        shutil.copy(b / name, a / name)
    assert not Bundle.open(bundle.path).has_keys


def test_slices_of_the_manifest_must_be_those_of_the_circuit(sliced: Bundle, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(sliced.path, tmp_path / "copy"))
    text = (folder / "manifest.json").read_text()

    def refuse(match: str, change: Any) -> None:
        document = json.loads(text)
        change(document["slices"])
        (folder / "manifest.json").write_text(json.dumps(document))
        with pytest.raises(BundleError, match=match):
            _ = Bundle.open(folder).slices[0].circuit

    refuse("not follow one another", lambda slices: slices[1].update(stop=slices[0]["stop"]))
    refuse("hash is not that of its slices", lambda slices: slices.pop())
    refuse("not follow one another", lambda slices: slices.reverse())
    refuse("hash is not that of its slices", lambda slices: slices[0].update(circuit=slices[1]["circuit"]))
    refuse("not those of circuit.npz", lambda slices: slices[2].update(stop=slices[2]["stop"] + 1))
    refuse("builds another circuit", lambda slices: slices[0].update(stop=slices[0]["stop"] - 1))


def test_compile_takes_a_number_of_slices_or_a_size_and_not_both(tmp_path: Path) -> None:
    x, _ = _samples("bc_mlp")
    with pytest.raises(InputError, match="not both"):
        compile_model(MODELS / "bc_mlp.onnx", x, tmp_path / "a", slices=2, max_constraints=9)
    report = compile_model(MODELS / "bc_mlp.onnx", x, tmp_path / "b", max_constraints=10**6)
    assert len(Bundle.open(tmp_path / "b").slices) == 1
    cut_report = compile_model(
        MODELS / "bc_mlp.onnx", x, tmp_path / "c", max_constraints=report.costs.constraints
    )
    assert cut_report.costs == report.costs
    sliced_report = compile_model(MODELS / "bc_mlp.onnx", x, tmp_path / "d", slices=2)
    bundle = Bundle.open(tmp_path / "d")
    assert sliced_report.costs.constraints == sum(s.layout.n_constraints for s in bundle.manifest.slices)
    assert sliced_report.accuracy == report.accuracy
    with pytest.raises(BundleError, match="cut into 2 circuits"):
        _ = bundle.circuit
