// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Job, JobState} from "../../src/types/Job.sol";
import {Worker} from "../../src/types/Worker.sol";
import {MarketInvariant} from "./MarketInvariant.sol";

/// @dev Whatever was done before, and whoever has fallen silent: what anyone may do ends every job within a stated time,
/// and then everyone has all of its money back.
contract LivenessInvariant is MarketInvariant {
    /// @dev Of every state that is not final the time and the call are known: there is no second in which none is allowed.
    function invariant_every_job_can_be_ended_by_anyone_in_time() public {
        for (uint256 i; i < handler.jobCount(); ++i) {
            bytes32 jobId = handler.jobs(i);
            if (stateOf(jobId) >= JobState.Settled) continue;
            uint256 snapshot = vm.snapshotState();
            uint256 last = block.timestamp + longest(market.jobOf(jobId));
            uint256 steps;
            while (handler.poke(jobId) < JobState.Settled) {
                // Award, lapse, and nobody bids any more.
                vm.assertLe(++steps, 3, "a job that does not end");
            }
            vm.assertLe(block.timestamp, last, "a job that ends late");
            vm.revertToState(snapshot);
        }
    }

    /// @dev At the end of a run: all jobs are ended, all stake is asked out, all balances are withdrawn, and the vault is
    /// empty. Silent actors only have to come back for what is theirs.
    function afterInvariant() public {
        for (uint256 i; i < handler.jobCount(); ++i) {
            while (handler.poke(handler.jobs(i)) < JobState.Settled) {}
        }
        for (uint256 i; i < handler.actorCount(); ++i) {
            address actor = handler.actors(i);
            Worker memory worker = workers.workerOf(actor);
            vm.assertEq(worker.reserved, 0, "stake that no job ties up is free");
            vm.startPrank(actor);
            if (worker.stake != 0) workers.requestUnstake(worker.stake);
            vm.stopPrank();
        }
        vm.warp(block.timestamp + workers.UNSTAKE_DELAY());
        for (uint256 i; i < handler.actorCount(); ++i) {
            address actor = handler.actors(i);
            vm.startPrank(actor);
            if (workers.workerOf(actor).leaving != 0) workers.withdrawStake();
            vault.withdraw(vault.balanceOf(actor), actor);
            vm.stopPrank();
        }
        vm.assertEq(address(vault).balance, 0, "money that nobody can have");
    }

    /// @dev Without further bids a job is awarded and lapses at most once more, then waits for bids in vain.
    function longest(Job memory job) private view returns (uint256) {
        uint256 grace = market.AWARD_GRACE();
        return 4 + 2 * uint256(job.bidWindow) + grace + job.acceptWindow + job.proveWindow;
    }

    /// @dev The worst that silent strangers do to a job by themselves: each wins a round and is never heard of.
    function test_a_job_held_up_in_every_round_ends_within_the_stated_time_and_stake() public {
        uint256 start = block.timestamp;
        bytes32 jobId = open();
        address[3] memory sybils = [alice, bob, stranger];
        for (uint256 i; i < 3; ++i) {
            bid(jobId, sybils[i], 0);
            handler.poke(jobId); // awarded
            vm.assertEq(reservedOf(sybils[i]), COLLATERAL);
            handler.poke(jobId); // lapsed
        }
        assertState(jobId, JobState.Refunded);
        vm.assertEq(vault.balanceOf(requester), MAX_PRICE);
        vm.assertLe(block.timestamp, start + 3 * (uint256(BID_WINDOW) + ACCEPT_WINDOW + 2), "held up for longer");
    }
}
