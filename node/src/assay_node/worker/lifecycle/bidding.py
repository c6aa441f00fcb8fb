"""What to bid on an open job."""

from __future__ import annotations

from .events import JobView
from .progress import BiddingPolicy, JobProgress, gave_up

BID_STEP_DIVISOR = 100
"""The market's: a bid beats the leading one by 1 % of it, rounded up."""


def next_bid(progress: JobProgress, view: JobView, policy: BiddingPolicy) -> int | None:
    """The price to bid now, or None: between floor and ask, below the leader by the market's step.

    Where the lead can't be taken, one bid stands beside it if the requester is to choose, or if the leader is
    not to be relied upon: its price does not even pay the gas, or an award of this job came to nothing
    already. The requester may choose any bid.
    """
    if progress.ask is None or progress.quote_round != view.round or progress.bids >= policy.max_bids:
        return None
    if gave_up(progress, view):
        return None
    price = min(progress.ask, view.max_price)
    if int(view.worker, 16) != 0:
        highest = view.price - (view.price + BID_STEP_DIVISOR - 1) // BID_STEP_DIVISOR
        if view.price == 0 or highest < progress.floor:
            beside = view.requester_awards or view.price < progress.gas_cost or view.round > 0
            return price if beside and view.own_bid is None and price >= progress.floor else None
        price = min(
            price, max(progress.floor, min(highest, view.price * (100 - policy.undercut_percent) // 100))
        )
    return price if price >= progress.floor else None
