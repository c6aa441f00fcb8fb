#!/usr/bin/env python3
"""Runs Slither on the contracts and compares its findings with the triage in analysis/slither.md.

    scripts/slither.py PATH_TO_SLITHER

Slither brings no compiler: it reads what forge compiles here with its pinned one, syntax trees included.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILT = ROOT.parent / "build" / "slither"
TRIAGE = ROOT / "analysis" / "slither.md"


def compile_for_slither() -> Path:
    """Compiles the sources with their syntax trees; returns forge's folder, for the PATH."""
    forge = [str(ROOT / "scripts/forge.sh")]
    options = ["--skip", "test", "--build-info", "--ast", "--force"]
    places = ["--out", str(BUILT / "out"), "--cache-path", str(BUILT / "cache")]
    subprocess.run([*forge, "build", *options, *places], check=True, stdout=subprocess.DEVNULL)
    platform = next((ROOT / "node_modules" / "@foundry-rs").glob("forge-*-*/bin/forge"))
    return platform.parent


def findings(slither: str, forge: Path) -> set[tuple[str, str]]:
    """What Slither reports of the sources: detector, and contract and function."""
    report = BUILT / "report.json"
    report.unlink(missing_ok=True)
    subprocess.run(
        [
            *(slither, ".", "--ignore-compile", "--foundry-out-directory", str(BUILT / "out")),
            *("--filter-paths", "node_modules|test/", "--exclude-informational", "--exclude-optimization"),
            *("--json", str(report)),
        ],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{forge}{os.pathsep}{os.environ['PATH']}"},
        check=False,  # its exit status counts findings; whether it ran, the report says
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    document = json.loads(report.read_text(encoding="utf-8"))
    if not document["success"]:
        raise SystemExit(f"slither failed: {document['error']}")
    found = set()
    for finding in document["results"].get("detectors", []):
        element = finding["elements"][0]
        parent = element.get("type_specific_fields", {}).get("parent", {}).get("name", "")
        found.add((finding["check"], f"{parent}.{element['name']}".strip(".")))
    return found


def triaged() -> set[tuple[str, str]]:
    """The rows of the table."""
    table = TRIAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([a-z-]+) \| ([\w.]+) \| .+ \|$", table, re.MULTILINE)
    return {(detector, where) for detector, where in rows if where != "where"}


def main() -> None:
    """Fails unless findings and triage are the same."""
    found, known = findings(sys.argv[1], compile_for_slither()), triaged()
    for detector, where in sorted(found - known):
        print(f"not triaged: {detector} in {where}")
    for detector, where in sorted(known - found):
        print(f"triaged, and no longer reported: {detector} in {where}")
    if found != known:
        raise SystemExit(1)
    print(f"{len(found)} findings, all triaged in {TRIAGE.relative_to(ROOT.parent)}")


if __name__ == "__main__":
    main()
