"""One phase of one model, in a process of its own, so that time and peak memory are that phase's alone.

    python -m bench.phases compile MODEL.onnx SAMPLES.npz BUNDLE --weights constant
    python -m bench.phases setup BUNDLE
    python -m bench.phases prove BUNDLE SAMPLES.npz PROOF.json --runs 7

The last line printed is a JSON object. Figures of the phase, or `refused` and the library's reason.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np

import assay_prover
from assay_prover import Bundle, MachineProfile, compile_model, new_salt
from assay_prover.errors import ModelError, QuantisationError
from assay_prover.groth16 import build_profile
from assay_prover.quote.machine_profile import load_profile, prove_bytes, setup_bytes
from assay_prover.reference import Affine, PrivateAffine

Figures = dict[str, Any]


def peak_rss_mb() -> float:
    """Peak resident memory of this process in MiB, mapped key files included.

    Read from /proc: getrusage's figure starts at the parent's size, which the child is forked with.
    """
    status = Path("/proc/self/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise RuntimeError("this system does not report peak memory (/proc/self/status)")
    return int(found[1]) / 1024


def compile_phase(
    model: Path,
    samples: Path,
    bundle: Path,
    weights: Literal["constant", "private"],
    slices: int | None,
) -> Figures:
    """Compile; a network that the compiler does not take is a result, not an error."""
    with np.load(samples) as data:
        x, y = data["x"], data.get("y")
    try:
        report = compile_model(model, x, bundle, labels=y, overwrite=True, weights=weights, slices=slices)
    except (ModelError, QuantisationError) as error:
        return {"refused": str(error)}
    return {
        "compile_seconds": report.seconds,
        "constraints": report.costs.constraints,
        "mode": report.costs.mode,
        "public_inputs": report.costs.public_inputs,
        "limb_widths": report.costs.limb_widths,
        "accuracy_float": report.accuracy.accuracy_float,
        "accuracy_quantised": report.accuracy.accuracy_quantised,
        "agreement": report.accuracy.agreement,
        "target_met": report.target_met,
        "candidates": report.candidates,
        "layers": [[cost.layer, cost.gadget, cost.constraints] for cost in report.costs.layers],
    }


def setup_phase(folder: Path) -> Figures:
    """Make the keys, and commit to private weights. The bundle is fresh, so nothing is skipped."""
    bundle = Bundle.open(folder)
    report = bundle.setup()
    figures: Figures = {"setup_seconds": report.seconds, "pk_bytes": report.proving_key_bytes}
    if bundle.is_private:
        started = perf_counter()
        bundle.commit_model()
        figures["commit_seconds"] = perf_counter() - started
    return figures


def predictions(bundle: Bundle, profile: MachineProfile) -> Figures:
    """What a quote would have said of this circuit on this machine."""
    costs = bundle.manifest.costs
    affine = [op for op in bundle.graph.ops if isinstance(op, Affine | PrivateAffine)]
    work = sum(linear.entries for op in affine for linear in op.maps)
    return {
        "predicted_prove_seconds": profile.prove_seconds(costs, work),
        "predicted_setup_seconds": profile.setup_seconds(costs),
        "predicted_pk_bytes": costs.proving_key_bytes,
        "predicted_prove_rss_mb": prove_bytes(costs) / 2**20,
        "predicted_setup_rss_mb": setup_bytes(costs) / 2**20,
    }


def prove_phase(folder: Path, samples: Path, out: Path, runs: int, profile: Path | None) -> Figures:
    """Medians over `runs` proofs of different samples, each with its own salt, after one that warms up."""
    started = perf_counter()
    bundle = Bundle.open(folder)
    prover = bundle.prover()
    opened = perf_counter() - started
    with np.load(samples) as data:
        x = data["x"]
    seconds: list[float] = []
    stages: list[dict[str, float]] = []
    verifying: list[float] = []
    for run in range(runs + 1):
        ints = bundle.encode_input(x[run % len(x)], saturate=True)
        salt = new_salt()
        started = perf_counter()
        proved = prover.prove(ints, salt=salt)
        seconds.append(perf_counter() - started)
        stages.append(proved.seconds)
        started = perf_counter()
        bundle.verify(proved.public, proved.proof)
        verifying.append(perf_counter() - started)
        expected = bundle.graph.run(ints.reshape(1, *bundle.graph.input.shape))[bundle.graph.output]
        answer = bundle.decode_output(proved.output_words, salt=salt).integers
        if not np.array_equal(answer.ravel(), np.asarray(expected).ravel()):
            raise RuntimeError(f"the proven output of sample {run} is not the reference's")
    document = {
        "verifying_key": bundle.verifying_key.hex(),
        "public": [str(word) for word in proved.public],
        "proof": proved.proof.hex(),
        "commitment": (bundle.model_commitment or b"").hex(),
    }
    out.write_text(json.dumps(document))
    known = load_profile(profile) if profile is not None else None
    foretold = {} if known is None else predictions(bundle, known)
    return foretold | {
        "open_seconds": opened,
        "first_prove_seconds": seconds[0],
        "prove_seconds": statistics.median(seconds[1:]),
        "prove_seconds_min": min(seconds[1:]),
        "prove_seconds_max": max(seconds[1:]),
        "stages": {stage: statistics.median(laps[stage] for laps in stages[1:]) for stage in stages[0]},
        "verify_seconds": statistics.median(verifying[1:]),
        "proof_bytes": len(proved.proof),
        "runs": runs,
    }


def main() -> int:
    """Run one phase."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    phases = parser.add_subparsers(dest="phase", required=True)
    step = phases.add_parser("compile")
    for name in ("model", "samples", "bundle"):
        step.add_argument(name, type=Path)
    step.add_argument("--weights", choices=["constant", "private"], default="constant")
    step.add_argument("--slices", type=int)
    step = phases.add_parser("setup")
    step.add_argument("bundle", type=Path)
    step = phases.add_parser("prove")
    for name in ("bundle", "samples", "out"):
        step.add_argument(name, type=Path)
    step.add_argument("--runs", type=int, default=7)
    step.add_argument("--profile", type=Path, help="this machine's, to compare its predictions")
    args = parser.parse_args()
    if build_profile() != "release":
        print(f"error: the native module is a {build_profile()} build; measure a release", file=sys.stderr)
        return 2
    if args.phase == "compile":
        figures = compile_phase(args.model, args.samples, args.bundle, args.weights, args.slices)
    elif args.phase == "setup":
        figures = setup_phase(args.bundle)
    else:
        figures = prove_phase(args.bundle, args.samples, args.out, args.runs, args.profile)
    print(json.dumps(figures | {"peak_rss_mb": peak_rss_mb(), "version": assay_prover.__version__}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
