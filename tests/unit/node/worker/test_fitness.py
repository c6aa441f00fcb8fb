"""Which models are bid on: those whose keys were checked and whose proofs do not keep failing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import Mock

import pytest
from prometheus_client import generate_latest

from assay_node.worker.bans import FAILURES, Bans
from assay_node.worker.bids import Bidder
from assay_node.worker.errors import InboxError
from assay_node.worker.executor import (
    InputUnprovable,
    ProofCancelled,
    ProofError,
    ProofResult,
    StaleSlices,
)
from assay_node.worker.fitness import ModelFitness
from assay_node.worker.metrics import Metrics
from assay_node.worker.proofs import Proofs
from assay_node.worker.store import WorkerStore

GOOD, BAD = Path("good"), Path("bad")
JOB = bytes(32)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def fitness(metrics: Metrics) -> ModelFitness:
    return ModelFitness([GOOD, BAD], metrics)


def stale_without_any_kept() -> StaleSlices:
    error = StaleSlices("the slices of one run do not fit")
    error.earlier_run = False
    return error


def states(metrics: Metrics) -> set[tuple[str, str]]:
    lines = generate_latest(metrics.registry).decode().splitlines()
    return {
        (path, state)
        for path in ("good", "bad")
        for state in ("checking", "ready", "unfit")
        if f'assay_worker_models{{bundle="{path}",state="{state}"}} 1.0' in lines
    }


def test_a_model_waits_for_the_check_of_its_keys_and_nobody_is_alarmed(
    fitness: ModelFitness, metrics: Metrics
) -> None:
    reason, passing = fitness.objection(GOOD)
    assert (reason, passing) == ("its keys are still being opened and checked", True)
    assert fitness.concerns() == []
    assert states(metrics) == {("good", "checking"), ("bad", "checking")}


def test_keys_that_do_not_open_put_out_their_model_alone_and_say_why(
    fitness: ModelFitness, metrics: Metrics
) -> None:
    fitness.opened(GOOD, "")
    fitness.opened(BAD, "the key file is damaged")
    assert fitness.objection(GOOD) == ("", False)
    reason, passing = fitness.objection(BAD)
    assert "the key file is damaged" in reason
    assert not passing
    (concern,) = fitness.concerns()
    assert "bad" in concern
    assert "the key file is damaged" in concern
    assert states(metrics) == {("good", "ready"), ("bad", "unfit")}
    assert fitness.states() == {"good": "ready", "bad": reason}


def test_failures_in_a_row_put_a_model_out(fitness: ModelFitness, metrics: Metrics) -> None:
    fitness.opened(BAD, "")
    for _ in range(FAILURES):
        assert fitness.objection(BAD) == ("", False)
        fitness.failed(BAD, "the proof does not verify")
    reason, passing = fitness.objection(BAD)
    assert "3 proofs in a row have failed" in reason
    assert "the proof does not verify" in reason
    assert not passing
    fitness.opened(BAD, "")  # the prover's process was replaced, and opened the same key again
    fitness.proved(BAD)  # of a job that was in hand
    assert fitness.objection(BAD)[0] == reason
    assert states(metrics) == {("good", "checking"), ("bad", "unfit")}
    (concern,) = fitness.concerns()
    assert "assay worker allow bad" in concern


IDENTITIES = {GOOD: "01", BAD: "02"}


def kept_in(bans: Bans, identities: dict[Path, str] = IDENTITIES, **settings: Any) -> ModelFitness:
    fitness = ModelFitness([GOOD, BAD], **settings)
    fitness.keep_in(bans, identities)
    for path in (GOOD, BAD):
        fitness.opened(path, "")
    return fitness


def fail(fitness: ModelFitness) -> None:
    for _ in range(FAILURES):
        fitness.failed(BAD, "the proof does not verify")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[WorkerStore]:
    made = WorkerStore(tmp_path / "state" / "worker.sqlite")
    yield made
    made.close()


def test_a_ban_outlasts_a_restart_with_its_reason_and_time(store: WorkerStore) -> None:
    bans = Bans(store.database)
    fail(kept_in(bans, clock=lambda: 86_400.0))
    again = kept_in(bans)
    reason, _ = again.objection(BAD)
    assert "1970-01-02 00:00:00 UTC" in reason
    assert "the proof does not verify" in reason
    assert again.objection(GOOD) == ("", False)


def test_a_reason_is_fit_to_be_printed_and_stored(store: WorkerStore) -> None:
    bans = Bans(store.database)
    fitness = kept_in(bans)
    for _ in range(FAILURES):
        fitness.failed(BAD, "\x1b[2J" + "x" * 10_000)
    (ban,) = bans.all().values()
    assert ban.reason.isprintable()
    assert len(ban.reason) <= 2000


def test_a_ban_is_of_the_keys_that_failed(store: WorkerStore) -> None:
    bans = Bans(store.database)
    fail(kept_in(bans))
    assert kept_in(bans, {**IDENTITIES, BAD: "03"}).objection(BAD) == ("", False)
    assert bans.all() == {}


def test_a_ban_that_another_process_lifts_is_taken_up_while_the_worker_runs(
    store: WorkerStore, tmp_path: Path
) -> None:
    fitness = kept_in(Bans(store.database))
    assert not fitness.take_up_lifted()
    fail(fitness)
    assert not fitness.take_up_lifted()
    command = WorkerStore(tmp_path / "state" / "worker.sqlite")
    (ban,) = Bans(command.database).all()
    Bans(command.database).lift(ban)
    command.close()
    assert fitness.take_up_lifted()
    assert fitness.objection(BAD) == ("", False)
    assert not fitness.take_up_lifted()
    fail(fitness)
    assert fitness.objection(BAD)[0]


def test_a_proof_between_failures_ends_the_row(fitness: ModelFitness) -> None:
    fitness.opened(GOOD, "")
    for _ in range(2 * FAILURES):
        for _ in range(FAILURES - 1):
            fitness.failed(GOOD, "out of memory")
        fitness.proved(GOOD)
    assert fitness.objection(GOOD) == ("", False)


def manager_of(fitness: ModelFitness, metrics: Metrics, path: Path) -> Any:
    model = SimpleNamespace(path=path, packing_fault=lambda _: "")
    view = SimpleNamespace(deadline=10)
    job = SimpleNamespace(
        model_id=b"", input_words=(), request=None, progress=SimpleNamespace(view=view), requester="0x"
    )
    return Mock(
        library=SimpleNamespace(fitness=fitness, known=lambda _: model), jobs={JOB: job}, metrics=metrics
    )


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [
        (ProofError("the proof does not verify"), True),
        (ProofCancelled(), False),
        (InputUnprovable("out of range"), False),
        (StaleSlices("of an earlier run"), False),
        (stale_without_any_kept(), True),
        (InboxError(422, "no input"), False),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_only_what_is_the_models_fault_counts(
    fitness: ModelFitness, metrics: Metrics, outcome: Exception, counts: bool
) -> None:
    """A requester that posts inputs which no proof exists of keeps no worker from a model."""
    fitness.opened(BAD, "")
    proofs = Proofs(manager_of(fitness, metrics, BAD), Mock())
    for _ in range(FAILURES):
        await proofs.proved(JOB, outcome)
    assert bool(fitness.objection(BAD)[0]) is counts


async def test_a_proof_is_counted_for_its_model(
    fitness: ModelFitness, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitness.opened(BAD, "")
    manager = manager_of(fitness, metrics, BAD)
    manager.store.database.transaction.return_value = Mock(__enter__=Mock(), __exit__=Mock(return_value=None))
    proofs = Proofs(manager, Mock())
    for outcome in (ProofError("a"), ProofError("b"), ProofResult(b"", (), 1.0), ProofError("c")):
        await proofs.proved(JOB, outcome)
    assert fitness.objection(BAD) == ("", False)


def test_a_price_waits_for_the_check_and_is_declined_for_a_model_that_cannot_be_proven(
    fitness: ModelFitness, metrics: Metrics
) -> None:
    manager = manager_of(fitness, metrics, BAD)
    bidder = Bidder(manager)
    promises = cast(Any, None)
    waiting = bidder.price(JOB, promises)
    assert (waiting.ask, waiting.passing, waiting.why) == (None, True, "proving")
    fitness.opened(BAD, "the key file is damaged")
    declined = bidder.price(JOB, promises)
    assert (declined.ask, declined.passing, declined.why) == (None, False, "proving")
    assert "the key file is damaged" in declined.reason
    manager.pricing_inputs.price.assert_not_called()
    fitness.opened(BAD, "")
    assert bidder.price(JOB, promises) is manager.pricing_inputs.price.return_value
