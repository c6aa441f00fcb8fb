"""How deep a block must lie before its events are acted on, and before they are forgotten, for each chain.

Acting early is a matter of cost (a re-org wastes a bid or an acceptance, and the follower's rewind undoes
it); forgetting early is a matter of money (a settled job that comes back unsettled must be settled again). So
there are two depths.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ..errors import RpcError
from ..waiting import Waiting
from .types import Header, Node


class FinalityPolicy(BaseModel):
    """Depths in blocks below the newest one.

    Attributes:
        confirmations: an event is seen once this many blocks follow its own.
        final_after: a transaction or an ended job is settled for good once this many blocks follow.
        tag: the block that the node itself calls final, where the chain has one: "safe", "finalized", or ""
            to count blocks alone. What is settled for good lies below both.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    confirmations: int = Field(ge=0, le=1000)
    final_after: int = Field(ge=0, le=1000)
    tag: Literal["", "safe", "finalized"] = ""


ON_DEMAND = FinalityPolicy(confirmations=0, final_after=1)
"""Of chains that mine when there is a transaction: the next block may never come, so none is waited for.
Should somebody rewind such a chain by more, the outbox notices, and sends again."""
_ON_DEMAND_CLIENTS = ("anvil", "hardhat", "ganache", "assay-devnet")
QUIET = 45.0
"""Seconds without a new block after which confirmations are not waited for: on a chain that mines on demand
the next block comes with the next transaction, which may be the one that waits."""

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
    31337: ON_DEMAND,  # anvil, hardhat, the devnet
    1337: ON_DEMAND,
}
_DEFAULT = FinalityPolicy(confirmations=3, final_after=128)


def is_public(chain_id: int) -> bool:
    """Whether a chain is one of those that everybody shares, whatever a node or a file says of it."""
    return chain_id in _BY_CHAIN and _BY_CHAIN[chain_id] is not ON_DEMAND


def finality_of(chain_id: int) -> FinalityPolicy:
    """The policy of a chain; a cautious one for a chain that is not known here."""
    return _BY_CHAIN.get(chain_id, _DEFAULT)


async def finality_at(node: Node, chain_id: int) -> FinalityPolicy:
    """The policy of a chain, known by its id; one of an unknown id is asked whether it mines on demand.

    Raises:
        NodeUnavailable: no answer.
    """
    if chain_id in _BY_CHAIN:
        return _BY_CHAIN[chain_id]
    client = (await node.client_version()).lower()
    return ON_DEMAND if client.startswith(_ON_DEMAND_CLIENTS) else _DEFAULT


class Confirmations:
    """How many blocks must follow an event's own before it is acted on, as far as blocks come at all.

    Args:
        policy: of the chain.
        clock: seconds; monotonic.
    """

    def __init__(self, policy: FinalityPolicy, clock: Callable[[], float] = time.monotonic) -> None:
        self._policy = policy
        self._clock = clock
        self._hash = b""
        self._since = clock()
        self._waiting = self._wait()

    def _wait(self) -> Waiting:
        return Waiting(f"{self._policy.confirmations} blocks to follow", self._clock)

    def see(self, newest: Header) -> int:
        """The number of blocks, now that this is the newest: 0 if there was none for `QUIET` seconds."""
        now = self._clock()
        if newest.hash != self._hash:
            self._hash, self._since, self._waiting = newest.hash, now, self._wait()
        if not self._policy.confirmations or now - self._since >= QUIET:
            return 0
        self._waiting.still(f"block {newest.number} is the newest")
        return self._policy.confirmations


async def final_number(node: Node, policy: FinalityPolicy, newest: Header) -> int:
    """Number of the newest block that is settled for good; below 0 if none is.

    With a tag it is the lower one of the tagged block and that by depth: a node alone could call its newest
    block final, or one to come. It can also call nothing final; then nothing is forgotten until it does.

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
    return by_depth if final is None else min(final.number, by_depth)
