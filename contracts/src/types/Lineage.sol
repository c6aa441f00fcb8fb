// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice Where a model comes from, as its owner says and the chain bears out.
/// @param programId the registered training program
/// @param jobId the settled job that ran it
/// @param datasetId the registered data set that was the job's whole input
/// @param certifiedAt timestamp of the record, 0 if there is none
struct Lineage {
    bytes32 programId;
    bytes32 jobId;
    bytes32 datasetId;
    uint64 certifiedAt;
}
