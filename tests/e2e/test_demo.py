"""`assay demo`, as a newcomer runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

KEYS = {
    "chain",
    "job_state",
    "expected_label",
    "decrypted_label",
    "setup_seconds",
    "prove_seconds",
    "constraints",
    "proof_bytes",
    "verify_gas",
    "submit_gas",
    "worker_paid_wei",
    "requester_spent_wei",
}


@pytest.mark.slow
def test_the_demo_settles_a_job_and_keeps_its_bundle(assay: Any, tmp_path: Path) -> None:
    work = tmp_path / "demo"
    printed = assay("demo", "--work", work, "--patient", 7, "--json").json
    summary = json.loads((work / "summary.json").read_text())
    assert printed == summary
    assert set(summary) == KEYS
    assert summary["job_state"] == "settled"
    assert summary["expected_label"] == summary["decrypted_label"] == "malignant"
    assert summary["proof_bytes"] in (256, 320)
    assert 181_000 < summary["verify_gas"] < summary["submit_gas"]  # the pairing alone takes 181,000
    assert 0 < summary["worker_paid_wei"] < summary["requester_spent_wei"]

    key = (work / "bc_mlp" / "verifying.key").read_bytes()
    page = assay("demo", "--work", work, "--patient", 0).out
    assert (work / "bc_mlp" / "verifying.key").read_bytes() == key
    assert "benign" in page
    assert "kept from an earlier run" in page
    again = json.loads((work / "summary.json").read_text())
    assert again["setup_seconds"] == summary["setup_seconds"]


def test_a_patient_who_is_not_in_the_data(assay: Any) -> None:
    assay("demo", "--patient", 143, code=2)


@pytest.mark.slow
def test_the_demo_of_training_ends_with_a_model_whose_origin_is_verified(assay: Any, tmp_path: Path) -> None:
    work = tmp_path / "demo"
    printed = assay("demo", "training", "--work", work, "--json").json
    summary = json.loads((work / "training.json").read_text())
    assert printed == summary
    assert (summary["rows"], summary["epochs"]) == (455, 100)
    assert summary["constraints"] <= 480_000
    assert summary["proof_bytes"] == 320
    assert summary["weights_equal_reference"]
    assert summary["lineage_verified"]
    assert len(summary["attested_by"]) == 1
    assert summary["accuracy_trained"] >= summary["accuracy_float"] - 0.01
    assert summary["accuracy_trained"] > 0.93
    assert summary["job_state"] == summary["prediction_state"] == "settled"
    assert summary["prediction"] == summary["expected"]
    assert 181_000 < summary["verify_gas"] < 300_000
    (work / "training" / "thesis.txt").write_text("mine")
    error = assay("demo", "training", "--work", work, code=1).err
    assert "thesis.txt" in error
    assert (work / "training" / "thesis.txt").read_text() == "mine"
