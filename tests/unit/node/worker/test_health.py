"""What a worker says of its own state: healthy only while it does what it is there for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import generate_latest

from assay_node.worker import health as module
from assay_node.worker.health import Health
from assay_node.worker.metrics import Metrics


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(tmp_path: Path, clock: Clock) -> Health:
    watched = Health(("serving", "discovering"), tmp_path, Metrics(clock), clock)
    for task in ("serving", "discovering"):
        with watched.round(task):
            pass
    return watched


def test_before_its_first_rounds_a_worker_is_not_healthy(tmp_path: Path, clock: Clock) -> None:
    starting = Health(("serving", "discovering"), tmp_path, Metrics(), clock)
    assert len(starting.reasons()) == 2


def test_with_good_rounds_it_is(health: Health) -> None:
    assert health.reasons() == []


def test_one_task_that_fails_is_enough(health: Health, clock: Clock) -> None:
    with pytest.raises(RuntimeError), health.round("discovering"):
        raise RuntimeError
    health.trouble["discovering"] = "the node is away"
    clock.now += module.STALE
    with health.round("serving"):
        pass
    (reason,) = health.reasons()
    assert "discovering: no round has succeeded for 60 s (the node is away)" in reason
    with health.round("discovering"):
        pass
    assert health.reasons() == []


def test_a_round_that_takes_longer_than_windows_is_told_of_also_while_it_lasts(
    health: Health, clock: Clock
) -> None:
    with health.round("discovering"):
        clock.now += module.SLOW + 1
        assert "a round takes 31 s" in health.reasons()[0]
    assert "a round takes 31 s" in health.reasons()[0]
    with health.round("discovering"):
        pass
    assert health.reasons() == []


def test_jobs_whose_bidding_was_over_too_soon_are_told_of_for_a_while(health: Health, clock: Clock) -> None:
    health.missed_window()
    health.missed_window()
    assert "2 jobs lately" in health.reasons()[0]
    clock.now += module.REMEMBERED
    for task in ("serving", "discovering"):
        with health.round(task):
            pass
    assert health.reasons() == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("behind", module.BEHIND + 1, "51 blocks behind"),
        ("oldest_transaction", module.STUCK + 1, "has not been mined for 181 s"),
        ("notes", ["the account is empty"], "the account is empty"),
    ],
)
def test_lag_stuck_transactions_and_what_was_found_in_the_last_round(
    health: Health, name: str, value: Any, said: str
) -> None:
    setattr(health, name, value)
    assert said in health.reasons()[0]


def test_a_disk_that_is_nearly_full(health: Health, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "assay_node.worker.health.shutil.disk_usage", lambda _: SimpleNamespace(free=10 << 20)
    )
    assert "10 MiB left" in health.reasons()[0]


def test_how_long_jobs_are_in_a_stage_is_a_histogram(clock: Clock) -> None:
    metrics = Metrics(clock)
    metrics.stage(b"job", "proving")
    clock.now += 3
    metrics.stage(b"job", "settling")
    metrics.forget(b"job")
    text = generate_latest(metrics.registry).decode()
    assert 'assay_worker_stage_seconds_bucket{le="4.0",phase="proving"} 1.0' in text
    assert 'assay_worker_stage_seconds_sum{phase="proving"} 3.0' in text
    assert 'phase="settling"' not in text


def test_an_old_newest_block_is_told_of(health: Health) -> None:
    health.head_age = module.OLD_HEAD
    assert health.reasons() == []
    health.head_age += 1
    (reason,) = health.reasons()
    assert "the newest block is 301 s old" in reason


def test_requests_without_an_answer_are_counted_by_method() -> None:
    metrics = Metrics()
    failed = {"eth_call": 2}
    metrics.show_failures(failed)
    metrics.show_failures(failed)
    metrics.show_failures({"eth_call": 3, "eth_getLogs": 1})
    text = generate_latest(metrics.registry).decode()
    assert 'assay_worker_rpc_failures_total{method="eth_call"} 3.0' in text
    assert 'assay_worker_rpc_failures_total{method="eth_getLogs"} 1.0' in text
