// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {JobState} from "../types/Job.sol";
import {Lineage} from "../types/Lineage.sol";
import {IDataRegistry} from "./IDataRegistry.sol";
import {IMarket} from "./IMarket.sol";

/// @title Which model was made by which training job
/// @notice What stands here is checked on chain as far as a chain can: the job is settled, so its proof was verified; it
/// ran this program; its input is this data set and nothing else. That the model's weights are the job's output is for
/// the reader to check: rebuild the circuit with them and compare its hash (`assay verify --trained-by`).
interface ICertificates {
    event ModelCertified(bytes32 indexed modelId, bytes32 indexed programId, bytes32 indexed datasetId, bytes32 jobId);

    error NotModelOwner(bytes32 modelId, address caller);
    /// @notice A model has one origin: what is recorded stays.
    error AlreadyCertified(bytes32 modelId);
    /// @notice Only a settled job has an output.
    error JobNotSettled(bytes32 jobId, JobState state);
    /// @notice The job's input words are not the data set's blocks.
    error OtherInput(bytes32 jobId, bytes32 datasetId);
    /// @notice A model cannot come from a job of its own.
    error OwnProgram(bytes32 modelId);
    /// @notice The contracts handed to the constructor are none.
    error WrongWiring(address component);

    /// @notice Records the origin of a model. Its owner only, once.
    /// @param modelId the model, registered
    /// @param jobId a settled job; its model is the program
    /// @param datasetId a registered data set whose blocks are the job's input words, in order
    function certify(bytes32 modelId, bytes32 jobId, bytes32 datasetId) external;

    /// @notice A model's recorded origin; zeros if there is none.
    function lineageOf(bytes32 modelId) external view returns (Lineage memory);

    /// @notice Knows jobs and, through its registry, models.
    function market() external view returns (IMarket);

    /// @notice Knows data sets.
    function data() external view returns (IDataRegistry);
}
