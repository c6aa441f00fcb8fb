"""EZKL, one phase in a process of its own; runs in EZKL's own environment and reaches no network.

    python phases.py settings MODEL.onnx SAMPLES.json FOLDER
    python phases.py srs SRS LOGROWS
    python phases.py setup FOLDER SRS
    python phases.py prove FOLDER SRS SAMPLES.json --runs 3
    python phases.py accuracy FOLDER SAMPLES.json

SAMPLES.json: {"x": [[..], ..], "y": [..] or null}, samples flattened. EZKL's defaults are kept but for the
scales and sizes that its own calibration chooses: inputs and outputs are public, parameters fixed, which is
its cheapest choice. The last line printed is a JSON object.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import ezkl  # type: ignore[import-not-found]

CALIBRATION_SAMPLES = 8
ENOUGH_SECONDS = 60.0
"""No further run of a proof begins after this long."""
FIELD_ORDER = 0x30644E72E131A029B85045B68181585D2833E84879B9709143E1F593F0000001


def peak_rss_mb() -> float:
    """Peak resident memory of this process in MiB."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError("this system does not report peak memory (/proc/self/status)")
    return int(found[1]) / 1024


def read_samples(path: Path) -> tuple[list[list[float]], list[int] | None]:
    document = json.loads(path.read_text())
    return document["x"], document["y"]


def write_input(folder: Path, samples: list[list[float]]) -> str:
    """EZKL's input file; several samples follow each other as one batch."""
    path = folder / "input.json"
    path.write_text(json.dumps({"input_data": [[value for sample in samples for value in sample]]}))
    return str(path)


def run_settings(model: Path, samples: Path, folder: Path) -> dict[str, Any]:
    """Calibrate for the least resources, and compile."""
    folder.mkdir(parents=True, exist_ok=True)
    settings, compiled = str(folder / "settings.json"), str(folder / "network.ezkl")
    x, _ = read_samples(samples)
    started = perf_counter()
    ezkl.gen_settings(str(model), settings, ezkl.PyRunArgs())
    ezkl.calibrate_settings(write_input(folder, x[:CALIBRATION_SAMPLES]), str(model), settings, "resources")
    ezkl.compile_circuit(str(model), compiled, settings)
    seconds = perf_counter() - started
    chosen = json.loads(Path(settings).read_text())
    return {
        "compile_seconds": seconds,
        "logrows": chosen["run_args"]["logrows"],
        "rows": chosen["num_rows"],
        "input_scale": chosen["run_args"]["input_scale"],
    }


def run_srs(srs: Path, logrows: int) -> dict[str, Any]:
    """A reference string of this size, made here: proofs under it convince nobody, timings are the same."""
    started = perf_counter()
    partial = srs.with_suffix(".partial")
    ezkl.gen_srs(str(partial), logrows)
    partial.replace(srs)
    return {"srs_seconds": perf_counter() - started}


def run_setup(folder: Path, srs: Path) -> dict[str, Any]:
    key = folder / "pk.key"
    started = perf_counter()
    ezkl.setup(str(folder / "network.ezkl"), str(folder / "vk.key"), str(key), str(srs))
    return {"setup_seconds": perf_counter() - started, "pk_bytes": key.stat().st_size}


def run_prove(folder: Path, srs: Path, samples: Path, runs: int) -> dict[str, Any]:
    """Median time from a sample to its proof. EZKL reads the key each time; its API has no other way."""
    compiled, witness, proof = (str(folder / name) for name in ("network.ezkl", "witness.json", "proof.json"))
    x, _ = read_samples(samples)
    seconds: list[float] = []
    verifying: list[float] = []
    began = perf_counter()
    while len(seconds) < runs and (not seconds or perf_counter() - began < ENOUGH_SECONDS):
        data = write_input(folder, [x[len(seconds) % len(x)]])
        started = perf_counter()
        ezkl.gen_witness(data, compiled, witness)
        proved = ezkl.prove(witness, compiled, str(folder / "pk.key"), proof, str(srs))
        seconds.append(perf_counter() - started)
        started = perf_counter()
        if not ezkl.verify(proof, str(folder / "settings.json"), str(folder / "vk.key"), str(srs)):
            raise RuntimeError("EZKL does not accept its own proof")
        verifying.append(perf_counter() - started)
    return {
        "prove_seconds": statistics.median(seconds),
        "verify_seconds": statistics.median(verifying),
        "proof_bytes": len(bytes.fromhex(proved["proof"].removeprefix("0x"))),
        "runs": len(seconds),
    }


def run_accuracy(folder: Path, samples: Path) -> dict[str, Any]:
    """Top-1 accuracy of EZKL's integers, over as many samples as fit in a minute."""
    x, y = read_samples(samples)
    if y is None:
        return {"accuracy": None, "accuracy_samples": 0}
    right = done = 0
    began = perf_counter()
    for sample, label in zip(x, y, strict=True):
        if perf_counter() - began > ENOUGH_SECONDS:
            break
        data = write_input(folder, [sample])
        found = ezkl.gen_witness(data, str(folder / "network.ezkl"), str(folder / "witness.json"))
        logits = [signed(word) for word in found["outputs"][0]]
        right += logits.index(max(logits)) == label
        done += 1
    return {"accuracy": right / done, "accuracy_samples": done}


def signed(word: str) -> int:
    """A field element, little-endian hexadecimal, as the integer closest to zero."""
    value = int.from_bytes(bytes.fromhex(word), "little")
    return value - FIELD_ORDER if value > FIELD_ORDER // 2 else value


def main() -> int:
    """Run one phase."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("phase", choices=["settings", "srs", "setup", "prove", "accuracy"])
    parser.add_argument("arguments", nargs="+")
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    given = args.arguments
    if args.phase == "settings":
        figures = run_settings(Path(given[0]), Path(given[1]), Path(given[2]))
    elif args.phase == "srs":
        figures = run_srs(Path(given[0]), int(given[1]))
    elif args.phase == "setup":
        figures = run_setup(Path(given[0]), Path(given[1]))
    elif args.phase == "prove":
        figures = run_prove(Path(given[0]), Path(given[1]), Path(given[2]), args.runs)
    else:
        figures = run_accuracy(Path(given[0]), Path(given[1]))
    print()
    print(json.dumps(figures | {"peak_rss_mb": peak_rss_mb()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
