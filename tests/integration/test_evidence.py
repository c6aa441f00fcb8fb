"""Evidence of a settled job verifies as the chain gives it, and with any one thing changed it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from assay_node.chain import ContractReverted, JobSettled, Model
from assay_node.client import EvidenceMismatch, JobTerms, job_events
from assay_prover import AssayProverError, InvalidInput, InvalidProof

R = 21888242871839275222246405745257275088548364400416034343698204186575808495617

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_evidence_with_one_thing_changed_does_not_verify(settled_market: Any) -> None:
    _, evidence = settled_market
    evidence.check()
    settled, submitted, model = evidence.settled, evidence.submitted, evidence.model

    def refuse(kind: type[Exception], **changes: Any) -> None:
        with pytest.raises(kind):
            replace(evidence, **changes).check()

    for bit in (7, 300, 1000, 8 * len(settled.proof) - 1):
        flipped = bytearray(settled.proof)
        flipped[bit // 8] ^= 1 << bit % 8
        refuse(AssayProverError, settled=replace(settled, proof=bytes(flipped)))
    refuse(AssayProverError, settled=replace(settled, proof=settled.proof[:-1]))
    refuse(AssayProverError, settled=replace(settled, proof=bytes(len(settled.proof))))
    words = settled.output_words
    refuse(InvalidProof, settled=replace(settled, output_words=(words[0] ^ 1, *words[1:])))
    refuse(InvalidInput, settled=replace(settled, output_words=(words[0] + R, *words[1:])))
    refuse(EvidenceMismatch, settled=replace(settled, output_words=(*words, 0)))
    refuse(InvalidProof, settled=replace(settled, worker="0x" + "77" * 20))
    refuse(EvidenceMismatch, settled=replace(settled, job_id=bytes(32)))
    inputs = submitted.input_words
    refuse(EvidenceMismatch, submitted=replace(submitted, input_words=(inputs[0] ^ 1, *inputs[1:])))
    refuse(EvidenceMismatch, submitted=replace(submitted, input_words=(inputs[0] + R, *inputs[1:])))
    refuse(EvidenceMismatch, submitted=replace(submitted, requester="0x" + "77" * 20))
    refuse(EvidenceMismatch, submitted=replace(submitted, nonce=submitted.nonce + 1))
    refuse(EvidenceMismatch, chain_id=evidence.chain_id + 1)
    refuse(EvidenceMismatch, market="0x" + "77" * 20)
    key = bytearray(evidence.verifying_key)
    key[-1] ^= 1
    refuse(EvidenceMismatch, verifying_key=bytes(key))
    refuse(EvidenceMismatch, verifying_key=evidence.verifying_key[:-32])
    refuse(EvidenceMismatch, model=replace(model, owner="0x" + "77" * 20))
    refuse(EvidenceMismatch, model=replace(model, vk_hash=bytes(32)))
    refuse(EvidenceMismatch, model=replace(model, spec=replace(model.spec, metadata_hash=bytes(32))))


async def test_a_node_cannot_serve_one_models_record_under_anothers_id(
    settled_market: Any, bc_mlp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would have a job posted for a key that somebody can forge proofs under."""
    market, evidence = settled_market
    requester = await market.requester(1, "deceived")
    await requester.check_model(bc_mlp.bundle, evidence.submitted.request.model_id)

    served: Model = evidence.model

    async def lie(_: bytes) -> Model:
        return served

    monkeypatch.setattr(market.chain.models, "model_of", lie)
    with pytest.raises(EvidenceMismatch, match="hash to"):
        await requester.submit(bc_mlp.bundle, b"\x66" * 32, bc_mlp.x[0], JobTerms(max_price=1))


async def test_the_contract_refuses_what_the_evidence_check_refuses(settled_market: Any) -> None:
    market, evidence = settled_market
    settled, vk, verifier = evidence.settled, evidence.model.verifying_key, market.chain.verifier
    await verifier.check(vk, evidence.statement, settled.proof)
    flipped = bytearray(settled.proof)
    flipped[40] ^= 1
    with pytest.raises(ContractReverted):
        await verifier.check(vk, evidence.statement, bytes(flipped))
    above = [evidence.statement[0] + R, *evidence.statement[1:]]
    with pytest.raises(ContractReverted, match="group order"):
        await verifier.check(vk, above, settled.proof)


async def test_a_settled_job_is_settled_once(settled_market: Any) -> None:
    market, evidence = settled_market
    settled = [
        event for event in await job_events(market.chain, evidence.job_id) if isinstance(event, JobSettled)
    ]
    assert len(settled) == 1
    call = market.chain.market.submit_proof(
        evidence.job_id, evidence.submitted.input_words, evidence.settled.output_words, evidence.settled.proof
    )
    with pytest.raises(ContractReverted, match="settled"):
        await market.publishing.send("replay", call)
