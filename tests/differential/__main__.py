"""`python -m differential --seconds 600 --seed 7`: cases until time or agreement ends."""

from __future__ import annotations

import argparse
import secrets
import time
from collections import Counter

from .cases import cases
from .verdicts import Contracts, disagreement


def main() -> int:
    """Runs cases and prints how many of each kind there were."""
    parser = argparse.ArgumentParser(prog="differential", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=None, help="of the cases; a random one by default")
    options = parser.parse_args()
    seed = secrets.randbits(32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    contracts, counts = Contracts(), Counter[str]()
    end = time.monotonic() + options.seconds
    for case in cases(seed):
        problem = disagreement(case, contracts)
        if problem:
            print(problem)
            print(f"key {case.key.hex()}\nstatement {case.statement}\nproof {case.proof.hex()}")
            print(f"commitments {case.commitments.hex()}\nn_in {case.n_in} n_out {case.n_out}")
            return 1
        counts[case.name] += 1
        if time.monotonic() > end:
            break
    for name, count in sorted(counts.items()):
        print(f"{count:6} {name}")
    print(f"{sum(counts.values())} cases, no disagreement")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
