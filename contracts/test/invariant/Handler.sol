// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Market} from "../../src/Market.sol";
import {Vault} from "../../src/Vault.sol";
import {WorkerRegistry} from "../../src/WorkerRegistry.sol";
import {Job, JobRequest, JobState} from "../../src/types/Job.sol";
import {Worker} from "../../src/types/Worker.sol";
import {Vm} from "../utils/Vm.sol";
import {ToyGroth16, ToyKey} from "../utils/ToyGroth16.sol";

/// @title Random but sensible users of the market, any of which may fall silent for good
/// @notice Each function makes one call that may succeed, with the caller, the job and the time drawn at random; calls
/// that would revert are not made, so that sequences get deep. Keeps a list of all jobs for the invariants to sum over,
/// and counts what it saw happen.
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
    uint256 public lapses;
    mapping(address actor => bool) public silent;
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

    // ------------------------------------------------------------------------------------------------------------ jobs

    function submit(uint256 who, uint128 ceiling, uint128 collateral, uint32 window, uint8 terms) external {
        address actor = actors[who % actors.length];
        ceiling = ceiling % 3 ether;
        if (silent[actor] || actor.balance < ceiling) return;
        window = 1 + window % 100;
        JobRequest memory request = JobRequest({
            modelId: modelId,
            maxPrice: ceiling,
            minStake: (uint128(terms) * 1e16) % 2 ether,
            collateral: collateral % 2 ether,
            bidWindow: window,
            acceptWindow: window,
            proveWindow: window,
            inputRef: 0,
            inputUri: "",
            callback: address(0),
            callbackGas: 0,
            requesterAwards: terms % 3 == 0,
            rounds: 1 + terms % 3
        });
        vm.prank(actor);
        bytes32 jobId = market.submitJob{value: ceiling}(request, inputs);
        jobs.push(jobId);
        paidIn += ceiling;
        ++reached[JobState.Open];
    }

    function bid(uint256 which, uint256 who, uint128 price) external {
        (bytes32 jobId, Job memory job) = pick(which);
        address actor = actors[who % actors.length];
        if (job.state != JobState.Open || block.timestamp > job.deadline || silent[actor]) return;
        if (!workers.workerOf(actor).registered) return;
        price = uint128(price % (uint256(job.maxPrice) + 1));
        vm.prank(actor);
        try market.placeBid(jobId, price) {} catch {} // not below its own, given up before, or too little stake
    }

    function award(uint256 which, uint256 who, bool byRequester) external {
        (bytes32 jobId, Job memory job) = pick(which);
        if (job.state != JobState.Open || job.worker == address(0)) return;
        if (block.timestamp > uint256(job.deadline) + market.AWARD_GRACE()) return;
        if (byRequester || job.requesterAwards) {
            if (silent[job.requester]) return;
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
        if (job.state != JobState.Awarded || block.timestamp > job.deadline || silent[job.worker]) return;
        vm.prank(job.worker);
        market.accept(jobId);
        ++reached[JobState.Accepted];
    }

    function decline(uint256 which) external {
        (bytes32 jobId, Job memory job) = pick(which);
        if (job.state != JobState.Awarded || block.timestamp > job.deadline || silent[job.worker]) return;
        vm.prank(job.worker);
        market.decline(jobId);
        ++reached[market.jobOf(jobId).state];
    }

    function prove(uint256 which, uint256 who) external {
        (bytes32 jobId, Job memory job) = pick(which);
        if (job.state != JobState.Awarded && job.state != JobState.Accepted) return;
        if (block.timestamp > job.deadline) return;
        uint256[] memory statement = new uint256[](4);
        statement[0] = market.bindingOf(jobId, job.worker);
        (statement[1], statement[2], statement[3]) = (inputs[0], outputs[0], outputs[1]);
        bytes memory proof = ToyGroth16.prove(toy, statement, who);
        vm.prank(actors[who % actors.length]);
        market.submitProof(jobId, inputs, outputs, proof);
        ++reached[JobState.Settled];
    }

    function cancel(uint256 which) external {
        (bytes32 jobId, Job memory job) = pick(which);
        if (job.state != JobState.Open || silent[job.requester]) return;
        vm.prank(job.requester);
        market.cancel(jobId);
        ++reached[JobState.Cancelled];
    }

    /// @notice What anyone may do once it is due, the time having come.
    function exit(uint256 which) external {
        if (jobs.length == 0) return;
        poke(jobs[which % jobs.length]);
    }

    /// @notice Brings a job to its next state by what anyone may do, at the first second it is allowed.
    /// @dev Called by the invariants too: it takes nobody's cooperation.
    function poke(bytes32 jobId) public returns (JobState) {
        Job memory job = market.jobOf(jobId);
        if (job.state == JobState.None || job.state >= JobState.Settled) return job.state;
        uint256 due = uint256(job.deadline) + 1;
        bool forgotten = block.timestamp >= due + market.AWARD_GRACE();
        if (job.state == JobState.Open && job.worker != address(0) && (job.requesterAwards || forgotten)) {
            due += market.AWARD_GRACE();
        }
        if (block.timestamp < due) vm.warp(due);
        if (job.state == JobState.Awarded) {
            market.lapse(jobId);
            ++lapses;
        } else if (job.state == JobState.Open && job.worker != address(0) && !job.requesterAwards && !forgotten) {
            market.award(jobId);
        } else {
            market.expire(jobId);
        }
        JobState state = market.jobOf(jobId).state;
        ++reached[state];
        return state;
    }

    // ----------------------------------------------------------------------------------------------------------- money

    function stake(uint256 who, uint256 amount, bool fromBalance) external {
        address actor = actors[who % actors.length];
        amount = 1 + amount % 1 ether;
        if (!workers.workerOf(actor).registered || silent[actor]) return;
        if (fromBalance && vault.balanceOf(actor) >= amount) {
            vm.prank(actor);
            workers.addStakeFromBalance(amount);
        } else if (actor.balance >= amount) {
            vm.prank(actor);
            workers.addStake{value: amount}();
            paidIn += amount;
        }
    }

    function unstake(uint256 who, uint256 amount) external {
        address actor = actors[who % actors.length];
        if (!workers.workerOf(actor).registered || workers.freeStakeOf(actor) == 0 || silent[actor]) return;
        amount = 1 + amount % workers.freeStakeOf(actor);
        vm.prank(actor);
        workers.requestUnstake(amount);
    }

    function withdrawStake(uint256 who, bool wait) external {
        address actor = actors[who % actors.length];
        Worker memory worker = workers.workerOf(actor);
        if (worker.leaving == 0 || silent[actor]) return;
        if (block.timestamp < worker.leavesAt) {
            if (!wait) return;
            vm.warp(worker.leavesAt);
        }
        vm.prank(actor);
        workers.withdrawStake();
    }

    function withdraw(uint256 who, uint256 amount) external {
        address actor = actors[who % actors.length];
        if (silent[actor]) return;
        amount = amount % (vault.balanceOf(actor) + 1);
        vm.prank(actor);
        vault.withdraw(amount, actor);
        paidOut += amount;
    }

    // ------------------------------------------------------------------------------------------------------------ time

    function wait_(uint32 time) external {
        vm.warp(block.timestamp + time % 200);
    }

    /// @notice One in sixteen calls of this makes an actor fall silent: requesters that award nobody, workers that vanish.
    function dropOut(uint256 who, uint8 chance) external {
        if (chance % 16 == 0) silent[actors[who % actors.length]] = true;
    }

    function pick(uint256 which) private view returns (bytes32 jobId, Job memory job) {
        if (jobs.length == 0) return (0, job);
        jobId = jobs[which % jobs.length];
        job = market.jobOf(jobId);
    }
}
