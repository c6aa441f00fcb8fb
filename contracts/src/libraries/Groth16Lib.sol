// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "../interfaces/IGroth16Verifier.sol";
import {FIELD_PRIME, GROUP_ORDER} from "./Bn254.sol";
import {COMMITTED, PRIVATE_WEIGHTS} from "./VerifyingKeyLib.sol";

/// @title What verifying one proof and verifying many have in common: refusals, and the challenge
library Groth16Lib {
    /// @notice Separates this hash from any other use of keccak256.
    bytes32 internal constant CHALLENGE_TAG = keccak256("assay/groth16/challenge/v1");

    /// @notice c = keccak256(tag || vkHash || x || M || D) mod r.
    function challengeOf(
        bytes32 vkHash,
        uint256[] calldata inputs,
        bytes calldata proof,
        bytes calldata modelCommitment
    ) internal pure returns (uint256 challenge) {
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

    /// @notice Which groups a proof has is the key's word, never the prover's.
    function checkLengths(uint256 flags, uint256 n, uint256 inputs, uint256 proof, uint256 commitment) internal pure {
        if (inputs != n) revert IGroth16Verifier.WrongInputCount(inputs, n);
        uint256 expected = 0x100 + 0x40 * (flags & COMMITTED);
        if (proof != expected) revert IGroth16Verifier.WrongProofLength(proof, expected);
        expected = 0x20 * (flags & PRIVATE_WEIGHTS);
        if (commitment != expected) revert IGroth16Verifier.WrongModelCommitmentLength(commitment, expected);
    }

    /// @notice Every word of a statement below r.
    function requireInGroup(uint256[] calldata inputs) internal pure {
        for (uint256 i; i < inputs.length; ++i) {
            if (inputs[i] >= GROUP_ORDER) revert IGroth16Verifier.InputTooLarge(i, inputs[i]);
        }
    }

    /// @notice Every word of a proof below p.
    function requireCanonical(bytes calldata proof) internal pure {
        for (uint256 offset; offset < proof.length; offset += 0x20) {
            uint256 value;
            assembly ("memory-safe") {
                value := calldataload(add(proof.offset, offset))
            }
            if (value >= FIELD_PRIME) revert IGroth16Verifier.CoordinateTooLarge(offset, value);
        }
    }
}
