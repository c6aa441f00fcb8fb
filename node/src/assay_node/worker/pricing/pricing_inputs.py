"""Gathers what a price is made of: this machine's speed, what is promised, the stake, gas.

What the chain says of the worker and of gas is read once a block (`refresh`), so that pricing a job asks
nobody: a flood of jobs costs no requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from ...amounts import ether, rounded
from ...chain import Chain, JobRequest, JobState, ModelSpec, WorkerRecord
from ...chain.contracts.worker_gas import (
    data_fee_after_award,
    gas_after_award,
    job_data_fee,
    job_gas,
)
from ..config import WorkerConfig
from ..lifecycle.instructions import Action
from ..lifecycle.progress import BiddingPolicy, InputState, ProofState, is_held
from ..models import ModelLibrary, ServedModel
from ..store import StoredJob, WorkerStore
from .capacity import Capacity, Load, Pace
from .quote import (
    Offer,
    Price,
    Speed,
    gas_reserve,
    initial_speed,
    mined_after,
    quote,
)

DELIVERY_SECONDS = 60
"""Seconds from an award for which its input is expected, and its proof counted as promised."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What the chain says of the worker at one moment. Amounts in wei."""

    record: WorkerRecord
    balance: int
    gas_price: int
    data_price: int = 0


@dataclass(slots=True)
class Promises:
    """What the worker's jobs will take.

    Attributes:
        capacity: proofs by deadline.
        gas: wei of gas reserved for them.
        stake: that the jobs in hand and the bids under way reserve, or will.
        at_risk: collateral of jobs that were accepted and are not settled.
        working: jobs whose input is here and whose proof is to be settled.
        bidding: bids under way, or leading while the bidding lasts.
    """

    capacity: Capacity
    gas: int = 0
    stake: int = 0
    at_risk: int = 0
    working: int = 0
    bidding: int = 0


class PricingInputs:
    """Prices jobs by `pricing.quote`, with figures from the chain and from the worker's own past.

    Args:
        config, chain, store, library, policy: the worker's.
    """

    def __init__(
        self,
        config: WorkerConfig,
        chain: Chain,
        store: WorkerStore,
        library: ModelLibrary,
        policy: BiddingPolicy,
    ) -> None:
        self._config = config
        self._chain = chain
        self._store = store
        self._library = library
        self._policy = policy
        self._speeds: dict[str, Speed] = {}
        self._situation: Situation | None = None
        self.pace = Pace()

    async def refresh(self) -> Situation:
        """Reads stake, balance and gas price, once a block. Raises `ChainError`."""
        address, head = self._policy.address, await self._chain.head()
        record, balance, gas_price, data_price = await asyncio.gather(
            head.worker(address), head.balance(address), head.gas_price(self._config.fees), head.data_price()
        )
        self._situation = Situation(record, balance, gas_price, data_price)
        return self._situation

    @property
    def situation(self) -> Situation:
        """What `refresh` read last."""
        assert self._situation is not None  # noqa: S101 - every round begins with `refresh`
        return self._situation

    def speed(self, model: ServedModel) -> Speed:
        """How long a proof of a model takes here: measured, or assumed of its size."""
        key = model.speed_key
        if key not in self._speeds:
            measured = self._store.speed_of(key)
            self._speeds[key] = (
                initial_speed(self._config.pricing, model.constraints)
                if measured is None
                else Speed(measured, True)
            )
        return self._speeds[key]

    def tried(self, key: str, seconds: float) -> None:
        """Takes the time of a proof that was tried on opening the keys, unless real ones were measured.

        It is not kept: what else the machine did meanwhile is not known, and the next start tries again.
        """
        if self._store.speed_of(key) is None:
            self._speeds[key] = Speed(seconds, True)

    def measure(self, model: ServedModel, seconds: float) -> None:
        """Takes a proof's time into account."""
        self._speeds[model.speed_key] = speed = self.speed(model).after(seconds)
        self._store.set_speed(model.speed_key, speed.seconds)

    def promises(self, jobs: Iterable[StoredJob], now: int, *, gas_price: int) -> Promises:
        """What is promised to jobs: those held, and bids while their bidding lasts.

        An award counts until its deadline, whether or not anybody sends `lapse`; one whose input does not
        come counts only as long as it is expected.
        """
        promises, loads = Promises(Capacity()), []
        for job in jobs:
            view = job.progress.view
            if view is None:
                continue
            seconds = 0.0 if job.progress.proof is ProofState.READY else self._seconds(job)
            leads = view.worker == self._policy.address
            under_way = view.state is JobState.OPEN and job.progress.sending.startswith(Action.BID)
            promises.stake += view.backing if under_way or (leads and not view.state.final) else 0
            if is_held(view, self._policy, now):
                accepted = view.state is JobState.ACCEPTED
                arrived = job.progress.input is InputState.VERIFIED
                promises.at_risk += view.collateral if accepted else 0
                awarded_at = view.deadline - view.accept_window
                if not (arrived or accepted) and now > awarded_at + DELIVERY_SECONDS:
                    continue
                promises.working += arrived or accepted
                loads.append(Load(view.deadline, seconds))
            elif view.state is JobState.OPEN and now <= view.deadline:
                if not (under_way or leads):
                    continue
                promises.bidding += 1
                loads.append(Load(view.deadline + view.accept_window, seconds))
            else:
                continue
            promises.gas += self._reserve(job, gas_price)
        promises.capacity = Capacity.of(loads)
        return promises

    def offer(
        self, request: JobRequest, model: ServedModel, promises: Promises, *, bid_deadline: int, now: int
    ) -> Offer:
        """What is known of a job, from its request alone."""
        situation, spec = self.situation, model.model.spec
        backlog, queue = promises.capacity.ahead(bid_deadline + request.accept_window)
        return Offer(
            words=_words(spec),
            royalty_bps=spec.royalty_bps,
            max_price=request.max_price,
            collateral=request.collateral,
            min_stake=request.min_stake,
            accept_window=request.accept_window,
            prove_window=request.prove_window,
            callback_gas=request.callback_gas,
            # What the chain said may be older than the worker's own last bids.
            free_stake=situation.record.stake - max(situation.record.reserved, promises.stake),
            balance=situation.balance - promises.gas,
            backlog=backlog,
            gas_price=situation.gas_price,
            time_left=bid_deadline + 1 - now,
            slices=len(model.bundle.slices),
            bid_window=request.bid_window,
            queue=queue,
            pace=self.pace,
            at_risk=self._config.max_collateral - promises.at_risk,
            data_price=situation.data_price,
        )

    def price(
        self, request: JobRequest, model: ServedModel, promises: Promises, *, bid_deadline: int, now: int
    ) -> Price:
        """Prices a job beside what is promised. `refresh` must have been called.

        Args:
            request: what is asked for.
            model: its model.
            promises: of the worker's other jobs.
            bid_deadline: last second for bids.
            now: time of the next block.
        """
        offer = self.offer(request, model, promises, bid_deadline=bid_deadline, now=now)
        return quote(self._config.pricing, self.speed(model), offer, self._config.max_bid_window)

    def promise(self, job: StoredJob, promises: Promises) -> None:
        """Counts a bid that is about to be made among the promises."""
        view = job.progress.view
        if view is None:
            return
        promises.bidding += 1
        promises.stake += view.backing
        promises.gas += self._reserve(job, self.situation.gas_price)
        promises.capacity.add(Load(view.deadline + view.accept_window, self._seconds(job)))

    def settling_objection(self, job: StoredJob, *, accept: bool) -> str:
        """Why a job must not be settled (or accepted) now: it would cost more gas than it brings, or more
        than there is; "" if neither. `refresh` must have been called.
        """
        model, view = self._library.known(job.model_id), job.progress.view
        if model is None or view is None:
            return "the model is not served any more"
        situation = self.situation
        gas = self._gas(job.request, job.model_id, job.input_words)
        words, slices = _words(model.model.spec), len(model.bundle.slices)
        data = data_fee_after_award(words, slices, situation.data_price, accept=accept)
        cost = gas_after_award(gas, accept=accept) * situation.gas_price + data
        earned = view.price * (10_000 - model.model.spec.royalty_bps) // 10_000
        if cost > earned:
            missing = rounded(cost - earned)
            return f"by now the gas of settling it costs {rounded(cost)}, {missing} more than it brings"
        if accept:
            needed = gas_reserve(gas_after_award(gas, accept=True), situation.gas_price, data)
            if situation.balance < needed:
                return (
                    f"accepting needs {rounded(needed)} at hand for gas, the account has"
                    f" {rounded(situation.balance)}: send it some"
                )
        return ""

    def risk_of_accepting(self, job: StoredJob, others: Iterable[StoredJob], now: int) -> str:
        """Why a job must not be accepted before its proof is there; "" if it may.

        Collateral is locked by accepting: never more than the operator allows, and never more than can be
        settled in half of the windows.
        """
        model, view = self._library.known(job.model_id), job.progress.view
        if model is None or view is None:
            return "the model is not served any more"
        promises = self.promises(others, now, gas_price=0)
        if view.collateral > self._config.max_collateral - promises.at_risk:
            return (
                f"{ether(promises.at_risk)} of collateral is at risk already, with this job's"
                f" {ether(view.collateral)} it would be more than max_collateral,"
                f" {ether(self._config.max_collateral)}"
            )
        due = now + job.request.prove_window
        backlog, queue = promises.capacity.ahead(due)
        seconds = backlog + self.speed(model).seconds
        expected = mined_after(self._config.pricing, seconds, queue, self.pace)
        allowed = job.request.prove_window / 2 if view.collateral else float(job.request.prove_window)
        if expected > allowed:
            return (
                f"a mined proof may take {expected:.1f} s by now, {allowed:.0f} s of the window may be used"
            )
        return ""

    def _seconds(self, job: StoredJob) -> float:
        model = self._library.known(job.model_id)
        return 0.0 if model is None else self.speed(model).seconds

    def _reserve(self, job: StoredJob, gas_price: int) -> int:
        """Wei to hold for a job's transactions."""
        gas, model = self._gas(job.request, job.model_id, job.input_words), self._library.known(job.model_id)
        price = 0 if self._situation is None else self._situation.data_price
        if model is None:
            data = job_data_fee(1 + len(job.input_words), 1, price)
        else:
            data = job_data_fee(_words(model.model.spec), len(model.bundle.slices), price)
        return gas_reserve(gas, gas_price, data)

    def _gas(self, request: JobRequest, model_id: bytes, input_words: tuple[int, ...]) -> int:
        model = self._library.known(model_id)
        if model is None:
            return job_gas(1 + len(input_words), request.callback_gas)
        return job_gas(_words(model.model.spec), request.callback_gas, len(model.bundle.slices))


def _words(spec: ModelSpec) -> int:
    """Public words of a statement, the binding among them."""
    return 1 + spec.n_in + spec.n_out
