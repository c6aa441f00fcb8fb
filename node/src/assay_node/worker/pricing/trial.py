"""How long a proof takes on this machine, tried out before there are jobs."""

from __future__ import annotations

import time

import numpy as np

from assay_prover import Bundle, ModelProver

TRIAL_CONSTRAINTS = 1 << 20
"""Circuits up to this size are tried: two proofs of a second or so."""
LONG_TRIAL = 1.0
"""Seconds of a first proof after which no second is tried."""
TRIAL_SECRET = 1
"""Salt and blinding of proofs that nobody sees."""


def try_proof(bundle: Bundle, prover: ModelProver) -> float | None:
    """Proves an input of zeros, so that admission need not guess how many jobs fit into a window.

    Returns:
        Seconds; None for a model whose proof takes too long to try.

    Raises:
        AssayProverError: the key proves nothing.
    """
    if bundle.manifest.costs.constraints > TRIAL_CONSTRAINTS:
        return None
    integers = np.clip(0, *bundle.manifest.input.bounds)
    salt = TRIAL_SECRET if bundle.needs_salt else None
    blinding = TRIAL_SECRET if len(bundle.slices) > 1 else None
    seconds = 0.0
    for _ in range(2):  # the first one maps the key and makes tables
        started = time.perf_counter()
        for index in range(len(bundle.slices)):
            prover.prove_slice(index, integers, salt=salt, binding=0, blinding=blinding)
        seconds = time.perf_counter() - started
        if seconds > LONG_TRIAL:
            break
    return seconds
