"""A worker's slices: what of them is on disk when, and what they cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import AsyncMock

import pytest
from nacl.public import PrivateKey

from assay_node.chain import (
    Chain,
    JobRequest,
    JobState,
    JobSubmitted,
    ModelSpec,
    Origin,
    WorkerRecord,
)
from assay_node.chain.contracts.worker_gas import SLICE_GAS, gas_after_award, job_gas
from assay_node.chain.node.fees import FeePolicy
from assay_node.worker import PricingConfig, WorkerConfig, WorkerStore
from assay_node.worker.executor import SliceProof
from assay_node.worker.input_store import InputStore
from assay_node.worker.lifecycle.events import JobView
from assay_node.worker.lifecycle.progress import BiddingPolicy, InputState, JobProgress
from assay_node.worker.models import ModelLibrary, ServedModel
from assay_node.worker.pricing.pricing_inputs import PricingInputs
from assay_node.worker.pricing.quote import gas_reserve
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
    store.close_job(JOB, "paid")
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


RECORD = WorkerRecord(True, 10**18, 0, 0, 0, 1, 0, 0, 0, bytes(32), "", b"")


def pricing_of(store: WorkerStore, balance: int, gas_price: int, **settings: Any) -> PricingInputs:
    """With one model in three slices, of which a proof takes ten seconds."""
    spec = ModelSpec(bytes(32), bytes(32), bytes(32), 1, 2, True, True)
    model = SimpleNamespace(
        model=SimpleNamespace(spec=spec), bundle=SimpleNamespace(slices=(None,) * 3), speed_key="circuit"
    )
    library = cast(ModelLibrary, SimpleNamespace(known=lambda _: model))
    config = WorkerConfig.model_construct(fees=FeePolicy(), pricing=PricingConfig(), **settings)
    head = SimpleNamespace(
        worker=AsyncMock(return_value=RECORD),
        balance=AsyncMock(return_value=balance),
        gas_price=AsyncMock(return_value=gas_price),
        data_price=AsyncMock(return_value=0),
    )
    chain = cast(Chain, SimpleNamespace(head=AsyncMock(return_value=head)))
    store.set_speed("circuit", 10.0)
    return PricingInputs(config, chain, store, library, BiddingPolicy(ME))


def in_hand(store: WorkerStore, state: JobState, price: int, **fields: Any) -> StoredJob:
    """The job, awarded to this worker or accepted by it."""
    job = store.job(JOB)
    assert job is not None
    view = JobView(state, 0, ME, price, 10**10, price, None, accept_window=300, **fields)
    return replace(job, progress=JobProgress(view=view, input=InputState.VERIFIED))


async def test_settling_must_bring_what_it_costs(store: WorkerStore) -> None:
    """Gas may have become dear since the bid; what was paid for the bid is gone either way."""
    gas_price = 10**9
    for accept in (False, True):
        cost = gas_after_award(job_gas(4, 0, 3), accept=accept) * gas_price
        pricing = pricing_of(store, 10**20, gas_price)
        await pricing.refresh()
        job = in_hand(store, JobState.AWARDED, cost)
        assert pricing.settling_objection(job, accept=accept) == ""
        job = in_hand(store, JobState.AWARDED, cost - 1)
        assert "1 wei more than it brings" in pricing.settling_objection(job, accept=accept)


async def test_accepting_takes_gas_at_hand_for_the_proofs_of_all_slices(store: WorkerStore) -> None:
    gas_price = 10**9
    needed = gas_reserve(gas_after_award(job_gas(4, 0, 3), accept=True), gas_price)
    job = in_hand(store, JobState.AWARDED, 10**18)
    pricing = pricing_of(store, needed, gas_price)
    await pricing.refresh()
    assert pricing.settling_objection(job, accept=True) == ""
    pricing = pricing_of(store, needed - 1, gas_price)
    await pricing.refresh()
    short = pricing.settling_objection(job, accept=True)
    assert "send it some" in short


def test_accepting_takes_time_for_what_is_due_before_and_half_the_window_with_collateral(
    store: WorkerStore,
) -> None:
    """A requester may award at any time to any bid that stands, so several may fall due at once."""
    pricing = pricing_of(store, 10**20, 1, max_collateral=100)
    others = [
        in_hand(store, JobState.ACCEPTED, 1, collateral=1)
        if number % 2
        else in_hand(store, JobState.AWARDED, 1)
        for number in range(4)
    ]
    now = 10**10 - 1
    for collateral in (0, 7):
        job = in_hand(store, JobState.AWARDED, 10**18, collateral=collateral)
        for window, count in ((74, 0), (75, 0), (89, 1), (90, 1), (149, 0), (150, 0), (240, 4), (269, 4)):
            hurried = replace(job, request=replace(job.request, prove_window=window))
            found = pricing.risk_of_accepting(hurried, others[:count], now)
            allowed = window / 2 if collateral else window
            assert (found == "") == (allowed >= 60 + 15 * (1 + count)), found


def test_collateral_at_risk_is_bounded_over_all_jobs(store: WorkerStore) -> None:
    pricing = pricing_of(store, 10**20, 1, max_collateral=100)
    job = in_hand(store, JobState.AWARDED, 10**18, collateral=41)
    accepted = [in_hand(store, JobState.ACCEPTED, 1, collateral=60)]
    assert "1 wei" not in pricing.risk_of_accepting(job, [], 1)
    assert "more than max_collateral" in pricing.risk_of_accepting(job, accepted, 1)


def test_what_is_promised_ends_with_its_deadline_whether_or_not_anybody_says_so(store: WorkerStore) -> None:
    pricing = pricing_of(store, 10**20, 1, max_collateral=0)
    awarded = in_hand(store, JobState.AWARDED, 1, backing=5)
    waiting = replace(awarded, progress=replace(awarded.progress, input=InputState.MISSING))
    leading = replace(
        awarded,
        progress=JobProgress(view=replace(awarded.progress.view, state=JobState.OPEN)),  # type: ignore[type-var]
    )
    awarded_at, deadline = 10**10 - 300, 10**10
    for job, now, working, bidding, proofs in (
        (awarded, deadline, 1, 0, 1),
        (awarded, deadline + 1, 0, 0, 0),
        (waiting, awarded_at + 60, 0, 0, 1),
        (waiting, awarded_at + 61, 0, 0, 0),
        (leading, deadline, 0, 1, 1),
        (leading, deadline + 1, 0, 0, 0),
    ):
        promises = pricing.promises([job], now, gas_price=1)
        assert (promises.working, promises.bidding, len(promises.capacity.loads)) == (
            working,
            bidding,
            proofs,
        )
        assert promises.stake == 5  # which is reserved until the market is told
