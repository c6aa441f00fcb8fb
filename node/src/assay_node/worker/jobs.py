"""`JobManager`: every job the worker has in hand, the events that reach it, the instructions that follow.

`feed` is synchronous: the state machine moves on and the new progress is on disk before anything else runs.
What is to be done is put on a list, and carried out from there; so an instruction is never carried out before
the state that gave rise to it is stored.

There are two lists, and two tasks that go through them. What is awarded or accepted comes first: one task
looks at those jobs alone and carries out what they need, the nearest deadline first (`work`). Strangers' jobs
wait for the other, which takes a bounded number at a time, from each requester in turn (`Bidder`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import structlog

from ..amounts import ether
from ..chain import AWARD_GRACE, Chain, ChainClock, Header, JobState, Outbox
from ..chain.contracts.types import JobLook
from ..chain.head import Head
from .actions import view_of
from .agenda import Agenda
from .bids import Bidder
from .config import WorkerConfig
from .executor import Executor
from .health import Health
from .inbox.reasons import Reasons
from .lifecycle.events import Event, JobView, Observed, Restarted
from .lifecycle.instructions import Action, CheckInput, Prove, Quote, Send, StopProving
from .lifecycle.progress import (
    BiddingPolicy,
    InputState,
    JobProgress,
    Phase,
    ProofState,
    is_held,
    phase,
)
from .lifecycle.state import handle_event
from .metrics import Metrics
from .models import ModelLibrary
from .pricing.pricing_inputs import PricingInputs
from .store import StoredJob, WorkerStore
from .terms import contradiction
from .transactions import AT_ONCE, JobTransactions

_log = structlog.get_logger(__name__)

LOOK_AGAIN = 30
"""Seconds after which a job that concerns this worker is looked at though nothing was heard of it."""
LOOKS = 128
"""Strangers' jobs that are looked at in one pass."""


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
        clock: ChainClock,
        metrics: Metrics,
        health: Health,
    ) -> None:
        self.config = config
        self.chain = chain
        self.outbox = outbox
        self.store = store
        self.library = library
        self.clock = clock
        self.metrics = metrics
        self.health = health
        self.policy = BiddingPolicy(
            outbox.account.address,
            config.pricing.max_bids,
            config.pricing.undercut_percent,
            config.max_collateral,
            config.decline_seconds,
            config.input_patience,
        )
        self.jobs: dict[bytes, StoredJob] = {}
        self.wake = asyncio.Event()
        """Set when there is something to do for `serve`."""
        self.wake_bidding = asyncio.Event()
        self.pricing_inputs = PricingInputs(config, chain, store, library, self.policy)
        self.checks: asyncio.Queue[bytes] = asyncio.Queue()
        """Jobs whose stored input is to be checked."""
        self.transactions = JobTransactions(self)
        self.bidder = Bidder(self)
        self.reasons = Reasons(self)
        self._agenda = Agenda()
        self._dirty: set[bytes] = set()
        self._urgent: set[bytes] = set()
        self._due: dict[bytes, int] = {}
        self._said: dict[bytes, str] = {}
        self._looking: set[bytes] = set()
        self._in_time: set[bytes] = set()

    # ------------------------------------------------------------------------------------ what is heard

    def opened(self, bundle: Path, fault: str, tried: float | None) -> None:
        """A bundle's keys were opened and checked; `fault` says why not, "" if all is well. `tried` is how
        many seconds a proof took, if one was tried.
        """
        self.library.fitness.opened(bundle, fault)
        key = self.library.speed_key(bundle)
        if tried is not None and key is not None:
            self.pricing_inputs.tried(key, tried)
        self.bidder.price_again()

    async def restore(self) -> None:
        """Takes up the jobs on disk after a start."""
        jobs = self.store.open_jobs()
        for model_id in {job.model_id for job in jobs}:
            await self.library.find(self.chain.models, model_id)
        with self.store.database.transaction():
            for job in jobs:
                self.jobs[job.job_id] = job
                self.feed(job.job_id, Restarted())
                self.touch(job.job_id)

    def take(self, job_id: bytes, *, in_time: bool = False) -> None:
        """Takes a job in hand that is on disk.

        Args:
            job_id: the job.
            in_time: it was heard of while bids were taken.
        """
        job = self.store.job(job_id)
        if job is not None:
            self.jobs[job_id] = job
            if in_time:
                self._in_time.add(job_id)
            self.touch(job_id)

    def touch(self, job_id: bytes, *, urgent: bool = False) -> None:
        """Something may have happened to a job: it is looked at in the next round.

        Args:
            job_id: the job; nothing happens if it is not in hand.
            urgent: it was given to this worker, as an event says.
        """
        if job_id not in self.jobs:
            return
        self._dirty.add(job_id)
        if urgent:
            self._urgent.add(job_id)
        (self.wake if self._is_urgent(job_id) else self.wake_bidding).set()

    def touch_all(self) -> None:
        """As `touch`, for every job; after a re-org."""
        self._dirty.update(self.jobs)
        self.wake.set()
        self.wake_bidding.set()

    def feed(self, job_id: bytes, event: Event) -> None:
        """Tells a job's state machine, stores what comes of it, and lists what is to be done."""
        job = self.jobs[job_id]
        before = phase(job.progress, self.policy)
        progress, instructions = handle_event(job.progress, event, self.policy)
        if replace(progress, story=job.progress.story) != job.progress:
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
            self._said.pop(job_id, None)
            self._note_phase(job, progress, after)
        for instruction in instructions:
            bid = isinstance(instruction, Send) and instruction.action is Action.BID
            if isinstance(instruction, Quote) or bid:
                self.bidder.add(job_id, instruction)  # type: ignore[arg-type]
                self.wake_bidding.set()
            else:
                deadline = 0 if progress.view is None else progress.view.deadline
                self._agenda.add(deadline, job_id, instruction)
                self.wake.set()
        if instructions or not isinstance(event, Observed):
            self.touch(job_id)

    def _note_phase(self, job: StoredJob, progress: JobProgress, after: Phase) -> None:
        self.metrics.stage(job.job_id, after)
        if after is Phase.PAID and progress.view is not None:
            self.metrics.settled.inc()
            self.store.decide(job.job_id, "paid", f"settled at {ether(progress.view.price)}", {})
        elif after is Phase.FAILED:
            self.metrics.failed.inc()
            self.store.decide(job.job_id, "failed", progress.trouble or "not proven in time", {})
        elif after is Phase.GIVEN_UP:
            self.metrics.given_up.inc()
            self.store.decide(job.job_id, "given up", progress.trouble or "no proof in time", {})

    def phases(self) -> Counter[str]:
        """How many jobs are in which phase."""
        return Counter(str(phase(job.progress, self.policy)) for job in self.jobs.values())

    def held(self) -> list[StoredJob]:
        """Jobs that are this worker's to prove."""
        now = self.clock.now()
        return [job for job in self.jobs.values() if is_held(job.progress.view, self.policy, now)]

    def unfinished(self) -> int:
        """Jobs that a worker which is to stop should end first: accepted ones, and proofs that are done."""
        return sum(
            job.progress.proof is ProofState.READY
            or job.progress.sending.startswith(Action.ACCEPT)
            or (job.progress.view is not None and job.progress.view.state is JobState.ACCEPTED)
            for job in self.held()
        )

    def concerns(self) -> list[str]:
        """What an operator should know of jobs in hand."""
        found = []
        for job in self.held():
            view = job.progress.view
            if view is None or view.state is not JobState.ACCEPTED:
                continue
            if job.progress.input is InputState.MISSING:
                found.append(
                    f"job 0x{job.job_id.hex()} is accepted and its input is not here: its requester must"
                    " deliver it again"
                )
            elif job.progress.proof_failures and job.progress.proof is not ProofState.READY:
                found.append(f"job 0x{job.job_id.hex()} is accepted and fails: {job.progress.trouble}")
        return found

    def _is_urgent(self, job_id: bytes) -> bool:
        """Whether a job is served before all strangers' jobs."""
        if job_id in self._urgent or self.transactions.serves(job_id):
            return True
        view = self.jobs[job_id].progress.view
        if view is None or view.worker != self.policy.address or view.state.final:
            return False
        return view.state is not JobState.OPEN or self.clock.now() > view.deadline

    # ------------------------------------------------------------------------------------ looking

    async def look(self, head: Head, *, urgent: bool) -> None:
        """Asks the market about jobs something may have happened to, and those whose time has come.

        Args:
            head: the newest block, and what is known of it.
            urgent: those that are served first, all of them; otherwise at most `LOOKS` of the others.

        Raises:
            ChainError: nothing could be learnt of them; they stay to be looked at.
        """
        now = self.clock.now()
        due = {job_id for job_id, moment in self._due.items() if moment <= now}
        wanted = [
            job_id
            for job_id in (self._dirty | due) & self.jobs.keys()
            if job_id not in self._looking and self._is_urgent(job_id) is urgent
        ]
        if not urgent:
            # Those that were heard of last first, then the oldest: neither a flood nor a backlog shuts the
            # other out.
            wanted.sort(key=lambda job_id: self.jobs[job_id].block)
            wanted = wanted[-LOOKS // 2 :] + wanted[: -LOOKS // 2][: LOOKS // 2]
        await self._look_at(wanted, head)

    async def observe(self, job_id: bytes) -> None:
        """Asks the market about one job, as of now, and tells its machine. Raises `ChainError`."""
        while job_id in self._looking:  # an older answer must not come after a newer one
            await asyncio.sleep(0.01)
        await self._look_at([job_id], await self.chain.head())

    async def _look_at(self, job_ids: list[bytes], head: Head) -> None:
        if not job_ids:
            return
        self._looking.update(job_ids)
        self._dirty.difference_update(job_ids)
        try:
            looks = await head.jobs(job_ids, self.policy.address)
            with self.store.database.transaction():
                for job_id, look in looks.items():
                    if job_id in self.jobs:  # else closed while the node was thinking
                        self._see(job_id, look, head.header)
        except BaseException:
            self._dirty.update(job_ids)  # still to be looked at
            raise
        finally:
            self._looking.difference_update(job_ids)

    def _see(self, job_id: bytes, look: JobLook, head: Header) -> None:
        market, bid = look.job, look.bid
        open_ = market.state in (JobState.OPEN, JobState.AWARDED)
        own_bid = bid.price if open_ and bid is not None and bid.standing else None
        job, now = self.jobs[job_id], self.clock.now()
        self._due[job_id] = now + LOOK_AGAIN
        if fault := contradiction(job, market, head.timestamp):
            # One of the two is not true. Nothing is done for the job until they agree.
            self.say(job_id, "job.contradicted", fault)
            self.metrics.node_lies.inc()
            return
        view = view_of(market, own_bid)
        self.feed(job_id, Observed(view, now))
        if view.state is not JobState.OPEN or view.worker == self.policy.address:
            self._urgent.discard(job_id)
        progress = self.jobs[job_id].progress
        self._due[job_id] = next_look(progress, view, now, self.policy)
        if is_held(view, self.policy, now) and progress.input is InputState.MISSING:
            self.checks.put_nowait(job_id)
        over = view.state.final or view.state is JobState.NONE
        if over != (self.jobs[job_id].final_block is not None):
            final_block = head.number if over else None
            self.store.set_final(job_id, final_block)
            self.jobs[job_id] = replace(self.jobs[job_id], final_block=final_block)

    def close_finished(self, head: int) -> None:
        """Lets go of jobs that are over, or no longer this worker's concern.

        Its own stay until no re-org brings them back. Of the others an event or a re-org is heard again, and
        takes them up.
        """
        now = self.clock.now()
        finished = [job_id for job_id, job in self.jobs.items() if self._is_finished(job, head, now)]
        if not finished:
            return
        with self.store.database.transaction():
            for job_id in finished:
                job = self.jobs.pop(job_id)
                unpriced = job.progress.quote_asked and not self.bidder.waits(job_id)
                if job_id in self._in_time and (unpriced or job.progress.quote_round < 0):
                    self.health.missed_window()
                self._in_time.discard(job_id)
                self.store.close_job(job_id, str(phase(job.progress, self.policy)))
                self._due.pop(job_id, None)
                self._said.pop(job_id, None)
                self.bidder.forget(job_id)
                self._dirty.discard(job_id)
                self._urgent.discard(job_id)
                self.metrics.forget(job_id)
            self.store.prune(self.config.keep_jobs)

    def _is_finished(self, job: StoredJob, head: int, now: int) -> bool:
        progress, view = job.progress, job.progress.view
        if progress.sending or progress.proof is ProofState.RUNNING or view is None:
            return False
        if job.final_block is not None:
            return head - job.final_block >= self.chain.finality.final_after
        if job.job_id in self._dirty or view.state is JobState.NONE:
            return False
        # Until a block was seen to arrive, it is this machine's clock that says what is over.
        late = self.clock.live and now > view.deadline
        over = late and now > view.deadline + AWARD_GRACE
        if view.worker == self.policy.address:
            # Nobody may ever end it on chain; where it reserves stake, this worker does.
            return not view.backing and (over if view.state is JobState.OPEN else late)
        if view.state is JobState.OPEN:
            return late if view.own_bid is None else over
        return view.own_bid is None

    # ------------------------------------------------------------------------------------ doing

    @property
    def has_work(self) -> bool:
        """Whether instructions are listed for `work`, or jobs that are served first wait to be looked at."""
        return bool(self._agenda) or any(
            job_id in self.jobs and self._is_urgent(job_id) for job_id in self._dirty
        )

    async def work(self) -> None:
        """Carries out what is listed for jobs in hand, the nearest deadline first."""
        sends: list[tuple[bytes, Send]] = []
        while self._agenda and len(sends) < AT_ONCE:
            job_id, instruction = self._agenda.pop()
            if job_id not in self.jobs:
                continue
            match instruction:
                case Send():
                    sends.append((job_id, instruction))
                case Prove(deadline):
                    self.executor.add(job_id, deadline)
                case StopProving():
                    await self.executor.stop(job_id)
                case CheckInput():
                    self.checks.put_nowait(job_id)
                case Quote():
                    raise AssertionError("prices are made by the bidder")
        if sends:
            await self.transactions.send(sends)

    def say(self, job_id: bytes, event: str, reason: str, **fields: str) -> None:
        """Logs what stands in a job's way, once for each kind of reason until the job moves on."""
        kind = event + "".join(fields.values()) + "".join(c for c in reason if not c.isdigit())
        if self._said.get(job_id) != kind:
            self._said[job_id] = kind
            _log.info(event, job="0x" + job_id.hex(), reason=reason, **fields)


def next_look(progress: JobProgress, view: JobView, now: int, policy: BiddingPolicy) -> int:
    """When to look again unasked: at a moment to act on, after a pause, or after a while."""
    mine = view.worker == policy.address
    moments = [now + (LOOK_AGAIN if mine or progress.sending else 20 * LOOK_AGAIN)]
    if now < progress.pause_until:
        moments.append(progress.pause_until)
    if mine and view.state is JobState.AWARDED:
        moments += [at for at in (policy.input_due(view), policy.closes_at(view)) if at > now]
    if now <= view.deadline:
        moments.append(view.deadline + 1)
    return min(moments)
