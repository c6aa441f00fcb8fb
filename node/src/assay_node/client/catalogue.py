"""What a market has to offer, read from its logs: models, workers, and what jobs were settled for lately.

All of it is the node's word. What matters of it is checked where it is used: a model's id against its key, a
worker's endpoint against its signature.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from ..chain import Chain, JobSettled, Model, ModelRegistered, WorkerRecord, WorkerRegistered
from ..chain.contracts.gas import CALLDATA_BYTE, JOB_CALLS, SETTLEMENT, TRANSACTION, verify_gas
from .bids import records_of
from .history import events_of

MOST_WORKERS = 500
"""Workers that are looked at: those that settled jobs lately, then the first to register."""
LATELY = 20
"""Settled jobs that prices are taken from, the newest first."""
WORKERS_MARGIN_PERCENT = 50
"""Added to a worker's gas in a suggested price: its proving, its margin, and gas that grows dearer."""


@dataclass(frozen=True, slots=True)
class ListedWorker:
    """A registered worker."""

    address: str
    record: WorkerRecord


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A registered model."""

    model_id: bytes
    model: Model


@dataclass(frozen=True, slots=True)
class PriceHint:
    """What a job of a model may cost, in wei.

    Attributes:
        settled: prices of the last jobs of this model, the newest first.
        gas: what a worker's own transactions cost now.
    """

    settled: tuple[int, ...]
    gas: int

    @property
    def suggested(self) -> int:
        """A ceiling that workers can be expected to bid under."""
        floor = self.gas + self.gas * WORKERS_MARGIN_PERCENT // 100
        return max(floor, 2 * int(median(self.settled)) if self.settled else 2 * floor)


async def list_workers(chain: Chain) -> list[ListedWorker]:
    """The registered workers, those with most settled jobs first; at most `MOST_WORKERS`."""
    settled = [
        event for event in await events_of(chain, chain.market.address) if isinstance(event, JobSettled)
    ]
    registered = [
        event
        for event in await events_of(chain, chain.workers.address)
        if isinstance(event, WorkerRegistered)
    ]
    # Registering is cheap: strangers by the thousand must not hide those that have worked.
    known = dict.fromkeys([event.worker for event in reversed(settled)] + [e.worker for e in registered])
    records = await records_of(chain, list(known)[:MOST_WORKERS])
    found = [ListedWorker(address, record) for address, record in records.items()]
    return sorted(found, key=lambda worker: (-worker.record.completed, -worker.record.stake, worker.address))


async def list_models(chain: Chain) -> list[ListedModel]:
    """Every registered model, the newest first."""
    events = await events_of(chain, chain.models.address)
    ids = [event.model_id for event in events if isinstance(event, ModelRegistered)]
    return [ListedModel(model_id, await chain.models.model_of(model_id)) for model_id in reversed(ids)]


async def price_hint(chain: Chain, model_id: bytes, model: Model) -> PriceHint:
    """What jobs of a model were settled for, and what a worker pays for gas at today's price."""
    events = await events_of(chain, chain.market.address, (None, None, None, model_id))
    settled = [e.price for e in events if isinstance(e, JobSettled) and e.model_id == model_id]
    spec, private = model.spec, bool(model.model_commitment)
    words = 1 + spec.n_in + spec.n_out
    gas = (
        JOB_CALLS["placeBid"]
        + SETTLEMENT
        + 2 * TRANSACTION
        + CALLDATA_BYTE * (320 + 64 * words)
        + verify_gas(words, committed=True, private_weights=private)
    )
    price = (await chain.latest()).base_fee
    return PriceHint(tuple(reversed(settled[-LATELY:])), gas * price)
