"""A valid proof of an answer that the model does not give: who made the keys can always make one."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from assay_node.chain import JobState, ModelRegistered
from assay_node.client import AnswerMismatch, JobTerms, UncheckedSetup, gather_evidence, setup_of, spec_of
from assay_node.client.answer import public_input, read_answer
from assay_node.client.stake import add_stake
from assay_node.worker import register
from assay_prover import Bundle, binding, compile_model

MODELS = Path(__file__).parents[1] / "vectors" / "models"
ETHER = 10**18
TERMS = JobTerms(max_price=ETHER // 50, bid_window=3600, accept_window=3600, prove_window=3600)


def network(folder: Path, *, swapped: bool) -> Path:
    """The diagnosis model; or one that says "benign" where it says "malignant", and the other way round."""
    model = onnx.load(MODELS / "bc_mlp.onnx")
    for initializer in model.graph.initializer:
        if swapped and initializer.name in ("W1", "b1"):
            values = numpy_helper.to_array(initializer)[..., ::-1].copy()
            initializer.CopyFrom(numpy_helper.from_array(values, initializer.name))
    path = folder / f"{'swapped' if swapped else 'honest'}.onnx"
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, Bundle, np.ndarray]:
    """What a publisher offers, under keys that are another circuit's; that other circuit; and samples."""
    folder = tmp_path_factory.mktemp("forged")
    with np.load(MODELS / "bc_mlp.npz", allow_pickle=False) as data:
        x = data["x"]
    bundles = []
    for name, swapped in (("offered", False), ("secret", True)):
        compile_model(network(folder, swapped=swapped), x, folder / name, input="public", output="public")
        bundles.append(Bundle.open(folder / name))
    offered, secret = bundles
    secret.setup()
    report = json.loads((secret.path / "setup.json").read_text())
    report["circuit_hash"] = offered.circuit_hash.hex()
    shutil.copy(secret.path / "verifying.key", offered.path / "verifying.key")
    (offered.path / "setup.json").write_text(json.dumps(report))
    return Bundle.open(folder / "offered"), secret, x


async def test_a_forged_answer_settles_and_its_requester_is_told(
    market: Any, pair: tuple[Bundle, Bundle, np.ndarray]
) -> None:
    offered, secret, x = pair
    assert offered.manifest.output == secret.manifest.output
    forger = await market.outbox(market.net.accounts[3], "forger")
    call = market.chain.models.register(spec_of(offered), secret.verifying_key)
    events = market.chain.decode((await forger.send("model", call)).logs)
    model_id = next(event.model_id for event in events if isinstance(event, ModelRegistered))
    await register(market.chain, forger, "https://forger.example", b"\x07" * 32)
    await add_stake(market.chain, forger, ETHER)

    requester = await market.requester(1)
    posted = await requester.submit(offered, model_id, x[1], TERMS)
    job_id = posted.job_id
    await forger.send("bid", market.chain.market.place_bid(job_id, 1))
    await requester.award(job_id, forger.account.address)
    integers = offered.encode_input(x[1])
    word = binding(
        market.chain.deployment.chain_id,
        market.chain.deployment.market,
        job_id,
        forger.account.address,
    )
    proved = secret.prover().prove(integers, binding=word)
    words = offered.input_words(integers)
    await forger.send(
        "prove", market.chain.market.submit_proof(job_id, words, proved.output_words, proved.proof)
    )
    assert (await requester.job(job_id)).state is JobState.SETTLED  # no contract can tell

    evidence = await gather_evidence(market.chain, job_id)
    evidence.check()  # nor can whoever has the chain's data alone: the setup is told beside it
    assert setup_of(evidence.model, model_id).kind == "single-party"
    with pytest.raises(AnswerMismatch, match="whoever made the model's keys has forged it"):
        await requester.result(job_id, offered)
    # Anybody who has the bundle can find it out, as the input is public.
    again = public_input(offered, evidence.submitted.input_words)
    with pytest.raises(AnswerMismatch):
        read_answer(offered, evidence.settled.output_words, again, None)


async def test_a_ceremony_that_nobody_checked_is_refused(market: Any, bc_mlp: Any) -> None:
    bundle = bc_mlp.bundle
    spec = replace(spec_of(bundle), ceremony_hash=b"\x42" * 32)
    call = market.chain.models.register(spec, bundle.verifying_key)
    events = market.chain.decode((await market.publishing.send("model", call)).logs)
    model_id = next(event.model_id for event in events if isinstance(event, ModelRegistered))
    requester = await market.requester(1)
    with pytest.raises(UncheckedSetup, match="no transcript of one was checked"):
        await requester.submit(bundle, model_id, bc_mlp.x[0], TERMS)
    assert requester.store.records() == []
