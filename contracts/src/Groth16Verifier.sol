// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "./interfaces/IGroth16Verifier.sol";
import {Bn254, EC_ADD, EC_MUL, EC_PAIRING, FIELD_PRIME, GROUP_ORDER} from "./libraries/Bn254.sol";
import {
    ALPHA,
    BETA,
    COMMITTED,
    DELTA,
    DELTA_1_OR_M,
    GAMMA,
    PRIVATE_WEIGHTS,
    VerifyingKeyLib
} from "./libraries/VerifyingKeyLib.sol";

/// @title Groth16 over BN254, all modes, key as data
/// @notice The equation, terms of absent modes being absent (docs/protocol.md):
///
///     e(A,B) = e(alpha,beta) e(IC(x,c),gamma) e(C,delta) e(D,delta_1) e(M,delta_m)
///
/// @dev Checked as a product of pairings with -A. Cost: 45,000 + 34,000 for each of 4 to 6 pairs, 6,350 a public
/// wire in precompiles and their calls, and about 4,000 for all the rest. Assembly here never returns, and writes
/// only memory it allocated or the scratch space.
contract Groth16Verifier is IGroth16Verifier {
    /// @notice keccak256("assay/groth16/challenge/v1").
    bytes32 public constant CHALLENGE_TAG = keccak256("assay/groth16/challenge/v1");
    /// @notice keccak256("assay/groth16/batch/v1").
    bytes32 public constant BATCH_TAG = keccak256("assay/groth16/batch/v1");

    /// @inheritdoc IGroth16Verifier
    function verify(address vk, uint256[] calldata inputs, bytes calldata proof, bytes calldata modelCommitment)
        external
        view
    {
        (uint256 key, uint256 flags, uint256 n) = VerifyingKeyLib.load(vk);
        _checkLengths(flags, n, inputs.length, proof.length, modelCommitment.length);

        uint256 challenge;
        if (flags & COMMITTED != 0) {
            // Before anything is scribbled on the key.
            challenge = _challenge(_hash(key, VerifyingKeyLib.length(flags, n)), inputs, proof, modelCommitment);
        }

        uint256 pairs;
        assembly ("memory-safe") {
            pairs := mload(0x40)
            mstore(0x40, add(pairs, 0x480)) // room for six pairs of 0xc0 bytes
        }
        _statementPoint(key + VerifyingKeyLib.icOffset(flags), inputs, flags & COMMITTED, challenge, pairs + 0x180);

        uint256 end;
        bool canonical;
        assembly ("memory-safe") {
            // 1: (-A, B). A.y >= p would wrap around in the subtraction; every other coordinate goes to the
            // precompile as it is, which refuses it. The outer mod keeps infinity at (0, 0).
            calldatacopy(pairs, proof.offset, 0xc0)
            let y := mload(add(pairs, 0x20))
            canonical := lt(y, FIELD_PRIME)
            mstore(add(pairs, 0x20), mod(sub(FIELD_PRIME, y), FIELD_PRIME))
            // 2: (alpha, beta), which lie side by side in the key.
            mcopy(add(pairs, 0xc0), add(key, ALPHA), 0xc0)
            // 3: (IC(x,c), gamma); the point is there already.
            mcopy(add(pairs, 0x1c0), add(key, GAMMA), 0x80)
            // 4: (C, delta)
            calldatacopy(add(pairs, 0x240), add(proof.offset, 0xc0), 0x40)
            mcopy(add(pairs, 0x280), add(key, DELTA), 0x80)
            end := add(pairs, 0x300)
            let g2 := add(key, DELTA_1_OR_M)
            // 5: (D, delta_1)
            if and(flags, COMMITTED) {
                calldatacopy(end, add(proof.offset, 0x100), 0x40)
                mcopy(add(end, 0x40), g2, 0x80)
                end := add(end, 0xc0)
                g2 := add(g2, 0x80)
            }
            // 6: (M, delta_m)
            if and(flags, PRIVATE_WEIGHTS) {
                calldatacopy(end, modelCommitment.offset, 0x40)
                mcopy(add(end, 0x40), g2, 0x80)
                end := add(end, 0xc0)
            }
        }
        if (!canonical) _requireCanonical(proof);
        (bool ok, bool one) = Bn254.pairing(pairs, end - pairs);
        if (!ok) {
            // Only now is it worth looking for the reason.
            _requireCanonical(proof);
            revert PrecompileFailed(EC_PAIRING);
        }
        if (!one) revert ProofInvalid();
    }

    /// @inheritdoc IGroth16Verifier
    function verifyBatch(
        address vk,
        uint256[][] calldata inputs,
        bytes[] calldata proofs,
        bytes calldata modelCommitment
    ) external view {
        if (proofs.length == 0 || inputs.length != proofs.length) {
            revert WrongBatchLength(inputs.length, proofs.length);
        }
        (uint256 key, uint256 flags, uint256 n) = VerifyingKeyLib.load(vk);
        for (uint256 i; i < proofs.length; ++i) {
            _checkLengths(flags, n, inputs[i].length, proofs[i].length, modelCommitment.length);
            _requireInGroup(inputs[i]);
            _requireCanonical(proofs[i]);
        }
        bytes32 vkHash = _hash(key, VerifyingKeyLib.length(flags, n));

        Batch memory batch;
        batch.seed = _batchSeed(vkHash, inputs, proofs, modelCommitment);
        batch.scalars = new uint256[](1 + n + (flags & COMMITTED));
        // N pairs (-rho_i A_i, B_i), then one for each of alpha, gamma, delta and what else the key has.
        bytes memory buffer = new bytes(0xc0 * (proofs.length + 3 + (flags & 1) + (flags >> 1)));
        uint256 pairs;
        assembly ("memory-safe") {
            pairs := add(buffer, 0x20)
        }
        batch.cursor = pairs;

        for (uint256 i; i < proofs.length; ++i) {
            uint256 challenge;
            if (flags & COMMITTED != 0) challenge = _challenge(vkHash, inputs[i], proofs[i], modelCommitment);
            _fold(batch, i, inputs[i], proofs[i], challenge);
        }

        uint256 rho = batch.scalars[0]; // the sum of all coefficients, since the wire 1 is 1 in every proof
        (uint256 x, uint256 y) = Bn254.mul(_word(key + ALPHA), _word(key + ALPHA + 0x20), rho);
        _push(batch, x, y, key + BETA);
        (x, y) = _combine(key + VerifyingKeyLib.icOffset(flags), batch.scalars);
        _push(batch, x, y, key + GAMMA);
        _push(batch, batch.cx, batch.cy, key + DELTA);
        uint256 g2 = key + DELTA_1_OR_M;
        if (flags & COMMITTED != 0) {
            _push(batch, batch.dx, batch.dy, g2);
            g2 += 0x80;
        }
        if (flags & PRIVATE_WEIGHTS != 0) {
            (x, y) = Bn254.mul(
                uint256(bytes32(modelCommitment[0x00:0x20])), uint256(bytes32(modelCommitment[0x20:0x40])), rho
            );
            _push(batch, x, y, g2);
        }

        (bool ok, bool one) = Bn254.pairing(pairs, batch.cursor - pairs);
        if (!ok) revert PrecompileFailed(EC_PAIRING);
        if (!one) revert ProofInvalid();
    }

    /// @dev What a batch accumulates. `cursor` is where the next pair goes.
    struct Batch {
        bytes32 seed;
        uint256[] scalars;
        uint256 cursor;
        uint256 cx;
        uint256 cy;
        uint256 dx;
        uint256 dy;
    }

    /// @dev Adds proof i with its coefficient: its pair, its share of C and D, its share of every IC scalar. Coefficients
    /// are full-width, so a batch with an invalid proof passes with probability about 1/r over the hash.
    function _fold(Batch memory batch, uint256 i, uint256[] calldata inputs, bytes calldata proof, uint256 challenge)
        private
        view
    {
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

        (x, y) = _mulCalldata(proof, 0xc0, rho);
        (batch.cx, batch.cy) = Bn254.add(batch.cx, batch.cy, x, y);
        if (scalars.length == inputs.length + 2) {
            scalars[inputs.length + 1] =
                addmod(scalars[inputs.length + 1], mulmod(rho, challenge, GROUP_ORDER), GROUP_ORDER);
            (x, y) = _mulCalldata(proof, 0x100, rho);
            (batch.dx, batch.dy) = Bn254.add(batch.dx, batch.dy, x, y);
        }
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
    function _batchSeed(
        bytes32 vkHash,
        uint256[][] calldata inputs,
        bytes[] calldata proofs,
        bytes calldata modelCommitment
    ) private pure returns (bytes32) {
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

    /// @dev c = keccak256(tag || vkHash || x || M || D) mod r.
    function _challenge(bytes32 vkHash, uint256[] calldata inputs, bytes calldata proof, bytes calldata modelCommitment)
        private
        pure
        returns (uint256 challenge)
    {
        bytes32 tag = CHALLENGE_TAG;
        assembly ("memory-safe") {
            let start := mload(0x40) // scratch beyond the free memory pointer, not allocated
            mstore(start, tag)
            mstore(add(start, 0x20), vkHash)
            let cursor := add(start, 0x40)
            calldatacopy(cursor, inputs.offset, shl(5, inputs.length)) // x
            cursor := add(cursor, shl(5, inputs.length))
            calldatacopy(cursor, modelCommitment.offset, modelCommitment.length) // M, or nothing
            cursor := add(cursor, modelCommitment.length)
            calldatacopy(cursor, add(proof.offset, 0x100), 0x40) // D
            challenge := mod(keccak256(start, add(sub(cursor, start), 0x40)), GROUP_ORDER)
        }
    }

    /// @dev Writes IC_0 + sum x_i IC_i (+ c IC_c) to `sum`, using the 0x40 bytes behind it as well. The key's IC is
    /// consumed: points are taken last first, each scalar is written right behind its point, over the point that
    /// was taken before, and multiplied in place. Two precompile calls a wire and nothing copied.
    function _statementPoint(uint256 ic, uint256[] calldata inputs, uint256 committed, uint256 challenge, uint256 sum)
        private
        view
    {
        bool ok = true;
        bool inGroup = true;
        assembly ("memory-safe") {
            let product := add(sum, 0x40)
            mcopy(sum, ic, 0x40) // IC_0
            let point := add(ic, shl(6, add(inputs.length, 1))) // one past IC_n
            if committed {
                mstore(add(point, 0x40), challenge) // c < r
                ok := staticcall(gas(), EC_MUL, point, 0x60, product, 0x40)
                ok := and(ok, staticcall(gas(), EC_ADD, sum, 0x80, sum, 0x40))
            }
            for { let word := add(inputs.offset, shl(5, inputs.length)) } gt(word, inputs.offset) {} {
                word := sub(word, 0x20)
                point := sub(point, 0x40)
                let x := calldataload(word)
                // The precompile takes scalars above r and reduces them: a second name for the same statement.
                inGroup := and(inGroup, lt(x, GROUP_ORDER))
                mstore(add(point, 0x40), x)
                // A failed call leaves a stale product, but `ok` stays 0 from there on.
                ok := and(ok, staticcall(gas(), EC_MUL, point, 0x60, product, 0x40))
                ok := and(ok, staticcall(gas(), EC_ADD, sum, 0x80, sum, 0x40))
            }
        }
        if (!inGroup) _requireInGroup(inputs);
        if (!ok) revert PrecompileFailed(EC_MUL);
    }

    /// @dev Which groups a proof has is the key's word, never the prover's.
    function _checkLengths(uint256 flags, uint256 n, uint256 inputs, uint256 proof, uint256 commitment) private pure {
        if (inputs != n) revert WrongInputCount(inputs, n);
        uint256 expected = 0x100 + 0x40 * (flags & COMMITTED);
        if (proof != expected) revert WrongProofLength(proof, expected);
        expected = 0x20 * (flags & PRIVATE_WEIGHTS);
        if (commitment != expected) revert WrongModelCommitmentLength(commitment, expected);
    }

    /// @dev Every word of a statement below r.
    function _requireInGroup(uint256[] calldata inputs) private pure {
        for (uint256 i; i < inputs.length; ++i) {
            if (inputs[i] >= GROUP_ORDER) revert InputTooLarge(i, inputs[i]);
        }
    }

    /// @dev Every word of a proof below p.
    function _requireCanonical(bytes calldata proof) private pure {
        for (uint256 offset; offset < proof.length; offset += 0x20) {
            uint256 value;
            assembly ("memory-safe") {
                value := calldataload(add(proof.offset, offset))
            }
            if (value >= FIELD_PRIME) revert CoordinateTooLarge(offset, value);
        }
    }

    /// @dev scalar * the G1 point at byte `offset` of a proof.
    function _mulCalldata(bytes calldata proof, uint256 offset, uint256 scalar)
        private
        view
        returns (uint256 x, uint256 y)
    {
        assembly ("memory-safe") {
            x := calldataload(add(proof.offset, offset))
            y := calldataload(add(add(proof.offset, offset), 0x20))
        }
        return Bn254.mul(x, y, scalar);
    }

    function _hash(uint256 cursor, uint256 size) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            hash := keccak256(cursor, size)
        }
    }

    function _word(uint256 cursor) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(cursor)
        }
    }
}
