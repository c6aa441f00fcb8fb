"""Inputs of awarded jobs: who may deliver one, whether it is the job's, and which are still wanted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import structlog
from eth_utils.crypto import keccak

from ..chain import JobState
from ..signed_delivery import delivery_signer
from .errors import InboxError
from .inbox import ReadBody
from .input_store import InputStore
from .lifecycle.events import InputRejected, InputStored, InputVerified, Unservable
from .lifecycle.progress import InputState, is_held
from .models import ServedModel
from .store import StoredJob

if TYPE_CHECKING:
    from .jobs import JobManager

_log = structlog.get_logger(__name__)

ASK_AGAIN = 1.0
"""Seconds after which the market is asked again whether a job is this worker's by now."""
CHECKS_AT_ONCE = 2
"""Deliveries of strangers that are checked at once; the requester's own never waits for them."""

SIGNATURES_AT_ONCE = 2
"""Signatures of deliveries that are checked at once; the others wait, and nothing else does."""


class Deliveries:
    """What the inbox asks and tells, and the checks of inputs that are on disk.

    Args:
        manager: whose jobs these are.
        inputs: opens and checks inputs.
    """

    def __init__(self, manager: JobManager, inputs: InputStore) -> None:
        self._manager = manager
        self._inputs = inputs
        self._checking = 0
        self._signatures = asyncio.Semaphore(SIGNATURES_AT_ONCE)
        self._asked: dict[bytes, float] = {}

    async def run(self) -> None:
        """Checks inputs that need no delivery, or came before a restart; for ever."""
        while True:
            job_id = await self._manager.checks.get()
            if job_id not in self._manager.jobs:
                continue
            state = self._manager.jobs[job_id].progress.input
            if state is InputState.STORED:
                await self._check_stored(job_id)
            elif state is InputState.MISSING:
                await self._take_public(job_id)

    async def is_from_requester(self, job_id: bytes, headers: Mapping[str, str]) -> bytes | None:
        """The hash that a delivery's body must have if the job's own requester signed it, else None.

        Only for a job that this worker holds or has bid on, in a thread, and a few at once: a signature costs
        time to check, and strangers could send many.
        """
        job = self._manager.jobs.get(job_id)
        if job is None or not self._may_hold(job):
            return None
        deployment = self._manager.chain.deployment
        async with self._signatures:
            signed = await asyncio.to_thread(
                delivery_signer,
                headers,
                chain_id=deployment.chain_id,
                market=deployment.market,
                job_id=job_id,
                worker=self._manager.policy.address,
            )
        return signed[1] if signed is not None and signed[0] == job.requester else None

    def wanted(self, job_id: bytes) -> bool | None:
        """Whether the input of a job that this worker holds is still to come; None for any other job."""
        job = self._manager.jobs.get(job_id)
        model = None if job is None else self._manager.library.known(job.model_id)
        if job is None or model is None or not model.private_input or not self._holds(job_id):
            return None
        return job.progress.input is InputState.MISSING

    async def reason(self, job_id: bytes) -> Mapping[str, Any] | None:
        """Why this worker stayed out of a job or gave it back, signed; None if it has nothing to say."""
        return await self._manager.reasons.of(job_id)

    async def receive(self, job_id: bytes, read: ReadBody, body_hash: bytes | None = None) -> int:
        """Takes a delivered input: checks it, stores it, and only then says so.

        Args:
            job_id: as the sender says.
            read: reads the body; not called for a job this worker does not hold.
            body_hash: that the requester signed; None if it comes from anybody.

        Returns:
            200; the input is the job's, and on disk.

        Raises:
            InboxError: 404, 409, 422 or 503 with the reason.
        """
        manager = self._manager
        job = manager.jobs.get(job_id)
        model = None if job is None else manager.library.known(job.model_id)
        if job is None or model is None:
            raise self._refused(404, "this worker knows no such job")
        if not model.private_input:
            raise self._refused(409, "the job's input is public; there is nothing to deliver")
        if job.progress.input is InputState.VERIFIED:
            return 200
        if not self._holds(job_id):
            # The award may be newer than the last look. Asking costs a call, so not for every job.
            if not self._may_hold(job) or time.monotonic() < self._asked.get(job_id, 0.0):
                raise self._refused(409, "the job is not awarded to this worker")
            self._note_asked(job_id)
            await manager.observe(job_id)
            if not self._holds(job_id):
                raise self._refused(409, "the job is not awarded to this worker")
        body = await read()
        if body_hash is not None and keccak(body) != body_hash:
            raise self._refused(422, "the body is not the one that was signed")
        if body_hash is None and self._checking >= CHECKS_AT_ONCE:
            raise self._refused(503, "busy checking other inputs, try again")
        await self._check(model, job, body)
        if job_id in manager.jobs and manager.jobs[job_id].progress.input is not InputState.VERIFIED:
            with manager.store.database.transaction():
                manager.store.put_input(job_id, body)
                manager.feed(job_id, InputStored())
                manager.feed(job_id, InputVerified())
        manager.metrics.inputs.labels("verified").inc()
        return 200

    async def _check(self, model: ServedModel, job: StoredJob, body: bytes) -> None:
        self._checking += 1
        try:
            await asyncio.to_thread(self._inputs.check_sealed, model, job, body)
        except InboxError as error:
            raise self._refused(error.status, error.what) from error
        finally:
            self._checking -= 1

    async def _take_public(self, job_id: bytes) -> None:
        """The input of a model that hides none: its words are in the job, and are checked like any other."""
        manager, job = self._manager, self._manager.jobs[job_id]
        model = manager.library.known(job.model_id)
        if model is not None and model.private_input:
            return
        fault = (
            "the model is not served any more"
            if model is None
            else await asyncio.to_thread(model.packing_fault, job.input_words)
        )
        if job_id not in manager.jobs or manager.jobs[job_id].progress.input is not InputState.MISSING:
            return
        with manager.store.database.transaction():
            if fault:
                manager.feed(job_id, Unservable(fault))
            else:
                manager.feed(job_id, InputStored())
                manager.feed(job_id, InputVerified())

    async def _check_stored(self, job_id: bytes) -> None:
        """Checks an input that was on disk, unchecked, when the worker stopped."""
        manager, job = self._manager, self._manager.jobs[job_id]
        fault = await self._inputs.stored_fault(manager.library.known(job.model_id), job)
        if job_id not in manager.jobs or manager.jobs[job_id].progress.input is not InputState.STORED:
            return
        with manager.store.database.transaction():
            if fault:
                manager.store.drop_input(job_id)
                manager.feed(job_id, InputRejected(fault))
            else:
                manager.feed(job_id, InputVerified())

    def _note_asked(self, job_id: bytes) -> None:
        now = time.monotonic()
        self._asked = {other: until for other, until in self._asked.items() if until > now}
        self._asked[job_id] = now + ASK_AGAIN

    def _refused(self, status: int, what: str) -> InboxError:
        self._manager.metrics.inputs.labels(str(status)).inc()
        return InboxError(status, what)

    def _holds(self, job_id: bytes) -> bool:
        job = self._manager.jobs.get(job_id)
        return job is not None and is_held(job.progress.view, self._manager.policy, self._manager.clock.now())

    def _may_hold(self, job: StoredJob) -> bool:
        """Whether the job may be this worker's by now, though it was not when last looked at."""
        view = job.progress.view
        if view is not None and view.state in (JobState.AWARDED, JobState.ACCEPTED):
            return view.worker == self._manager.policy.address
        if view is None or view.state is not JobState.OPEN:
            return False
        # A bid that was sent and not seen yet counts: its award may be in the same block.
        return view.own_bid is not None or job.progress.bids > 0
