// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title A contract that wants to be told of a result
interface IJobConsumer {
    /// @notice Called by the market once a job is settled and paid, with the gas the requester asked for. A revert
    /// undoes nothing but the callback's own effects. Implementations must check msg.sender, and know the job.
    /// @param jobId the settled job
    /// @param outputWords the statement's output words as proven; ciphertext if the model encrypts its output
    function onJobSettled(bytes32 jobId, uint256[] calldata outputWords) external;
}
