"""A worker's stake: what it may be awarded jobs against, and can lose."""

from __future__ import annotations

import os

from ..chain import Chain, Outbox, Receipt


async def add_stake(chain: Chain, outbox: Outbox, amount: int) -> Receipt:
    """Add ``amount`` wei to the stake: from the vault balance if it has all of that, else the account."""
    free = await chain.vault.balance_of(outbox.account.address)
    workers = chain.workers
    call = workers.add_stake_from_balance(amount) if free >= amount else workers.add_stake(amount)
    return await outbox.send(f"stake/{os.urandom(8).hex()}", call)


async def remove_stake(chain: Chain, outbox: Outbox, amount: int) -> Receipt:
    """Move ``amount`` wei of the free stake to the vault balance; what is collateral cannot be moved."""
    return await outbox.send(f"unstake/{os.urandom(8).hex()}", chain.workers.remove_stake(amount))
