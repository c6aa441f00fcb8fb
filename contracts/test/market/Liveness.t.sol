// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IMarket} from "../../src/interfaces/IMarket.sol";
import {JobRequest, JobState} from "../../src/types/Job.sol";
import {MarketTest} from "../utils/MarketTest.sol";

/// @dev Attacks on jobs and records that cost their author next to nothing once, played again.
contract MarketLivenessTest is MarketTest {
    /// @dev One minimum stake led twenty jobs at nothing in each of three rounds, moved from identity to identity at once.
    /// Now it leads one, and is with that identity for a day longer than that one lasts.
    function test_one_stake_stalls_one_job_and_no_other() public {
        bytes32[] memory jobs = new bytes32[](20);
        for (uint256 i; i < jobs.length; ++i) {
            jobs[i] = open();
        }
        address sybil = fundedAccount("sybil");
        register(sybil);
        vm.startPrank(sybil);
        workers.addStake{value: COLLATERAL}();
        uint256 led;
        for (uint256 i; i < jobs.length; ++i) {
            try market.placeBid(jobs[i], 0) {
                ++led;
            } catch {}
        }
        vm.assertEq(led, 1);
        vm.expectRevert();
        workers.requestUnstake(1);
        vm.stopPrank();

        for (uint256 i; i < 4; ++i) {
            bid(jobs[i], alice, PRICE); // beside the sybil on the first, which leads, and leads the others
        }
        afterDeadline(jobs[0]);
        for (uint256 i; i < 4; ++i) {
            market.award(jobs[i]);
            vm.assertEq(market.jobOf(jobs[i]).worker, i == 0 ? sybil : alice);
        }
        afterDeadline(jobs[0]);
        market.lapse(jobs[0]); // the sybil has its round, and no other of this job
        vm.startPrank(sybil);
        workers.requestUnstake(COLLATERAL);
        vm.expectRevert();
        workers.withdrawStake();
        vm.expectRevert();
        market.placeBid(jobs[0], 0);
        vm.stopPrank();
        bid(jobs[0], bob, PRICE);
        afterDeadline(jobs[0]);
        market.award(jobs[0]);
        market.submitProof(jobs[0], inputWords(), outputWords(), proof(jobs[0], bob));
        assertState(jobs[0], JobState.Settled);
    }

    /// @dev Against a stakeless stranger that leads at nothing, a requester without a minimum keeps the choice itself.
    function test_a_stakeless_stranger_wins_nothing_that_its_requester_awards() public {
        JobRequest memory r = request();
        (r.minStake, r.collateral, r.requesterAwards) = (0, 0, true);
        bytes32 jobId = submit(r);
        register(stranger);
        bid(jobId, stranger, 0);
        bid(jobId, alice, PRICE);
        afterDeadline(jobId);
        vm.expectRevert(abi.encodeWithSelector(IMarket.RequesterAwards.selector, jobId));
        market.award(jobId);
        vm.prank(requester);
        market.awardTo(jobId, alice);
        market.submitProof(jobId, inputWords(), outputWords(), proof(jobId, alice));
        assertState(jobId, JobState.Settled);
    }

    /// @dev And with a minimum, a stranger without stake does not bid at all.
    function test_a_stakeless_stranger_cannot_bid_where_a_minimum_is_asked_for() public {
        bytes32 jobId = open();
        register(stranger);
        vm.expectRevert();
        bid(jobId, stranger, 0);
    }

    /// @dev Award, withhold the input, wait, cancel: three calls were a mark on a rival's record. It declines in time.
    function test_a_requester_cannot_mark_a_worker_that_answers() public {
        for (uint256 i; i < 5; ++i) {
            bytes32 jobId = open();
            bid(jobId, alice, PRICE);
            vm.prank(requester);
            market.awardTo(jobId, alice);
            atDeadline(jobId); // no input has come until the last second
            vm.prank(alice);
            market.decline(jobId);
            vm.prank(requester);
            market.cancel(jobId);
        }
        vm.assertEq(workers.workerOf(alice).missed, 0);
        vm.assertEq(workers.freeStakeOf(alice), STAKE);
    }
}
