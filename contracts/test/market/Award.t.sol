// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IMarket} from "../../src/interfaces/IMarket.sol";
import {IWorkerRegistry} from "../../src/interfaces/IWorkerRegistry.sol";
import {Job, JobRequest, JobState} from "../../src/types/Job.sol";
import {MarketTest} from "../utils/MarketTest.sol";

contract MarketAwardTest is MarketTest {
    function test_award_goes_to_the_leading_bid_whoever_calls() public {
        bytes32 jobId = open();
        bid(jobId, alice, PRICE);
        bid(jobId, bob, PRICE / 2);
        afterDeadline(jobId);
        vm.expectEmit(address(market));
        emit IMarket.JobAwarded(jobId, bob, 0, PRICE / 2, uint64(block.timestamp) + ACCEPT_WINDOW);
        vm.prank(stranger);
        market.award(jobId);
        Job memory job = market.jobOf(jobId);
        vm.assertEq(uint256(job.state), uint256(JobState.Awarded));
        vm.assertEq(job.worker, bob);
        vm.assertEq(job.price, PRICE / 2);
        assertSolvent(MAX_PRICE);
    }

    function test_award_at_the_bid_deadline_is_too_early() public {
        bytes32 jobId = open();
        bid(jobId, alice, PRICE);
        atDeadline(jobId);
        vm.expectRevert(abi.encodeWithSelector(IMarket.TooEarly.selector, jobId, deadlineOf(jobId)));
        market.award(jobId);
    }

    function test_award_reverts_without_a_bid() public {
        bytes32 jobId = open();
        afterDeadline(jobId);
        vm.expectRevert(abi.encodeWithSelector(IMarket.NoBid.selector, jobId, address(0)));
        market.award(jobId);
    }

    function test_award_reverts_in_every_state_but_open() public {
        for (uint8 s; s < 8; ++s) {
            JobState state = JobState(s);
            if (state == JobState.Open) continue;
            bytes32 jobId = inState(state);
            expectWrongState(jobId, state);
            market.award(jobId);
            expectWrongState(jobId, state);
            vm.prank(requester);
            market.awardTo(jobId, alice);
        }
    }

    function test_awardTo_lets_the_requester_choose_a_dearer_bid_and_pays_that_price() public {
        bytes32 jobId = open();
        bid(jobId, alice, PRICE);
        bid(jobId, bob, PRICE / 2);
        vm.prank(requester);
        market.awardTo(jobId, alice);
        Job memory job = market.jobOf(jobId);
        vm.assertEq(job.worker, alice);
        vm.assertEq(job.price, PRICE);
    }

    function test_awardTo_works_after_the_window_too() public {
        bytes32 jobId = open();
        bid(jobId, alice, PRICE);
        vm.warp(deadlineOf(jobId) + market.AWARD_GRACE());
        vm.prank(requester);
        market.awardTo(jobId, alice);
        assertState(jobId, JobState.Awarded);
    }

    function test_awardTo_reverts_for_any_but_the_requester() public {
        bytes32 jobId = open();
        bid(jobId, alice, PRICE);
        vm.expectRevert(abi.encodeWithSelector(IMarket.NotRequester.selector, jobId, alice));
        vm.prank(alice);
        market.awardTo(jobId, alice);
    }

    function test_awardTo_reverts_for_a_worker_without_a_bid() public {
        bytes32 jobId = open();
        bid(jobId, alice, PRICE);
        vm.expectRevert(abi.encodeWithSelector(IMarket.NoBid.selector, jobId, bob));
        vm.prank(requester);
        market.awardTo(jobId, bob);
    }

    function test_awardTo_does_not_see_bids_of_an_earlier_round() public {
        bytes32 jobId = open();
        bid(jobId, bob, PRICE);
        bid(jobId, alice, PRICE / 2);
        afterDeadline(jobId);
        market.award(jobId);
        afterDeadline(jobId);
        market.lapse(jobId);
        vm.expectRevert(abi.encodeWithSelector(IMarket.NoBid.selector, jobId, bob));
        vm.prank(requester);
        market.awardTo(jobId, bob);
    }

    // --------------------------------------------------------------------------------------------------------- accept

    function test_accept_keeps_what_backs_the_job_and_starts_the_clock() public {
        bytes32 jobId = awarded();
        vm.expectEmit(address(market));
        emit IMarket.JobAccepted(jobId, alice, COLLATERAL, uint64(block.timestamp) + PROVE_WINDOW);
        vm.prank(alice);
        market.accept(jobId);
        vm.assertEq(reservedOf(alice), COLLATERAL);
        vm.assertEq(workers.workerOf(alice).stake, STAKE);
        vm.assertEq(deadlineOf(jobId), block.timestamp + PROVE_WINDOW);
        assertSolvent(MAX_PRICE);
    }

    function test_accept_at_the_deadline_is_in_time_and_a_second_later_is_not() public {
        bytes32 jobId = awarded();
        uint64 deadline = deadlineOf(jobId);
        uint256 snapshot = vm.snapshotState();
        atDeadline(jobId);
        accepted(jobId);
        vm.revertToState(snapshot);
        afterDeadline(jobId);
        vm.expectRevert(abi.encodeWithSelector(IMarket.TooLate.selector, jobId, deadline));
        vm.prank(alice);
        market.accept(jobId);
    }

    function test_accept_reverts_for_any_but_the_awarded_worker() public {
        bytes32 jobId = awarded();
        vm.expectRevert(abi.encodeWithSelector(IMarket.NotAwardedWorker.selector, jobId, bob));
        vm.prank(bob);
        market.accept(jobId);
    }

    function test_accept_reverts_in_every_state_but_awarded() public {
        for (uint8 s; s < 8; ++s) {
            JobState state = JobState(s);
            if (state == JobState.Awarded) continue;
            bytes32 jobId = inState(state);
            expectWrongState(jobId, state);
            vm.prank(alice);
            market.accept(jobId);
        }
    }

    /// @dev What backs a bid cannot leave, so a requester that awards to the leader gets one that can accept.
    function test_a_stake_that_backs_a_bid_does_not_leave_before_the_acceptance() public {
        JobRequest memory r = request();
        r.minStake = STAKE;
        bytes32 jobId = awarded(submit(r));
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.InsufficientStake.selector, alice, 0, 1));
        vm.prank(alice);
        workers.requestUnstake(1);
        accepted(jobId);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.InsufficientStake.selector, alice, 0, 1));
        vm.prank(alice);
        workers.requestUnstake(1);
    }

    function test_accept_without_collateral_or_minimum_reserves_nothing() public {
        JobRequest memory r = request();
        (r.collateral, r.minStake) = (0, 0);
        accepted(awarded(submit(r)));
        vm.assertEq(reservedOf(alice), 0);
    }

    /// @dev Reservations are the worker's own doing: neither requesters nor other workers can tie up a stake.
    function test_only_its_own_bid_reserves_a_workers_stake() public {
        bytes32 jobId = open();
        vm.expectRevert(abi.encodeWithSelector(IMarket.NoBid.selector, jobId, alice));
        vm.prank(requester);
        market.awardTo(jobId, alice);
        vm.assertEq(reservedOf(alice), 0);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.NotMarket.selector, stranger));
        vm.prank(stranger);
        workers.reserve(alice, 1);
    }
}
