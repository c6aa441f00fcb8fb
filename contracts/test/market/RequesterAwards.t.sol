// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IMarket} from "../../src/interfaces/IMarket.sol";
import {JobRequest, JobState} from "../../src/types/Job.sol";
import {MarketTest} from "../utils/MarketTest.sol";

/// @dev Whoever wins sees the input: the requester of a private one keeps the choice.
contract MarketRequesterAwardsTest is MarketTest {
    function chosenByRequester() private returns (bytes32) {
        JobRequest memory r = request();
        r.requesterAwards = true;
        return submit(r);
    }

    function test_nobody_awards_but_the_requester() public {
        bytes32 jobId = chosenByRequester();
        bid(jobId, alice, 0);
        bid(jobId, bob, PRICE);
        afterDeadline(jobId);
        address[3] memory callers = [alice, stranger, requester];
        for (uint256 i; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IMarket.RequesterAwards.selector, jobId));
            vm.prank(callers[i]);
            market.award(jobId);
        }
        vm.prank(requester);
        market.awardTo(jobId, bob);
        vm.assertEq(market.jobOf(jobId).worker, bob);
    }

    function test_the_requester_may_award_during_the_bidding_and_an_hour_after() public {
        bytes32 jobId = chosenByRequester();
        bid(jobId, alice, PRICE);
        uint64 last = deadlineOf(jobId) + 1 hours;
        uint256 snapshot = vm.snapshotState();
        vm.prank(requester);
        market.awardTo(jobId, alice);
        vm.revertToState(snapshot);
        vm.warp(last);
        vm.prank(requester);
        market.awardTo(jobId, alice);
        vm.revertToState(snapshot);
        vm.warp(last + 1);
        vm.expectRevert(abi.encodeWithSelector(IMarket.TooLate.selector, jobId, last));
        vm.prank(requester);
        market.awardTo(jobId, alice);
    }

    /// @dev A requester that never chooses holds nobody: anyone ends the job, and the leader's stake is free.
    function test_a_job_that_its_requester_forgot_is_ended_by_anyone() public {
        bytes32 jobId = chosenByRequester();
        bid(jobId, alice, PRICE);
        afterGrace(jobId);
        vm.prank(stranger);
        market.expire(jobId);
        assertState(jobId, JobState.Refunded);
        vm.assertEq(vault.balanceOf(requester), MAX_PRICE);
        vm.assertEq(reservedOf(alice), 0);
        assertSolvent(0);
    }

    function test_the_choice_stays_the_requesters_in_every_round() public {
        bytes32 jobId = chosenByRequester();
        bid(jobId, alice, PRICE);
        vm.prank(requester);
        market.awardTo(jobId, alice);
        vm.prank(alice);
        market.decline(jobId);
        bid(jobId, bob, 0);
        afterDeadline(jobId);
        vm.expectRevert(abi.encodeWithSelector(IMarket.RequesterAwards.selector, jobId));
        market.award(jobId);
    }
}
