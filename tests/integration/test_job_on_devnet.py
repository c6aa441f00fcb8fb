"""The whole job in one process: asked, bid for, delivered, proven, settled, verified again, decrypted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from assay_node.chain import ContractReverted, JobState, JobSubmitted
from assay_node.client import (
    ClientError,
    EvidenceMismatch,
    JobEnded,
    JobNotReady,
    JobTerms,
    job_events,
    job_id_of,
    request_hash,
)
from assay_prover import InputError

MODELS = Path(__file__).parents[1] / "vectors" / "models"
ETHER = 10**18
# Windows that no machine is too busy for: the tests move the chain's clock.
TERMS = JobTerms(
    max_price=ETHER // 50, collateral=ETHER // 20, bid_window=3600, accept_window=3600, prove_window=3600
)


def float_logits(model: Path, sample: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: sample[None]})[0]).reshape(-1)


async def test_a_private_job_from_request_to_decrypted_answer(market: Any, bc_mlp: Any) -> None:
    model_id = await market.publish(bc_mlp, royalty_bps=1000)
    requester = await market.requester(1)
    first, second = await market.worker_config(2, bc_mlp), await market.worker_config(3, bc_mlp, margin=60.0)
    async with market.working(first), market.working(second):
        posted = await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[1], TERMS)
        await market.until_all_bid(posted.job_id, first, second)
        states = await market.follow(requester, posted.job_id)
    assert states[0] is JobState.OPEN
    assert states[-1] is JobState.SETTLED

    result = await requester.result(posted.job_id, bc_mlp.bundle)
    settled = result.evidence.settled
    graph = bc_mlp.bundle.graph
    integers = bc_mlp.bundle.encode_input(bc_mlp.x[1]).reshape(1, *graph.input.shape)
    answer = graph.run(integers)[graph.output].reshape(-1)
    assert result.label == int(answer.argmax()) == int(bc_mlp.y[1])
    logits = float_logits(MODELS / "bc_mlp.onnx", bc_mlp.x[1])
    assert np.abs(result.values.reshape(-1) - logits).max() < 0.1 * np.abs(logits).max()

    # What is on chain hides the answer: the packed logits are not the statement's words.
    with pytest.raises(InputError, match="salt is not the one"):
        bc_mlp.bundle.decode_output(list(settled.output_words), salt=0)

    # Everybody has what the protocol says.
    vault = market.chain.vault
    assert settled.royalty == settled.price // 10
    assert await vault.balance_of(settled.worker) == settled.price - settled.royalty
    assert await vault.balance_of(market.net.accounts[0].address) == settled.royalty
    assert await vault.balance_of(requester.address) == TERMS.max_price - settled.price == settled.refund
    record = await market.chain.workers.worker_of(settled.worker)
    assert (record.completed, record.reserved, record.failed, record.missed) == (1, 0, 0, 0)
    assert await vault.held_by(market.chain.deployment.market) == 0
    await requester.withdraw(settled.refund, requester.address)
    assert await vault.balance_of(requester.address) == 0


async def test_a_public_job_of_a_second_model_needs_no_delivery(market: Any, digits_mlp: Any) -> None:
    model_id = await market.publish(digits_mlp)
    requester = await market.requester(1)
    async with market.working(await market.worker_config(2, digits_mlp)):
        posted = await requester.submit(digits_mlp.bundle, model_id, digits_mlp.x[0], TERMS)
        states = await market.follow(requester, posted.job_id)
    assert states[-1] is JobState.SETTLED
    result = await requester.result(posted.job_id, digits_mlp.bundle)
    assert result.label == int(float_logits(MODELS / "digits_mlp.onnx", digits_mlp.x[0]).argmax())
    assert requester.store.by_job(posted.job_id).delivered_to is None


async def test_a_committed_output_settles_and_its_requester_opens_it(
    market: Any, sealed_mlp: Any, own_salt_mlp: Any
) -> None:
    with pytest.raises(ClientError, match="could not open it"):
        await market.publish(own_salt_mlp)
    model_id = await market.publish(sealed_mlp)
    requester = await market.requester(1)
    async with market.working(await market.worker_config(2, sealed_mlp)):
        posted = await requester.submit(sealed_mlp.bundle, model_id, sealed_mlp.x[1], TERMS)
        states = await market.follow(requester, posted.job_id)
    assert states[-1] is JobState.SETTLED
    result = await requester.result(posted.job_id, sealed_mlp.bundle)
    assert result.label == int(sealed_mlp.y[1])
    assert len(result.evidence.settled.output_words) == 1
    assert result.evidence.model.spec.output_committed


async def test_ids_computed_here_are_the_contracts(market: Any, bc_mlp: Any) -> None:
    await market.publish(bc_mlp)
    requester = await market.requester(1)
    model_id = await market.publish(bc_mlp)
    posted = await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[0], TERMS)
    log = next(iter(await job_events(market.chain, posted.job_id)))
    assert isinstance(log, JobSubmitted)
    hashed = await market.chain.market.request_hash(log.request, log.input_words)
    assert hashed == request_hash(log.request, log.input_words)
    deployment = market.chain.deployment
    assert posted.job_id == job_id_of(
        deployment.chain_id, deployment.market, requester.address, 0, log.request, log.input_words
    )


async def test_a_job_without_bids_is_refunded(market: Any, bc_mlp: Any) -> None:
    model_id = await market.publish(bc_mlp)
    requester = await market.requester(1)
    posted = await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[0], TERMS)
    with pytest.raises(JobNotReady):
        await requester.result(posted.job_id, bc_mlp.bundle)
    await market.pass_time(TERMS.bid_window + 1)
    states = await market.follow(requester, posted.job_id)
    assert states[-1] is JobState.REFUNDED
    assert await market.chain.vault.balance_of(requester.address) == TERMS.max_price
    with pytest.raises(JobEnded):
        await requester.result(posted.job_id, bc_mlp.bundle)


async def test_the_vaults_balance_pays_for_the_next_job(market: Any, bc_mlp: Any) -> None:
    model_id = await market.publish(bc_mlp)
    requester = await market.requester(1)
    posted = await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[0], TERMS)
    await requester.cancel(posted.job_id)
    assert (await requester.job(posted.job_id)).state is JobState.CANCELLED
    before = await market.node.balance(requester.address)
    again = await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[0], TERMS)
    gas = again.receipt.gas_used * again.receipt.effective_gas_price
    assert await market.node.balance(requester.address) == before - gas
    assert await market.chain.vault.balance_of(requester.address) == 0


async def test_a_draft_not_heard_back_of_finds_its_job(market: Any, bc_mlp: Any) -> None:
    model_id = await market.publish(bc_mlp)
    requester = await market.requester(1)
    posted = await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[0], TERMS)
    # As if the process had died after sending: the store knows the draft and no job.
    requester.store._db.execute("UPDATE jobs SET job_id = NULL")
    found = await requester.recover()
    assert [record.job_id for record in found] == [posted.job_id]
    assert await requester.recover() == []


async def test_what_was_refused_before_sending_leaves_no_draft(market: Any, bc_mlp: Any) -> None:
    model_id = await market.publish(bc_mlp)
    requester = await market.requester(1)
    with pytest.raises(ContractReverted, match="window"):
        await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[0], replace(TERMS, bid_window=31 * 86400))
    assert requester.store.records() == []


async def test_a_bundle_of_another_model_is_refused(market: Any, bc_mlp: Any, digits_mlp: Any) -> None:
    model_id = await market.publish(digits_mlp)
    requester = await market.requester(1)
    with pytest.raises(EvidenceMismatch, match="has the key"):
        await requester.submit(bc_mlp.bundle, model_id, bc_mlp.x[0], TERMS)


async def test_publishing_twice_is_once(market: Any, bc_mlp: Any) -> None:
    assert await market.publish(bc_mlp) == await market.publish(bc_mlp)


async def test_a_node_that_goes_away_for_a_moment_does_not_end_the_following(
    market: Any, digits_mlp: Any
) -> None:
    model_id = await market.publish(digits_mlp)
    requester = await market.requester(1)
    posted = await requester.submit(digits_mlp.bundle, model_id, digits_mlp.x[0], TERMS)
    await market.pass_time(TERMS.bid_window + 1)
    said: list[str] = []
    states, url = [], market.node.url

    def say(text: str) -> None:
        said.append(text)
        market.node.url = url  # it is back once it was missed: shorter outages are bridged without a word

    async for job in requester.follow(posted.job_id, interval=0.05, say=say):
        states.append(job.state)
        if len(states) == 1:
            market.node.url = "http://127.0.0.1:1"
    assert states == [JobState.OPEN, JobState.REFUNDED]
    assert "no usable answer" in said[0]
