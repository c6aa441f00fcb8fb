"""Where a model comes from, verified again: the job that trained it, the program, the data, its attesters.

Nothing is taken on anybody's word. The training job's proof is verified here; its input is compared with the
data set's commitments; the trained network is made again from the proven weights, and its circuit must be
that of the registered model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..chain import AnswerForged, Chain, DataSetRegistered, JobSubmitted
from ..client import gather_evidence, setup_of
from ..client.errors import EvidenceMismatch
from ..client.history import events_of
from ..client.requester import require_same
from .data_sets import DataSetRecord, read_data_set

if TYPE_CHECKING:
    from assay_prover import Bundle
    from assay_prover.reference.tensor import Int64Array
    from assay_prover.training.program import Program


@dataclass(frozen=True)
class Run:
    """A settled training job, verified.

    Attributes:
        job_id, program_id: the job, and the model that it ran.
        program: what the program is, from its bundle, which is the registered one's.
        weights: `int64[weights]`, proven; None of a program that shows their digest alone.
        data_set: what its input is, if that is registered.
        worker: who proved it.
        setup: who made the program's keys, in a word.
        trust: what that means, in a sentence.
    """

    job_id: bytes
    program_id: bytes
    program: Program
    weights: Int64Array | None
    data_set: DataSetRecord | None
    worker: str
    setup: str
    trust: str


@dataclass(frozen=True)
class RunRecord:
    """One job over a data set, as the log has it: every try is there."""

    job_id: bytes
    program_id: bytes
    requester: str
    state: str
    block: int


async def read_run(chain: Chain, job_id: bytes, bundle: Bundle) -> Run:
    """A training job, verified from chain data with the program's bundle.

    Args:
        chain: the deployment.
        job_id: a settled job.
        bundle: the program's; from anyone: it must be the one that is registered.

    Raises:
        JobNotFound, JobNotReady: there is no such settled job.
        EvidenceMismatch: the bundle is no training program, or another than the job's.
        InvalidProof: from the prover.
    """
    program = program_of(bundle)
    evidence = await gather_evidence(chain, job_id)
    evidence.check()
    program_id = evidence.submitted.request.model_id
    require_same(bundle, program_id, evidence.model)
    setup = setup_of(evidence.model, program_id)
    words = evidence.settled.output_words
    weights = None
    if bundle.manifest.output.visibility == "public":
        weights = bundle.decode_output(words).integers
    found = await _data_set(chain, evidence.submitted.input_words)
    return Run(
        job_id,
        program_id,
        program,
        weights,
        found,
        evidence.settled.worker,
        setup.short,
        setup.trust(),
    )


def program_of(bundle: Bundle) -> Program:
    """The training program that a bundle is. Raises `EvidenceMismatch`."""
    from assay_prover import InputError
    from assay_prover.training.program import Program

    try:
        return Program.from_json(bundle.manifest.program)
    except InputError as error:
        raise EvidenceMismatch(
            f"{bundle.path} is no training program", "Name the bundle of the program that the job ran"
        ) from error


async def verify_lineage(chain: Chain, model_id: bytes, run: Run) -> None:
    """That a registered model is what a run made.

    Args:
        chain: the deployment.
        model_id: the model that is said to come from the run.
        run: as `read_run` found it.

    Raises:
        EvidenceMismatch: it is another network.
    """
    from assay_prover.training.trained import trained_circuit_hash

    if run.weights is None:
        raise EvidenceMismatch(
            "the program shows a digest of the weights alone, from which no circuit can be made",
            "Lineage of such a model cannot be verified",
        )
    model = await chain.models.model_of(model_id)
    if bytes(model.spec.circuit_hash) != trained_circuit_hash(run.program, np.asarray(run.weights)):
        raise EvidenceMismatch(
            f"model 0x{model_id.hex()} is not the network that job 0x{run.job_id.hex()} trained: its circuit "
            "is another",
            "Do not rely on its lineage",
        )


async def verify_certificate(chain: Chain, model_id: bytes, run: Run) -> bool:
    """Whether the model's recorded origin is this run; False if none is recorded.

    Raises:
        AnswerForged: what is recorded contradicts the run.
    """
    recorded = await chain.certificates.lineage_of(model_id)
    if recorded.certified_at == 0:
        return False
    expected = (run.program_id, run.job_id, None if run.data_set is None else run.data_set.dataset_id)
    if (recorded.program_id, recorded.job_id, recorded.dataset_id) != expected:
        raise AnswerForged(
            f"the recorded origin of model 0x{model_id.hex()} is another job than 0x{run.job_id.hex()}",
            "Ask for the job that is recorded",
        )
    return True


async def runs_over(chain: Chain, data_set: DataSetRecord) -> list[RunRecord]:
    """All jobs whose input is a data set, the oldest first: a best of a hundred tries is visible here."""
    found = []
    for event in await events_of(chain, chain.market.address):
        if isinstance(event, JobSubmitted) and tuple(event.input_words) == data_set.blocks:
            job = await chain.market.job_of(event.job_id)
            block = event.origin.block_number
            state = job.state.name.lower()
            found.append(RunRecord(event.job_id, event.model_id, event.requester, state, block))
    return found


async def _data_set(chain: Chain, words: tuple[int, ...]) -> DataSetRecord | None:
    for event in await events_of(chain, chain.data.address):
        if isinstance(event, DataSetRegistered) and event.blocks == tuple(words):
            return await read_data_set(chain, event.dataset_id)
    return None
