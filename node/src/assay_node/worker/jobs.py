"""`JobManager`: every job the worker has in hand, the events that reach it, the instructions that follow.

`feed` is synchronous: the state machine moves on and the new progress is on disk before anything else runs.
What is to be done is put on a list, and `work` goes through it; so an instruction is never carried out before
the state that gave rise to it is stored.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog
from nacl.public import PrivateKey

from assay_prover import binding

from ..chain import Chain, ChainClock, ChainError, IntentStatus, JobState, Outbox
from ..chain.outbox.submission import came_to_nothing
from .actions import call_of, intent_key, outcome_of, rescue_spend
from .config import WorkerConfig
from .errors import InboxError
from .executor import Executor, ProofCancelled, ProofResult, ProofTask, StaleSlices
from .input_store import InputStore
from .messages import (
    Action,
    CheckInput,
    Confirmed,
    Event,
    InputRejected,
    InputStored,
    InputVerified,
    Instruction,
    JobView,
    Observed,
    ProofFailed,
    ProofStopped,
    Prove,
    Proved,
    Quote,
    Quoted,
    Refused,
    Restarted,
    Send,
    StopProving,
)
from .metrics import Metrics
from .models import ModelLibrary
from .pricing import Price
from .pricing_inputs import PricingInputs
from .state import BiddingPolicy, InputState, JobProgress, Phase, ProofState, handle_event, phase, workload
from .store import StoredJob, StoredProof, WorkerStore

_log = structlog.get_logger(__name__)

LOOK_AGAIN = 30
"""Seconds after which a job that concerns this worker is looked at though nothing was heard of it."""


class JobManager:
    """All jobs in hand. `executor` is set before anything is fed."""

    executor: Executor

    def __init__(
        self,
        config: WorkerConfig,
        chain: Chain,
        outbox: Outbox,
        store: WorkerStore,
        library: ModelLibrary,
        secret: PrivateKey,
        clock: ChainClock,
        metrics: Metrics,
    ) -> None:
        self.config = config
        self.chain = chain
        self.outbox = outbox
        self.store = store
        self.library = library
        self.clock = clock
        self.metrics = metrics
        self.policy = BiddingPolicy(
            outbox.account.address, config.pricing.max_bids, config.pricing.undercut_percent
        )
        self.jobs: dict[bytes, StoredJob] = {}
        self.wake = asyncio.Event()
        self.inputs = InputStore(secret, store)
        self.pricing_inputs = PricingInputs(config, chain, store, library, self.policy.address)
        self._todo: deque[tuple[bytes, Instruction]] = deque()
        self._dirty: set[bytes] = set()
        self._due: dict[bytes, int] = {}
        self._sends: dict[bytes, Send] = {}
        self._checks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self._looking = asyncio.Lock()

    # ------------------------------------------------------------------------------------------ what is heard

    async def restore(self) -> None:
        """Takes up the jobs on disk after a start."""
        for job in self.store.open_jobs():
            await self.library.find(self.chain.models, job.model_id)
            self.jobs[job.job_id] = job
            self.feed(job.job_id, Restarted())
            self.touch(job.job_id)

    def take(self, job_id: bytes) -> None:
        """Takes a job in hand that is on disk."""
        job = self.store.job(job_id)
        if job is not None:
            self.jobs[job_id] = job
            self.touch(job_id)

    def touch(self, job_id: bytes) -> None:
        """Something may have happened to a job: it is looked at in the next round."""
        if job_id in self.jobs:
            self._dirty.add(job_id)
            self.wake.set()

    def touch_all(self) -> None:
        """As `touch`, for every job; after a re-org."""
        self._dirty.update(self.jobs)

    def feed(self, job_id: bytes, event: Event) -> None:
        """Tells a job's state machine, stores what comes of it, and lists what is to be done."""
        job = self.jobs[job_id]
        before = phase(job.progress, self.policy)
        progress, instructions = handle_event(job.progress, event, self.policy)
        if progress != job.progress:
            self.store.save_progress(job_id, progress)
        self.jobs[job_id] = replace(job, progress=progress)
        after = phase(progress, self.policy)
        if after is not before:
            _log.info(
                "job.phase",
                job="0x" + job_id.hex(),
                was=str(before),
                now=str(after),
                trouble=progress.trouble,
            )
            self._count(job, progress, after)
        self._todo.extend((job_id, instruction) for instruction in instructions)
        if instructions or not isinstance(event, Observed):
            self.touch(job_id)

    def _count(self, job: StoredJob, progress: JobProgress, after: Phase) -> None:
        if after is Phase.PAID and progress.view is not None:
            self.metrics.settled.inc()
            self.store.decide(job.job_id, "paid", f"settled at {progress.view.price} wei", {})
        elif after is Phase.FAILED:
            self.metrics.failed.inc()
            self.store.decide(job.job_id, "failed", progress.trouble or "not proven in time", {})

    def phases(self) -> Counter[str]:
        """How many jobs are in which phase."""
        return Counter(str(phase(job.progress, self.policy)) for job in self.jobs.values())

    # ----------------------------------------------------------------------------------------- a round's work

    async def look(self, head: int) -> None:
        """Asks the market about jobs something may have happened to, and those whose time has come."""
        now = self.clock.now()
        due = {job_id for job_id, moment in self._due.items() if moment <= now}
        for job_id in sorted((self._dirty | due) & self.jobs.keys()):
            self._dirty.discard(job_id)
            try:
                await self.observe(job_id, head)
            except ChainError:
                self._dirty.add(job_id)  # still to be looked at
                raise

    async def observe(self, job_id: bytes, head: int) -> None:
        """Asks the market about one job and tells its machine.

        One at a time: the inbox looks too, and an older answer must not come after a newer one.
        """
        async with self._looking:
            await self._observe(job_id, head)

    async def _observe(self, job_id: bytes, head: int) -> None:
        stored = await self.chain.market.job_of(job_id)
        own: int | None = None
        if stored.state in (JobState.OPEN, JobState.AWARDED):
            bid = await self.chain.market.bid_of(job_id, self.policy.address)
            own = bid.price if bid.standing else None
        if job_id not in self.jobs:
            return  # closed while the node was thinking
        view = JobView(
            stored.state,
            stored.round,
            stored.worker,
            stored.price,
            stored.deadline,
            stored.max_price,
            own,
            stored.requester_awards,
        )
        now = self.clock.now()
        self.feed(job_id, Observed(view, now))
        progress = self.jobs[job_id].progress
        self._due[job_id] = _next_look(progress, view, now, self.policy)
        if self._holds(job_id) and progress.input is InputState.MISSING:
            await self._take_public_input(job_id)
        over = stored.state.final or stored.state is JobState.NONE
        if job_id in self.jobs and over != (self.jobs[job_id].final_block is not None):
            self.store.set_final(job_id, head if over else None)
            self.jobs[job_id] = replace(self.jobs[job_id], final_block=head if over else None)

    def close_finished(self, head: int) -> None:
        """Lets go of jobs that have been over for long enough that no re-org brings them back."""
        for job_id, job in list(self.jobs.items()):
            idle = not job.progress.sending and job.progress.proof is not ProofState.RUNNING
            if (
                job.final_block is not None
                and idle
                and head - job.final_block >= self.chain.finality.final_after
            ):
                self.store.close_job(job_id)
                del self.jobs[job_id]
                self._due.pop(job_id, None)
                self._dirty.discard(job_id)

    def settle_sends(self) -> None:
        """Tells the machines what became of their transactions."""
        for job_id, send in list(self._sends.items()):
            intent = self.outbox.intent(intent_key(job_id, send))
            if intent is None or intent.status is IntentStatus.PENDING:
                self._rescue(job_id, send)
                continue
            del self._sends[job_id]
            if came_to_nothing(intent):
                self.feed(job_id, Refused(send.action, outcome_of(intent), self.clock.now()))
            else:
                self.feed(job_id, Confirmed(send.action))

    @property
    def has_work(self) -> bool:
        """Whether instructions are listed, or jobs wait to be looked at."""
        return bool(self._todo or self._dirty)

    async def work(self) -> None:
        """Carries out what is listed."""
        while self._todo:
            # It stays listed until it is carried out: a node that is away must not lose it its answer.
            job_id, instruction = self._todo[0]
            if job_id in self.jobs:
                await self._carry_out(job_id, instruction)
            self._todo.popleft()

    async def _carry_out(self, job_id: bytes, instruction: Instruction) -> None:
        match instruction:
            case Quote(round_):
                await self._quote(job_id, round_)
            case Send():
                await self._send(job_id, instruction)
            case Prove(deadline):
                self.executor.add(job_id, deadline)
            case StopProving():
                await self.executor.stop(job_id)
            case CheckInput():
                task = asyncio.create_task(self._check_stored(job_id))
                self._checks.add(task)
                task.add_done_callback(self._checked)

    def _checked(self, task: asyncio.Task[None]) -> None:
        self._checks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._failure = task.exception()

    def check(self) -> None:
        """Raises what went wrong beside the rounds, where nobody waits: the worker cannot go on then."""
        if self._failure is not None:
            raise self._failure
        self.executor.check()

    async def close(self) -> None:
        """Waits for input checks under way."""
        await asyncio.gather(*self._checks, return_exceptions=True)

    # ---------- instructions

    async def _quote(self, job_id: bytes, round_: int) -> None:
        price = await self._price(job_id)
        what = "declined" if price.ask is None else "quoted"
        self.store.decide(job_id, what, price.reason, price.details)
        _log.info(f"job.{what}", job="0x" + job_id.hex(), round=round_, reason=price.reason)
        if price.ask is None:
            self.metrics.declined.inc()
        self.feed(job_id, Quoted(round_, price.ask, price.floor, price.gas_cost))

    async def _price(self, job_id: bytes) -> Price:
        job = self.jobs[job_id]
        model = await self.library.find(self.chain.models, job.model_id)
        if model is None:
            return Price(None, 0, 0, 0, "declined: the model is not served any more", {})
        fault = "" if model.private_input else await self.inputs.packing_fault(model, job)
        if fault:
            return Price(None, 0, 0, 0, f"declined: {fault}", {})
        return await self.pricing_inputs.price(job, model, self._others(job_id), self.clock.now())

    def _others(self, job_id: bytes) -> list[StoredJob]:
        return [other for other in self.jobs.values() if other.job_id != job_id]

    async def _send(self, job_id: bytes, send: Send) -> None:
        try:
            reason = await self._objection(job_id, send)
            if not reason:
                call = call_of(self.chain.market, self.jobs[job_id], send, self.store)
                self._rescue(job_id, send)
                await self.outbox.submit(intent_key(job_id, send), call, again=True)
        except ChainError as error:
            reason = str(error)
        if reason:
            _log.info("job.not_sent", job="0x" + job_id.hex(), action=str(send.action), reason=reason)
            self.feed(job_id, Refused(send.action, reason, self.clock.now()))
            return
        self._sends[job_id] = send
        if send.action is Action.BID:
            self.metrics.bids.inc()
            self.store.decide(job_id, "bid", f"{send.price} wei in round {send.round}", {})

    def _rescue(self, job_id: bytes, send: Send) -> None:
        """Lets a proof that is nearly late cost more gas than the cap: late, it costs the collateral."""
        job = self.jobs[job_id]
        model = self.library.known(job.model_id)
        royalty_bps = 0 if model is None else model.model.spec.royalty_bps
        spend = rescue_spend(self.config, job, send, royalty_bps, self.clock.now())
        if spend is not None:
            self.outbox.allow(intent_key(job_id, send), spend)

    async def _objection(self, job_id: bytes, send: Send) -> str:
        """Why an action must not be taken now: other jobs, or what has changed since the price was set; ""
        if it may.
        """
        if send.action is Action.ACCEPT:
            return await self.pricing_inputs.risk_of_accepting(self.jobs[job_id], self._others(job_id))
        if send.action is not Action.BID:
            return ""
        load, failed = workload((other.progress for other in self._others(job_id)), self.policy)
        if failed:
            return f"no bids while a failed job holds collateral ({failed})"
        if load >= self.config.max_jobs:
            return f"{load} jobs in hand, which is as many as allowed"
        await self.outbox.next_nonce()  # which shows whether somebody else has used one
        if self.outbox.shared:
            return self.outbox.shared
        # A bidding window may last for days: gas, stake and purse are no longer what they were at the quote.
        assert send.price is not None  # noqa: S101 - every bid has one
        now = await self._price(job_id)
        if now.ask is None:
            return now.reason
        if send.price < now.floor:
            return f"the lowest price that pays is {now.floor} wei by now"
        return ""

    # ---------- inputs

    async def receive(self, job_id: bytes, read: Callable[[], Awaitable[bytes]]) -> int:
        """Takes a delivered input: checks it, stores it, and only then says so.

        Args:
            job_id: as the sender says.
            read: reads the body; not called for a job this worker does not hold.

        Returns:
            200; the input is the job's, and on disk.

        Raises:
            InboxError: 404, 409, 422 or 503 with the reason.
        """
        job = self.jobs.get(job_id)
        model = await self.library.find(self.chain.models, job.model_id) if job is not None else None
        if job is None or model is None:
            raise self._refused(404, "this worker knows no such job")
        if not model.private_input:
            raise self._refused(409, "the job's input is public; there is nothing to deliver")
        if self.jobs[job_id].progress.input is InputState.VERIFIED:
            return 200
        if not self._holds(job_id):
            # The award may be newer than the last look. Asking costs a call, so not for every job.
            if job.progress.ask is None:
                raise self._refused(409, "the job is not awarded to this worker")
            await self.observe(job_id, (await self.chain.latest()).number)
            if not self._holds(job_id):
                raise self._refused(409, "the job is not awarded to this worker")
        body = await read()
        if len(self._checks) >= 2:
            raise self._refused(503, "busy checking other inputs, try again")
        check = asyncio.create_task(asyncio.to_thread(self.inputs.check_sealed, model, job, body))
        waiter = asyncio.ensure_future(_swallow(check))
        self._checks.add(waiter)
        waiter.add_done_callback(self._checks.discard)
        try:
            await asyncio.shield(check)
        except InboxError as error:
            raise self._refused(error.status, error.what) from error
        if job_id in self.jobs and self.jobs[job_id].progress.input is not InputState.VERIFIED:
            self.store.put_input(job_id, body)
            self.feed(job_id, InputStored())
            self.feed(job_id, InputVerified())
        self.metrics.inputs.labels("verified").inc()
        return 200

    async def _take_public_input(self, job_id: bytes) -> None:
        """The input of a model that hides none: its words are in the job, and are checked like any other."""
        job = self.jobs[job_id]
        model = await self.library.find(self.chain.models, job.model_id)
        if model is None or model.private_input or await self.inputs.packing_fault(model, job):
            return
        if job_id in self.jobs and self.jobs[job_id].progress.input is InputState.MISSING:
            self.feed(job_id, InputStored())
            self.feed(job_id, InputVerified())

    def _refused(self, status: int, what: str) -> InboxError:
        self.metrics.inputs.labels(str(status)).inc()
        return InboxError(status, what)

    def _holds(self, job_id: bytes) -> bool:
        view = self.jobs[job_id].progress.view if job_id in self.jobs else None
        states = (JobState.AWARDED, JobState.ACCEPTED)
        return view is not None and view.worker == self.policy.address and view.state in states

    async def _check_stored(self, job_id: bytes) -> None:
        """Checks an input that was on disk, unchecked, when the worker stopped."""
        job = self.jobs[job_id]
        if job.progress.input is not InputState.STORED:
            return
        model = await self.library.find(self.chain.models, job.model_id)
        fault = await self.inputs.stored_fault(model, job)
        if job_id not in self.jobs or self.jobs[job_id].progress.input is not InputState.STORED:
            return
        if fault:
            self.store.drop_input(job_id)
            self.feed(job_id, InputRejected(fault))
        else:
            self.feed(job_id, InputVerified())

    # ---------- proofs

    async def prepare(self, job_id: bytes) -> ProofTask:
        """What the executor needs to prove a job; called when its turn comes."""
        job = self.jobs[job_id]
        model = await self.library.find(self.chain.models, job.model_id)
        if model is None:
            raise InboxError(422, "the model is not served any more")
        integers, salt = self.inputs.for_proof(model, job)
        bound = binding(
            self.chain.deployment.chain_id, self.chain.deployment.market, job_id, self.policy.address
        )
        return ProofTask(
            bundle=model.path,
            integers=integers,
            salt=salt,
            binding=bound,
            blinding=self.inputs.blinding_for_proof(model, job),
            input_words=job.input_words,
            threads=self.config.prover_threads,
            table_bytes=self.config.prover_table_mb << 20,
            verifying_key=model.bundle.verifying_key,
            model_commitment=model.bundle.model_commitment,
            slices=len(model.bundle.slices),
            kept=self.store.slices_of(job_id),
        )

    async def proved(self, job_id: bytes, outcome: ProofResult | Exception) -> None:
        """Takes the executor's result: the proof is on disk before the machine hears of it."""
        if job_id not in self.jobs:
            return
        if isinstance(outcome, ProofResult):
            self.store.put_proof(job_id, StoredProof(outcome.proof, outcome.output_words, outcome.seconds))
            self.metrics.proof_seconds.observe(outcome.seconds)
            model = self.library.known(self.jobs[job_id].model_id)
            if model is not None:
                self.pricing_inputs.measure(model, outcome.seconds)
            _log.info("job.proven", job="0x" + job_id.hex(), seconds=round(outcome.seconds, 3))
            self.feed(job_id, Proved())
        elif isinstance(outcome, ProofCancelled):
            self.feed(job_id, ProofStopped())
        else:
            if isinstance(outcome, StaleSlices):
                self.store.drop_slices(job_id)
            self.metrics.proof_failures.inc()
            self.store.decide(job_id, "proof failed", str(outcome), {})
            _log.error("job.proof_failed", job="0x" + job_id.hex(), reason=str(outcome), exc_info=outcome)
            self.feed(job_id, ProofFailed(str(outcome) or type(outcome).__name__, self.clock.now()))


def _next_look(progress: JobProgress, view: JobView, now: int, policy: BiddingPolicy) -> int:
    """When to look again unasked: at a deadline to act on, after a pause, or after a while."""
    mine = view.worker == policy.address
    moments = [now + (LOOK_AGAIN if mine or progress.sending else 20 * LOOK_AGAIN)]
    if now < progress.pause_until:
        moments.append(progress.pause_until)
    if (mine or view.own_bid is not None) and now <= view.deadline:
        moments.append(view.deadline + 1)
    return min(moments)


async def _swallow(task: asyncio.Task[object]) -> None:
    await asyncio.wait([task])
