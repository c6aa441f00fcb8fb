"""Jobs that a re-org drops are posted again, and several postings at once add up."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from assay_node.chain import JobState, Receipt
from assay_node.client import EvidenceMismatch, JobNotFound, JobTerms
from assay_node.client.history import submissions_by

ETHER = 10**18
TERMS = JobTerms(max_price=ETHER // 50, bid_window=3600, accept_window=3600, prove_window=3600)


@pytest.mark.parametrize("above", [0, 4], ids=["at the head", "below what counts as final"])
async def test_a_job_that_a_reorg_dropped_is_posted_again_and_followed_to_its_end(
    market: Any, digits_mlp: Any, monkeypatch: pytest.MonkeyPatch, above: int
) -> None:
    monkeypatch.setattr("assay_node.client.following.HOUSEKEEPING", 0.05)
    model_id = await market.publish(digits_mlp)
    requester = await market.requester(1)
    posted = await requester.submit(digits_mlp.bundle, model_id, digits_mlp.x[0], TERMS)
    for _ in range(above):
        await market.net.rpc("evm_mine")
        await requester.outbox.step()
    states: list[JobState] = []

    async def follow() -> None:
        async for job in requester.follow(posted.job_id, interval=0.05):
            states.append(job.state)  # noqa: PERF401 - looked at while it grows

    following = asyncio.create_task(follow())
    while not states:
        await asyncio.sleep(0.01)
    await market.net.rpc("assay_reorg", hex(above + 1), {"transactions": "drop"})
    async with asyncio.timeout(60):
        while (await market.chain.market.job_of(posted.job_id)).state is JobState.NONE:
            await asyncio.sleep(0.02)
    async with market.working(await market.worker_config(2, digits_mlp)):
        while int((await market.chain.market.job_of(posted.job_id)).worker, 16) == 0:
            await asyncio.sleep(0.02)
        await market.pass_time(TERMS.bid_window + 10)
        await following
    assert states[-1] is JobState.SETTLED
    found = await requester.result(posted.job_id, digits_mlp.bundle)
    assert found.recomputed


async def test_a_job_that_comes_back_under_another_id_answers_to_both(
    market: Any, digits_mlp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction before it is not mined again: the market counts the account's jobs anew."""
    monkeypatch.setattr("assay_node.client.following.HOUSEKEEPING", 0.05)
    model_id = await market.publish(digits_mlp)
    requester = await market.requester(1)
    first = await requester.submit(digits_mlp.bundle, model_id, digits_mlp.x[0], TERMS)
    second = await requester.submit(digits_mlp.bundle, model_id, digits_mlp.x[1], TERMS)
    record = requester.store.by_job(second.job_id)
    other = bytes([1]) * 32
    requester.store.set_job_id(record.draft_id, other)  # as `_adopt` does when the receipt names another id
    assert requester.store.by_job(second.job_id) == requester.store.by_job(other)
    assert requester.store.by_job(first.job_id).draft_id == first.draft_id
    found = await requester.poster.recover()
    assert found == []
    assert requester.store.by_job(other).job_id == second.job_id  # the receipt has the last word


async def test_postings_at_once_with_one_ceiling_in_the_vault_all_succeed(
    market: Any, digits_mlp: Any
) -> None:
    model_id = await market.publish(digits_mlp)
    requester = await market.requester(1)
    vault = market.chain.vault
    await requester.outbox.send("deposit", vault.deposit(requester.address, TERMS.max_price))
    posted = await asyncio.gather(
        *(requester.submit(digits_mlp.bundle, model_id, digits_mlp.x[i], TERMS) for i in range(5))
    )
    assert len({job.job_id for job in posted}) == 5
    assert all(job.receipt.succeeded for job in posted)
    # Nothing more was sent along than was missing: one ceiling came from the vault.
    assert await vault.balance_of(requester.address) == 0
    assert await vault.held_by(market.chain.deployment.market) == 5 * TERMS.max_price


async def test_a_job_whose_receipt_a_node_falsifies_is_not_posted_twice(market: Any, digits_mlp: Any) -> None:
    """Two jobs would be proven and paid for one question."""
    model_id = await market.publish(digits_mlp)
    requester = await market.requester(1)
    node = requester.outbox.node
    honest = node.receipt

    async def falsified(tx_hash: bytes) -> Receipt | None:
        receipt = await honest(tx_hash)
        return None if receipt is None else replace(receipt, succeeded=False, logs=())

    node.receipt = falsified
    with pytest.raises(EvidenceMismatch, match="is not posted again"):
        await requester.submit(digits_mlp.bundle, model_id, digits_mlp.x[0], TERMS)
    assert len(await submissions_by(market.chain, requester.address)) == 1
    node.receipt = honest
    (found,) = await requester.recover()
    assert found.job_id is not None
    assert (await market.chain.market.job_of(found.job_id)).state is JobState.OPEN


async def test_jobs_that_are_posted_and_followed_at_once_share_their_requests(
    market: Any, digits_mlp: Any
) -> None:
    """Five cost hardly more HTTP requests than one, and all of them are there."""
    model_id = await market.publish(digits_mlp)
    requester = await market.requester(1)
    traffic = requester.chain.node.traffic

    async def post(row: int) -> bytes:
        return bytes((await requester.submit(digits_mlp.bundle, model_id, digits_mlp.x[row], TERMS)).job_id)

    async def follow(job_id: bytes) -> None:
        async for _ in requester.follow(job_id, interval=0.1):
            pass

    before = traffic.posts
    first = await post(0)
    alone, before = traffic.posts - before, traffic.posts
    jobs = await asyncio.gather(*(post(row) for row in range(5)))
    assert len({first, *jobs}) == 6
    assert traffic.posts - before <= 3 * alone
    posts, calls = traffic.posts, traffic.calls
    following = [asyncio.create_task(follow(job_id)) for job_id in jobs]
    await asyncio.sleep(1.0)
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    assert traffic.calls - calls >= 5 * (traffic.posts - posts)


async def test_a_job_of_long_ago_that_a_node_denies_is_not_posted_again(market: Any, digits_mlp: Any) -> None:
    """Its transaction is not kept any more, so that nothing would tell a second one from the first."""
    model_id = await market.publish(digits_mlp)
    requester = await market.requester(1)
    posted = await requester.submit(digits_mlp.bundle, model_id, digits_mlp.x[0], TERMS)
    database = requester.outbox._store.database
    with database.transaction():  # as thirty days do
        database.execute("DELETE FROM attempts")
        database.execute("DELETE FROM intents")

    async def denied(job_id: bytes) -> None:
        raise JobNotFound(f"the market has no job 0x{job_id.hex()}")

    requester.job = denied
    with pytest.raises(JobNotFound, match="settled for good long ago"):
        async for _ in requester.follow(posted.job_id, interval=0.05):
            pass
    assert len(await submissions_by(market.chain, requester.address)) == 1


@pytest.mark.parametrize("block", ["there", "unknown", "never seen"])
async def test_a_job_that_a_node_denies_with_receipt_and_log_is_not_posted_while_its_block_is_there(
    market: Any, digits_mlp: Any, monkeypatch: pytest.MonkeyPatch, block: str
) -> None:
    """Job, receipt, log and nonce are denied together, so that the transaction counts as lost."""
    model_id = await market.publish(digits_mlp)
    requester = await market.requester(1)
    posted = await requester.submit(digits_mlp.bundle, model_id, digits_mlp.x[0], TERMS)
    record = requester.store.by_job(posted.job_id)
    store, node = requester.outbox._store, requester.outbox.node
    intent = store.latest(f"job/{record.draft_id.hex()}")
    assert intent.success_number == posted.receipt.block_number
    store.set_pending(intent, 0)
    store.set_lost(intent)
    if block == "never seen":
        store.database.execute("UPDATE intents SET success_number = NULL, success_hash = NULL")

    async def nothing_posted(*_: Any) -> list[Any]:
        return []

    async def denied(job_id: bytes) -> None:
        raise JobNotFound(f"the market has no job 0x{job_id.hex()}")

    honest = node.header

    async def header(number: Any) -> Any:
        return None if block == "unknown" and number == intent.success_number else await honest(number)

    with monkeypatch.context() as lies:
        lies.setattr("assay_node.client.posting.submissions_by", nothing_posted)
        lies.setattr(node, "header", header)
        lies.setattr(requester, "job", denied)
        with pytest.raises(EvidenceMismatch, match="does not show that the chain has lost"):
            await requester.poster.post_again(record)
        said: list[str] = []

        async def follow() -> None:
            async for _ in requester.follow(posted.job_id, interval=0.05, say=said.append):
                pass

        following = asyncio.create_task(follow())  # which waits, and says so
        async with asyncio.timeout(30):
            while not any("is not posted again" in line for line in said):
                await asyncio.sleep(0.02)
        assert not following.done()
        following.cancel()
    with pytest.raises(EvidenceMismatch, match="serves the log"):
        await requester.poster.post_again(record)
    assert await market.chain.market.nonce_of(requester.address) == 1


async def test_a_lost_posting_whose_block_the_chain_has_lost_is_signed_anew(
    market: Any, digits_mlp: Any
) -> None:
    model_id = await market.publish(digits_mlp)
    requester = await market.requester(1)
    posted = await requester.submit(digits_mlp.bundle, model_id, digits_mlp.x[0], TERMS)
    record = requester.store.by_job(posted.job_id)
    store = requester.outbox._store
    intent = store.latest(f"job/{record.draft_id.hex()}")
    await market.net.rpc("assay_reorg", "0x1", {"transactions": "drop"})
    store.set_pending(intent, 0)
    store.set_lost(intent)
    while (found := await requester.poster.post_again(record)) is None:
        await asyncio.sleep(0.02)
    assert (await market.chain.market.job_of(found)).state is JobState.OPEN
    assert await market.chain.market.nonce_of(requester.address) == 1
