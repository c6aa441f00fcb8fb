"""What a requester offers, and what stands behind it where it does not say."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..chain import ZERO_ADDRESS

COLLATERAL_PER_PRICE = 1
"""Collateral of a job by default, in ceilings: who accepts and never proves pays what the job offered."""
STAKE_PER_PRICE = 2
"""Stake that backs a job by default, in ceilings: reserved while a worker leads or holds the job."""
PUBLIC_ROUNDS = 3
"""Bidding rounds of a job with a public input: whoever wins, there is nothing to be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTerms:
    """What a requester offers. Amounts in wei, windows in seconds; see `JobRequest`.

    Attributes:
        max_price: the ceiling, held until the job ends.
        min_stake: stake that backs the job; None for twice the ceiling.
        collateral: what a worker that accepts and never proves loses to the requester; None for the ceiling.
        bid_window, accept_window, prove_window: see `JobRequest`.
        callback, callback_gas: see `JobRequest`.
        rounds: bidding rounds, 1 to 3, and with a private input the most workers that are ever sent it; None
            for 1 with a private input and 3 with a public one.
    """

    max_price: int
    min_stake: int | None = None
    collateral: int | None = None
    bid_window: int = 60
    accept_window: int = 300
    prove_window: int = 3600
    callback: str = ZERO_ADDRESS
    callback_gas: int = 0
    rounds: int | None = None

    def complete(self, *, private: bool) -> JobTerms:
        """These terms with every default filled in.

        Example:
            >>> JobTerms(max_price=100).complete(private=True).rounds
            1
        """
        return replace(
            self,
            min_stake=STAKE_PER_PRICE * self.max_price if self.min_stake is None else self.min_stake,
            collateral=COLLATERAL_PER_PRICE * self.max_price if self.collateral is None else self.collateral,
            rounds=(1 if private else PUBLIC_ROUNDS) if self.rounds is None else self.rounds,
        )
