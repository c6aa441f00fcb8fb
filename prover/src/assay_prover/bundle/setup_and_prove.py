"""From a circuit to keys and proofs: what bundles, and the measuring of a machine, have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from assay_prover.errors import BundleError
from assay_prover.groth16 import (
    Cancelled,
    InvalidKey,
    KeyCheck,
    Layout,
    ProvingKey,
    SetupBuilder,
    check_verifying_key,
)

if TYPE_CHECKING:
    from assay_prover._native import PreparedModel
    from assay_prover.circuit import Circuit
    from assay_prover.circuit.witness import Witness
    from assay_prover.reference.tensor import Int64Array

Progress = Callable[[str, float], bool | None]


def make_keys(
    circuit: Circuit,
    path: Path,
    *,
    digest: bytes | None = None,
    threads: int | None = None,
    seed: bytes | None = None,
    progress: Progress | None = None,
) -> bytes:
    """Write a proving key to `path`, which is not there yet, and return the verifying key.

    Constraints stream through, one layer in memory at a time.

    Args:
        circuit: what the keys are of.
        path: where to write.
        digest: what the circuit's has to be, if given.
        threads: default all cores.
        seed: 32 bytes, for tests only: anyone who knows it can forge.
        progress: called with (stage, fraction); False cancels.

    Raises:
        BundleError: another digest.
        Cancelled: the callback asked for it.
    """
    wires = circuit.layout
    layout = Layout(
        n_public=wires.n_public,
        committed=wires.committed,
        n_model=wires.n_model,
        n_w1=wires.n_w1,
        n_w2=wires.n_w2,
    )
    builder = SetupBuilder(layout, circuit.n_constraints, threads=threads, seed=seed)
    done = 0
    for a, b, c in circuit.digested_blocks():
        builder.push(a, b, c)
        done += a[0].size - 1
        if progress is not None and progress("constraints", done / circuit.n_constraints) is False:
            raise Cancelled("cancelled while streaming constraints")
    if digest is not None and circuit.digest() != digest:
        raise BundleError("this version of the library builds another circuit; compile again")
    key = builder.finish(path, progress)
    check_verifying_key(key)
    return key


def check_key(
    key: ProvingKey,
    circuit: Circuit,
    *,
    digest: bytes,
    threads: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Check that every point of a proving key is what setup makes of the circuit and the verifying key
    inside.

    Args:
        key: opened with its hash.
        circuit: whose key it should be.
        digest: what the circuit's has to be.
        threads: default all cores.
        progress: called with (stage, fraction); False cancels.

    Raises:
        InvalidKey: it is not.
        BundleError: another digest.
        Cancelled: the callback asked for it.
    """
    if not key.checkable:
        raise InvalidKey("a key that was converted from another tool's file cannot be checked: run setup")
    wires = circuit.layout
    layout = Layout(wires.n_public, wires.committed, wires.n_model, wires.n_w1, wires.n_w2)
    if key.layout != layout or key.n_constraints != circuit.n_constraints:
        raise InvalidKey("the proving key is of another circuit")
    check = KeyCheck(key, threads=threads)
    done = 0
    for a, b, c in circuit.digested_blocks():
        check.push(a, b, c)
        done += a[0].size - 1
        if progress is not None and progress("checking the key: rows", done / circuit.n_constraints) is False:
            raise Cancelled("cancelled while streaming constraints")
    if circuit.digest() != digest:
        raise BundleError("this version of the library builds another circuit; compile again")
    told = None if progress is None else (lambda stage, part: progress(f"checking the key: {stage}", part))
    check.finish(told)


@dataclass(frozen=True, eq=False)
class CircuitProof:
    """A proof, its witness and statement, and the seconds of each stage."""

    proof: bytes
    public: list[int]
    witness: Witness
    seconds: dict[str, float]


def prove_circuit(
    key: ProvingKey,
    circuit: Circuit,
    inputs: Sequence[Int64Array],
    *,
    salt: int | None = None,
    binding: int = 0,
    blinding: int | None = None,
    model: PreparedModel | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> CircuitProof:
    """Run the inference on one sample of integers and prove it.

    `inputs` are the graph's, each with a batch axis of 1; for the others see `ModelProver.prove_slice`.
    """
    seconds: dict[str, float] = {}
    clock = perf_counter()

    def lap(stage: str) -> None:
        nonlocal clock
        now = perf_counter()
        seconds[stage] = now - clock
        clock = now
        if progress is not None and progress(stage, 1.0) is False:
            raise Cancelled(f"cancelled after {stage}")

    witness = circuit.witness_of(inputs, salt, binding, blinding)
    public = witness.public
    if circuit.layout.committed:
        w1 = witness.w1
        lap("inference")
        session = key.commit(public, w1, model=model, threads=threads)
        lap("commitment")
        w2 = witness.w2(session.challenge)
        a, b = witness.rows(session.challenge)
        lap("witness")
        proof = session.finish(w2, a, b, threads=threads, progress=progress)
    else:
        w2 = witness.w2()
        a, b = witness.rows()
        lap("inference")
        proof = key.prove(public, w2, a, b, model=model, threads=threads, progress=progress)
    lap("proof")
    seconds["total"] = sum(seconds.values())
    return CircuitProof(proof, public, witness, seconds)
