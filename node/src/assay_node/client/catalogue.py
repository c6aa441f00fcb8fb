"""What a market has to offer, read from its logs: models, workers, and what jobs were settled for lately.

All of it is the node's word. What matters of it is checked where it is used: a model's id against its key, a
worker's endpoint against its signature.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

from ..chain import (
    Chain,
    FeePolicy,
    JobSettled,
    Model,
    ModelRegistered,
    WorkerRecord,
    WorkerRegistered,
)
from ..chain.contracts.key_gas import shapes_of
from ..chain.contracts.worker_gas import job_data_fee, job_gas
from .bids import records_of
from .evidence import check_model_id
from .history import batches_of, newest_of

T = TypeVar("T")

MOST_WORKERS = 500
"""Workers that are listed."""
MOST_REGISTERED = 5_000
"""Workers that are looked at beside those that settled jobs: the first to register."""
MOST_SETTLED = 20_000
"""Settlements that are looked at, the newest: workers and models that many are of come first."""
MOST_MODELS = 500
"""Models that are listed: those that most was settled of lately, then the newest."""
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
        gas: what a worker's own transactions cost now, a rollup's data fees among it.
    """

    settled: tuple[int, ...]
    gas: int

    @property
    def suggested(self) -> int:
        """A ceiling that workers can be expected to bid under."""
        floor = self.gas + self.gas * WORKERS_MARGIN_PERCENT // 100
        return max(floor, 2 * int(median(self.settled)) if self.settled else 2 * floor)


async def list_workers(chain: Chain) -> list[ListedWorker]:
    """The registered workers, those with most settled jobs first, then by stake; at most `MOST_WORKERS`.

    Registering is cheap, and so is settling one job with oneself: strangers by the thousand must not hide
    those that have worked. Who settled most is looked at first, and stake, which is dear, decides of the
    others.
    """
    workers, _ = await _settled_most(chain)
    candidates = dict.fromkeys(workers)
    registered = 0
    topic = chain.workers.interface.topic_of(WorkerRegistered.__name__)
    async for batch in batches_of(chain, chain.workers.address, (topic,)):
        for event in batch:
            if isinstance(event, WorkerRegistered) and registered < MOST_REGISTERED:
                candidates.setdefault(event.worker)
                registered += 1
        if registered >= MOST_REGISTERED:
            break
    found: list[ListedWorker] = []
    for lot in _lots(candidates, MOST_WORKERS):
        records = await records_of(chain, lot)
        found += [ListedWorker(address, record) for address, record in records.items() if record.registered]
        found.sort(key=lambda worker: (-worker.record.completed, -worker.record.stake, worker.address))
        del found[MOST_WORKERS:]
    return found


async def list_models(chain: Chain) -> list[ListedModel]:
    """The registered models, the newest first; of more than `MOST_MODELS` those that are used."""
    _, used = await _settled_most(chain)
    newest: list[bytes] = []
    async for event in newest_of(chain, chain.models.address, ModelRegistered):
        newest.append(event.model_id)
        if len(newest) >= MOST_MODELS:
            break
    kept = set(dict.fromkeys([*used, *newest][:MOST_MODELS]))
    ids = [model_id for model_id in dict.fromkeys([*newest, *used]) if model_id in kept]
    models = [
        model
        for lot in _lots(ids, LATELY)
        for model in await asyncio.gather(*(chain.models.model_of(model_id) for model_id in lot))
    ]
    return [ListedModel(model_id, model) for model_id, model in zip(ids, models, strict=True)]


async def price_hint(chain: Chain, model_id: bytes, model: Model) -> PriceHint:
    """What jobs of a model were settled for, and what a worker pays for gas and data at today's prices.

    Raises:
        EvidenceMismatch: the node serves another verifying key than the model's.
    """
    settled: list[int] = []
    topics = (None, None, model_id)
    async for event in newest_of(chain, chain.market.address, JobSettled, topics):
        if event.model_id == model_id:
            settled.append(event.price)
        if len(settled) >= LATELY:
            break
    head = await chain.head()
    key, gas_price, data_price = await asyncio.gather(
        chain.models.verifying_key_of(model_id), head.gas_price(FeePolicy()), head.data_price()
    )
    check_model_id(model_id, model, key)
    words, slices = 1 + model.spec.n_in + model.spec.n_out, len(shapes_of(key))
    cost = job_gas(words, 0, slices) * gas_price + job_data_fee(words, slices, data_price)
    return PriceHint(tuple(settled), cost)


async def _settled_most(chain: Chain) -> tuple[list[str], list[bytes]]:
    """The workers, and the models, that most jobs were settled by and of lately."""
    workers: Counter[str] = Counter()
    models: Counter[bytes] = Counter()
    count = 0
    async for event in newest_of(chain, chain.market.address, JobSettled):
        workers[event.worker] += 1
        models[event.model_id] += 1
        count += 1
        if count >= MOST_SETTLED:
            break
    return (
        [worker for worker, _ in workers.most_common(MOST_WORKERS)],
        [model_id for model_id, _ in models.most_common(MOST_MODELS)],
    )


def _lots(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = list(items)
    for start in range(0, len(rest), size):
        yield rest[start : start + size]
