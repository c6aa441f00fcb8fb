"""What verification and a whole job cost in gas, from a statement's size alone.

The precompiles' prices (EIP-1108, EIP-2929) and what the contracts need beside them, as their gas snapshots
have it (contracts/snapshots; the tests compare).
"""

from __future__ import annotations

PAIRING, PAIR = 45_000, 34_000
WIRE = 6_350
"""Of the statement: a multiplication, an addition, two calls."""
VERIFIER, VERIFIER_WORD = 6_000, 160
"""Beside the precompiles: reading the key's data contract cold, calldata, checks; and for each word of it."""
CHALLENGE = 700
"""Hashing key, statement and commitment."""

TRANSACTION, CALLDATA_BYTE = 21_000, 16
JOB_CALLS = {"submitJob": 264_815, "placeBid": 78_598, "award": 41_110, "accept": 39_713}
"""Execution of each, for a statement of four words."""
SETTLEMENT = 187_920
"""Of submitProof, beside the verification."""


def verify_gas(inputs: int, *, committed: bool, private_weights: bool) -> int:
    """Execution of `Groth16Verifier.verify`; `inputs` are the statement's words, without the challenge."""
    pairs = 4 + int(committed) + int(private_weights)
    wires = inputs + int(committed)
    words = VERIFIER_WORD * inputs + (CHALLENGE if committed else 0)
    return PAIRING + PAIR * pairs + WIRE * wires + VERIFIER + words


def job_gas(inputs: int, *, committed: bool, private_weights: bool) -> int:
    """About what all transactions of a job cost together, one bid, from submission to payment."""
    proof_bytes = 320 if committed else 256
    calldata = CALLDATA_BYTE * (proof_bytes + 64 * inputs)
    verification = verify_gas(inputs, committed=committed, private_weights=private_weights)
    calls = sum(JOB_CALLS.values()) + SETTLEMENT
    return calls + (len(JOB_CALLS) + 1) * TRANSACTION + calldata + verification
