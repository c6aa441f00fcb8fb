"""The requester: posts a job, hands its input to the winner, and reads the answer that was proven.

Every durable step is written before it is taken (see `store`), and what became of a job is always asked of
the market, never concluded from what was sent. So each method may be called again after a crash, by another
process, or twice.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assay_prover import Bundle, new_salt

from ..chain import (
    AWARD_GRACE,
    ZERO_ADDRESS,
    Chain,
    ChainClock,
    ContractReverted,
    FeesTooHigh,
    InsufficientFunds,
    Job,
    JobRequest,
    JobState,
    JobSubmitted,
    Model,
    NodeUnavailable,
    Outbox,
    Receipt,
    TransactionFailed,
)
from ..chain.contracts.contracts import view
from .bids import choice, standing_bids
from .delivery import Recipient, deliver
from .errors import (
    DeliveryError,
    EvidenceMismatch,
    JobEnded,
    JobNotFound,
    JobNotReady,
)
from .evidence import JobEvidence, check_model_id, job_id_of
from .history import gather_evidence, logged, submissions_by
from .publish import describes
from .store import JobRecord, JobSecrets, JobStore, StoreKey

# Failures after which no transaction can be under way: the draft may be forgotten.
_NEVER_SENT = (ContractReverted, FeesTooHigh, InsufficientFunds, TransactionFailed)

PATIENCE_WITH_REFUSALS = 60.0
"""Seconds a due exit may be refused while the job stays as it is, before that is an error."""
PATIENCE_WITH_NODE = 60.0
"""Seconds a node may be away, or not know a job it knew (a re-org under way), before that is an error."""
CHOOSING_TIME = 30
"""Seconds before the end of a later round's bidding at which a bid is chosen; at most a quarter of it."""
WINNERS_HEAD_START = 5
"""Seconds after the bidding in which awarding is left to the winner, so that not both pay for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTerms:
    """What a requester offers. Amounts in wei, windows in seconds; see `JobRequest`."""

    max_price: int
    min_stake: int = 0
    collateral: int = 0
    bid_window: int = 60
    accept_window: int = 300
    prove_window: int = 3600
    callback: str = ZERO_ADDRESS
    callback_gas: int = 0
    requester_awards: bool = False
    rounds: int = 3


@dataclass(frozen=True, slots=True)
class PostedJob:
    """A job on chain: its id, the draft it came from, and the receipt of posting it."""

    job_id: bytes
    draft_id: bytes
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Result:
    """A proven answer, verified here and decrypted.

    Attributes:
        values: the outputs as the network gives them, float, shaped; label alone for models that end in an
            argmax.
        label: the winning class, or None if the output is no vector of logits.
        evidence: what it was verified from.
    """

    values: np.ndarray
    label: int | None
    evidence: JobEvidence


class Requester:
    """A requester's dealings with one market.

    Args:
        chain: the market and its neighbours.
        outbox: sends the requester's transactions.
        store: where salts and inputs are kept.
        store_key: what they are sealed with.
        allow_local: deliver inputs to endpoints on this machine or a private network.
    """

    def __init__(
        self,
        chain: Chain,
        outbox: Outbox,
        store: JobStore,
        store_key: StoreKey,
        *,
        allow_local: bool = False,
    ) -> None:
        self.chain = chain
        self.outbox = outbox
        self.store = store
        self._store_key = store_key
        self._allow_local = allow_local
        self._clock = ChainClock()
        self._chosen: set[tuple[bytes, int]] = set()

    @property
    def address(self) -> str:
        """The requester's account."""
        return str(self.outbox.account.address)

    async def submit(
        self, bundle: Bundle, model_id: bytes, x: np.ndarray, terms: JobTerms, *, saturate: bool = False
    ) -> PostedJob:
        """Commit to an input and post a job for it.

        The vault's balance pays the ceiling as far as it goes, the transaction carries the rest.

        Args:
            bundle: the model's bundle; its key must be the registered one.
            model_id: the registered model.
            x: one sample, as the network takes it.
            terms: what is offered.
            saturate: clip values outside the declared range instead of refusing them.

        Raises:
            EvidenceMismatch: the registered model is not this bundle's.
            InputError: from the prover: the sample does not fit.
            ChainError: as `Outbox.send`. After TransactionPending the draft is kept: `recover` finds its job.
        """
        await self.check_model(bundle, model_id)
        integers = bundle.encode_input(x, saturate=saturate)
        private = bundle.manifest.input.visibility == "private"
        salt = new_salt() if private else None
        words = bundle.input_words(integers, salt)
        draft_id = os.urandom(32)
        request = JobRequest(
            model_id=model_id,
            max_price=terms.max_price,
            min_stake=terms.min_stake,
            collateral=terms.collateral,
            bid_window=terms.bid_window,
            accept_window=terms.accept_window,
            prove_window=terms.prove_window,
            input_ref=draft_id,
            callback=terms.callback,
            callback_gas=terms.callback_gas,
            requester_awards=terms.requester_awards,
            rounds=terms.rounds,
        )
        self.store.add_draft(
            draft_id,
            chain_id=self.chain.deployment.chain_id,
            market=self.chain.deployment.market,
            requester=self.address,
            model_id=model_id,
            bundle=Path(bundle.path),
            secrets=JobSecrets(salt, integers.reshape(-1), tuple(integers.shape)),
            key=self._store_key,
        )
        balance = await self.chain.vault.balance_of(self.address)
        call = self.chain.market.submit_job(request, words, value=max(0, terms.max_price - balance))
        try:
            receipt = await self.outbox.send(f"job/{draft_id.hex()}", call)
        except _NEVER_SENT:
            self.store.discard(draft_id)
            raise
        posted = logged(self.chain, receipt, JobSubmitted)
        self._adopt(draft_id, posted)
        return PostedJob(posted.job_id, draft_id, receipt)

    async def check_model(self, bundle: Bundle, model_id: bytes) -> None:
        """Raise EvidenceMismatch unless the registered model is the bundle's, with the same key and
        statement.
        """
        model = await self.chain.models.model_of(model_id)
        _require_same(bundle, model_id, model)
        # A node that serves one model's record for another's id would have a job posted for the other.
        check_model_id(model_id, model, bundle.verifying_key)

    async def recover(self) -> list[JobRecord]:
        """Find the jobs of drafts whose posting was not heard back of; return the records that gained one."""
        deployment = self.chain.deployment
        drafts = self.store.drafts(
            chain_id=deployment.chain_id, market=deployment.market, requester=self.address
        )
        waiting = {record.draft_id for record in drafts}
        found = []
        if waiting:
            for event in await submissions_by(self.chain, self.address):
                if event.request.input_ref in waiting:
                    self._adopt(event.request.input_ref, event)
                    found.append(self.store.by_job(event.job_id))
        return found

    def _adopt(self, draft_id: bytes, event: JobSubmitted) -> None:
        deployment = self.chain.deployment
        expected = job_id_of(
            deployment.chain_id,
            deployment.market,
            event.requester,
            event.nonce,
            event.request,
            event.input_words,
        )
        if expected != event.job_id:
            raise EvidenceMismatch(
                f"the market logged job 0x{event.job_id.hex()}, its content hashes to 0x{expected.hex()}",
                "The node or the deployment file is wrong",
            )
        self.store.set_job_id(draft_id, event.job_id)

    async def job(self, job_id: bytes) -> Job:
        """A job as the market has it. Raises JobNotFound."""
        job = await self.chain.market.job_of(job_id)
        if job.state is JobState.NONE:
            raise JobNotFound(
                f"the market has no job 0x{job_id.hex()}", "Check the id and that this is the right chain"
            )
        return job

    async def follow(
        self, job_id: bytes, *, interval: float = 1.0, say: Callable[[str], None] = lambda _: None
    ) -> AsyncIterator[Job]:
        """Yield the job whenever it changes, until it is final, doing on the way what falls to the requester.

        That is: deliver the input to an awarded worker, and take the exits that are due (award, lapse,
        expire) if nobody else has by then. Once an award has lapsed, later rounds go to the lowest bid of a
        worker that keeps its awards, if there is one. ``say`` is told of every such step and of deliveries
        that failed.
        """
        last: Job | None = None
        told: set[str] = set()
        refused_since: float | None = None
        away_since: float | None = None
        while True:
            try:
                job = await self.job(job_id)
                away_since = None
            except (NodeUnavailable, JobNotFound) as error:
                away_since = away_since or time.monotonic()
                if last is None or time.monotonic() - away_since > PATIENCE_WITH_NODE:
                    raise
                if str(error) not in told:
                    told.add(str(error))
                    say(str(error))
                await asyncio.sleep(interval)
                continue
            if job != last:
                last, refused_since = job, None
                told.clear()
                yield job
            if job.state.final:
                return
            try:
                step = await self._step(job_id, job)
            except (ContractReverted, TransactionFailed):
                # Too early by the chain's clock, or someone was first and their block is still to come: the
                # next look tells. A refusal that stays while the job does not change is another matter.
                refused_since = refused_since or time.monotonic()
                if time.monotonic() - refused_since > PATIENCE_WITH_REFUSALS:
                    raise
                step = ""
            except (NodeUnavailable, FeesTooHigh, InsufficientFunds) as error:
                step = str(error)  # what was due may be done by others, or later
            if step and step not in told:
                told.add(step)
                say(step)
            await asyncio.sleep(interval)

    async def _step(self, job_id: bytes, job: Job) -> str:
        """Do what is due; return what there is to say of it."""
        market = self.chain.market
        self._clock.see(await self.chain.latest())
        now = self._clock.now()
        if job.state is JobState.AWARDED and now <= job.deadline:
            try:
                delivered = await self.deliver_input(job_id, patience=5.0)
            except DeliveryError as error:
                return str(error)
            return f"delivered the input to {job.worker}" if delivered else ""
        if job.state is JobState.OPEN and job.round > 0:
            chosen = await self._choose(job_id, job, now)
            if chosen:
                return chosen
        grace = WINNERS_HEAD_START if job.state is JobState.OPEN and job.worker != ZERO_ADDRESS else 0
        if now <= job.deadline + grace:
            return ""
        if job.state is JobState.OPEN:
            if job.worker == ZERO_ADDRESS or now > job.deadline + AWARD_GRACE:
                call = market.expire(job_id)
            elif job.requester_awards:
                return ""  # the choice is the requester's, see `award`
            else:
                call = market.award(job_id)
        elif job.state is JobState.AWARDED:
            call = market.lapse(job_id)
        else:
            call = market.expire(job_id)
        await self.outbox.send(f"{job_id.hex()}/{job.state.name}/{job.round}/{job.deadline}", call)
        return call.description

    async def _choose(self, job_id: bytes, job: Job, now: int) -> str:
        """Near the end of a round after a lapse, award to a worker that has a record, once."""
        left = job.deadline - now
        if not 0 <= left <= min(CHOOSING_TIME, job.bid_window // 4) or (job_id, job.round) in self._chosen:
            return ""
        best = choice(await standing_bids(self.chain, job_id))
        if best is not None:
            await self.award(job_id, best.worker)
        self._chosen.add((job_id, job.round))
        if best is None:
            return ""
        return (
            f"an award has lapsed, so the job goes to {best.worker}, the lowest bid of a worker with a record"
        )

    async def award(self, job_id: bytes, worker: str) -> None:
        """Award an open job to any worker with a bid in this round, whoever leads."""
        round_ = (await self.job(job_id)).round
        await self.outbox.send(
            f"{job_id.hex()}/award/{round_}/{worker.lower()}", self.chain.market.award_to(job_id, worker)
        )

    async def deliver_input(self, job_id: bytes, *, patience: float) -> bool:
        """Deliver a private input to the worker the job is awarded to.

        Returns False if there was nothing to do: a public input, a job that is not awarded, an award not yet
        deep enough in the chain (an award undone by a re-org must not have cost the requester its secret), or
        an input the worker has already. Raises DeliveryError as `delivery.deliver` does.
        """
        record = self.store.by_job(job_id)
        job = await self._job_at_depth(job_id, self.chain.finality.confirmations)
        if job.state is not JobState.AWARDED:
            return False
        if (record.delivered_to, record.delivered_round) == (job.worker.lower(), job.round):
            return False
        secrets = self.store.secrets(record, self._store_key)
        if secrets.salt is None:
            return False
        worker = await self.chain.workers.worker_of(job.worker)
        await deliver(
            Recipient(job.worker, worker.endpoint, worker.encryption_key),
            job_id,
            secrets,
            patience=patience,
            allow_local=self._allow_local,
        )
        self.store.set_delivered(job_id, job.worker.lower(), job.round)
        return True

    async def _job_at_depth(self, job_id: bytes, depth: int) -> Job:
        market = self.chain.market
        if depth == 0:
            return await self.job(job_id)
        block = hex(max(0, await self.chain.node.block_number() - depth))
        fields = await view(self.chain.node, market.address, market.interface, "jobOf", job_id, block=block)
        return Job.from_abi(fields)

    async def result(self, job_id: bytes, bundle: Bundle) -> Result:
        """The proven answer: evidence gathered, verified on this machine, tied to our own input, decrypted.

        Raises:
            JobNotReady, JobEnded: there is no result yet, or there will be none.
            EvidenceMismatch: the evidence does not fit, or is of another input than ours.
            InvalidProof: from the prover.
        """
        job = await self.job(job_id)
        if not job.state.final:
            raise JobNotReady(f"job 0x{job_id.hex()} is {job.state.name.lower()}", "Ask again later")
        if job.state is not JobState.SETTLED:
            raise JobEnded(
                f"job 0x{job_id.hex()} ended {job.state.name.lower()}, without a result",
                "What was held for it is back in your vault balance",
            )
        record = self.store.by_job(job_id)
        secrets = self.store.secrets(record, self._store_key)
        evidence = await gather_evidence(self.chain, job_id)
        evidence.check()
        _require_same(bundle, evidence.submitted.request.model_id, evidence.model)
        words = bundle.input_words(secrets.integers.reshape(secrets.shape), secrets.salt)
        if list(evidence.submitted.input_words) != words:
            raise EvidenceMismatch(
                f"job 0x{job_id.hex()} was proven for another input than the one kept here",
                "Do not rely on its answer",
            )
        visibility = bundle.manifest.output.visibility
        integers = secrets.integers.reshape(secrets.shape)
        decoded = bundle.decode_output(
            list(evidence.settled.output_words),
            salt=None if visibility == "public" else secrets.salt,
            outputs=bundle.infer(integers) if visibility == "committed" else None,
        )
        return Result(decoded.values, decoded.label, evidence)

    async def cancel(self, job_id: bytes) -> None:
        """Withdraw an open job; what was held for it returns to the vault balance."""
        await self.outbox.send(f"{job_id.hex()}/cancel", self.chain.market.cancel(job_id))

    async def withdraw(self, amount: int, to: str) -> None:
        """Pay ``amount`` wei of the vault balance to ``to``."""
        await self.outbox.send(f"withdraw/{os.urandom(8).hex()}", self.chain.vault.withdraw(amount, to))


def _require_same(bundle: Bundle, model_id: bytes, model: Model) -> None:
    if model.vk_hash != bundle.vk_hash:
        raise EvidenceMismatch(
            f"model 0x{model_id.hex()} has the key 0x{model.vk_hash.hex()}, the bundle {bundle.path} "
            f"0x{bundle.vk_hash.hex()}",
            "Use the bundle that was published",
        )
    # Under private weights the commitment is what tells one model of these keys from another.
    if not describes(bundle, model.spec) or model.model_commitment != (bundle.model_commitment or b""):
        raise EvidenceMismatch(
            f"model 0x{model_id.hex()} is registered with another description than {bundle.path} has",
            "Use the bundle that was published; do not post jobs with this one",
        )
