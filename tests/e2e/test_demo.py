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
