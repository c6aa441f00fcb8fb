// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "./interfaces/IGroth16Verifier.sol";
import {Batch, Groth16Batch} from "./libraries/Groth16Batch.sol";
import {Groth16Lib} from "./libraries/Groth16Lib.sol";
import {Groth16Slices} from "./libraries/Groth16Slices.sol";
import {Bn254, EC_ADD, EC_MUL, EC_PAIRING, FIELD_PRIME, GROUP_ORDER} from "./libraries/Bn254.sol";
import {
    ALPHA,
    COMMITTED,
    DELTA,
    DELTA_1_OR_M,
    GAMMA,
    PRIVATE_WEIGHTS,
    SLICED,
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
    using Groth16Batch for Batch;

    /// @inheritdoc IGroth16Verifier
    function verify(address vk, uint256[] calldata inputs, bytes calldata proof, bytes calldata modelCommitment)
        external
        view
    {
        (uint256 key, uint256 flags, uint256 n) = VerifyingKeyLib.loadAny(vk);
        if (flags == SLICED) {
            Groth16Slices.verify(vk, inputs, proof, modelCommitment, key, n);
            return;
        }
        Groth16Lib.checkLengths(flags, n, inputs.length, proof.length, modelCommitment.length);

        uint256 challenge;
        if (flags & COMMITTED != 0) {
            // Before anything is scribbled on the key.
            challenge = Groth16Lib.challengeOf(VerifyingKeyLib.hash(key, flags, n), inputs, proof, modelCommitment);
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
        if (!canonical) Groth16Lib.requireCanonical(proof);
        (bool ok, bool one) = Bn254.pairing(pairs, end - pairs);
        if (!ok) {
            // Only now is it worth looking for the reason.
            Groth16Lib.requireCanonical(proof);
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
        Batch memory batch = Groth16Batch.open(vk, inputs, proofs, modelCommitment);
        for (uint256 i; i < proofs.length; ++i) {
            batch.add(i, inputs[i], proofs[i], modelCommitment);
        }
        batch.close(modelCommitment);
    }

    /// @dev Writes IC_0 + sum x_i IC_i (+ c IC_c) to `sum`, using the 0x40 bytes behind it as well. The key's IC is
    /// consumed: points are taken last first, each scalar is written right behind its point, over the point that
    /// was taken before, and multiplied in place. Two precompile calls a wire and nothing copied.
    function _statementPoint(uint256 ic, uint256[] calldata inputs, uint256 committed, uint256 challenge, uint256 sum)
        private
        view
    {
        bool ok = true;
        assembly ("memory-safe") {
            let product := add(sum, 0x40)
            mcopy(sum, ic, 0x40) // IC_0
            let point := add(ic, shl(6, add(inputs.length, 1))) // one past IC_n
            // Arguments are evaluated last first, so below the multiplication runs before the addition. A call that
            // fails leaves a stale product behind, but `ok` stays 0 from there on.
            if committed {
                mstore(add(point, 0x40), challenge) // c < r
                ok := and(
                    staticcall(gas(), EC_ADD, sum, 0x80, sum, 0x40),
                    staticcall(gas(), EC_MUL, point, 0x60, product, 0x40)
                )
            }
            for { let word := add(inputs.offset, shl(5, inputs.length)) } gt(word, inputs.offset) {} {
                word := sub(word, 0x20)
                point := sub(point, 0x40)
                let x := calldataload(word)
                mstore(add(point, 0x40), x)
                ok := and(
                    and(
                        // The precompile takes scalars above r and reduces them: a second name for one statement.
                        and(ok, lt(x, GROUP_ORDER)),
                        staticcall(gas(), EC_ADD, sum, 0x80, sum, 0x40)
                    ),
                    staticcall(gas(), EC_MUL, point, 0x60, product, 0x40)
                )
            }
        }
        if (!ok) {
            // Only now is it worth looking for the reason.
            Groth16Lib.requireInGroup(inputs);
            revert PrecompileFailed(EC_MUL);
        }
    }
}
