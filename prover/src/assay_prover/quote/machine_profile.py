"""A machine profile: how fast this machine proves and sets up, measured once, to predict from sizes.

Time is taken to be linear in the work that a `CostReport` counts and in the multiplications of the inference.
What the kinds of points cost relative to each other belongs to the algorithms and is written down here; how
long one takes, and what every proof and setup takes besides, is fitted to a few small networks proven here.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from scipy.optimize import nnls

from assay_prover._native import __version__
from assay_prover.bundle.files import replace_file
from assay_prover.bundle.setup_and_prove import make_keys, prove_circuit
from assay_prover.circuit import CostReport, StatementSpec
from assay_prover.circuit.linear import MOST_ENTRIES
from assay_prover.groth16 import ProvingKey
from assay_prover.lowering import compile_graph
from assay_prover.reference import Affine, Dense, IntegerGraph, Op, Requantise, Tensor

PROVE_TERMS = ("once", "point", "multiplication")
SETUP_TERMS = ("once", "point", "non-zero")

DOMAIN_POINT, FULL_POINT, SMALL_POINT, G2_POINT = 1.3, 1.0, 0.05, 0.15
"""Work of a proof, in full-width points of G1: a row of the domain (a point of H and its share of four
transforms), a point by a full-width number, by a few bits, and the same in G2 (nearly all by a few bits)."""

SETUP_G2_POINT = 3.5
"""Fixed-base multiplications in G2, in those of G1."""

RUNS = 5
"""Proofs of each network; the fastest counts."""

PROVER_BASE = 130 << 20
"""Bytes that a process takes which can prove but does not: interpreter, libraries, tables."""
PROVE_BYTES_PER_ROW = 800
"""Of the domain: two vectors transformed in place with a copy, the witness, gathered scalars."""
SETUP_BYTES_PER_ROW = 100
"""Of the domain: both Lagrange bases and their inversion."""
SETUP_BYTES_PER_WIRE = 96
"""Three sums a wire."""
BYTES_PER_ENTRY = 48
"""Of the layer, or the part of one, whose rows are in memory: two sparse matrices and their sum."""


class MachineProfile(BaseModel):
    """Seconds per unit of each term, and what they were measured on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    measured: datetime
    cpu: str
    threads: int = Field(ge=1)
    prove: tuple[float, ...] = Field(min_length=len(PROVE_TERMS), max_length=len(PROVE_TERMS))
    setup: tuple[float, ...] = Field(min_length=len(SETUP_TERMS), max_length=len(SETUP_TERMS))

    @property
    def is_current(self) -> bool:
        """Whether it is about this library on this processor."""
        return (self.version, self.cpu, self.threads) == (__version__, cpu_name(), cores())

    def prove_seconds(self, costs: CostReport, multiplications: int) -> float:
        """A proof with the key open, from integers."""
        return float(np.dot(self.prove, _prove_terms(costs, multiplications)))

    def setup_seconds(self, costs: CostReport) -> float:
        """Keys of a circuit."""
        return float(np.dot(self.setup, _setup_terms(costs)))


def prove_bytes(costs: CostReport) -> int:
    """Peak memory of proving, the mapped key included."""
    return PROVER_BASE + costs.proving_key_bytes + PROVE_BYTES_PER_ROW * costs.domain


def setup_bytes(costs: CostReport) -> int:
    """Peak memory of setup."""
    rows = SETUP_BYTES_PER_ROW * costs.domain + SETUP_BYTES_PER_WIRE * costs.wires
    return PROVER_BASE + rows + BYTES_PER_ENTRY * min(costs.widest_layer, 4 * MOST_ENTRIES)


def _prove_terms(costs: CostReport, multiplications: int) -> list[float]:
    points = (
        DOMAIN_POINT * costs.domain
        + FULL_POINT * (costs.full_points - costs.model_points)
        + SMALL_POINT * costs.small_points
        + G2_POINT * (costs.g2_points - costs.model_g2_points)
    )
    return [1.0, points, float(multiplications)]


def _setup_terms(costs: CostReport) -> list[float]:
    g1 = costs.domain + costs.full_points + costs.small_points + costs.model_wires
    return [1.0, g1 + SETUP_G2_POINT * costs.g2_points, float(costs.entries)]


def cpu_name() -> str:
    """The processor's name, as far as the system tells."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return os.uname().machine if hasattr(os, "uname") else "unknown"


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load_profile(path: Path) -> MachineProfile | None:
    """A profile that was kept, or None if there is none of this machine and library."""
    try:
        profile = MachineProfile.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    return profile if profile.is_current else None


def save_profile(profile: MachineProfile, path: Path) -> None:
    """Keep a profile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, (profile.model_dump_json(indent=2) + "\n").encode())


def measure_machine(progress: Callable[[str, float], bool | None] | None = None) -> MachineProfile:
    """Prove a few networks, which takes some ten seconds on an idle machine."""
    proving: list[tuple[list[float], float]] = []
    setting_up: list[tuple[list[float], float]] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (widths, limb_bits) in enumerate(_NETWORKS):
            if progress is not None:
                progress("measuring this machine", number / len(_NETWORKS))
            _measure_network(widths, limb_bits, Path(folder) / f"{number}.key", proving, setting_up)
    return MachineProfile(
        version=__version__,
        measured=datetime.now(UTC).replace(microsecond=0),
        cpu=cpu_name(),
        threads=cores(),
        prove=_fit(proving),
        setup=_fit(setting_up),
    )


_NETWORKS: tuple[tuple[tuple[int, ...], int], ...] = (
    ((16, 8, 4), 1),
    ((64, 2000, 8), 1),
    ((64, 1000, 8), 8),
    ((64, 6000, 8), 8),
    ((64, 20000, 4), 8),
    ((1000, 1000, 1000, 8), 8),
)
"""Widths of dense layers with ReLU, and the limb width: few and many rows, bits and lookups, many weights."""


def _network(widths: Sequence[int]) -> IntegerGraph:
    rng = np.random.default_rng(0)
    shape = (widths[0],)
    inputs = [Tensor("x0", shape, np.full(shape, 0), np.full(shape, 255))]
    ops: list[Op] = []
    for layer, (before, after) in enumerate(pairwise(widths)):
        weight = rng.integers(-127, 128, (after, before))
        bias = np.zeros(after, dtype=np.int64)
        last = layer == len(widths) - 2
        name = f"x{layer + 1}"
        ops.append(Affine((f"x{layer}",), name if last else f"{name}/sum", (after,), (Dense(weight),), bias))
        if not last:
            ops.append(Requantise(f"{name}/sum", name, 12, 0, None))
    return IntegerGraph(inputs, ops, f"x{len(widths) - 1}")


def _measure_network(
    widths: Sequence[int],
    limb_bits: int,
    path: Path,
    proving: list[tuple[list[float], float]],
    setting_up: list[tuple[list[float], float]],
) -> None:
    graph = _network(widths)
    circuit = compile_graph(graph, StatementSpec("private", "public", 0, 8), limb_bits=limb_bits)
    costs = circuit.cost()
    started = perf_counter()
    make_keys(circuit, path)
    setting_up.append((_setup_terms(costs), perf_counter() - started))
    key = ProvingKey.open(path)
    sample = np.random.default_rng(1).integers(0, 256, graph.input.shape)
    seconds = [prove_circuit(key, circuit, [sample[None]], salt=1).seconds["total"] for _ in range(RUNS)]
    work = sum(a * b for a, b in pairwise(widths))
    proving.append((_prove_terms(costs, work), min(seconds)))


def _fit(measured: Sequence[tuple[list[float], float]]) -> tuple[float, ...]:
    """Non-negative coefficients with the least sum of squared relative errors."""
    terms = np.array([row for row, _ in measured])
    seconds = np.array([value for _, value in measured])
    scale = terms.max(axis=0)
    coefficients, _ = nnls(terms / scale / seconds[:, None], np.ones(len(seconds)))
    return tuple(float(c) for c in coefficients / scale)
