"""What is a chain of one's own, where whoever bids may win a private input: none that everybody shares."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest

from assay_node.chain import Deployment
from assay_node.session import is_in_home, is_own_chain

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
    assert await is_own_chain(node(chain_id, client, url), deployment, in_home=True) is own


@pytest.mark.parametrize("chain_id", [56, 324, 4242])
async def test_the_mark_of_a_deployment_file_from_elsewhere_is_not_believed(
    chain_id: int, tmp_path: Path
) -> None:
    """A stranger's file for a public chain that the list of those lacks."""
    deployment = Deployment(
        chain_id=chain_id,
        block=1,
        verifier=WHERE,
        models=WHERE,
        vault=WHERE,
        workers=WHERE,
        market=WHERE,
        local=True,
    )
    asked = node(chain_id, "Geth/v1.15", REMOTE)
    home = tmp_path / "home"
    for file, own in (
        (home / "deployments" / "1.json", True),
        (tmp_path / "deployments" / "1.json", False),
        (home / "deployments" / ".." / "1.json", False),
    ):
        assert await is_own_chain(asked, deployment, in_home=is_in_home(file, home)) is own
