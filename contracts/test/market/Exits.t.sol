// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IMarket} from "../../src/interfaces/IMarket.sol";
import {IWorkerRegistry} from "../../src/interfaces/IWorkerRegistry.sol";
import {Job, JobState} from "../../src/types/Job.sol";
import {MarketTest} from "../utils/MarketTest.sol";

contract MarketExitsTest is MarketTest {
    // --------------------------------------------------------------------------------------------------------- cancel

    function test_cancel_refunds_the_requester() public {
        bytes32 jobId = open();
        bid(jobId, alice, PRICE);
        vm.expectEmit(address(market));
        emit IMarket.JobCancelled(jobId, requester, MAX_PRICE);
        vm.prank(requester);
        market.cancel(jobId);
        assertState(jobId, JobState.Cancelled);
        vm.assertEq(vault.balanceOf(requester), MAX_PRICE);
        assertSolvent(0);
    }

    function test_cancel_reverts_for_any_but_the_requester() public {
        bytes32 jobId = open();
        vm.expectRevert(abi.encodeWithSelector(IMarket.NotRequester.selector, jobId, stranger));
        vm.prank(stranger);
        market.cancel(jobId);
    }

    function test_cancel_reverts_in_every_state_but_open() public {
        for (uint8 s; s < 8; ++s) {
            JobState state = JobState(s);
            if (state == JobState.Open) continue;
            bytes32 jobId = inState(state);
            expectWrongState(jobId, state);
            vm.prank(requester);
            market.cancel(jobId);
        }
    }

    // ---------------------------------------------------------------------------------------------------------- lapse

    function test_lapse_opens_the_job_again_and_counts_the_miss() public {
        bytes32 jobId = awarded();
        afterDeadline(jobId);
        vm.expectEmit(address(market));
        emit IMarket.JobLapsed(jobId, alice, 0);
        vm.expectEmit(address(market));
        emit IMarket.JobReopened(jobId, 1, uint64(block.timestamp) + BID_WINDOW);
        vm.expectEmit(address(workers));
        emit IWorkerRegistry.AwardMissed(alice);
        vm.prank(stranger);
        market.lapse(jobId);

        Job memory job = market.jobOf(jobId);
        vm.assertEq(uint256(job.state), uint256(JobState.Open));
        vm.assertEq(job.round, 1);
        vm.assertEq(job.worker, address(0));
        vm.assertEq(job.price, 0);
        vm.assertEq(workers.workerOf(alice).missed, 1);
        vm.assertEq(workers.workerOf(alice).stake, STAKE); // a requester may have withheld the input: no penalty
        vm.assertTrue(!market.bidOf(jobId, alice).standing);
        assertSolvent(MAX_PRICE);
    }

    function test_lapse_in_the_third_round_refunds() public {
        bytes32 jobId = open();
        address[3] memory each = [alice, bob, fundedAccount("carol")];
        enlist(each[2]);
        for (uint256 round; round < 3; ++round) {
            bid(jobId, each[round], PRICE);
            afterDeadline(jobId);
            market.award(jobId);
            afterDeadline(jobId);
            if (round == 2) {
                vm.expectEmit(address(market));
                emit IMarket.JobRefunded(jobId, requester, MAX_PRICE);
            }
            market.lapse(jobId);
            vm.assertEq(workers.workerOf(each[round]).missed, 1);
        }
        assertState(jobId, JobState.Refunded);
        vm.assertEq(vault.balanceOf(requester), MAX_PRICE);
        vm.assertEq(vault.heldBy(address(market)), 0);
    }

    function test_lapse_at_the_accept_deadline_is_too_early() public {
        bytes32 jobId = awarded();
        atDeadline(jobId);
        vm.expectRevert(abi.encodeWithSelector(IMarket.TooEarly.selector, jobId, deadlineOf(jobId)));
        market.lapse(jobId);
    }

    function test_lapse_reverts_in_every_state_but_awarded() public {
        for (uint8 s; s < 8; ++s) {
            JobState state = JobState(s);
            if (state == JobState.Awarded) continue;
            bytes32 jobId = inState(state);
            expectWrongState(jobId, state);
            market.lapse(jobId);
        }
    }

    function test_a_reopened_job_settles_with_the_next_worker() public {
        bytes32 jobId = awarded();
        afterDeadline(jobId);
        market.lapse(jobId);
        bid(jobId, bob, PRICE);
        afterDeadline(jobId);
        market.award(jobId);
        vm.prank(bob);
        market.accept(jobId);
        market.submitProof(jobId, inputWords(), outputWords(), proof(jobId, bob));
        vm.assertEq(vault.balanceOf(bob), PRICE * 9 / 10);
        assertSolvent(0);
    }

    // --------------------------------------------------------------------------------------------------------- expire

    function test_expire_refunds_a_job_without_bids() public {
        bytes32 jobId = open();
        afterDeadline(jobId);
        vm.expectEmit(address(market));
        emit IMarket.JobRefunded(jobId, requester, MAX_PRICE);
        vm.prank(stranger);
        market.expire(jobId);
        assertState(jobId, JobState.Refunded);
        vm.assertEq(vault.balanceOf(requester), MAX_PRICE);
        assertSolvent(0);
    }

    /// @dev A bid binds for the hour in which it may be awarded: then anyone ends what its requester forgot.
    function test_expire_of_a_job_with_a_bid_opens_when_awarding_ends() public {
        bytes32 jobId = open();
        bid(jobId, alice, PRICE);
        uint64 last = deadlineOf(jobId) + 1 hours;
        vm.warp(last);
        vm.expectRevert(abi.encodeWithSelector(IMarket.TooEarly.selector, jobId, last));
        market.expire(jobId);
        vm.warp(last + 1);
        vm.expectRevert(abi.encodeWithSelector(IMarket.TooLate.selector, jobId, last));
        market.award(jobId);
        vm.expectRevert(abi.encodeWithSelector(IMarket.TooLate.selector, jobId, last));
        vm.prank(requester);
        market.awardTo(jobId, alice);
        vm.expectEmit(address(market));
        emit IMarket.JobRefunded(jobId, requester, MAX_PRICE);
        vm.expectEmit(address(workers));
        emit IWorkerRegistry.StakeReleased(alice, COLLATERAL);
        vm.prank(stranger);
        market.expire(jobId);
        assertState(jobId, JobState.Refunded);
        vm.assertEq(reservedOf(alice), 0);
        vm.assertEq(workers.workerOf(alice).missed, 0);
        assertSolvent(0);
    }

    function test_expire_slashes_the_collateral_to_the_requester() public {
        bytes32 jobId = accepted();
        afterDeadline(jobId);
        vm.expectEmit(address(market));
        emit IMarket.JobExpired(jobId, alice, requester, MAX_PRICE, COLLATERAL);
        vm.expectEmit(address(workers));
        emit IWorkerRegistry.StakeSlashed(alice, COLLATERAL, requester);
        vm.prank(stranger);
        market.expire(jobId);
        assertState(jobId, JobState.Expired);
        vm.assertEq(vault.balanceOf(requester), MAX_PRICE + COLLATERAL);
        vm.assertEq(workers.workerOf(alice).stake, STAKE - COLLATERAL);
        vm.assertEq(reservedOf(alice), 0);
        vm.assertEq(workers.workerOf(alice).failed, 1);
        assertSolvent(0);
    }

    function test_expire_at_a_deadline_is_too_early() public {
        bytes32 jobId = open();
        atDeadline(jobId);
        vm.expectRevert(abi.encodeWithSelector(IMarket.TooEarly.selector, jobId, deadlineOf(jobId)));
        market.expire(jobId);
        jobId = accepted();
        atDeadline(jobId);
        vm.expectRevert(abi.encodeWithSelector(IMarket.TooEarly.selector, jobId, deadlineOf(jobId)));
        market.expire(jobId);
    }

    function test_expire_reverts_in_every_other_state() public {
        for (uint8 s; s < 8; ++s) {
            JobState state = JobState(s);
            if (state == JobState.Open || state == JobState.Accepted) continue;
            bytes32 jobId = inState(state);
            expectWrongState(jobId, state);
            market.expire(jobId);
        }
    }
}
