"""What a worker tells a job's requester of why it stayed out, or gave the award back.

Its log and its database have the whole reason, with its floor, its purse and its files' paths. A requester is
told what it can act upon, and nothing of that: a worker's lowest price is not for those it bargains with.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...amounts import ether, rounded
from ...signed_reason import Reason
from ..lifecycle.instructions import Action
from ..lifecycle.progress import PROOF_ATTEMPTS, InputState, JobProgress
from ..pricing.quote import Price

if TYPE_CHECKING:
    from ..jobs import JobManager

SIGNED_AT_ONCE = 2
"""Reasons that are signed at once; each is signed the first time that somebody asks for it."""


def reason_of_price(price: Price) -> str:
    """Why a job was not bid on, for its requester.

    Args:
        price: a decision to stay out.

    Returns:
        A sentence without full stop that names neither the worker's floor nor its balances.
    """
    details = price.details
    match price.why:
        case "over":
            return "its bidding window was over when this worker saw it"
        case "price":
            ask, ceiling = details["ask"], details["max_price"]
            return f"it asks {rounded(ask)} for such a job, and the ceiling is {ether(ceiling)}"
        case "stake":
            needed = max(details["collateral"], details["min_stake"])
            return f"it has less than {ether(needed)} of free stake, which has to back the job"
        case "funds":
            return "its account has too little for gas at the moment"
        case "gas":
            return f"gas at {rounded(details['gas_price'])} is dearer than it pays"
        case "proving":
            return "it cannot prove this model at the moment"
        case "model":
            return "it does not serve this model any more"
        case _:  # windows, times and the job's own words: nothing of the worker's in them
            return price.reason.removeprefix("declined: ")


def reason_of_decline(progress: JobProgress) -> str:
    """Why an award is given back, for the job's requester: a sentence without full stop.

    Args:
        progress: of the job, as its `decline` is sent.
    """
    if progress.unservable:
        return "award given back: the job's input does not fit the model as this worker has it"
    if progress.proof_failures >= PROOF_ATTEMPTS:
        return f"award given back: {PROOF_ATTEMPTS} proofs of it failed here"
    if progress.input is InputState.MISSING:
        return "award given back: no input of the job was delivered in time"
    if progress.input is InputState.STORED:
        return "award given back: the delivered input could not be checked in time"
    if progress.last_refused == Action.PROVE:
        return "award given back: settling it would have cost more gas than it brings"
    return "award given back: there was no proof in time, and no collateral may be at risk before it"


class Reasons:
    """The reasons that a worker serves.

    Args:
        manager: whose jobs these are.
    """

    def __init__(self, manager: JobManager) -> None:
        self._manager = manager
        self._signing = asyncio.Semaphore(SIGNED_AT_ONCE)

    async def of(self, job_id: bytes) -> Mapping[str, Any] | None:
        """The signed reason for a job, as JSON; None if there is none to give."""
        manager = self._manager
        async with self._signing:
            found = manager.store.reason_of(job_id)
            if found is None:
                return None
            moment, reason, signature = found
            account = manager.outbox.account
            if signature is not None:
                return Reason(str(account.address), moment, reason, signature).to_json()
            deployment = manager.chain.deployment
            signed = await asyncio.to_thread(
                Reason.sign,
                account,
                chain_id=deployment.chain_id,
                market=deployment.market,
                job_id=job_id,
                moment=moment,
                reason=reason,
            )
            manager.store.sign_reason(job_id, moment, signed.reason, signed.signature)
            return signed.to_json()

    def tell(self, job_id: bytes, reason: str) -> None:
        """Gives a reason from now on; "" for none."""
        self._manager.store.tell(job_id, int(time.time()), reason)
