"""A worker's stake: what backs its bids and jobs, and what it can lose."""

from __future__ import annotations

import os

from ..chain import Chain, Outbox, Receipt


async def add_stake(chain: Chain, outbox: Outbox, amount: int) -> Receipt:
    """Add ``amount`` wei to the stake: from the vault balance if it has all of that, else the account."""
    free = await chain.vault.balance_of(outbox.account.address)
    workers = chain.workers
    call = workers.add_stake_from_balance(amount) if free >= amount else workers.add_stake(amount)
    return await outbox.send(f"stake/{os.urandom(8).hex()}", call)


async def request_unstake(chain: Chain, outbox: Outbox, amount: int) -> Receipt:
    """Give notice that ``amount`` wei of the free stake leave: a day later `withdraw_stake` moves them.

    They back nothing from now on. What was leaving already waits another day with them.
    """
    return await outbox.send(f"unstake/{os.urandom(8).hex()}", chain.workers.request_unstake(amount))


async def withdraw_stake(chain: Chain, outbox: Outbox) -> Receipt:
    """Move the stake that notice was given of to the vault balance, once its day is over."""
    return await outbox.send(f"withdraw-stake/{os.urandom(8).hex()}", chain.workers.withdraw_stake())
