"""Deploying: what is cut short goes on where it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay_node.chain import Chain, Outbox, Rpc, deploy_all
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
            assert await node.nonce(account.address) == 5  # three more, and no contract twice
            await Chain.connect(node, deployed.deployment)
            # One that is complete is another one the next time.
            again = await deploy_all(outbox)
        assert again.deployment.market != deployed.deployment.market
        assert await node.nonce(account.address) == 10
