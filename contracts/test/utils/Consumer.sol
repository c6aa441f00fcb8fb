// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IJobConsumer} from "../../src/interfaces/IJobConsumer.sol";
import {IMarket} from "../../src/interfaces/IMarket.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {JobRequest, JobState} from "../../src/types/Job.sol";

enum Mode {
    Record,
    Revert,
    EatGas,
    ReturnBomb,
    RevertBomb,
    ReenterSubmit,
    ReenterProof,
    ReenterExpire
}

/// @title A consumer that behaves, or misbehaves, as told
contract Consumer is IJobConsumer {
    IMarket private immutable market;
    IVault private immutable vault;
    Mode private mode;
    bytes32 private aim;
    bytes private submitCall;

    bytes32 public jobId;
    uint256[] public outputs;
    uint256 public gasSeen;
    uint256 public escrowSeen;
    JobState public stateSeen;
    bool public innerCallPassed;

    constructor(IMarket market_, IVault vault_) {
        (market, vault) = (market_, vault_);
    }

    function set(Mode mode_, bytes32 aim_, JobRequest calldata request, uint256[] calldata inputs) external {
        (mode, aim) = (mode_, aim_);
        JobRequest memory free = request;
        free.maxPrice = 0;
        submitCall = abi.encodeCall(IMarket.submitJob, (free, inputs));
    }

    function onJobSettled(bytes32 jobId_, uint256[] calldata outputWords) external {
        uint256 gasAtEntry = gasleft();
        require(msg.sender == address(market), "not the market");
        if (mode == Mode.Revert) revert("no");
        if (mode == Mode.EatGas) while (true) {}
        if (mode == Mode.ReturnBomb || mode == Mode.RevertBomb) bomb(mode == Mode.ReturnBomb);
        jobId = jobId_;
        if (mode == Mode.Record) {
            gasSeen = gasAtEntry;
            outputs = outputWords;
            stateSeen = market.jobOf(jobId_).state;
            escrowSeen = vault.heldBy(address(market));
            return;
        }
        if (mode == Mode.ReenterSubmit) (innerCallPassed,) = address(market).call(submitCall);
        if (mode == Mode.ReenterExpire) {
            (innerCallPassed,) = address(market).call(abi.encodeCall(IMarket.expire, (aim)));
        }
        if (mode == Mode.ReenterProof) {
            bytes memory data = abi.encodeCall(IMarket.submitProof, (aim, outputWords, outputWords, ""));
            (innerCallPassed,) = address(market).call(data);
        }
    }

    /// @dev As much return data as the gas allows: 64 KiB cost some 14,000 to make, and as much again to copy.
    function bomb(bool succeed) private pure {
        assembly ("memory-safe") {
            if succeed { return(0, 0x10000) }
            revert(0, 0x10000)
        }
    }
}
