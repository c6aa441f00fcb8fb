"""From options, trusted workers and the chain to who may win a private input; and saying so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from .... import client
from ....client.errors import NobodyMayWin, StoreError
from ....session import trust_path
from ...console import ether, note
from ...session import Session

SUGGESTED = 3
"""Workers that are named where nobody may win."""


def trust_book(home: Path) -> client.TrustBook:
    """The workers that this home's owner trusts."""
    return client.TrustBook(trust_path(home))


def address_of(worker: str, home: Path) -> str:
    """A worker's address, given as an address or by the name it is trusted under."""
    from eth_utils.address import is_address

    if is_address(worker):
        return worker
    try:
        return trust_book(home).address_of(worker)
    except StoreError as error:
        raise StoreError(
            f"{worker} is neither an address nor the name of a trusted worker",
            f"Trust it by name: assay trust add ADDRESS --name {worker}",
        ) from error


async def policy_of(
    session: Session,
    *,
    workers: Sequence[str],
    min_stake: int | None,
    min_settled: int | None,
    max_missed: int | None,
    pick: Literal["best", "first"],
    max_price: int,
) -> client.AwardPolicy:
    """Who may win. Raises NobodyMayWin, with what to type, if the answer is nobody."""
    named = [address_of(worker, session.home) for worker in workers]
    if not named:
        named = list(trust_book(session.home).workers)
    asked = min_settled is not None or max_missed is not None or (min_stake is not None and not named)
    strangers = None
    if asked:
        strangers = client.RecordRule(
            min_stake=client.STRANGERS_STAKE_PER_PRICE * max_price if min_stake is None else min_stake,
            min_settled=client.DEFAULT_SETTLED if min_settled is None else min_settled,
            max_missed=max_missed,
        )
    alone = not named and strangers is None
    policy = client.AwardPolicy(
        workers=frozenset(worker.lower() for worker in named),
        strangers=strangers,
        anybody=alone and session.development,
        pick=pick,
    )
    if not policy.admits_anyone:
        raise NobodyMayWin(
            "the input is private, whoever wins the job sees it, and no worker is named who may win",
            "Name one for this job with --worker ADDRESS, or for all jobs with: assay trust add ADDRESS; or "
            "let any worker with a stake and a record win: --min-settled "
            f"{client.DEFAULT_SETTLED} --min-stake {client.STRANGERS_STAKE_PER_PRICE * max_price}wei. "
            + await _suggestions(session),
        )
    return policy


def announce(policy: client.AwardPolicy, rounds: int | None) -> None:
    """Say who may see the input, and warn where that is more than the workers that were named."""
    if policy.anybody:
        note(
            "This is a chain of your own: whoever bids may win, and is sent the input. Elsewhere you say who."
        )
    elif policy.strangers is not None:
        note(
            f"{policy.describe()} may win, and is sent the input. "
            "Stake and record are no promise not to look.",
            label="warning:",
        )
    if rounds is not None and rounds > 1:
        note(f"up to {rounds} workers, one after another, may be sent the input.", label="warning:")


async def _suggestions(session: Session) -> str:
    found = [w for w in await client.list_workers(session.chain) if w.record.stake > 0][:SUGGESTED]
    if not found:
        return "No worker on this chain has a stake"
    shown = "; ".join(
        f"{w.address} ({ether(w.record.stake)} at stake, {w.record.completed} settled, "
        f"{w.record.missed + w.record.failed} not kept)"
        for w in found
    )
    return f"Workers here with a stake: {shown}"
