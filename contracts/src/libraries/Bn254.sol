// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "../interfaces/IGroth16Verifier.sol";

// At file level, where inline assembly may name them.

/// @dev Prime of the base field.
uint256 constant FIELD_PRIME = 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47;
/// @dev Order of the groups.
uint256 constant GROUP_ORDER = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;

/// @dev EIP-196 addition. 150 gas.
uint256 constant EC_ADD = 6;
/// @dev EIP-196 scalar multiplication. 6,000 gas.
uint256 constant EC_MUL = 7;
/// @dev EIP-197 pairing check. 45,000 + 34,000 a pair.
uint256 constant EC_PAIRING = 8;

/// @dev x coordinate of EIP-197's generator of G2, imaginary part.
uint256 constant G2_X_C1 = 0x198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2;
/// @dev x coordinate of EIP-197's generator of G2, real part.
uint256 constant G2_X_C0 = 0x1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed;

/// @title BN254 (alt_bn128) through the precompiles of EIP-196 and EIP-197
/// @dev Points are bare coordinates, infinity is (0, 0). A precompile that fails takes all gas it was given and
/// returns nothing; that reverts here, whether a point was bad or gas was short, and never passes for an answer.
library Bn254 {
    /// @notice Whether (x, y) is a point of G1 other than infinity, in canonical form. G1 is the whole curve
    /// y^2 = x^3 + 3, so there is no subgroup to check; arithmetic is cheaper than the precompile, and total.
    function isPoint(uint256 x, uint256 y) internal pure returns (bool) {
        return x < FIELD_PRIME && y < FIELD_PRIME
            && mulmod(y, y, FIELD_PRIME) == addmod(mulmod(mulmod(x, x, FIELD_PRIME), x, FIELD_PRIME), 3, FIELD_PRIME);
    }

    /// @notice scalar * (x, y).
    function mul(uint256 x, uint256 y, uint256 scalar) internal view returns (uint256 rx, uint256 ry) {
        bool ok;
        assembly ("memory-safe") {
            let buffer := mload(0x40) // scratch beyond the free memory pointer, not allocated
            mstore(buffer, x)
            mstore(add(buffer, 0x20), y)
            mstore(add(buffer, 0x40), scalar)
            ok := staticcall(gas(), EC_MUL, buffer, 0x60, buffer, 0x40)
            rx := mload(buffer)
            ry := mload(add(buffer, 0x20))
        }
        if (!ok) revert IGroth16Verifier.PrecompileFailed(EC_MUL);
    }

    /// @notice (ax, ay) + (bx, by).
    function add(uint256 ax, uint256 ay, uint256 bx, uint256 by) internal view returns (uint256 rx, uint256 ry) {
        bool ok;
        assembly ("memory-safe") {
            let buffer := mload(0x40) // scratch beyond the free memory pointer, not allocated
            mstore(buffer, ax)
            mstore(add(buffer, 0x20), ay)
            mstore(add(buffer, 0x40), bx)
            mstore(add(buffer, 0x60), by)
            ok := staticcall(gas(), EC_ADD, buffer, 0x80, buffer, 0x40)
            rx := mload(buffer)
            ry := mload(add(buffer, 0x20))
        }
        if (!ok) revert IGroth16Verifier.PrecompileFailed(EC_ADD);
    }

    /// @notice Whether the product of the pairings in memory is one.
    /// @param pairs address of the pairs, 192 bytes each: G1, then G2 in EIP-197 order
    /// @param length bytes
    /// @return ok the precompile answered: all points are in their groups, and gas sufficed
    /// @return one its answer; false if it did not
    function pairing(uint256 pairs, uint256 length) internal view returns (bool ok, bool one) {
        assembly ("memory-safe") {
            // The answer is written over a zero, so that a chain without the precompile, where the call succeeds
            // and returns nothing, reads as a refusal.
            mstore(0x00, 0)
            ok := staticcall(gas(), EC_PAIRING, pairs, length, 0x00, 0x20)
            one := and(ok, eq(mload(0x00), 1))
        }
    }
}
