"""A prover that panics: the worker goes on, the model is marked, and its operator lets it be bid on again."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from assay_node.chain import JobState
from assay_node.worker import Bans, WorkerStore
from assay_node.worker.bans import FAILURES
from assay_prover import ModelProver, _native


async def test_panics_put_a_model_out_and_not_the_worker(
    marketplace: Any, public_bundle: Any, samples: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def panic(*_: object, **__: object) -> None:
        _native.panic_for_test("index out of bounds")

    async with marketplace() as place:
        model = await place.publish(public_bundle)
        hand = await place.hire(1, public_bundle)
        with monkeypatch.context() as broken:
            worker = await hand.start()
            while worker._manager.library.fitness.objection(public_bundle)[0]:  # the trial proof comes out
                await place.a_moment()
            broken.setattr(ModelProver, "prove_slice", panic)
            posted = await place.post(public_bundle, model, samples[0])
            await place.award(posted, hand)
            await place.until(
                posted, JobState.OPEN, JobState.REFUNDED
            )  # after so many failures it gives it back
            fitness = worker._manager.library.fitness
            assert "panicked: index out of bounds" in fitness.objection(public_bundle)[0]
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"{worker.metrics_url}/health") as reply,
            ):
                assert (reply.status, (await reply.json())["healthy"]) == (503, False)
            await hand.stop()
        assert FAILURES == 3
        worker = await hand.start()  # which alone lifts nothing
        assert "panicked" in worker._manager.library.fitness.objection(public_bundle)[0]
        store = WorkerStore(hand.config.state_dir / "worker.sqlite")
        (ban,) = Bans(store.database).all()
        Bans(store.database).lift(ban)
        store.close()
        while worker._manager.library.fitness.objection(public_bundle)[0]:
            await place.a_moment()
        posted = await place.post(public_bundle, model, samples[1])
        await place.award(posted, hand)
        await place.until(posted, JobState.SETTLED)
