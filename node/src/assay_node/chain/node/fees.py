"""EIP-1559 fees: what to offer, what to offer when stuck, and never more than the cap."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from ..errors import FeesTooHigh
from .types import Node

GWEI = 10**9


@dataclass(frozen=True, slots=True)
class Fees:
    """An offer, in wei per gas."""

    max_fee: int
    tip: int


class FeePolicy(BaseModel):
    """What an operator is ready to pay for gas.

    Attributes:
        max_fee_cap: upper bound of maxFeePerGas, wei; replacements included.
        tip_cap: upper bound of maxPriorityFeePerGas, wei.
        tip_floor: lower bound of the tip, wei; 1 by default so that it is never 0 (some pools drop those).
        base_fee_headroom: maxFeePerGas is this many base fees plus the tip. Base fees rise by at most 1/8 a
            block, so 2 outlives five full blocks.
        bump_percent: how much a replacement adds; pools ask for 10.
        history_blocks: blocks looked back on for the tip.
        percentile: of the tips paid in each of those blocks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_fee_cap: int = Field(default=200 * GWEI, gt=0)
    tip_cap: int = Field(default=20 * GWEI, ge=0)
    tip_floor: int = Field(default=1, ge=0)
    base_fee_headroom: float = Field(default=2.0, ge=1.0, le=10.0)
    bump_percent: int = Field(default=13, ge=10, le=100)
    history_blocks: int = Field(default=10, ge=1, le=100)
    percentile: float = Field(default=50.0, ge=0.0, le=100.0)

    async def market(self, node: Node) -> tuple[int, list[int]]:
        """The next block's base fee, and the tips paid lately; wei per gas."""
        base_fees, tips = await node.fee_history(self.history_blocks, self.percentile)
        return base_fees[-1], tips

    def offer(self, base_fee: int, tips: list[int], cap: int | None = None) -> Fees:
        """The offer for a base fee and the tips seen lately, the median of those that are not 0.

        Args:
            base_fee: of the next block, wei per gas.
            tips: paid in the blocks before, wei per gas.
            cap: instead of `max_fee_cap`, wei per gas.

        Raises:
            FeesTooHigh: the base fee alone is above the cap.
        """
        cap = self.max_fee_cap if cap is None else cap
        if base_fee > cap:
            raise FeesTooHigh(
                f"the base fee is {base_fee / GWEI:.3g} gwei, above the cap of {cap / GWEI:.3g}",
                "Wait, or raise the cap",
            )
        paid = sorted(tip for tip in tips if tip > 0)
        tip = paid[len(paid) // 2] if paid else 0
        tip = max(self.tip_floor, min(tip, self.tip_cap))
        max_fee = min(cap, int(base_fee * self.base_fee_headroom) + tip)
        return Fees(max_fee, min(tip, max_fee))

    def replacement(self, previous: Fees, market: Fees, cap: int | None = None) -> Fees | None:
        """An offer that replaces `previous` in the pool, the market's at least; None above the cap."""
        max_fee = max(market.max_fee, _bump(previous.max_fee, self.bump_percent))
        tip = max(market.tip, _bump(previous.tip, self.bump_percent))
        # The tip's cap yields to the pool's rule (both fields must rise), the overall cap never does.
        if max_fee > (self.max_fee_cap if cap is None else cap) or tip > max_fee:
            return None
        return Fees(max_fee, tip)


def _bump(value: int, percent: int) -> int:
    return value + (value * percent + 99) // 100 + 1
