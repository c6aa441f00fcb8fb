"""The commands by which a requester says who may win, sees what became of it, and what it is worth."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay_node.cli.exit_codes import ExitCode
from assay_node.devnet import DevnetThread

Assay = Callable[..., tuple[str, str]]
LAB = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


@pytest.fixture
def submit(assay: Assay, net: DevnetThread, bc_mlp: Any, tmp_path: Path) -> tuple[object, ...]:
    """The command that posts a job with a private input."""
    assay("deploy")
    model = json.loads(assay("model", "publish", bc_mlp.bundle.path, "--json")[0])["model_id"]
    np.save(tmp_path / "input.npy", bc_mlp.x[0])
    where = ("--model", model, "--input", tmp_path / "input.npy")
    return ("job", "submit", bc_mlp.bundle.path, *where, "--max-price", "1gwei", "--no-follow")


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain is not the user's own."""

    async def no(_: object) -> bool:
        return False

    monkeypatch.setattr("assay_node.session.development_node", no)


@pytest.mark.usefixtures("foreign")
def test_a_private_input_is_refused_with_what_to_type_until_a_worker_is_named(
    assay: Assay, submit: tuple[object, ...]
) -> None:
    _, error = assay(*submit, code=ExitCode.FAILED)
    for advice in (
        "--worker ADDRESS",
        "assay trust add ADDRESS",
        "--min-settled 10 --min-stake 10000000000wei",
    ):
        assert advice in error
    assert json.loads(assay("job", "list", "--json")[0]) == []

    assay("trust", "add", LAB, "--name", "lab")
    assert json.loads(assay("trust", "list", "--json")[0]) == [{"worker": LAB, "name": "lab"}]
    out, said = assay(*submit, "--json")
    posted = json.loads(out)
    assert posted["setup"] == "single-party"
    assert "whoever made them can forge" in posted["trust"]
    assert "may win, and is sent the input" not in said  # nobody but who was named: no warning
    assay("trust", "remove", "lab")
    assay(*submit, code=ExitCode.FAILED)
    _, said = assay(*submit, "--min-settled", 3, "--rounds", 2)
    assert "warning: any worker with 10 gwei of stake and 3 settled jobs may win" in said
    assert "warning: up to 2 workers" in said


def test_on_a_chain_of_ones_own_anybody_may_win_and_that_is_said(
    assay: Assay, submit: tuple[object, ...]
) -> None:
    _, said = assay(*submit)
    assert "This is a chain of your own: whoever bids may win" in said
    # One whose every worker is a stranger by name is told all the same who was named.
    _, error = assay(*submit, "--worker", "lab", code=ExitCode.FAILED)
    assert "neither an address nor the name of a trusted worker" in error


def test_what_became_of_a_job_is_told(assay: Assay, submit: tuple[object, ...]) -> None:
    job_id = json.loads(assay(*submit, "--json")[0])["job_id"]
    (listed,) = json.loads(assay("job", "list", "--json")[0])
    assert (listed["state"], listed["strangers"]) == ("open", 0)
    status = json.loads(assay("job", "status", job_id, "--json")[0])
    assert (status["rounds"], status["requester_awards"]) == (1, True)
    assert (status["min_stake_wei"], status["collateral_wei"]) == (2 * 10**9, 10**9)
    assert status["input"] == {"sent_to": [], "strangers": 0}
    assert json.loads(assay("job", "bids", job_id, "--json")[0]) == []

    cancelled = json.loads(assay("job", "cancel", job_id, "--json")[0])
    assert cancelled["why"] == "what was held for it is in your vault balance"
    assert json.loads(assay("job", "status", job_id, "--json")[0])["why"] == "its requester withdrew it"
    told = json.loads(assay("job", "history", job_id, "--json")[0])
    assert [event["event"] for event in told["events"]] == ["posted", "cancelled"]
    _, error = assay("job", "result", job_id, code=ExitCode.NO_RESULT)
    assert "its requester withdrew it" in error
    assert "assay vault balance" in error


@pytest.mark.parametrize("command", ["bids", "history", "status"])
def test_an_unknown_job_is_no_empty_list(assay: Assay, submit: tuple[object, ...], command: str) -> None:
    _, error = assay("job", command, "0x" + "ab" * 32, code=ExitCode.FAILED)
    assert "the market has no job" in error


def test_models_and_workers_are_listed(assay: Assay, submit: tuple[object, ...]) -> None:
    (model,) = json.loads(assay("model", "list", "--json")[0])
    assert (model["input"], model["weights"], model["setup"]) == ("private", "constant", "single-party")
    assert model["suggested_price_wei"] > model["gas_wei"] > 0
    assert json.loads(assay("worker", "list", "--json")[0]) == []
