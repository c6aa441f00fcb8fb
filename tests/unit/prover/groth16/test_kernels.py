"""Both code paths of the native core give the same bytes; which one runs can be forced, never by accident."""

import os
import subprocess
import sys

import pytest

PROVE = """
import tempfile
from pathlib import Path

import numpy as np

from assay_prover import groth16

n = 700  # domains of 768 rows: the vector transform in three parts
seed = bytes(range(32))
layout = groth16.Layout(n_public=1, committed=False, n_model=0, n_w1=0, n_w2=2 * n)
values = np.arange(n, dtype=np.int64) * 37 % 256 - 128
rows = np.arange(n + 1, dtype=np.int64)
wires = np.arange(n, dtype=np.uint32) + 2
ones = np.ones(n, dtype=np.int64)
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "key.pk"
    builder = groth16.SetupBuilder(layout, n, seed=seed)
    builder.push((rows, wires, ones), (rows, wires, ones), (rows, wires + n, ones))
    vk = builder.finish(path)
    key = groth16.ProvingKey.open(path)
    proof = key.prove([5], [values, values * values], values, values, rng_seed=seed)
    groth16.verify(vk, [5], proof)
print(groth16.kernel(), proof.hex())
"""


def prove(kernel: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"ASSAY_KERNEL": kernel}
    return subprocess.run(
        [sys.executable, "-c", PROVE], env=environment, capture_output=True, text=True, check=False
    )


def test_forced_paths_give_identical_proofs() -> None:
    portable, fastest = prove("portable"), prove("")
    assert portable.returncode == 0, portable.stderr
    assert fastest.returncode == 0, fastest.stderr
    name, proof = portable.stdout.split()
    assert name == "portable"
    assert fastest.stdout.split()[1] == proof


@pytest.mark.parametrize("kernel", ["Portable", "avx2"])
def test_an_unknown_path_is_refused(kernel: str) -> None:
    done = prove(kernel)
    assert done.returncode != 0
    assert f"ASSAY_KERNEL={kernel}: expected portable or ifma" in done.stderr
