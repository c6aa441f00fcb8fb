"""Between the jobs and the executor: what is to be proven, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from assay_prover import binding

from .errors import InboxError
from .executor import InputUnprovable, ProofCancelled, ProofError, ProofResult, ProofTask, StaleSlices
from .input_store import InputStore
from .lifecycle.events import ProofFailed, ProofStopped, Proved
from .store import StoredProof

if TYPE_CHECKING:
    from .jobs import JobManager

_log = structlog.get_logger(__name__)


class Proofs:
    """The executor's counterpart.

    Args:
        manager: whose jobs these are.
        inputs: opens inputs.
    """

    def __init__(self, manager: JobManager, inputs: InputStore) -> None:
        self._manager = manager
        self._inputs = inputs

    async def prepare(self, job_id: bytes) -> ProofTask:
        """What the executor needs to prove a job; called when its turn comes."""
        manager, job = self._manager, self._manager.jobs[job_id]
        model = manager.library.known(job.model_id)
        if model is None:
            raise InboxError(422, "the model is not served any more")
        integers, salt = self._inputs.for_proof(model, job)
        deployment = manager.chain.deployment
        return ProofTask(
            bundle=model.path,
            integers=integers,
            salt=salt,
            binding=binding(deployment.chain_id, deployment.market, job_id, manager.policy.address),
            blinding=self._inputs.blinding_for_proof(model, job),
            input_words=job.input_words,
            threads=manager.config.prover_threads,
            table_bytes=manager.config.prover_table_mb << 20,
            verifying_key=model.bundle.verifying_key,
            model_commitment=model.bundle.model_commitment,
            slices=len(model.bundle.slices),
            kept=manager.store.slices_of(job_id),
        )

    async def proved(self, job_id: bytes, outcome: ProofResult | Exception) -> None:
        """Takes the executor's result: the proof is on disk before the machine hears of it."""
        manager = self._manager
        if job_id not in manager.jobs:
            return
        if isinstance(outcome, ProofResult):
            proof = StoredProof(outcome.proof, outcome.output_words, outcome.seconds)
            manager.metrics.proof_seconds.observe(outcome.seconds)
            with manager.store.database.transaction():
                manager.store.put_proof(job_id, proof)
                model = manager.library.known(manager.jobs[job_id].model_id)
                if model is not None:
                    manager.library.fitness.proved(model.path)
                    manager.pricing_inputs.measure(model, outcome.seconds)
                manager.feed(job_id, Proved())
            _log.info("job.proven", job="0x" + job_id.hex(), seconds=round(outcome.seconds, 3))
        elif isinstance(outcome, ProofCancelled):
            manager.feed(job_id, ProofStopped())
        else:
            if isinstance(outcome, StaleSlices):
                manager.store.drop_slices(job_id)
            manager.metrics.proof_failures.inc()
            manager.store.decide(job_id, "proof failed", str(outcome), {})
            _log.error("job.proof_failed", job="0x" + job_id.hex(), reason=str(outcome), exc_info=outcome)
            reason = str(outcome) or type(outcome).__name__
            model = manager.library.known(manager.jobs[job_id].model_id)
            # Three bad inputs of a requester's, or slices of an earlier run, say nothing of the model.
            by_model = isinstance(outcome, ProofError) and not (
                isinstance(outcome, InputUnprovable)
                or (isinstance(outcome, StaleSlices) and outcome.earlier_run)
            )
            if model is not None and by_model:
                manager.library.fitness.failed(model.path, reason)
            manager.feed(job_id, ProofFailed(reason, manager.clock.now()))
