"""The bn254 precompiles (EIP-196, EIP-197), answered by the Rust core.

py-evm computes them with py_ecc, about a second for the four pairings of a Groth16 check; the core takes
milliseconds. Gas is EIP-1108's, unchanged, and is charged before any work is done. On invalid input the
precompile
fails: the call returns nothing and burns the gas it was given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from eth.abc import ComputationAPI
from eth.exceptions import VMError
from eth_typing import Address

from assay_prover import _native

ECADD_GAS: Final = 150
ECMUL_GAS: Final = 6_000
ECPAIRING_BASE_GAS: Final = 45_000
ECPAIRING_PAIR_GAS: Final = 34_000
PAIR_BYTES: Final = 192

Precompile = Callable[[ComputationAPI], ComputationAPI]


def ecadd(computation: ComputationAPI) -> ComputationAPI:
    """Precompile 6: point addition on G1. Input is cut or zero-padded to 128 bytes."""
    computation.consume_gas(ECADD_GAS, reason="ECADD precompile")
    return _answer(computation, _native.evm_ecadd)


def ecmul(computation: ComputationAPI) -> ComputationAPI:
    """Precompile 7: scalar multiplication on G1. Input is cut or zero-padded to 96 bytes."""
    computation.consume_gas(ECMUL_GAS, reason="ECMUL precompile")
    return _answer(computation, _native.evm_ecmul)


def ecpairing(computation: ComputationAPI) -> ComputationAPI:
    """Precompile 8: product of pairings equals one. Input is a multiple of 192 bytes."""
    # The gas of a partial pair is floor(len / 192)'s, as in geth; such an input then fails in the core.
    pairs = len(computation.msg.data) // PAIR_BYTES
    computation.consume_gas(ECPAIRING_BASE_GAS + pairs * ECPAIRING_PAIR_GAS, reason="ECPAIRING precompile")
    return _answer(computation, _native.evm_ecpairing)


def _answer(computation: ComputationAPI, function: Callable[[bytes], bytes]) -> ComputationAPI:
    try:
        computation.output = function(bytes(computation.msg.data))
    except ValueError as error:
        raise VMError(f"bn254 precompile: {error}") from error
    return computation


def _address(number: int) -> Address:
    return Address(number.to_bytes(20, "big"))


BN254_PRECOMPILES: Final[dict[Address, Precompile]] = {
    _address(6): ecadd,
    _address(7): ecmul,
    _address(8): ecpairing,
}
