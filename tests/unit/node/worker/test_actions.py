"""When a proof's gas may cost more than the cap, and how much."""

from __future__ import annotations

import pytest

from assay_node.chain import JobRequest, JobState
from assay_node.worker import WorkerConfig
from assay_node.worker.actions import rescue_spend
from assay_node.worker.lifecycle.events import JobView
from assay_node.worker.lifecycle.instructions import Action, Send
from assay_node.worker.lifecycle.progress import JobProgress
from assay_node.worker.store import StoredJob

ME = "0x" + "Aa" * 20
VIEW = JobView(JobState.ACCEPTED, 0, ME, 1000, 10_000, 5000, None)


def spend(
    now: int,
    action: Action = Action.PROVE,
    window: int = 3600,
    rescue_seconds: int = 180,
    percent: int = 90,
    view: JobView = VIEW,
) -> int | None:
    """With a price of 1000, royalty 10 %, collateral 100 and a deadline at 10,000."""
    request = JobRequest(bytes(32), max_price=5000, collateral=100, prove_window=window)
    job = StoredJob(bytes(32), bytes(32), ME, 1, request, (), JobProgress(view=view), None)
    config = WorkerConfig.model_construct(rescue_seconds=rescue_seconds, rescue_percent=percent)
    return rescue_spend(config, job, Send(action, 0), 1000, now)


def test_of_an_award_only_the_price_is_at_stake_and_its_own_window_counts() -> None:
    awarded = JobView(JobState.AWARDED, 0, ME, 1000, 10_000, 5000, None)
    assert spend(9_999, view=awarded) == 900 * 90 // 100
    assert spend(9_849, view=awarded) is None  # the window to accept is 300 s
    assert spend(9_850, view=awarded) == 810


def test_the_cap_holds_until_shortly_before_the_deadline() -> None:
    assert spend(9_819) is None
    assert spend(9_820) == (100 + 900) * 90 // 100
    assert spend(10_001) == 900


def test_it_never_yields_before_half_the_window_is_over_nor_if_the_operator_says_so() -> None:
    assert spend(9_959, window=80) is None
    assert spend(9_960, window=80) == 900
    assert spend(10_000, rescue_seconds=0) is None
    assert spend(9_900, percent=0) == 0


@pytest.mark.parametrize("action", [action for action in Action if action is not Action.PROVE])
def test_it_yields_for_nothing_but_a_proof(action: Action) -> None:
    assert spend(9_999, action=action) is None
