"""How deep a block must lie before its events are acted on, and before they are forgotten, for each chain.

Acting early is a matter of cost (a re-org wastes a bid or an acceptance, and the follower's rewind undoes
it); forgetting early is a matter of money (a settled job that comes back unsettled must be settled again). So
there are two depths.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class FinalityPolicy(BaseModel):
    """Depths in blocks below the newest one.

    Attributes:
        confirmations: an event is seen once this many blocks follow its own.
        final_after: a transaction or an ended job is settled for good once this many blocks follow.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    confirmations: int = Field(ge=0, le=1000)
    final_after: int = Field(ge=0, le=1000)


_BY_CHAIN = {
    1: FinalityPolicy(confirmations=2, final_after=64),  # Ethereum: two epochs
    11155111: FinalityPolicy(confirmations=1, final_after=64),  # Sepolia
    17000: FinalityPolicy(confirmations=1, final_after=64),  # Holesky
    560048: FinalityPolicy(confirmations=1, final_after=64),  # Hoodi
    # Rollups: a sequencer's re-org is rare; depth until the batch is posted is minutes of 2 s or 0.25 s
    # blocks.
    10: FinalityPolicy(confirmations=1, final_after=300),  # OP Mainnet
    8453: FinalityPolicy(confirmations=1, final_after=300),  # Base
    84532: FinalityPolicy(confirmations=1, final_after=300),  # Base Sepolia
    42161: FinalityPolicy(confirmations=4, final_after=1000),  # Arbitrum One
    137: FinalityPolicy(confirmations=8, final_after=256),  # Polygon PoS
    100: FinalityPolicy(confirmations=2, final_after=64),  # Gnosis
    31337: FinalityPolicy(confirmations=0, final_after=1),  # anvil, hardhat, the devnet
    1337: FinalityPolicy(confirmations=0, final_after=1),
}
_DEFAULT = FinalityPolicy(confirmations=3, final_after=128)


def finality_of(chain_id: int) -> FinalityPolicy:
    """The policy of a chain; a cautious one for a chain that is not known here."""
    return _BY_CHAIN.get(chain_id, _DEFAULT)
