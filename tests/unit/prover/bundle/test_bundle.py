"""A bundle from input to decoded answer, what binds it to a job, and what a verifier refuses."""

from __future__ import annotations

from pathlib import Path

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
    InputError,
    InvalidInput,
    InvalidProof,
    binding,
    compile_model,
    new_salt,
    verify,
)
from assay_prover.bundle.archive import load_graph
from unit.prover.bundles import BINDING, JOB, MARKET, WORKER, load_samples, make_bundle
from unit.prover.onnx_models import MODELS, build, run


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
    x, _ = load_samples("bc_mlp")
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
    x, _ = load_samples("digits_mlp")
    ints = digits.encode_input(x[5])
    prover = digits.prover(threads=1, table_bytes=64 << 20)
    assert 0 < prover.table_bytes <= 64 << 20
    proved = prover.prove(ints)
    assert proved.public[0] == 0
    assert proved.public[1 : 1 + digits.manifest.input.words] == digits.input_words(ints)
    digits.verify(proved.public, proved.proof)
    decoded = digits.decode_output(proved.output_words)
    assert decoded.label == run((MODELS / "digits_mlp.onnx").read_bytes(), x[5][None]).argmax()


@pytest.mark.parametrize("visibility", ["private", "public"])
def test_committed_output_opens_to_the_answer_and_to_nothing_else(tmp_path: Path, visibility: str) -> None:
    bundle = make_bundle("bc_mlp", tmp_path / "bc", input=visibility, output="committed")
    x, _ = load_samples("bc_mlp")
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
    x, _ = load_samples("digits_mlp")
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
    x, _ = load_samples("bc_mlp")
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
