// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {SSTORE2} from "solady/src/utils/SSTORE2.sol";
import {IGroth16Verifier} from "./interfaces/IGroth16Verifier.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {Bn254} from "./libraries/Bn254.sol";
import {DataCode} from "./libraries/DataCode.sol";
import {SlicedKeyLib} from "./libraries/SlicedKeyLib.sol";
import {VerifyingKeyLib} from "./libraries/VerifyingKeyLib.sol";
import {Model, ModelSettlement, ModelSpec, ModelTerms} from "./types/Model.sol";

/// @title Registered models
/// @dev Nothing of a registered model changes but its payout address and its retirement, both its owner's. The key is
/// stored as the code of data contracts (SSTORE2), as many as it needs: what a transaction may cost (EIP-7825) is the limit.
contract ModelRegistry is IModelRegistry {
    /// @notice Highest royalty: half of the price.
    uint16 public constant MAX_ROYALTY_BPS = 5000;

    uint8 private constant INPUT_PRIVATE = 1;
    uint8 private constant OUTPUT_ENCRYPTED = 2;
    uint8 private constant OUTPUT_COMMITTED = 4;

    /// @inheritdoc IModelRegistry
    IGroth16Verifier public immutable verifier;

    /// @dev Laid out so that posting a job reads one slot and settling one reads three, or five with private weights. One
    /// model commitment is stored here, those of several slices as the code of a data contract.
    struct Record {
        address owner;
        uint32 nIn;
        uint32 nOut;
        uint16 royaltyBps;
        bool retired;
        uint8 flags;
        address verifyingKey;
        uint8 commitmentCount;
        address payout;
        uint256 commitmentX;
        uint256 commitmentY;
        address commitments;
        bytes32 vkHash;
        bytes32 circuitHash;
        bytes32 quantisationHash;
        bytes32 metadataHash;
        bytes32 ceremonyHash;
        string uri;
    }

    mapping(bytes32 modelId => Record) private _models;

    constructor(IGroth16Verifier verifier_) {
        if (address(verifier_) == address(0)) revert ZeroAddress();
        verifier = verifier_;
    }

    /// @inheritdoc IModelRegistry
    function register(ModelSpec calldata spec, bytes calldata vk, bytes calldata modelCommitment)
        external
        returns (bytes32 modelId)
    {
        uint256 commitments = _check(spec, vk);
        modelId = _modelId(spec, keccak256(vk), keccak256(modelCommitment));
        Record storage model = _models[modelId];
        if (model.owner != address(0)) revert ModelAlreadyRegistered(modelId);

        _store(model, spec);
        _storeCommitments(model, modelCommitment, commitments);
        model.vkHash = keccak256(vk);
        address pointer = DataCode.write(vk);
        model.verifyingKey = pointer;
        emit ModelRegistered(modelId, msg.sender, pointer, keccak256(vk), modelCommitment, spec);
    }

    /// @inheritdoc IModelRegistry
    function setPayout(bytes32 modelId, address payout) external {
        Record storage model = _owned(modelId);
        if (payout == address(0)) revert ZeroAddress();
        model.payout = payout;
        emit PayoutChanged(modelId, payout);
    }

    /// @inheritdoc IModelRegistry
    function retire(bytes32 modelId) external {
        Record storage model = _owned(modelId);
        if (model.retired) revert ModelAlreadyRetired(modelId);
        model.retired = true;
        emit ModelRetired(modelId);
    }

    /// @inheritdoc IModelRegistry
    function modelOf(bytes32 modelId) external view returns (Model memory) {
        Record storage model = _known(modelId);
        return Model({
            owner: model.owner,
            payout: model.payout,
            retired: model.retired,
            verifyingKey: model.verifyingKey,
            vkHash: model.vkHash,
            modelCommitment: _commitment(model),
            spec: ModelSpec({
                circuitHash: model.circuitHash,
                quantisationHash: model.quantisationHash,
                metadataHash: model.metadataHash,
                ceremonyHash: model.ceremonyHash,
                uri: model.uri,
                royaltyBps: model.royaltyBps,
                nIn: model.nIn,
                nOut: model.nOut,
                inputPrivate: model.flags & INPUT_PRIVATE != 0,
                outputEncrypted: model.flags & OUTPUT_ENCRYPTED != 0,
                outputCommitted: model.flags & OUTPUT_COMMITTED != 0
            })
        });
    }

    /// @inheritdoc IModelRegistry
    function termsOf(bytes32 modelId) external view returns (ModelTerms memory) {
        Record storage model = _known(modelId);
        return ModelTerms({nIn: model.nIn, nOut: model.nOut, retired: model.retired});
    }

    /// @inheritdoc IModelRegistry
    function settlementOf(bytes32 modelId) external view returns (ModelSettlement memory) {
        Record storage model = _known(modelId);
        return ModelSettlement({
            verifyingKey: model.verifyingKey,
            payout: model.payout,
            royaltyBps: model.royaltyBps,
            nOut: model.nOut,
            modelCommitment: _commitment(model)
        });
    }

    /// @inheritdoc IModelRegistry
    function verifyingKeyOf(bytes32 modelId) external view returns (bytes memory) {
        return DataCode.read(_known(modelId).verifyingKey);
    }

    /// @dev Refuses a bad key, and a statement that is not the key's. Returns how many commitments it needs.
    function _check(ModelSpec calldata spec, bytes calldata vk) private view returns (uint256 commitments) {
        if (spec.royaltyBps > MAX_ROYALTY_BPS) revert RoyaltyTooHigh(spec.royaltyBps, MAX_ROYALTY_BPS);
        if (spec.inputPrivate && spec.nIn != 1) revert PrivateInputNotOneWord(spec.nIn);
        bool badCommitment = spec.outputCommitted && (spec.nOut != 1 || spec.outputEncrypted);
        // Both hide the output under the salt of the input's commitment: without one the salt would be the worker's choice.
        if (badCommitment || ((spec.outputEncrypted || spec.outputCommitted) && !spec.inputPrivate)) {
            revert BadOutputVisibility(spec.nOut, spec.outputEncrypted);
        }
        if (SlicedKeyLib.isSliced(vk)) {
            uint256 nIn;
            uint256 nOut;
            (commitments, nIn, nOut) = SlicedKeyLib.check(vk);
            // A slice's key says which of the words are its own, so the split is the key's too.
            if (spec.nIn != nIn || spec.nOut != nOut) revert WrongStatementSize(spec.nIn, spec.nOut, 1 + nIn + nOut);
        } else {
            (uint256 flags, uint256 n) = VerifyingKeyLib.check(vk);
            commitments = flags >> 1;
            // Widened first: the sum of two uint32 may not fit one.
            if (spec.nIn == 0 || spec.nOut == 0 || uint256(1) + spec.nIn + spec.nOut != n) {
                revert WrongStatementSize(spec.nIn, spec.nOut, n);
            }
        }
    }

    function _storeCommitments(Record storage model, bytes calldata modelCommitment, uint256 count) private {
        if (modelCommitment.length != 0x40 * count) revert BadModelCommitment();
        for (uint256 i; i < count; ++i) {
            // Infinity is not on the curve by this test, and M is hiding, so no honest one is infinity.
            (uint256 x, uint256 y) = abi.decode(modelCommitment[0x40 * i:], (uint256, uint256));
            if (!Bn254.isPoint(x, y)) revert BadModelCommitment();
        }
        if (count == 1) (model.commitmentX, model.commitmentY) = abi.decode(modelCommitment, (uint256, uint256));
        if (count > 1) model.commitments = SSTORE2.write(modelCommitment);
        model.commitmentCount = SafeCast.toUint8(count);
    }

    function _store(Record storage model, ModelSpec calldata spec) private {
        model.owner = msg.sender;
        model.payout = msg.sender;
        model.nIn = spec.nIn;
        model.nOut = spec.nOut;
        model.royaltyBps = spec.royaltyBps;
        model.flags = _flags(spec);
        model.circuitHash = spec.circuitHash;
        model.quantisationHash = spec.quantisationHash;
        model.metadataHash = spec.metadataHash;
        model.ceremonyHash = spec.ceremonyHash;
        model.uri = spec.uri;
    }

    /// @dev One abi.encode of eleven static values, in two halves because the stack is sixteen deep.
    function _modelId(ModelSpec calldata spec, bytes32 vkHash, bytes32 commitmentHash) private view returns (bytes32) {
        bytes memory head = abi.encode(
            vkHash, commitmentHash, spec.circuitHash, spec.quantisationHash, spec.metadataHash, spec.ceremonyHash
        );
        return keccak256(bytes.concat(head, abi.encode(msg.sender, spec.royaltyBps, spec.nIn, spec.nOut, _flags(spec))));
    }

    function _flags(ModelSpec calldata spec) private pure returns (uint8) {
        return (spec.inputPrivate ? INPUT_PRIVATE : 0) | (spec.outputEncrypted ? OUTPUT_ENCRYPTED : 0)
            | (spec.outputCommitted ? OUTPUT_COMMITTED : 0);
    }

    function _commitment(Record storage model) private view returns (bytes memory) {
        uint8 count = model.commitmentCount;
        if (count == 0) return bytes("");
        return count == 1 ? abi.encode(model.commitmentX, model.commitmentY) : SSTORE2.read(model.commitments);
    }

    function _known(bytes32 modelId) private view returns (Record storage model) {
        model = _models[modelId];
        if (model.owner == address(0)) revert ModelUnknown(modelId);
    }

    function _owned(bytes32 modelId) private view returns (Record storage model) {
        model = _known(modelId);
        if (model.owner != msg.sender) revert NotModelOwner(modelId, msg.sender);
    }
}
