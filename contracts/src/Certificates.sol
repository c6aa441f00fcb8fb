// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICertificates} from "./interfaces/ICertificates.sol";
import {IDataRegistry} from "./interfaces/IDataRegistry.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {Job, JobState} from "./types/Job.sol";
import {Lineage} from "./types/Lineage.sol";

/// @title Origins of models
/// @dev Holds no money and writes nowhere but here.
contract Certificates is ICertificates {
    /// @inheritdoc ICertificates
    IMarket public immutable market;
    /// @inheritdoc ICertificates
    IDataRegistry public immutable data;

    mapping(bytes32 modelId => Lineage) private _lineages;

    constructor(IMarket market_, IDataRegistry data_) {
        if (address(market_).code.length == 0) revert WrongWiring(address(market_));
        if (address(data_).code.length == 0) revert WrongWiring(address(data_));
        market = market_;
        data = data_;
    }

    /// @inheritdoc ICertificates
    function certify(bytes32 modelId, bytes32 jobId, bytes32 datasetId) external {
        if (market.models().modelOf(modelId).owner != msg.sender) revert NotModelOwner(modelId, msg.sender);
        if (_lineages[modelId].certifiedAt != 0) revert AlreadyCertified(modelId);
        Job memory job = market.jobOf(jobId);
        if (job.state != JobState.Settled) revert JobNotSettled(jobId, job.state);
        if (job.modelId == modelId) revert OwnProgram(modelId);
        // Both are keccak256 of words, packed: equal exactly if the words are.
        if (job.inputHash != data.dataSetOf(datasetId).blocksHash) revert OtherInput(jobId, datasetId);
        _lineages[modelId] = Lineage(job.modelId, jobId, datasetId, uint64(block.timestamp));
        emit ModelCertified(modelId, job.modelId, datasetId, jobId);
    }

    /// @inheritdoc ICertificates
    function lineageOf(bytes32 modelId) external view returns (Lineage memory) {
        return _lineages[modelId];
    }
}
