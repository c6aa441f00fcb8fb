"""Every test that the threat model names is there: the table must not outlive what it points to."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_attack_of_the_threat_model_has_its_tests() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")))
    defined: set[str] = set()
    for folder, suffix, keyword in (("contracts/test", "sol", "function"), ("tests", "py", "def")):
        for path in (ROOT / folder).rglob(f"*.{suffix}"):
            defined.update(re.findall(rf"\b{keyword} (test_\w+)", path.read_text(encoding="utf-8")))
    assert len(named) > 40
    assert named <= defined, sorted(named - defined)
