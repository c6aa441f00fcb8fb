// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Market} from "../../src/Market.sol";
import {Vault} from "../../src/Vault.sol";
import {WorkerRegistry} from "../../src/WorkerRegistry.sol";
import {Job, JobRequest, JobState} from "../../src/types/Job.sol";
import {Vm} from "../utils/Vm.sol";
import {ToyGroth16, ToyKey} from "../utils/ToyGroth16.sol";

/// @title Random but sensible users of the market
/// @notice Each function makes one call that may succeed, with the caller, the job and the time drawn at random; calls
/// that would revert are not made, so that sequences get deep. Keeps a list of all jobs for the invariants to sum over.
contract MarketHandler {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    Market private immutable market;
    Vault private immutable vault;
    WorkerRegistry private immutable workers;
    bytes32 private immutable modelId;
    ToyKey private toy;
    uint256[] private inputs;
    uint256[] private outputs;

    address[] public actors;
    bytes32[] public jobs;
    uint256 public paidIn;
    uint256 public paidOut;
    mapping(JobState => uint256) public reached;

    constructor(
        Market market_,
        Vault vault_,
        WorkerRegistry workers_,
        bytes32 modelId_,
        ToyKey memory toy_,
        uint256[] memory inputs_,
        uint256[] memory outputs_,
        address[] memory actors_
    ) {
        (market, vault, workers, modelId) = (market_, vault_, workers_, modelId_);
        (toy, inputs, outputs, actors) = (toy_, inputs_, outputs_, actors_);
    }

    function jobCount() external view returns (uint256) {
        return jobs.length;
    }

    function actorCount() external view returns (uint256) {
        return actors.length;
    }

    function submit(uint256 who, uint128 ceiling, uint128 collateral, uint32 window) external {
        address actor = actors[who % actors.length];
        ceiling = ceiling % 3 ether;
        if (actor.balance < ceiling) return;
        window = 1 + window % 100;
        vm.prank(actor);
        bytes32 jobId = market.submitJob{value: ceiling}(
            JobRequest(
                modelId, ceiling, 0, collateral % 2 ether, window, window, window, 0, "", address(0), 0, false, 3
            ),
            inputs
        );
        jobs.push(jobId);
        paidIn += ceiling;
        ++reached[JobState.Open];
    }

    function bid(uint256 which, uint256 who, uint128 price) external {
        (bytes32 jobId, Job memory job) = pick(which);
        address actor = actors[who % actors.length];
        if (job.state != JobState.Open || block.timestamp > job.deadline) return;
        if (!workers.workerOf(actor).registered || workers.freeStakeOf(actor) < job.collateral) return;
        price = uint128(price % (uint256(job.maxPrice) + 1));
        vm.prank(actor);
        try market.placeBid(jobId, price) {} catch {} // not below its own, or missed before
    }

    function award(uint256 which, uint256 who, bool byRequester) external {
        (bytes32 jobId, Job memory job) = pick(which);
        if (job.state != JobState.Open || job.worker == address(0)) return;
        if (block.timestamp > uint256(job.deadline) + market.AWARD_GRACE()) return;
        if (byRequester) {
            address chosen = actors[who % actors.length];
            if (!market.bidOf(jobId, chosen).standing) chosen = job.worker;
            vm.prank(job.requester);
            try market.awardTo(jobId, chosen) {}
            catch {
                return; // its stake backs other jobs by now
            }
        } else {
            if (block.timestamp <= job.deadline) vm.warp(uint256(job.deadline) + 1);
            market.award(jobId);
        }
        ++reached[JobState.Awarded];
    }

    function accept(uint256 which) external {
        (bytes32 jobId, Job memory job) = pick(which);
        if (job.state != JobState.Awarded || block.timestamp > job.deadline) return;
        vm.prank(job.worker);
        market.accept(jobId);
        ++reached[JobState.Accepted];
    }

    function prove(uint256 which, uint256 who) external {
        (bytes32 jobId, Job memory job) = pick(which);
        if (job.state != JobState.Accepted || block.timestamp > job.deadline) return;
        uint256[] memory statement = new uint256[](4);
        statement[0] = market.bindingOf(jobId, job.worker);
        (statement[1], statement[2], statement[3]) = (inputs[0], outputs[0], outputs[1]);
        bytes memory proof = ToyGroth16.prove(toy, statement, who);
        vm.prank(actors[who % actors.length]);
        market.submitProof(jobId, inputs, outputs, proof);
        ++reached[JobState.Settled];
    }

    function exit(uint256 which) external {
        (bytes32 jobId, Job memory job) = pick(which);
        if (job.state == JobState.Open && job.worker != address(0)) {
            vm.prank(job.requester);
            market.cancel(jobId);
        } else if (job.state == JobState.Open || job.state == JobState.Accepted) {
            if (block.timestamp <= job.deadline) vm.warp(uint256(job.deadline) + 1);
            market.expire(jobId);
        } else if (job.state == JobState.Awarded) {
            if (block.timestamp <= job.deadline) vm.warp(uint256(job.deadline) + 1);
            market.lapse(jobId);
        } else {
            return;
        }
        ++reached[market.jobOf(jobId).state];
    }

    function stake(uint256 who, uint256 amount) external {
        address actor = actors[who % actors.length];
        amount = 1 + amount % 1 ether;
        if (!workers.workerOf(actor).registered || actor.balance < amount) return;
        vm.prank(actor);
        workers.addStake{value: amount}();
        paidIn += amount;
    }

    function unstake(uint256 who, uint256 amount) external {
        address actor = actors[who % actors.length];
        if (!workers.workerOf(actor).registered || workers.freeStakeOf(actor) == 0) return;
        amount = 1 + amount % workers.freeStakeOf(actor);
        vm.prank(actor);
        workers.requestUnstake(amount);
    }

    function withdraw(uint256 who, uint256 amount) external {
        address actor = actors[who % actors.length];
        amount = amount % (vault.balanceOf(actor) + 1);
        vm.prank(actor);
        vault.withdraw(amount, actor);
        paidOut += amount;
    }

    function wait_(uint32 time) external {
        vm.warp(block.timestamp + time % 200);
    }

    function pick(uint256 which) private view returns (bytes32 jobId, Job memory job) {
        if (jobs.length == 0) return (0, job);
        jobId = jobs[which % jobs.length];
        job = market.jobOf(jobId);
    }
}
