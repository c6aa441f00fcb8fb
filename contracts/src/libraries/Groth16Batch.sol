// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "../interfaces/IGroth16Verifier.sol";
import {Bn254, EC_PAIRING, FIELD_PRIME, GROUP_ORDER} from "./Bn254.sol";
import {Groth16Lib} from "./Groth16Lib.sol";
import {
    ALPHA,
    BETA,
    COMMITTED,
    DELTA,
    DELTA_1_OR_M,
    GAMMA,
    PRIVATE_WEIGHTS,
    VerifyingKeyLib
} from "./VerifyingKeyLib.sol";

/// @notice What a batch accumulates.
/// @param key address of the verifying key in memory
/// @param flags of the key
/// @param vkHash keccak256 of the key
/// @param seed of the coefficients
/// @param scalars of the key's IC points, weighted sums over the proofs; the first is the sum of all coefficients
/// @param pairs address of the pairs in memory
/// @param cursor where the next pair goes
/// @param c weighted sum of the proofs' C
/// @param d weighted sum of the proofs' D
struct Batch {
    uint256 key;
    uint256 flags;
    bytes32 vkHash;
    bytes32 seed;
    uint256[] scalars;
    uint256 pairs;
    uint256 cursor;
    uint256[2] c;
    uint256[2] d;
}

/// @title Many proofs under one key in one pairing check
/// @notice The equations, each times a coefficient rho_i, add up to one:
///
///     prod e(rho_i A_i, B_i) = e(sum rho_i alpha, beta) e(sum rho_i IC_i, gamma) e(sum rho_i C_i, delta)
///                              e(sum rho_i D_i, delta_1) e(sum rho_i M, delta_m)
///
/// @dev Coefficients come from a hash over everything, so a prover fixes all proofs before it knows one of them.
/// A proof costs 34,000 for its pair and 6,350 for each of A, C and D, against some 190,000 alone.
library Groth16Batch {
    bytes32 private constant BATCH_TAG = keccak256("assay/groth16/batch/v1");

    /// @notice Loads the key, refuses what is malformed, and fixes the coefficients.
    function open(address vk, uint256[][] calldata inputs, bytes[] calldata proofs, bytes calldata modelCommitment)
        internal
        view
        returns (Batch memory batch)
    {
        uint256 n;
        (batch.key, batch.flags, n) = VerifyingKeyLib.load(vk);
        batch.vkHash = VerifyingKeyLib.hash(batch.key, batch.flags, n);
        for (uint256 i; i < proofs.length; ++i) {
            Groth16Lib.checkLengths(batch.flags, n, inputs[i].length, proofs[i].length, modelCommitment.length);
            Groth16Lib.requireInGroup(inputs[i]);
            Groth16Lib.requireCanonical(proofs[i]);
        }
        batch.seed = _seed(batch.vkHash, inputs, proofs, modelCommitment);
        batch.scalars = new uint256[](1 + n + (batch.flags & COMMITTED));
        // N pairs (-rho_i A_i, B_i), then one for each of alpha, gamma, delta and what else the key has.
        bytes memory room = new bytes(0xc0 * (proofs.length + 3 + (batch.flags & 1) + (batch.flags >> 1)));
        uint256 pairs;
        assembly ("memory-safe") {
            pairs := add(room, 0x20)
        }
        (batch.pairs, batch.cursor) = (pairs, pairs);
    }

    /// @notice Adds proof i with its coefficient: its pair, its share of C and D, its share of every IC scalar. Coefficients
    /// are full-width, so a batch with an invalid proof passes with probability about 1/r over the hash.
    function add(
        Batch memory batch,
        uint256 i,
        uint256[] calldata inputs,
        bytes calldata proof,
        bytes calldata modelCommitment
    ) internal view {
        uint256 rho = uint256(keccak256(abi.encode(batch.seed, i))) % GROUP_ORDER;
        uint256[] memory scalars = batch.scalars;
        scalars[0] = addmod(scalars[0], rho, GROUP_ORDER);
        for (uint256 j; j < inputs.length; ++j) {
            scalars[j + 1] = addmod(scalars[j + 1], mulmod(rho, inputs[j], GROUP_ORDER), GROUP_ORDER);
        }

        (uint256 x, uint256 y) = _mulCalldata(proof, 0x00, rho);
        uint256 cursor = batch.cursor;
        assembly ("memory-safe") {
            mstore(cursor, x)
            mstore(add(cursor, 0x20), mod(sub(FIELD_PRIME, y), FIELD_PRIME)) // negated; the precompile's y is below p
            calldatacopy(add(cursor, 0x40), add(proof.offset, 0x40), 0x80) // B
        }
        batch.cursor = cursor + 0xc0;

        _addTo(batch.c, proof, 0xc0, rho);
        if (batch.flags & COMMITTED != 0) {
            uint256 challenge = Groth16Lib.challengeOf(batch.vkHash, inputs, proof, modelCommitment);
            scalars[inputs.length + 1] =
                addmod(scalars[inputs.length + 1], mulmod(rho, challenge, GROUP_ORDER), GROUP_ORDER);
            _addTo(batch.d, proof, 0x100, rho);
        }
    }

    /// @notice Adds the terms of the key and checks the product of all pairings.
    function close(Batch memory batch, bytes calldata modelCommitment) internal view {
        (uint256 key, uint256 rho) = (batch.key, batch.scalars[0]);
        (uint256 x, uint256 y) = Bn254.mul(_word(key + ALPHA), _word(key + ALPHA + 0x20), rho);
        _push(batch, x, y, key + BETA);
        (x, y) = _combine(key + VerifyingKeyLib.icOffset(batch.flags), batch.scalars);
        _push(batch, x, y, key + GAMMA);
        _push(batch, batch.c[0], batch.c[1], key + DELTA);
        uint256 g2 = key + DELTA_1_OR_M;
        if (batch.flags & COMMITTED != 0) {
            _push(batch, batch.d[0], batch.d[1], g2);
            g2 += 0x80;
        }
        if (batch.flags & PRIVATE_WEIGHTS != 0) {
            (x, y) = _mulCalldata(modelCommitment, 0, rho);
            _push(batch, x, y, g2);
        }

        (bool ok, bool one) = Bn254.pairing(batch.pairs, batch.cursor - batch.pairs);
        if (!ok) revert IGroth16Verifier.PrecompileFailed(EC_PAIRING);
        if (!one) revert IGroth16Verifier.ProofInvalid();
    }

    /// @dev Appends the pair of a G1 point and the G2 point at `g2`.
    function _push(Batch memory batch, uint256 x, uint256 y, uint256 g2) private pure {
        uint256 cursor = batch.cursor;
        assembly ("memory-safe") {
            mstore(cursor, x)
            mstore(add(cursor, 0x20), y)
            mcopy(add(cursor, 0x40), g2, 0x80)
        }
        batch.cursor = cursor + 0xc0;
    }

    /// @dev sum_j scalars[j] IC_j.
    function _combine(uint256 ic, uint256[] memory scalars) private view returns (uint256 x, uint256 y) {
        for (uint256 j; j < scalars.length; ++j) {
            (uint256 px, uint256 py) = Bn254.mul(_word(ic), _word(ic + 0x20), scalars[j]);
            (x, y) = Bn254.add(x, y, px, py);
            ic += 0x40;
        }
    }

    /// @dev keccak256(tag || vkHash || M || (statement_i || proof_i) for all i): all a cheat could vary. Injective,
    /// since every length follows from the key and the number of proofs.
    function _seed(bytes32 vkHash, uint256[][] calldata inputs, bytes[] calldata proofs, bytes calldata modelCommitment)
        private
        pure
        returns (bytes32)
    {
        uint256 each = 0x20 * inputs[0].length + proofs[0].length;
        bytes memory transcript = new bytes(0x40 + modelCommitment.length + each * proofs.length);
        uint256 cursor;
        assembly ("memory-safe") {
            cursor := add(transcript, 0x60)
            calldatacopy(cursor, modelCommitment.offset, modelCommitment.length)
            mstore(add(transcript, 0x40), vkHash)
            cursor := add(cursor, modelCommitment.length)
        }
        bytes32 tag = BATCH_TAG;
        assembly ("memory-safe") {
            mstore(add(transcript, 0x20), tag)
        }
        for (uint256 i; i < proofs.length; ++i) {
            uint256[] calldata statement = inputs[i];
            bytes calldata proof = proofs[i];
            assembly ("memory-safe") {
                calldatacopy(cursor, statement.offset, shl(5, statement.length))
                cursor := add(cursor, shl(5, statement.length))
                calldatacopy(cursor, proof.offset, proof.length)
                cursor := add(cursor, proof.length)
            }
        }
        return keccak256(transcript);
    }

    /// @dev sum += scalar * the G1 point at byte `offset` of a proof.
    function _addTo(uint256[2] memory sum, bytes calldata proof, uint256 offset, uint256 scalar) private view {
        (uint256 x, uint256 y) = _mulCalldata(proof, offset, scalar);
        (sum[0], sum[1]) = Bn254.add(sum[0], sum[1], x, y);
    }

    /// @dev scalar * the G1 point at byte `offset` of `points`.
    function _mulCalldata(bytes calldata points, uint256 offset, uint256 scalar)
        private
        view
        returns (uint256 x, uint256 y)
    {
        assembly ("memory-safe") {
            x := calldataload(add(points.offset, offset))
            y := calldataload(add(add(points.offset, offset), 0x20))
        }
        return Bn254.mul(x, y, scalar);
    }

    function _word(uint256 cursor) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(cursor)
        }
    }
}
