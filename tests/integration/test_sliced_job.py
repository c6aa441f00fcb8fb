"""A network cut into three on the market: proven slice by slice by a worker that is killed in between."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay_node.chain import ContractReverted, JobState
from assay_node.client import EvidenceMismatch, JobTerms, ProofFile, gather_evidence
from assay_node.worker import WorkerStore, executor
from assay_prover import AssayProverError, InvalidInput, InvalidProof
from assay_prover.groth16 import split_key

ETHER = 10**18
R = 21888242871839275222246405745257275088548364400416034343698204186575808495617
TERMS = JobTerms(
    max_price=ETHER // 50, collateral=ETHER // 20, bid_window=3600, accept_window=3600, prove_window=3600
)


async def test_a_worker_killed_between_slices_goes_on_where_it_was(
    market: Any, sliced_mlp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = sliced_mlp.bundle
    model_id = await market.publish(sliced_mlp, royalty_bps=500)
    requester = await market.requester(1)
    config = await market.worker_config(2, sliced_mlp)
    proven: list[int] = []
    honest = executor.prove

    def prove(task: Any, index: int, entering: Any, stop: Any) -> Any:
        if len(proven) == 1:
            stop.set()  # what a worker does that is told to end: the slice under way is lost
        part = honest(task, index, entering, stop)
        proven.append(index)
        return part

    monkeypatch.setattr(executor, "prove", prove)
    async with market.working(config):
        posted = await requester.submit(bundle, model_id, sliced_mlp.x[1], TERMS)
        following = asyncio.create_task(market.follow(requester, posted.job_id))
        store = WorkerStore(config.state_dir / "worker.sqlite")
        while not store.slices_of(posted.job_id):
            await asyncio.sleep(0.02)
            assert not following.done(), following.result()
    kept = store.slices_of(posted.job_id)
    assert [len(kept), proven] == [1, [0]]
    assert store.proof_of(posted.job_id) is None

    def counted(task: Any, index: int, entering: Any, stop: Any) -> Any:
        proven.append(index)
        return honest(task, index, entering, stop)

    monkeypatch.setattr(executor, "prove", counted)
    async with market.working(config):
        states = await following
    assert states[-1] is JobState.SETTLED
    assert proven == [0, 1, 2]
    assert store.slices_of(posted.job_id) == ()
    proof = store.proof_of(posted.job_id)
    assert proof is not None
    assert kept[0].proof in proof.proof
    store.close()

    result = await requester.result(posted.job_id, bundle)
    assert result.label == int(sliced_mlp.y[1])
    answer = bundle.infer(bundle.encode_input(sliced_mlp.x[1]))
    assert result.values.tolist() == (answer * bundle.manifest.output.scale).tolist()


@pytest.mark.parametrize("count", [1, 3])
async def test_slices_on_disk_that_fit_nothing_are_proven_again(
    market: Any, sliced_mlp: Any, count: int
) -> None:
    model_id = await market.publish(sliced_mlp)
    requester = await market.requester(1)
    config = await market.worker_config(2, sliced_mlp)
    async with market.working(config):
        posted = await requester.submit(sliced_mlp.bundle, model_id, sliced_mlp.x[2], TERMS)
        store = WorkerStore(config.state_dir / "worker.sqlite")
        while store.job(posted.job_id) is None:
            await asyncio.sleep(0.02)
        wrong = executor.SliceProof(bytes(256), (7,), 0.1)
        for number in range(count):
            store.put_slice(posted.job_id, number, wrong)
        states = await market.follow(requester, posted.job_id)
    assert states[-1] is JobState.SETTLED
    assert [what for _, what, _ in store.decisions(posted.job_id)].count("proof failed") == 1
    store.close()


async def test_evidence_of_slices_verifies_from_chain_data_and_not_with_anything_changed(
    market: Any, sliced_mlp: Any, tmp_path: Path
) -> None:
    model_id = await market.publish(sliced_mlp)
    requester = await market.requester(1)
    async with market.working(await market.worker_config(2, sliced_mlp)):
        posted = await requester.submit(sliced_mlp.bundle, model_id, sliced_mlp.x[3], TERMS)
        await market.follow(requester, posted.job_id)
    evidence = await gather_evidence(market.chain, posted.job_id)
    evidence.check()
    settled, key = evidence.settled, evidence.verifying_key
    assert len(split_key(key)) == 3

    saved = ProofFile(vk_hash=evidence.model.vk_hash, public=tuple(evidence.statement), proof=settled.proof)
    saved.write(tmp_path / "proof.json")
    ProofFile.read(tmp_path / "proof.json").check(key)

    def refuse(kind: type[Exception], **changes: Any) -> None:
        with pytest.raises(kind):
            replace(evidence, **changes).check()

    proof = settled.proof
    cut = int.from_bytes(proof[:32], "big")
    for wrong in (proof[32:64] + proof[:32] + proof[64:], (cut ^ 1).to_bytes(32, "big") + proof[32:]):
        refuse(InvalidProof, settled=replace(settled, proof=wrong))
    above = (cut + R).to_bytes(32, "big") + proof[32:]
    refuse(InvalidInput, settled=replace(settled, proof=above))
    for bit in (3, 600, 64 * 8 + 9, len(proof) * 8 - 2):
        flipped = bytearray(proof)
        flipped[bit // 8] ^= 1 << bit % 8
        refuse(AssayProverError, settled=replace(settled, proof=bytes(flipped)))
    refuse(AssayProverError, settled=replace(settled, proof=proof[:-1]))
    refuse(InvalidProof, settled=replace(settled, worker="0x" + "77" * 20))
    keys = split_key(key)
    swapped = key[:32] + keys[1] + keys[0] + keys[2]
    refuse(EvidenceMismatch, verifying_key=swapped)

    verifier = market.chain.verifier
    await verifier.check(evidence.model.verifying_key, evidence.statement, proof)
    with pytest.raises(ContractReverted):
        await verifier.check(evidence.model.verifying_key, evidence.statement, above)
    with pytest.raises(ContractReverted):
        await verifier.check(evidence.model.verifying_key, evidence.statement, proof + b"\0")


async def test_private_weights_and_public_words_in_slices(market: Any, sliced_private_mlp: Any) -> None:
    model_id = await market.publish(sliced_private_mlp)
    requester = await market.requester(1)
    async with market.working(await market.worker_config(2, sliced_private_mlp)):
        posted = await requester.submit(sliced_private_mlp.bundle, model_id, sliced_private_mlp.x[0], TERMS)
        states = await market.follow(requester, posted.job_id)
    assert states[-1] is JobState.SETTLED
    result = await requester.result(posted.job_id, sliced_private_mlp.bundle)
    assert result.label == int(sliced_private_mlp.y[0])
    assert len(result.evidence.model.model_commitment) == 128
