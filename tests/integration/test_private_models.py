"""Models with private weights in the market: trainings of one network share a key and nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay_node.chain import ContractReverted, JobState
from assay_node.cli import main
from assay_node.client import ClientError, EvidenceMismatch, JobTerms, gather_evidence
from assay_node.client.publish import spec_of
from assay_node.worker import WorkerError
from assay_node.worker.models import ModelLibrary
from assay_prover import Bundle, InvalidProof, compile_model, with_weights
from unit.prover.onnx_models import MODELS
from unit.prover.trainings import bc_mlp, retrained

ETHER = 10**18
TERMS = JobTerms(
    max_price=ETHER // 50, collateral=ETHER // 20, bid_window=3600, accept_window=3600, prove_window=3600
)


@dataclass(frozen=True)
class Training:
    """A training of the network: its owner's bundle, and what requesters get."""

    bundle: Bundle
    public: Bundle
    x: np.ndarray


@pytest.fixture(scope="module")
def trainings(tmp_path_factory: pytest.TempPathFactory) -> tuple[Training, Training]:
    """Breast cancer, trained twice; one setup."""
    folder = tmp_path_factory.mktemp("trainings")
    with np.load(MODELS / "bc_mlp.npz") as data:
        x = data["x"]
    compile_model(bc_mlp(), x, folder / "0", weights="private", name="first")
    first = Bundle.open(folder / "0")
    first.setup()
    second = with_weights(first, retrained(bc_mlp(), 1), folder / "1", samples=x, name="second")
    for bundle in (first, second):
        bundle.commit_model()
    made = [Training(b, b.export_public(folder / f"{b.path.name}-public"), x) for b in (first, second)]
    return made[0], made[1]


async def test_two_trainings_are_proven_and_paid_under_one_key(
    market: Any, trainings: tuple[Training, Training]
) -> None:
    first, second = trainings
    ids = [await market.publish(training) for training in trainings]
    assert ids[0] != ids[1]
    assert await market.publish(first) == ids[0]
    models = [await market.chain.models.model_of(model_id) for model_id in ids]
    assert models[0].vk_hash == models[1].vk_hash == first.bundle.vk_hash
    assert [m.model_commitment for m in models] == [t.bundle.model_commitment for t in trainings]

    requester = await market.requester(1)
    with pytest.raises(EvidenceMismatch, match="another description"):
        await requester.check_model(second.public, ids[0])
    config = await market.worker_config(2, first)
    config = config.model_copy(update={"bundles": [t.bundle.path for t in trainings]})
    evidences = []
    async with market.working(config):
        for training, model_id in zip(trainings, ids, strict=True):
            # the requester has no weights and no proving key
            posted = await requester.submit(training.public, model_id, training.x[1], TERMS)
            states = await market.follow(requester, posted.job_id)
            assert states[-1] is JobState.SETTLED
            result = await requester.result(posted.job_id, training.public)
            graph = training.bundle.graph
            integers = training.bundle.encode_input(training.x[1]).reshape(1, *graph.input.shape)
            np.testing.assert_array_equal(
                result.values.ravel(),
                graph.run(integers)[graph.output].ravel() * training.bundle.manifest.output.scale,
            )
            # of the same key, but not what the answer was proven for
            (sibling,) = (t.public for t in trainings if t is not training)
            with pytest.raises(EvidenceMismatch, match="another description"):
                await requester.result(posted.job_id, sibling)
            evidences.append(await gather_evidence(market.chain, posted.job_id))

    verifier = market.chain.verifier
    for evidence, other in zip(evidences, reversed(evidences), strict=True):
        evidence.check()
        # verified from chain data alone, by the contract and here; under the other training's M by neither
        own, foreign = evidence.model.model_commitment, other.model.model_commitment
        await verifier.check(evidence.model.verifying_key, evidence.statement, evidence.settled.proof, own)
        for wrong in (foreign, b"", bytes(64)):
            with pytest.raises(ContractReverted):
                await verifier.check(
                    evidence.model.verifying_key, evidence.statement, evidence.settled.proof, wrong
                )
        # the id of a model is the hash of what it means, its commitment included
        with pytest.raises(EvidenceMismatch):
            replace(evidence, model=replace(evidence.model, model_commitment=foreign)).check()
        with pytest.raises((InvalidProof, EvidenceMismatch)):
            replace(evidence, settled=replace(evidence.settled, proof=other.settled.proof)).check()


async def test_what_lacks_weights_or_commitment_is_neither_published_nor_served(
    market: Any, trainings: tuple[Training, Training], tmp_path: Path
) -> None:
    first, _ = trainings
    with pytest.raises(ClientError, match="no weights"):
        await market.publish(replace(first, bundle=first.public))
    with pytest.raises(WorkerError, match="no weights"):
        ModelLibrary([first.public.path])
    again = with_weights(first.bundle, retrained(bc_mlp(), 2), tmp_path / "again", samples=first.x)
    with pytest.raises(ClientError, match="commit first"):
        await market.publish(replace(first, bundle=again))
    with pytest.raises(WorkerError, match="commit first"):
        ModelLibrary([again.path])
    # a worker with the one training does not serve the other
    library = ModelLibrary([first.bundle.path])
    ids = [await market.publish(training) for training in trainings]
    assert await library.find(market.chain.models, ids[0]) is not None
    assert await library.find(market.chain.models, ids[1]) is None


async def test_a_strangers_commitment_makes_a_model_that_this_bundle_does_not_prove(
    market: Any, trainings: tuple[Training, Training]
) -> None:
    """Another M under the same key and description, or none where one belongs."""
    first, second = trainings
    spec, key = spec_of(first.bundle), first.bundle.verifying_key
    call = market.chain.models.register(spec, key, second.bundle.model_commitment)
    await market.publishing.send("stranger", call)
    for wrong in (b"", bytes(63), b"\x01" * 64):
        with pytest.raises(ContractReverted):
            await market.publishing.send(f"bad{len(wrong)}", market.chain.models.register(spec, key, wrong))


async def test_a_key_under_a_strangers_description_is_not_served(
    market: Any, trainings: tuple[Training, Training]
) -> None:
    """Every hash copied, and who sees the output told otherwise."""
    bundle = trainings[0].bundle
    spec = replace(spec_of(bundle), output_encrypted=False)
    call = market.chain.models.register(spec, bundle.verifying_key, bundle.model_commitment)
    receipt = await market.publishing.send("stranger", call)
    (registered,) = market.chain.decode(receipt.logs)
    assert await ModelLibrary([bundle.path]).find(market.chain.models, registered.model_id) is None
    with pytest.raises(EvidenceMismatch, match="another description"):
        await (await market.requester(1)).check_model(bundle, registered.model_id)


Assay = Callable[..., str]


@pytest.fixture
def assay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Assay:
    """Run a command and return all that it printed."""
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ASSAY_DEBUG", "1")

    def run(*arguments: object, code: int = 0) -> str:
        monkeypatch.setattr("sys.argv", ["assay", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capfd.readouterr()
        assert (ended.value.code or 0) == code, printed
        return printed.out + printed.err

    return run


def test_commands_for_private_weights_print_no_secret(assay: Assay, tmp_path: Path) -> None:
    """Compile, set up, commit, export, retrain, show; every output and every file a stranger may have."""
    (tmp_path / "bc.onnx").write_bytes(bc_mlp())
    (tmp_path / "bc2.onnx").write_bytes(retrained(bc_mlp(), 1))
    (tmp_path / "bc3.onnx").write_bytes(retrained(bc_mlp(), 1, scale=4.0))
    samples = MODELS / "bc_mlp.npz"
    secret, later, public = tmp_path / "secret", tmp_path / "later", tmp_path / "public"
    before = os.umask(0)
    try:
        private = ("--weights", "private", "--json")
        printed = assay(
            "model", "compile", tmp_path / "bc.onnx", "-o", secret, "--samples", samples, *private
        )
        printed += assay("model", "setup", secret, "--json")
        printed += assay("model", "commit", secret, "--json")
        printed += assay("model", "commit", secret)
        printed += assay("model", "export", secret, "-o", public, "--json")
        retrain = ("model", "retrain", public, tmp_path / "bc2.onnx", "--samples", samples)
        printed += assay(*retrain, "-o", later, "--json")
        for folder in (secret, later, public):
            printed += assay("model", "show", folder, "--json") + assay("model", "show", folder)
        printed += assay("model", "retrain", secret, tmp_path / "bc3.onnx", "-o", tmp_path / "no", code=1)
        (secret / "weights.npz").write_bytes((later / "weights.npz").read_bytes())
        opening = json.loads((secret / "model.opening").read_text())
        (secret / "model.opening").write_text(json.dumps({**opening, "version": 7}))
        printed += assay("model", "commit", secret, code=1)
    finally:
        os.umask(before)
    for file in (secret / "model.opening", secret / "weights.npz", later / "weights.npz"):
        assert file.stat().st_mode & 0o777 == 0o600
    stranger = b"".join(path.read_bytes() for path in public.iterdir())
    home = tmp_path / "home"
    logged = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    for hidden in (opening["opening"], opening["weights"]):
        assert hidden not in printed
        assert hidden.encode() not in stranger + logged
        assert bytes.fromhex(hidden) not in stranger + logged
