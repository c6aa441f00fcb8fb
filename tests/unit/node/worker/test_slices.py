"""A worker's slices: what of them is on disk when, and what they cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from unittest.mock import AsyncMock

import pytest
from nacl.public import PrivateKey

from assay_node.chain import Chain, JobRequest, JobState, JobSubmitted, ModelSpec, Origin
from assay_node.chain.node.fees import FeePolicy
from assay_node.worker import PricingConfig, WorkerConfig, WorkerStore
from assay_node.worker.executor import SliceProof
from assay_node.worker.input_store import InputStore
from assay_node.worker.messages import JobView
from assay_node.worker.models import ModelLibrary, ServedModel
from assay_node.worker.pricing import SLICE_GAS, gas_after_award, gas_reserve, job_gas
from assay_node.worker.pricing_inputs import PricingInputs
from assay_node.worker.state import JobProgress
from assay_node.worker.store import StoredJob, StoredProof
from assay_prover import FIELD_ORDER

JOB = bytes(range(32))
PARTS = [SliceProof(bytes([i]) * 320, (i, 2**200 + i), 1.5 + i) for i in range(3)]


ME = "0x" + "11" * 20


@pytest.fixture
def store(tmp_path: Path) -> WorkerStore:
    opened = WorkerStore(tmp_path / "worker.sqlite")
    request = JobRequest(bytes(32), max_price=1)
    origin = Origin(1, bytes(32), bytes(32), 0)
    opened.add_job(JobSubmitted(origin, JOB, bytes(32), "0x" + "11" * 20, 0, 1, request, (5,)))
    return opened


def test_slices_come_back_in_order_as_far_as_they_go_without_a_gap(store: WorkerStore) -> None:
    assert store.slices_of(JOB) == ()
    store.put_slice(JOB, 2, PARTS[2])
    assert store.slices_of(JOB) == ()
    store.put_slice(JOB, 0, PARTS[0])
    assert store.slices_of(JOB) == (PARTS[0],)
    store.put_slice(JOB, 1, PARTS[1])
    assert store.slices_of(JOB) == tuple(PARTS)
    store.put_slice(JOB, 1, PARTS[2])
    assert store.slices_of(JOB) == (PARTS[0], PARTS[2], PARTS[2])


def test_slices_go_when_the_proof_is_there_or_the_job_is_over(store: WorkerStore) -> None:
    store.put_slice(JOB, 0, PARTS[0])
    store.put_proof(JOB, StoredProof(b"proof", (1,), 2.0))
    assert store.slices_of(JOB) == ()
    assert store.proof_of(JOB) == StoredProof(b"proof", (1,), 2.0)
    store.put_slice(JOB, 0, PARTS[0])
    store.close_job(JOB)
    assert store.slices_of(JOB) == ()


def test_slices_outlive_the_process(store: WorkerStore, tmp_path: Path) -> None:
    store.put_slice(JOB, 0, PARTS[0])
    store.close()
    again = WorkerStore(tmp_path / "worker.sqlite")
    assert again.slices_of(JOB) == (PARTS[0],)


def test_all_slices_of_a_job_have_one_blinding_that_is_this_workers_alone(store: WorkerStore) -> None:
    """After a restart too: kept slices and new ones make one proof."""
    sliced, single = (
        cast(ServedModel, SimpleNamespace(bundle=SimpleNamespace(slices=(None,) * n))) for n in (3, 1)
    )
    secret, job = PrivateKey.generate(), store.job(JOB)
    assert job is not None
    other = replace(job, job_id=bytes(32))
    blinding = InputStore(secret, store).blinding_for_proof(sliced, job)
    assert blinding is not None
    assert 0 <= blinding < FIELD_ORDER
    assert InputStore(secret, store).blinding_for_proof(sliced, job) == blinding
    assert InputStore(PrivateKey.generate(), store).blinding_for_proof(sliced, job) != blinding
    assert InputStore(secret, store).blinding_for_proof(sliced, other) != blinding
    assert InputStore(secret, store).blinding_for_proof(single, job) is None


def test_every_further_slice_is_priced() -> None:
    assert job_gas(4, 0, 3) - job_gas(4, 0) == 2 * SLICE_GAS


def appraiser_of(store: WorkerStore, balance: int, gas_price: int) -> PricingInputs:
    """With one model in three slices, of which a proof takes ten seconds."""
    spec = ModelSpec(bytes(32), bytes(32), bytes(32), 1, 2, True, True)
    model = SimpleNamespace(
        model=SimpleNamespace(spec=spec), bundle=SimpleNamespace(slices=(None,) * 3), speed_key="circuit"
    )
    library = cast(ModelLibrary, SimpleNamespace(known=lambda _: model))
    config = WorkerConfig.model_construct(fees=FeePolicy(), pricing=PricingConfig())
    node = SimpleNamespace(
        fee_history=AsyncMock(return_value=([gas_price], [])), balance=AsyncMock(return_value=balance)
    )
    store.set_speed("circuit", 10.0)
    return PricingInputs(config, cast(Chain, SimpleNamespace(node=node)), store, library, ME)


def awarded(store: WorkerStore, price: int) -> StoredJob:
    """The job, awarded to this worker."""
    job = store.job(JOB)
    assert job is not None
    return replace(
        job, progress=JobProgress(view=JobView(JobState.AWARDED, 0, ME, price, 10**10, price, None))
    )


async def test_accepting_must_bring_what_it_still_costs(store: WorkerStore) -> None:
    """Gas may have become dear since the bid; what was paid for the bid is gone either way."""
    gas_price = 10**9
    cost = gas_after_award(job_gas(4, 0, 3)) * gas_price
    pricing_inputs = appraiser_of(store, 10**20, gas_price)
    assert await pricing_inputs.risk_of_accepting(awarded(store, cost), []) == ""
    assert f"the job brings {cost - 1}" in await pricing_inputs.risk_of_accepting(
        awarded(store, cost - 1), []
    )


async def test_accepting_takes_gas_at_hand_for_the_proofs_of_all_slices(store: WorkerStore) -> None:
    gas_price = 10**9
    needed = gas_reserve(job_gas(4, 0, 3), gas_price)
    job = awarded(store, 10**18)
    assert await appraiser_of(store, needed, gas_price).risk_of_accepting(job, []) == ""
    assert "send it some" in await appraiser_of(store, needed - 1, gas_price).risk_of_accepting(job, [])


async def test_accepting_takes_time_for_the_proofs_of_what_was_accepted_before(store: WorkerStore) -> None:
    """A requester may award at any time to any bid that stands, so several may fall due at once."""
    pricing_inputs = appraiser_of(store, 10**20, 1)
    job = awarded(store, 10**18)
    view = JobView(JobState.ACCEPTED, 0, ME, 1, 10**10, 1, None)
    others = [replace(job, progress=JobProgress(view=view)) for _ in range(4)]
    for window, accepted in ((74, 0), (75, 0), (89, 1), (90, 1), (135, 4)):
        hurried = replace(job, request=replace(job.request, prove_window=window))
        found = await pricing_inputs.risk_of_accepting(hurried, others[:accepted])
        assert (found == "") == (window >= 60 + 15 * (1 + accepted)), found
