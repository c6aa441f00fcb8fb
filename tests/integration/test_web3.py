"""`w3.assay` and the provider, sync and async, on the devnet."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from web3 import AsyncWeb3, Web3

from assay_node.chain import JobState, JobSubmitted
from assay_node.client import AwardPolicy, JobNotFound
from assay_node.web3 import AssayModule, AssayProvider, AsyncAssayModule

ETHER = 10**18


def modules(market: Any, w3: Any) -> Any:
    w3.assay.home, w3.assay.deployment = market.folder / "home", market.deployment_file
    return w3


async def end_bidding_of_the_first(market: Any) -> bytes:
    """Moves the clock once the job that somebody posts has a bid."""
    while True:
        for event in await market.chain.events():
            if isinstance(event, JobSubmitted):
                await market.end_bidding(event.job_id)
                return event.job_id
        await asyncio.sleep(0.2)


@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
async def test_an_answer_is_asked_for_and_verified(market: Any, bc_mlp: Any, sync: bool) -> None:
    model_id = await market.publish(bc_mlp)
    config = await market.worker_config(2, bc_mlp)
    options = {
        "max_price": ETHER // 50, "bid_window": 3600, "accept_window": 3600, "prove_window": 3600,
        "key": market.net.accounts[1], "policy": AwardPolicy(anybody=True), "allow_local": True,
    }  # fmt: skip
    if sync:
        provider: Any = Web3.HTTPProvider(market.net.url)
        w3: Any = modules(market, Web3(provider, external_modules={"assay": cast(Any, AssayModule)}))

        async def run(name: str, *arguments: Any, **named: Any) -> Any:
            return await asyncio.to_thread(getattr(w3.assay, name), *arguments, **named)
    else:
        provider = AssayProvider(market.net.url)
        w3 = modules(market, AsyncWeb3(provider, external_modules={"assay": cast(Any, AsyncAssayModule)}))

        async def run(name: str, *arguments: Any, **named: Any) -> Any:
            return await getattr(w3.assay, name)(*arguments, **named)

    assert [model.model_id for model in await run("models")] == [model_id]
    async with market.working(config):
        result, job_id = await asyncio.gather(
            run("ask", bc_mlp.bundle, model_id, bc_mlp.x[1], **options), end_bidding_of_the_first(market)
        )
    assert result.label == int(bc_mlp.y[1])
    assert (await run("job", "0x" + job_id.hex())).state is JobState.SETTLED
    verified = await run("verify", job_id)
    assert verified.evidence.job_id == job_id
    with pytest.raises(JobNotFound):
        await run("verify", bytes(32))
    if not sync:
        await w3.provider.disconnect()


async def test_web3_itself_works_over_the_provider(market: Any) -> None:
    w3: Any = AsyncWeb3(AssayProvider(market.net.url))
    account = market.net.accounts[0].address
    posts = w3.provider.node.traffic.posts
    block, balance, chain_id = await asyncio.gather(
        w3.eth.get_block("latest"), w3.eth.get_balance(account), w3.eth.chain_id
    )
    assert w3.provider.node.traffic.posts == posts + 1
    assert block["number"] == await market.node.block_number()
    assert balance == await market.node.balance(account)
    assert chain_id == 31337
    assert await w3.is_connected()
    vault = w3.eth.contract(address=market.chain.vault.address, abi=_abi("Vault"))
    assert await vault.functions.balanceOf(account).call() == 0
    await w3.provider.disconnect()


def _abi(name: str) -> Any:
    import json
    from importlib.resources import files

    return json.loads(files("assay_node").joinpath("abi", f"{name}.json").read_text())["abi"]
