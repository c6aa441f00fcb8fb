"""What is a chain of one's own, where whoever bids may win a private input: none that everybody shares."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest

from assay_node.chain import Deployment
from assay_node.session import is_own_chain

LOCAL, REMOTE = "http://127.0.0.1:8545", "https://rpc.example"
WHERE = "0x" + "77" * 20


def node(chain_id: int, client: str, url: str) -> Any:
    return SimpleNamespace(
        urls=(url,), chain_id=AsyncMock(return_value=chain_id), client_version=AsyncMock(return_value=client)
    )


@pytest.mark.parametrize(
    ("chain_id", "client", "url", "marked", "own"),
    [
        (31337, "anvil/v1.3.1", LOCAL, False, True),
        (4242, "assay-devnet/1", LOCAL, False, True),
        (4242, "Geth/v1.15", LOCAL, True, True),
        (4242, "Geth/v1.15", REMOTE, True, True),
        (4242, "anvil/v1.3.1", REMOTE, False, False),
        # A deployment file of a stranger's, a tunnel to a node that lies, a light client that repeats it:
        (1, "anvil/v1.3.1", LOCAL, False, False),
        (8453, "hardhat/2", LOCAL, True, False),
        (1, "Geth/v1.15", REMOTE, True, False),
    ],
)
async def test_a_shared_chain_is_nobodys_own_whatever_file_or_node_say(
    chain_id: int, client: str, url: str, marked: bool, own: bool
) -> None:
    deployment = Deployment(
        chain_id=chain_id,
        block=1,
        verifier=WHERE,
        models=WHERE,
        vault=WHERE,
        workers=WHERE,
        market=WHERE,
        local=marked,
    )
    assert await is_own_chain(node(chain_id, client, url), deployment) is own
