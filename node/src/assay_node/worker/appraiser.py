"""Gathers what a price is made of: this machine's speed, what is promised, the stake, gas."""

from __future__ import annotations

from collections.abc import Iterable

from ..chain import Chain
from .config import WorkerConfig
from .models import ModelLibrary, ServedModel
from .pricing import Offer, Price, Speed, initial_speed, quote
from .state import ProofState
from .store import StoredJob, WorkerStore


class Appraiser:
    """Prices jobs by `pricing.quote`, with figures from the chain and from the worker's own past.

    Args:
        config, chain, store, library: the worker's.
        address: the operating account.
    """

    def __init__(
        self, config: WorkerConfig, chain: Chain, store: WorkerStore, library: ModelLibrary, address: str
    ) -> None:
        self._config = config
        self._chain = chain
        self._store = store
        self._library = library
        self._address = address

    def speed(self, model: ServedModel) -> Speed:
        """How long a proof of a model takes here: measured, or assumed of its size."""
        measured = self._store.speed_of(model.speed_key)
        if measured is not None:
            return Speed(measured, True)
        return initial_speed(self._config.pricing, model.constraints)

    def measure(self, model: ServedModel, seconds: float) -> None:
        """Takes a proof's time into account."""
        self._store.set_speed(model.speed_key, self.speed(model).after(seconds).seconds)

    def backlog(self, jobs: Iterable[StoredJob]) -> float:
        """Seconds of proving promised: to jobs led, won or accepted, and not proven."""
        seconds = 0.0
        for job in jobs:
            view = job.track.view
            if view is None or view.worker != self._address or view.state.final:
                continue
            model = self._library.known(job.model_id)
            if model is not None and job.track.proof is not ProofState.READY:
                seconds += self.speed(model).seconds
        return seconds

    async def price(self, job: StoredJob, model: ServedModel, others: Iterable[StoredJob], now: int) -> Price:
        """Prices a job.

        Args:
            job: the job; its market view must be known.
            model: its model.
            others: the worker's other jobs.
            now: time of the next block.
        """
        view = job.track.view
        record = await self._chain.workers.worker_of(self._address)
        fees = self._config.fees
        base_fees, tips = await self._chain.node.fee_history(fees.history_blocks, fees.percentile)
        gas_price = base_fees[-1] + (sorted(tips)[len(tips) // 2] if tips else 0)
        spec = model.model.spec
        offer = Offer(
            words=1 + spec.n_in + spec.n_out,
            royalty_bps=spec.royalty_bps,
            max_price=job.request.max_price,
            collateral=job.request.collateral,
            min_stake=job.request.min_stake,
            prove_window=job.request.prove_window,
            callback_gas=job.request.callback_gas,
            free_stake=record.free_stake,
            backlog=self.backlog(others),
            gas_price=gas_price,
            time_left=0 if view is None else view.deadline + 1 - now,
            slices=len(model.bundle.slices),
        )
        return quote(self._config.pricing, self.speed(model), offer)
