"""Deploying: what is cut short goes on where it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay_node.chain import AnswerForged, Chain, DeploymentError, Outbox, Rpc, deploy_all, deploy_missing
from assay_node.chain.deploy import CONTRACTS
from assay_node.devnet import Devnet, DevnetConfig


class CutShort(Exception):
    """As when the process is killed."""


async def test_a_deployment_that_was_cut_short_goes_on_where_it_was(tmp_path: Path) -> None:
    def stop_at(contract: str) -> None:
        if contract == "Vault":
            raise CutShort

    async with Devnet(DevnetConfig(port=0)) as net, Rpc(net.url) as node:
        account, path = net.accounts[0], tmp_path / "outbox.sqlite"
        async with await Outbox.open(node, account, path) as outbox:
            with pytest.raises(CutShort):
                await deploy_all(outbox, progress=stop_at)
        assert await node.nonce(account.address) == 2
        async with await Outbox.open(node, account, path) as outbox:
            deployed = await deploy_all(outbox)
            assert await node.nonce(account.address) == len(CONTRACTS)  # no contract twice
            await Chain.connect(node, deployed.deployment)
            # One that is complete is another one the next time.
            again = await deploy_all(outbox)
        assert again.deployment.market != deployed.deployment.market
        assert await node.nonce(account.address) == 2 * len(CONTRACTS)


async def test_a_deployment_of_an_earlier_version_gets_what_it_lacks(tmp_path: Path) -> None:
    async with Devnet(DevnetConfig(port=0)) as net, Rpc(net.url) as node:
        account, path = net.accounts[0], tmp_path / "outbox.sqlite"
        async with await Outbox.open(node, account, path) as outbox:
            whole = (await deploy_all(outbox)).deployment
            earlier = whole.model_copy(update={"data": None, "certificates": None})
            chain = await Chain.connect(node, earlier)
            with pytest.raises(DeploymentError, match="no contract for data sets"):
                _ = chain.data
            with pytest.raises(DeploymentError, match="no contract for certificates"):
                _ = chain.certificates
            done = await deploy_missing(outbox, earlier)
            assert set(done.gas) == {"DataRegistry", "Certificates"}
            assert done.deployment.market == whole.market
            await Chain.connect(node, done.deployment)
            # Cut short between two contracts, or asked again: nothing is created twice.
            again = await deploy_missing(outbox, earlier)
            assert again.deployment == done.deployment
            assert (await deploy_missing(outbox, done.deployment)).gas == {}


async def test_records_of_another_deployment_are_found_out(tmp_path: Path) -> None:
    async with Devnet(DevnetConfig(port=0)) as net, Rpc(net.url) as node:
        async with await Outbox.open(node, net.accounts[0], tmp_path / "outbox.sqlite") as outbox:
            one, other = [(await deploy_all(outbox)).deployment for _ in range(2)]
        mixed = one.model_copy(update={"certificates": other.certificates})
        with pytest.raises(AnswerForged, match="points to other contracts than the Certificates"):
            await Chain.connect(node, mixed)
