// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IMarket} from "../../src/interfaces/IMarket.sol";
import {Job, JobRequest, JobState} from "../../src/types/Job.sol";
import {Worker} from "../../src/types/Worker.sol";
import {MarketTest} from "../utils/MarketTest.sol";

contract MarketDeclineTest is MarketTest {
    function test_decline_opens_the_job_again_at_once_and_leaves_no_mark() public {
        bytes32 jobId = awarded();
        vm.expectEmit(address(market));
        emit IMarket.JobDeclined(jobId, alice, 0);
        vm.expectEmit(address(market));
        emit IMarket.JobReopened(jobId, 1, uint64(block.timestamp) + BID_WINDOW);
        vm.prank(alice);
        market.decline(jobId);
        Job memory job = market.jobOf(jobId);
        vm.assertEq(uint256(job.state), uint256(JobState.Open));
        vm.assertEq(job.round, 1);
        vm.assertEq(job.worker, address(0));
        Worker memory worker = workers.workerOf(alice);
        vm.assertEq(worker.completed + worker.missed + worker.failed, 0);
        vm.assertEq(worker.reserved, 0);
        assertSolvent(MAX_PRICE);
    }

    function test_decline_in_the_last_round_refunds() public {
        JobRequest memory r = request();
        r.rounds = 1;
        bytes32 jobId = awarded(submit(r));
        vm.expectEmit(address(market));
        emit IMarket.JobRefunded(jobId, requester, MAX_PRICE);
        vm.prank(alice);
        market.decline(jobId);
        assertState(jobId, JobState.Refunded);
        vm.assertEq(vault.balanceOf(requester), MAX_PRICE);
        assertSolvent(0);
    }

    function test_a_job_has_the_rounds_it_asked_for() public {
        JobRequest memory r = request();
        address[3] memory each = [alice, bob, fundedAccount("carol")];
        enlist(each[2]);
        for (uint8 rounds = 1; rounds < 4; ++rounds) {
            r.rounds = rounds;
            bytes32 jobId = submit(r);
            for (uint256 i; i < rounds; ++i) {
                assertState(jobId, JobState.Open);
                bid(jobId, each[i], PRICE);
                vm.prank(requester);
                market.awardTo(jobId, each[i]);
                afterDeadline(jobId);
                market.lapse(jobId);
            }
            assertState(jobId, JobState.Refunded);
        }
    }

    function test_a_worker_that_declined_may_not_bid_on_that_job_again() public {
        bytes32 jobId = awarded();
        vm.prank(alice);
        market.decline(jobId);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WorkerGaveUpJob.selector, jobId, alice));
        bid(jobId, alice, PRICE);
        bid(jobId, bob, PRICE);
        bid(open(), alice, PRICE);
    }

    function test_decline_at_the_deadline_is_in_time_and_a_second_later_it_is_a_lapse() public {
        bytes32 jobId = awarded();
        uint64 deadline = deadlineOf(jobId);
        uint256 snapshot = vm.snapshotState();
        atDeadline(jobId);
        vm.prank(alice);
        market.decline(jobId);
        vm.revertToState(snapshot);
        afterDeadline(jobId);
        vm.expectRevert(abi.encodeWithSelector(IMarket.TooLate.selector, jobId, deadline));
        vm.prank(alice);
        market.decline(jobId);
        market.lapse(jobId);
        vm.assertEq(workers.workerOf(alice).missed, 1);
    }

    function test_decline_reverts_for_any_but_the_awarded_worker() public {
        bytes32 jobId = awarded();
        bid(open(), bob, PRICE);
        address[2] memory others = [bob, requester];
        for (uint256 i; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IMarket.NotAwardedWorker.selector, jobId, others[i]));
            vm.prank(others[i]);
            market.decline(jobId);
        }
    }

    function test_decline_reverts_in_every_state_but_awarded() public {
        for (uint8 s; s < 8; ++s) {
            JobState state = JobState(s);
            if (state == JobState.Awarded) continue;
            bytes32 jobId = inState(state);
            expectWrongState(jobId, state);
            vm.prank(alice);
            market.decline(jobId);
        }
    }
}
