"""Groth16 over BN254: keys, proofs, verification and field helpers, all in the native core.

Arrays are borrowed, never copied, and every computation releases the interpreter's lock. Errors form one tree
under :class:`assay_prover.errors.AssayProverError`::

    ProverError
    ├── InvalidProof    the proof does not prove the statement, or is no proof's encoding
    ├── InvalidKey      malformed, damaged, stale or unsafe key
    ├── InvalidWitness  wire values out of range, too few or too many
    ├── InvalidInput    malformed statement, matrix, file or argument
    ├── Cancelled       the progress callback returned False
    └── InternalError   the core panicked: a defect of its own

Keys and proofs of sliced models are pure Python over the core: `assay_prover.groth16.sliced`.

``docs/protocol.md`` is normative for the bytes of verifying keys and proofs.
"""

from __future__ import annotations

from assay_prover._native import (
    Cancelled,
    InternalError,
    InvalidInput,
    InvalidKey,
    InvalidProof,
    InvalidWitness,
    KeyCheck,
    Layout,
    ModelCommitment,
    ProverError,
    ProvingKey,
    Session,
    SetupBuilder,
    build_profile,
    check_r1cs,
    check_verifying_key,
    eval_rows,
    kernel,
    verify_batch,
    verifying_key_hash,
)
from assay_prover.groth16.sliced import is_sliced, join_keys, join_proofs, split_key, verify

#: Order of the groups, and modulus of every scalar.
FIELD_ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617

__all__ = [
    "FIELD_ORDER",
    "Cancelled",
    "InternalError",
    "InvalidInput",
    "InvalidKey",
    "InvalidProof",
    "InvalidWitness",
    "KeyCheck",
    "Layout",
    "ModelCommitment",
    "ProverError",
    "ProvingKey",
    "Session",
    "SetupBuilder",
    "build_profile",
    "check_r1cs",
    "check_verifying_key",
    "eval_rows",
    "is_sliced",
    "join_keys",
    "join_proofs",
    "kernel",
    "split_key",
    "verify",
    "verify_batch",
    "verifying_key_hash",
]
