"""A node that lies, in one place of one answer, to a worker or to a requester: nobody loses money or secrets.

All lies are told by `make liar`, which takes hours. Here are those that did harm once, those that an attacker
would try first, and a sample of the others.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from assay_node.chain import JobState
from faults.deceived import Stage, Victim, open_stage
from faults.lies import Lie, lies_at, spots_of

SAMPLE = 6
"""Lies of each victim drawn at random; the draw is the same in every run."""

ESSENTIAL = [
    ("worker", "eth_getTransactionCount", "more"),
    ("worker", "eth_getTransactionCount", "huge"),
    ("worker", "eth_estimateGas placeBid", "zero"),
    ("worker", "eth_getBlockByNumber.timestamp", "huge"),
    ("worker", "eth_getLogs.*.data", "flipped"),
    ("worker", "eth_getLogs.*.address", "other"),
    ("worker", "eth_feeHistory.baseFeePerGas.*", "huge"),
    ("requester", "eth_call workerOf", "swapped"),
    ("requester", "eth_call jobOf", "impersonating"),
    ("requester", "eth_getTransactionCount", "huge"),
    ("requester", "eth_getTransactionReceipt.logs.*.data", "flipped"),
    ("requester", "eth_getTransactionReceipt.status", "less"),
    ("requester", "eth_estimateGas submitJob", "zero"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory, bc_mlp: Any) -> AsyncIterator[tuple[Stage, Any]]:
    """A chain, a worker, a requester and a liar, and the traffic of an honest job."""
    async with open_stage(tmp_path_factory.mktemp("liar"), bc_mlp) as opened:
        yield opened, await opened.record()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("victim", "place", "way"), ESSENTIAL, ids=map(" ".join, ESSENTIAL))
async def test_a_lie_does_no_harm(stage: tuple[Stage, Any], victim: Victim, place: str, way: str) -> None:
    opened, traffic = stage
    spots = [spot for spot in spots_of(traffic[victim]) if str(spot) == place]
    assert spots, f"the {victim} asks nothing like {place} any more"
    outcome = await opened.play(victim, Lie(spots[0], way))
    assert not outcome.violations


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("number", range(SAMPLE))
@pytest.mark.parametrize("victim", ["worker", "requester"])
async def test_a_lie_drawn_at_random_does_no_harm(
    stage: tuple[Stage, Any], victim: Victim, number: int
) -> None:
    opened, traffic = stage
    lies = [lie for spot in spots_of(traffic[victim]) for lie in lies_at(spot)]
    lie = random.Random(f"{victim} {number}").choice(lies)  # noqa: S311 - a sample to be repeated
    outcome = await opened.play(victim, lie)
    assert not outcome.violations, str(lie)


@pytest.mark.asyncio(loop_scope="module")
async def test_without_a_lie_the_job_settles(stage: tuple[Stage, Any]) -> None:
    outcome = await stage[0].play("requester", None)
    assert (outcome.state, outcome.violations) == (JobState.SETTLED, [])
