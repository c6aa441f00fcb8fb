"""Gathers what a price is made of: this machine's speed, what is promised, the stake, gas."""

from __future__ import annotations

from collections.abc import Iterable

from ..chain import Chain, JobState, ModelSpec
from .config import WorkerConfig
from .messages import JobView
from .models import ModelLibrary, ServedModel
from .pricing import (
    Offer,
    Price,
    Speed,
    gas_after_award,
    gas_reserve,
    initial_speed,
    job_gas,
    mined_after,
    quote,
)
from .state import ProofState
from .store import StoredJob, WorkerStore


class PricingInputs:
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
        for job, _ in self._in_hand(jobs):
            model = self._library.known(job.model_id)
            if model is not None and job.progress.proof is not ProofState.READY:
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
        view = job.progress.view
        record = await self._chain.workers.worker_of(self._address)
        gas_price = await self._gas_price()
        balance = await self._chain.node.balance(self._address)
        mine = self._in_hand(others)
        reserved = sum(gas_reserve(self._gas(other), gas_price) for other, _ in mine)
        spec = model.model.spec
        offer = Offer(
            words=_words(spec),
            royalty_bps=spec.royalty_bps,
            max_price=job.request.max_price,
            collateral=job.request.collateral,
            min_stake=job.request.min_stake,
            accept_window=job.request.accept_window,
            prove_window=job.request.prove_window,
            callback_gas=job.request.callback_gas,
            free_stake=record.free_stake,
            balance=balance - reserved,
            backlog=self.backlog(others),
            gas_price=gas_price,
            time_left=0 if view is None else view.deadline + 1 - now,
            slices=len(model.bundle.slices),
        )
        return quote(self._config.pricing, self.speed(model), offer)

    async def risk_of_accepting(self, job: StoredJob, others: Iterable[StoredJob]) -> str:
        """Why a job must not be accepted: its proof would be late, cost more than it brings, or could not be
        paid for; "" if none of these.

        Collateral is locked by accepting. More jobs may have been awarded than were counted on when the bids
        were made, and gas may have become dear.
        """
        model = self._library.known(job.model_id)
        if model is None or job.progress.view is None:
            return "the model is not served any more"
        accepted = [other for other, view in self._in_hand(others) if view.state is JobState.ACCEPTED]
        expected = mined_after(self._config.pricing, self.speed(model).seconds + self.backlog(accepted))
        if expected > job.request.prove_window:
            return (
                f"a mined proof may take {expected:.1f} s by now, the window is {job.request.prove_window} s"
            )
        gas_price = await self._gas_price()
        cost = gas_after_award(self._gas(job)) * gas_price
        earned = job.progress.view.price * (10_000 - model.model.spec.royalty_bps) // 10_000
        if cost > earned:
            return f"by now the gas of accepting and proving costs {cost} wei, the job brings {earned}"
        needed = sum(gas_reserve(self._gas(each), gas_price) for each in (job, *accepted))
        balance = await self._chain.node.balance(self._address)
        if balance >= needed:
            return ""
        return f"accepting needs {needed} wei at hand for gas, the account has {balance}: send it some"

    def _in_hand(self, jobs: Iterable[StoredJob]) -> list[tuple[StoredJob, JobView]]:
        """Jobs that are this worker's to finish, or will be if nobody bids less."""
        views = [(job, job.progress.view) for job in jobs]
        return [
            (job, view)
            for job, view in views
            if view is not None and view.worker == self._address and not view.state.final
        ]

    def _gas(self, job: StoredJob) -> int:
        model = self._library.known(job.model_id)
        if model is None:
            return job_gas(1 + len(job.input_words), job.request.callback_gas)
        return job_gas(_words(model.model.spec), job.request.callback_gas, len(model.bundle.slices))

    async def _gas_price(self) -> int:
        fees = self._config.fees
        base_fees, tips = await self._chain.node.fee_history(fees.history_blocks, fees.percentile)
        return base_fees[-1] + (sorted(tips)[len(tips) // 2] if tips else 0)


def _words(spec: ModelSpec) -> int:
    """Public words of a statement, the binding among them."""
    return 1 + spec.n_in + spec.n_out
