"""The requester: posts a job, hands its input to the winner, and reads the answer that was proven.

Every durable step is written before it is taken (see `store`), and what became of a job is always asked of
the market, never concluded from what was sent. So each method may be called again after a crash, by another
process, or twice.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from assay_prover import Bundle, InputError, new_salt

from ..chain import Chain, Job, JobRequest, JobState, Model, Outbox, Receipt
from ..chain.contracts.contracts import view
from ..signed_delivery import delivery_headers
from .answer import read_answer
from .delivery import deliver, wants_input
from .errors import (
    DeliveryRefused,
    EvidenceMismatch,
    JobEnded,
    JobNotFound,
    JobNotReady,
    NobodyMayWin,
)
from .evidence import JobEvidence, check_model_id
from .following import JobFollower
from .history import gather_evidence
from .policy import AwardPolicy
from .posting import Poster
from .publish import describes, require_openable
from .recipients import signed_recipient
from .setup_trust import SetupTrust, setup_of
from .store import JobRecord, JobSecrets, JobStore, Posting, StoreKey
from .terms import JobTerms


@dataclass(frozen=True, slots=True)
class PostedJob:
    """A job on chain: its id, the draft it came from, the receipt of posting it, and who made its keys."""

    job_id: bytes
    draft_id: bytes
    receipt: Receipt
    setup: SetupTrust


@dataclass(frozen=True, slots=True)
class Result:
    """A proven answer, verified here and decrypted.

    Attributes:
        values: the outputs as the network gives them, float, shaped; label alone for models that end in an
            argmax.
        label: the winning class, or None if the output is no vector of logits.
        evidence: what it was verified from.
        setup: who could have forged it.
        recomputed: whether the model, computed on this machine from its weights, gives the same answer. False
            if the weights are private, so that it could not be.
        name: the class's name, if the model has names.
    """

    values: np.ndarray
    label: int | None
    evidence: JobEvidence
    setup: SetupTrust
    recomputed: bool
    name: str | None = None


def _unsaid(_: str) -> None:
    """Where nobody wants to be told."""


class Requester:
    """A requester's dealings with one market.

    Args:
        chain: the market and its neighbours.
        outbox: sends the requester's transactions.
        store: where salts and inputs are kept.
        store_key: what they are sealed with.
        policy: who may win jobs with a private input, unless `submit` is told otherwise. Nobody by default.
        allow_local: deliver inputs to endpoints on this machine or a private network.
    """

    def __init__(
        self,
        chain: Chain,
        outbox: Outbox,
        store: JobStore,
        store_key: StoreKey,
        *,
        policy: AwardPolicy | None = None,
        allow_local: bool = False,
    ) -> None:
        self.chain = chain
        self.outbox = outbox
        self.store = store
        self.poster = Poster(chain, outbox, store)
        self.policy = policy or AwardPolicy()
        self._store_key = store_key
        self._allow_local = allow_local

    @property
    def address(self) -> str:
        """The requester's account."""
        return str(self.outbox.account.address)

    async def submit(
        self,
        bundle: Bundle,
        model_id: bytes,
        x: np.ndarray | Mapping[str, np.ndarray],
        terms: JobTerms,
        *,
        policy: AwardPolicy | None = None,
        saturate: bool = False,
        salt: int | None = None,
    ) -> PostedJob:
        """Commit to an input and post a job for it.

        The vault's balance pays the ceiling as far as it goes, the transaction carries the rest. A job with a
        private input can be awarded by its requester alone, as can one with a public input if ``policy`` is
        given; else the market awards to the lowest bid.

        Args:
            bundle: the model's bundle; its key must be the registered one.
            model_id: the registered model.
            x: one sample, as the network takes it; by name if its input has ports.
            terms: what is offered.
            policy: who may win, and so see a private input; by default the requester's own.
            saturate: clip values outside the declared range instead of refusing them.
            salt: of a commitment that was made before, a data set's; by default a fresh one. Never for an
                encrypted output, whose pads would be those of every job under that salt.

        Raises:
            NobodyMayWin: the input is private, and the policy admits no worker at all.
            EvidenceMismatch: the registered model is not this bundle's, or claims an unchecked ceremony.
            InputError: from the prover: the sample does not fit.
            ChainError: as `Outbox.send`. After TransactionPending the draft is kept: `recover` finds its job.
        """
        private = bundle.manifest.input.visibility == "private"
        who = policy or (self.policy if private else None)
        if private and (who is None or not who.admits_anyone):
            raise NobodyMayWin(
                "the input is private, whoever wins the job sees it, and nobody is named who may win",
                "Name workers that you trust",
            )
        setup = await self.check_model(bundle, model_id)
        integers = bundle.encode_input(x, saturate=saturate)
        if salt is not None and (not private or bundle.manifest.output.visibility == "encrypted"):
            raise InputError(
                "a commitment made before serves a private input whose output is not encrypted: pads under "
                "one salt must not be used twice"
            )
        if private and salt is None:
            salt = new_salt()
        words = bundle.input_words(integers, salt)
        draft_id = os.urandom(32)
        request = _request(
            model_id, draft_id, terms.complete(private=private), requester_awards=who is not None
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
            posting=Posting(request, tuple(words)),
            policy=who,
        )
        job_id, receipt = await self.poster.post(draft_id, request, words)
        return PostedJob(job_id, draft_id, receipt, setup)

    async def check_model(self, bundle: Bundle, model_id: bytes) -> SetupTrust:
        """Raise EvidenceMismatch unless the registered model is the bundle's, with the same key and
        statement. Returns who made its keys.
        """
        require_openable(bundle)
        model = await self.chain.models.model_of(model_id)
        setup = setup_of(model, model_id)
        require_same(bundle, model_id, model)
        # A node that serves one model's record for another's id would have a job posted for the other.
        check_model_id(model_id, model, bundle.verifying_key)
        return setup

    async def recover(self) -> list[JobRecord]:
        """Find the jobs of drafts whose posting was not heard back of; return the records that gained one."""
        return await self.poster.recover()

    def record_of(self, job_id: bytes) -> JobRecord | None:
        """What is kept here of a job of this account on this market; None if it is not of here."""
        record = self.store.find(job_id)
        deployment = self.chain.deployment
        here = (deployment.chain_id, deployment.market.lower(), self.address.lower())
        return record if record and (record.chain_id, record.market, record.requester) == here else None

    async def job(self, job_id: bytes) -> Job:
        """A job as the market has it. Raises JobNotFound."""
        job = await self.chain.market.job_of(job_id)
        if job.state is JobState.NONE:
            raise JobNotFound(
                f"the market has no job 0x{job_id.hex()}", "Check the id and that this is the right chain"
            )
        return job

    async def follow(
        self, job_id: bytes, *, interval: float = 1.0, say: Callable[[str], None] = _unsaid
    ) -> AsyncIterator[Job]:
        """Yield the job whenever it changes, until it is final, doing on the way what falls to the requester.

        That is: award it, where that is the requester's to do; deliver the input to the worker it awarded;
        take the exits that are due (award, lapse, expire) if nobody else has by then; post it again if a
        re-org dropped it.

        Args:
            job_id: the job, by any id it has had.
            interval: seconds between two looks.
            say: told of every such step, of bids that were not taken and why, and of deliveries that failed.
        """
        async for job in JobFollower(self, job_id, say).run(interval):
            yield job

    async def award(self, job_id: bytes, worker: str) -> None:
        """Award an open job to any worker with a bid in this round, whoever leads.

        That this client did it is noted before it is sent: a private input goes to such a worker alone. For a
        job that is awarded to this worker already nothing is sent, and the note is made. An award that was
        mined and reverted (a re-org put it before the bid, say) is sent anew.
        """
        job = await self.job(job_id)
        record = self.record_of(job_id)
        if record is not None:
            self.store.add_award(record.draft_id, worker)
        if job.state is JobState.AWARDED and job.worker.lower() == worker.lower():
            return
        await self.outbox.send(
            f"{job_id.hex()}/award/{job.round}/{worker.lower()}",
            self.chain.market.award_to(job_id, worker),
            again=True,
        )

    async def deliver_input(
        self,
        job_id: bytes,
        *,
        patience: float,
        again: bool = False,
        say: Callable[[str], None] = _unsaid,
    ) -> bool:
        """Deliver a private input to the worker that this client awarded the job to.

        Returns False if there was nothing to do: a public input, a job that no worker holds, an award not yet
        deep enough in the chain (an award undone by a re-org must not have cost the requester its secret), or
        an input the worker has already, unless ``again``.

        Args:
            job_id: the job.
            patience: seconds for which the worker is tried.
            again: deliver to a worker that has it already.
            say: told of a key that is new.

        Raises:
            DeliveryRefused: the worker that holds the job, by the node's word, is none that this client
                awarded it to; or as `delivery.deliver`.
            DeliveryError: the worker could not be convinced in time.
            EvidenceMismatch: endpoint and key are not signed by the worker's account.
        """
        record = self.store.by_job(job_id)
        newest, job = await asyncio.gather(self.chain.latest(), self.job(job_id))
        depth = self.chain.confirmations.see(newest)
        if depth:
            job = await self._job_as_of(job_id, newest.number - depth)
        if job.state not in (JobState.AWARDED, JobState.ACCEPTED):
            return False
        worker = job.worker.lower()
        if (record.delivered_to, record.delivered_round) == (worker, job.round) and not again:
            return False
        secrets = self.store.secrets(record, self._store_key)
        if secrets.salt is None:
            return False
        if worker not in self.store.awarded_to(record.draft_id):
            raise DeliveryRefused(
                f"the node says that job 0x{job_id.hex()} is awarded to {job.worker}, which this client did "
                "not do: the input is not sent",
                f"If you want it sent there: assay job award 0x{job_id.hex()} {job.worker}",
            )
        recipient = await signed_recipient(self.chain, self.store, job.worker, job_id, say=say)
        named = record.policy is not None and record.policy.trusts(worker)
        self.store.add_disclosure(record.draft_id, worker, named=named)
        sign = partial(self._sign, job_id, job.worker)
        await deliver(recipient, job_id, secrets, sign=sign, patience=patience, allow_local=self._allow_local)
        self.store.set_delivered(record.job_id or job_id, worker, job.round)
        return True

    async def input_is_wanted(self, job_id: bytes) -> bool:
        """Whether the worker that was delivered a job's input says that it has lost it."""
        record = self.store.by_job(job_id)
        if record.delivered_to is None or record.delivered_to not in self.store.awarded_to(record.draft_id):
            return False
        worker = record.delivered_to
        recipient = await signed_recipient(self.chain, self.store, worker, job_id, say=_unsaid)
        return await wants_input(recipient, job_id, allow_local=self._allow_local)

    def _sign(self, job_id: bytes, worker: str, body: bytes) -> dict[str, str]:
        deployment = self.chain.deployment
        return delivery_headers(
            self.outbox.account,
            chain_id=deployment.chain_id,
            market=deployment.market,
            job_id=job_id,
            worker=worker,
            body=body,
        )

    async def _job_as_of(self, job_id: bytes, number: int) -> Job:
        market = self.chain.market
        block = hex(max(0, number))
        fields = await view(self.chain.node, market.address, market.interface, "jobOf", job_id, block=block)
        return Job.from_abi(fields)

    async def result(self, job_id: bytes, bundle: Bundle) -> Result:
        """The proven answer: evidence gathered, verified on this machine, tied to our own input, decrypted.

        If the model's weights are in the bundle, its answer is computed here as well and compared: a proof
        alone is no evidence against whoever made the keys.

        Raises:
            JobNotReady, JobEnded: there is no result yet, or there will be none.
            AnswerMismatch: the proof is valid, and the model gives another answer.
            EvidenceMismatch: the evidence does not fit, or is of another input than ours.
            InvalidProof: from the prover.
        """
        record = self.store.by_job(job_id)
        job_id = record.job_id or job_id
        job = await self.job(job_id)
        if not job.state.final:
            raise JobNotReady(f"job 0x{job_id.hex()} is {job.state.name.lower()}", "Ask again later")
        if job.state is not JobState.SETTLED:
            raise JobEnded(
                f"job 0x{job_id.hex()} ended {job.state.name.lower()}, without a result",
                "What was held for it is back in your vault balance",
            )
        secrets = self.store.secrets(record, self._store_key)
        evidence = await gather_evidence(self.chain, job_id)
        evidence.check()
        model_id = evidence.submitted.request.model_id
        require_same(bundle, model_id, evidence.model)
        integers = secrets.integers.reshape(secrets.shape)
        if list(evidence.submitted.input_words) != bundle.input_words(integers, secrets.salt):
            raise EvidenceMismatch(
                f"job 0x{job_id.hex()} was proven for another input than the one kept here",
                "Do not rely on its answer",
            )
        decoded, recomputed = read_answer(bundle, evidence.settled.output_words, integers, secrets.salt)
        setup = setup_of(evidence.model, model_id)
        return Result(decoded.values, decoded.label, evidence, setup, recomputed, decoded.name)

    async def cancel(self, job_id: bytes) -> None:
        """Withdraw an open job; what was held for it returns to the vault balance."""
        await self.outbox.send(f"{job_id.hex()}/cancel", self.chain.market.cancel(job_id), again=True)

    async def withdraw(self, amount: int, to: str) -> None:
        """Pay ``amount`` wei of the vault balance to ``to``."""
        await self.outbox.send(f"withdraw/{os.urandom(8).hex()}", self.chain.vault.withdraw(amount, to))


def _request(model_id: bytes, draft_id: bytes, terms: JobTerms, *, requester_awards: bool) -> JobRequest:
    assert terms.min_stake is not None  # noqa: S101 - complete
    assert terms.collateral is not None  # noqa: S101
    assert terms.rounds is not None  # noqa: S101
    return JobRequest(
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
        requester_awards=requester_awards,
        rounds=terms.rounds,
    )


def require_same(bundle: Bundle, model_id: bytes, model: Model) -> None:
    """Raise EvidenceMismatch unless a registered model is the bundle's: key, description and weights."""
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
