"""What a job costs its worker in gas and in data fees: for workers, who price it, and for requesters, who set
its ceiling.
"""

from __future__ import annotations

from ..node.data_fees import data_fee

# Gas of a job's transactions for its worker, from contracts/snapshots rounded up. A bid may be repeated and
# an award may be someone else's to pay; counting one of each errs to the safe side.
BID_GAS = 110_000
AWARD_GAS = 60_000
ACCEPT_GAS = 80_000
"""Of `accept`, or of `decline`: a job that is settled from its award takes neither."""
SETTLE_GAS = 200_000
"""Of submitProof, beside verification and calldata: state, payments, event."""
VERIFY_GAS = 260_000
SLICE_GAS = 270_000
"""Verification and calldata of each further slice of a model."""
WORD_GAS = 7_500
"""A public input: one ecMul and ecAdd (EIP-1108: 6,150), its calldata and its share of the event."""
BID_BYTES, PLAIN_BYTES = 68, 36
"""Calldata of a bid, and of `award`, `accept` and `decline`: what rollups charge for beside the gas."""
PROOF_BYTES = 352
"""Of one slice's proof, with the word at its cut."""


def job_gas(words: int, callback_gas: int, slices: int = 1) -> int:
    """Gas a worker pays over a job's life."""
    callback = callback_gas * 64 // 63 + 10_000 if callback_gas else 0
    settle = SETTLE_GAS + VERIFY_GAS + (slices - 1) * SLICE_GAS + words * WORD_GAS
    return BID_GAS + AWARD_GAS + ACCEPT_GAS + settle + callback


def gas_after_award(gas: int, *, accept: bool = False) -> int:
    """What of a job's gas is still to be paid once it is awarded, with or without an acceptance."""
    return gas - BID_GAS - AWARD_GAS - (0 if accept else ACCEPT_GAS)


def job_data_fee(words: int, slices: int, price: int) -> int:
    """Wei that a rollup takes over a job's life for the bytes of its transactions: those of `job_gas`."""
    return (
        data_fee(price, BID_BYTES)
        + data_fee(price, PLAIN_BYTES)
        + data_fee_after_award(words, slices, price, accept=True)
    )


def data_fee_after_award(words: int, slices: int, price: int, *, accept: bool = False) -> int:
    """What of a job's data fees is still to be paid once it is awarded, with or without an acceptance."""
    settle = 4 + 32 * (7 + words) + slices * PROOF_BYTES
    return data_fee(price, settle) + (data_fee(price, PLAIN_BYTES) if accept else 0)
