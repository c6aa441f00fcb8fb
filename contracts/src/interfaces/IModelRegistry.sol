// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Model, ModelSettlement, ModelSpec, ModelTerms} from "../types/Model.sol";
import {IGroth16Verifier} from "./IGroth16Verifier.sol";

/// @title Registered models: immutable versions, each with its verifying key stored as contract code
/// @notice Anyone registers. A model's id is the hash of all that decides what its proofs mean:
/// keccak256(abi.encode(vkHash, keccak256(modelCommitment), circuitHash, quantisationHash, metadataHash,
/// ceremonyHash, owner, royaltyBps, nIn, nOut, flags)), flags a uint8: bit 0 inputPrivate, bit 1 outputEncrypted,
/// bit 2 outputCommitted.
/// @dev Refuses keys a proof under which would mean nothing; see the errors of VerifyingKeyLib.
interface IModelRegistry {
    /// @notice A model was registered. With the constructor's data this is all a node needs.
    event ModelRegistered(
        bytes32 indexed modelId,
        address indexed owner,
        address verifyingKey,
        bytes32 vkHash,
        bytes modelCommitment,
        ModelSpec spec
    );
    /// @notice Royalties of a model now go to `payout`.
    event PayoutChanged(bytes32 indexed modelId, address payout);
    /// @notice A model takes no new jobs.
    event ModelRetired(bytes32 indexed modelId);

    error ModelUnknown(bytes32 modelId);
    error ModelAlreadyRegistered(bytes32 modelId);
    error ModelAlreadyRetired(bytes32 modelId);
    error NotModelOwner(bytes32 modelId, address caller);
    error RoyaltyTooHigh(uint16 royaltyBps, uint16 maximum);
    /// @notice 1 + nIn + nOut is not the number of public inputs of the key, or one of them is 0.
    error WrongStatementSize(uint256 nIn, uint256 nOut, uint256 keyInputs);
    /// @notice A private input is one word, its commitment.
    error PrivateInputNotOneWord(uint256 nIn);
    /// @notice A committed output is one word, and not encrypted as well; either needs a private input.
    error BadOutputVisibility(uint256 nOut, bool encrypted);
    /// @notice M must be a point other than infinity if the key has private weights, and absent otherwise.
    error BadModelCommitment();
    error ZeroAddress();

    /// @notice Registers a model, the caller being its owner and first payout address.
    /// @param spec what the model is; see ModelSpec
    /// @param vk verifying key, checked in full
    /// @param modelCommitment M, 64 bytes, if the key has private weights, else empty; of a sliced model, one for each
    /// slice with private weights, in order
    /// @return modelId the new model's id
    function register(ModelSpec calldata spec, bytes calldata vk, bytes calldata modelCommitment)
        external
        returns (bytes32 modelId);

    /// @notice Sends future royalties elsewhere. Owner only.
    function setPayout(bytes32 modelId, address payout) external;

    /// @notice Stops new jobs for good; jobs already posted still settle. Owner only.
    function retire(bytes32 modelId) external;

    /// @notice Everything stored of a model. Reverts if unknown, as all views here do.
    function modelOf(bytes32 modelId) external view returns (Model memory);

    /// @notice What posting a job needs to know.
    function termsOf(bytes32 modelId) external view returns (ModelTerms memory);

    /// @notice What settling a job needs to know.
    function settlementOf(bytes32 modelId) external view returns (ModelSettlement memory);

    /// @notice The verifying key's bytes, without the STOP byte.
    function verifyingKeyOf(bytes32 modelId) external view returns (bytes memory);

    /// @notice The verifier models are registered for.
    function verifier() external view returns (IGroth16Verifier);
}
