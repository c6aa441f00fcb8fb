"""A start with a long history: few requests, and nothing forgotten."""

from __future__ import annotations

from typing import Any

from assay_node.chain import JobRequest, JobState, JobSubmitted, Origin
from assay_node.worker import WorkerStore

OPEN_JOBS = 1000


async def test_a_start_with_a_thousand_open_jobs_takes_few_requests(marketplace, public_bundle, samples):
    async with marketplace() as place:
        model = await place.publish(public_bundle)
        hand = await place.hire(1, public_bundle)
        store = WorkerStore(hand.config.state_dir / "worker.sqlite")
        with store.database.transaction():
            for number in range(OPEN_JOBS):
                origin = Origin(1, bytes(32), bytes(32), number)
                request = JobRequest(model, max_price=10**18)
                store.add_job(
                    JobSubmitted(origin, number.to_bytes(32, "big"), model, hand.address, 0, 1, request, (5,))
                )
        store.close()
        worker = await hand.start()
        manager = worker._manager
        assert len(manager.jobs) == OPEN_JOBS
        looks = 0
        look = manager.chain.market.look

        async def counted(job_ids: Any, *arguments: Any, **keywords: Any) -> Any:
            nonlocal looks
            looks += 1
            return await look(job_ids, *arguments, **keywords)

        manager.chain.market.look = counted
        posted = await place.post(public_bundle, model, samples[0])
        await place.award(posted, hand)
        await place.until(posted, JobState.SETTLED)
        while any(job.progress.view is None for job in manager.jobs.values()):
            await place.a_moment()
        assert looks < 40  # each is some batches of many jobs
