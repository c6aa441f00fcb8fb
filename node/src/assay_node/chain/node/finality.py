"""How deep a block must lie before its events are acted on, and before they are forgotten, for each chain.

Acting early is a matter of cost (a re-org wastes a bid or an acceptance, and the follower's rewind undoes
it); forgetting early is a matter of money (a settled job that comes back unsettled must be settled again). So
there are two depths.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ..errors import RpcError
from .types import Header, Node


class FinalityPolicy(BaseModel):
    """Depths in blocks below the newest one.

    Attributes:
        confirmations: an event is seen once this many blocks follow its own.
        final_after: a transaction or an ended job is settled for good once this many blocks follow.
        tag: the block that the node itself calls final, for `final_after` where the chain has one: "safe",
            "finalized", or "" to count blocks. A node that does not know the tag is counted by blocks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    confirmations: int = Field(ge=0, le=1000)
    final_after: int = Field(ge=0, le=1000)
    tag: Literal["", "safe", "finalized"] = ""


_BY_CHAIN = {
    1: FinalityPolicy(confirmations=2, final_after=64, tag="finalized"),  # Ethereum: two epochs
    11155111: FinalityPolicy(confirmations=1, final_after=64, tag="finalized"),  # Sepolia
    17000: FinalityPolicy(confirmations=1, final_after=64, tag="finalized"),  # Holesky
    560048: FinalityPolicy(confirmations=1, final_after=64, tag="finalized"),  # Hoodi
    # Rollups: a sequencer's re-org is rare; depth until the batch is posted is minutes of 2 s or 0.25 s
    # blocks.
    10: FinalityPolicy(confirmations=1, final_after=300, tag="safe"),  # OP Mainnet
    8453: FinalityPolicy(confirmations=1, final_after=300, tag="safe"),  # Base
    84532: FinalityPolicy(confirmations=1, final_after=300, tag="safe"),  # Base Sepolia
    42161: FinalityPolicy(confirmations=4, final_after=1000, tag="safe"),  # Arbitrum One
    137: FinalityPolicy(confirmations=8, final_after=256),  # Polygon PoS
    100: FinalityPolicy(confirmations=2, final_after=64, tag="finalized"),  # Gnosis
    31337: FinalityPolicy(confirmations=0, final_after=1),  # anvil, hardhat, the devnet
    1337: FinalityPolicy(confirmations=0, final_after=1),
}
_DEFAULT = FinalityPolicy(confirmations=3, final_after=128)


def finality_of(chain_id: int) -> FinalityPolicy:
    """The policy of a chain; a cautious one for a chain that is not known here."""
    return _BY_CHAIN.get(chain_id, _DEFAULT)


async def final_number(node: Node, policy: FinalityPolicy, newest: Header) -> int:
    """Number of the newest block that is settled for good; -1 if none is.

    Args:
        node: asked for the tagged block, if the policy has a tag.
        policy: of the chain.
        newest: the newest block.

    Raises:
        NodeUnavailable: no answer.
    """
    by_depth = newest.number - policy.final_after
    if not policy.tag:
        return by_depth
    try:
        final = await node.header(policy.tag)
    except RpcError:
        return by_depth  # "safe block not found", "unknown tag"
    return by_depth if final is None else min(final.number, newest.number)
