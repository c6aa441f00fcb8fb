"""Every test that the threat model names is there: the table must not outlive what it points to."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_attack_of_the_threat_model_has_its_tests() -> None:
    document = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
    table = document.split("| shown by |", 1)[1].split("\n\n", 1)[0]
    named = set(re.findall(r"`(\w+)`", "".join(row.rsplit("|", 2)[1] for row in table.splitlines()[2:])))
    defined: set[str] = set()
    for folder, suffix, pattern in (
        ("contracts/test", "sol", r"\bfunction (test_\w+)"),
        ("prover/crates", "rs", r"#\[test\]\s+fn (\w+)"),
        ("tests", "py", r"\bdef (test_\w+)"),
    ):
        for path in (ROOT / folder).rglob(f"*.{suffix}"):
            defined.update(re.findall(pattern, path.read_text(encoding="utf-8")))
    assert len(named) > 40
    assert named <= defined, sorted(named - defined)
