"""A short soak: workers are killed while jobs go their way and nodes misbehave. See `make soak`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assay_prover import Bundle
from bench.node.load import measure
from bench.node.measured import TERMS, Load
from bench.node.soak import Killer
from chains import devnet_node
from faults import Busy, Html, NullResults, OthersAnswer
from market import MODELS, Sampled

JOBS = 12
KILLS = 3


@pytest.mark.slow
async def test_workers_that_are_killed_lose_no_job(bundle: Path, tmp_path: Path) -> None:
    with np.load(MODELS / "bc_mlp.npz", allow_pickle=False) as data:
        model = Sampled(Bundle.open(bundle), data["x"], data["y"])
    load = Load(
        jobs=JOBS,
        requesters=3,
        workers=2,
        limit=240.0,
        terms=replace(TERMS, bid_window=25, accept_window=300),
        faults=[Html(0.03), Busy(0.03), NullResults(0.03), OthersAnswer(0.03)],
        settings={"max_jobs": 100, "prover": "thread", "prover_table_mb": 0},
        interval=0.5,
    )
    killer = Killer(JOBS, KILLS)
    result = await measure(load, devnet_node, tmp_path, model, chaos=killer)
    assert (result.settled, result.asked_twice, result.slashed) == (JOBS, 0, 0), result.states
    assert killer.kills == KILLS
