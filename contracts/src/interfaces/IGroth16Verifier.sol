// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title One Groth16 verifier for every model: the verifying key is data
/// @notice BN254 Groth16, plain or with one commitment round, with or without private weights; which of them a key
/// is, its header says. Bytes of keys, proofs and statements are those of docs/protocol.md.
/// @dev Stateless. Nothing here returns false: a proof is verified or the call reverts, so that gas estimation can
/// never settle on a path that verified nothing. The goodness of a key (points in their groups, deltas distinct) is
/// checked once by whoever stores it, not here.
interface IGroth16Verifier {
    /// @notice `vk` has no code, or its code is not one STOP byte, a known header and the length the header implies.
    error BadVerifyingKey(address vk);
    /// @notice The statement has a wrong number of words.
    error WrongInputCount(uint256 got, uint256 expected);
    /// @notice A word of the statement is not below the group order.
    error InputTooLarge(uint256 index, uint256 value);
    /// @notice The proof is not as long as the key's mode demands.
    error WrongProofLength(uint256 got, uint256 expected);
    /// @notice A coordinate of the proof is not below the field's prime.
    error CoordinateTooLarge(uint256 offset, uint256 value);
    /// @notice The model commitment has a wrong length: 64 bytes with private weights, else none.
    error WrongModelCommitmentLength(uint256 got, uint256 expected);
    /// @notice A curve precompile failed: a point off its curve or outside its subgroup, or too little gas.
    error PrecompileFailed(uint256 precompile);
    /// @notice Everything is well formed, and the pairing equation does not hold.
    error ProofInvalid();
    /// @notice The commitment between slice `index` and the next is not below the group order.
    error CutTooLarge(uint256 index, uint256 value);
    /// @notice A batch has no proof, or not one statement for each proof.
    error WrongBatchLength(uint256 statements, uint256 proofs);

    /// @notice Verifies one proof, or under the key of a sliced model the proofs of its slices in one pairing check.
    /// @param vk data contract with the verifying key
    /// @param inputs the statement, each word < r
    /// @param proof 256 bytes, or 320 if the key is committed; of k slices, k - 1 words and the k proofs
    /// @param modelCommitment M, 64 bytes, if the key has private weights, else empty; of a sliced model, those of the
    /// slices that have any
    function verify(address vk, uint256[] calldata inputs, bytes calldata proof, bytes calldata modelCommitment)
        external
        view;

    /// @notice Verifies many proofs under one key in one pairing check of a random linear combination.
    /// @dev Coefficients come from a hash over the key, the commitment, all statements and all proofs. One invalid
    /// proof makes the whole batch revert. Not for sliced models.
    /// @param vk data contract with the verifying key
    /// @param inputs one statement for each proof
    /// @param proofs the proofs
    /// @param modelCommitment as in `verify`, shared by the batch
    function verifyBatch(
        address vk,
        uint256[][] calldata inputs,
        bytes[] calldata proofs,
        bytes calldata modelCommitment
    ) external view;
}
