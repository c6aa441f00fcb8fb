"""The binding: the statement's first word, which makes a proof worthless to anyone but its worker."""

from __future__ import annotations

from assay_prover import _native
from assay_prover.errors import InputError
from assay_prover.groth16 import FIELD_ORDER


def _address(text: str, what: str) -> bytes:
    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise InputError(f"{what} {text!r} is not hexadecimal") from error
    if len(raw) != 20:
        raise InputError(f"{what} {text!r} has {len(raw)} bytes, an address has 20")
    return raw.rjust(32, b"\0")


def binding(chain_id: int, market: str, job_id: bytes, worker: str) -> int:
    """keccak256(abi.encode(uint256 chainId, address market, bytes32 jobId, address worker)) mod r.

    Raises:
        InputError: a chain id outside uint256, a malformed address, or a job id of other than 32 bytes.
    """
    if not 0 <= chain_id < 1 << 256:
        raise InputError(f"chain id {chain_id} is outside uint256")
    if len(job_id) != 32:
        raise InputError(f"a job id has 32 bytes, got {len(job_id)}")
    encoded = chain_id.to_bytes(32, "big") + _address(market, "market") + job_id + _address(worker, "worker")
    return int.from_bytes(_native.keccak256(encoded), "big") % FIELD_ORDER
