// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IMarket} from "../../src/interfaces/IMarket.sol";
import {IWorkerRegistry} from "../../src/interfaces/IWorkerRegistry.sol";
import {JobRequest, JobState} from "../../src/types/Job.sol";
import {MarketTest} from "../utils/MarketTest.sol";

/// @dev What backs a job is reserved of its leader's or worker's stake, from the leading bid to the job's end, once.
contract MarketReservationTest is MarketTest {
    function test_a_leading_bid_reserves_the_larger_of_minimum_and_collateral() public {
        JobRequest memory r = request();
        (r.minStake, r.collateral) = (3, 2);
        bytes32 jobId = submit(r);
        vm.expectEmit(address(workers));
        emit IWorkerRegistry.StakeReserved(alice, 3);
        bid(jobId, alice, PRICE);
        (r.minStake, r.collateral) = (4, 5);
        leading(r);
        vm.assertEq(reservedOf(alice), 8);
        vm.assertEq(workers.freeStakeOf(alice), STAKE - 8);
    }

    function test_one_stake_leads_no_more_jobs_than_it_backs() public {
        for (uint256 i; i < STAKE / COLLATERAL; ++i) {
            leading(request());
        }
        bytes32 jobId = open();
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.InsufficientStake.selector, alice, 0, COLLATERAL));
        bid(jobId, alice, PRICE);
        bid(jobId, bob, PRICE);
        vm.expectRevert(abi.encodeWithSelector(IMarket.InsufficientStake.selector, alice, 0, COLLATERAL));
        bid(jobId, alice, PRICE); // nor does it stand beside
    }

    function test_a_bid_beside_reserves_nothing_and_an_outbid_one_is_released() public {
        bytes32 jobId = leading(request());
        bid(jobId, bob, PRICE);
        vm.assertEq(reservedOf(bob), 0);
        vm.expectEmit(address(workers));
        emit IWorkerRegistry.StakeReleased(alice, COLLATERAL);
        vm.expectEmit(address(workers));
        emit IWorkerRegistry.StakeReserved(bob, COLLATERAL);
        bid(jobId, bob, PRICE / 2);
        vm.assertEq(reservedOf(alice), 0);
        vm.assertEq(reservedOf(bob), COLLATERAL);
        bid(jobId, alice, PRICE / 4);
        vm.assertEq(reservedOf(alice), COLLATERAL);
        vm.assertEq(reservedOf(bob), 0);
    }

    /// @dev A leader whose whole stake backs this very job may still lower its price.
    function test_a_leader_lowers_its_bid_without_reserving_twice() public {
        JobRequest memory r = request();
        r.collateral = STAKE;
        bytes32 jobId = leading(r);
        bid(jobId, alice, PRICE / 2);
        vm.assertEq(reservedOf(alice), STAKE);
        (, uint128 price) = market.bestBid(jobId);
        vm.assertEq(price, PRICE / 2);
    }

    function test_awardTo_moves_the_reservation_to_the_chosen_worker() public {
        bytes32 jobId = leading(request());
        bid(jobId, bob, PRICE);
        vm.prank(requester);
        market.awardTo(jobId, bob);
        vm.assertEq(reservedOf(alice), 0);
        vm.assertEq(reservedOf(bob), COLLATERAL);
        vm.prank(bob);
        market.accept(jobId);
        vm.assertEq(reservedOf(bob), COLLATERAL);
        market.submitProof(jobId, inputWords(), outputWords(), proof(jobId, bob));
        vm.assertEq(reservedOf(bob), 0);
        vm.assertEq(workers.workerOf(alice).completed, 0);
        vm.assertEq(workers.workerOf(bob).completed, 1);
    }

    function test_awardTo_the_leader_keeps_its_reservation() public {
        bytes32 jobId = leading(request());
        vm.prank(requester);
        market.awardTo(jobId, alice);
        vm.assertEq(reservedOf(alice), COLLATERAL);
    }

    /// @dev The award fails, the leader keeps the lead, and the requester chooses another.
    function test_awardTo_a_bidder_whose_stake_has_gone_changes_nothing() public {
        bytes32 jobId = leading(request());
        bid(jobId, bob, PRICE);
        vm.prank(bob);
        workers.requestUnstake(STAKE);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.InsufficientStake.selector, bob, 0, COLLATERAL));
        vm.prank(requester);
        market.awardTo(jobId, bob);
        assertState(jobId, JobState.Open);
        vm.assertEq(reservedOf(alice), COLLATERAL);
        vm.prank(requester);
        market.awardTo(jobId, alice);
    }

    /// @dev Every way out of a job lets go of exactly what it reserved, another job's part staying where it is.
    function test_every_end_of_a_job_releases_its_reservation_once() public {
        leading(request()); // another job on the same stake
        for (uint256 way; way < 9; ++way) {
            uint256 snapshot = vm.snapshotState();
            bytes32 jobId = open();
            bid(jobId, alice, PRICE);
            vm.assertEq(reservedOf(alice), 2 * COLLATERAL);
            if (way == 0) bid(jobId, bob, PRICE / 2);
            if (way == 1) vm.prank(requester);
            if (way == 1) market.cancel(jobId);
            if (way == 2) afterGrace(jobId);
            if (way == 2) market.expire(jobId);
            if (way > 2) {
                afterDeadline(jobId);
                market.award(jobId);
                vm.assertEq(reservedOf(alice), 2 * COLLATERAL);
                if (way == 3) afterDeadline(jobId);
                if (way == 3) market.lapse(jobId);
                if (way == 4) vm.prank(alice);
                if (way == 4) market.decline(jobId);
                if (way > 5) accepted(jobId);
                if (way > 4 && way < 8) market.submitProof(jobId, inputWords(), outputWords(), proof(jobId, alice));
                if (way == 8) afterDeadline(jobId);
                if (way == 8) market.expire(jobId);
            }
            vm.assertEq(reservedOf(alice), COLLATERAL);
            vm.assertEq(workers.workerOf(alice).stake, way == 8 ? STAKE - COLLATERAL : STAKE);
            vm.revertToState(snapshot);
        }
    }

    /// @dev The minimum stake stays reserved through acceptance, beyond the collateral, so that one stake cannot go
    /// from one accepted job to the next; only the collateral is lost.
    function test_an_accepted_job_keeps_the_whole_minimum_and_loses_the_collateral_alone() public {
        JobRequest memory r = request();
        (r.minStake, r.collateral) = (STAKE, 1);
        bytes32 jobId = accepted(awarded(submit(r)));
        vm.assertEq(workers.freeStakeOf(alice), 0);
        afterDeadline(jobId);
        market.expire(jobId);
        vm.assertEq(workers.freeStakeOf(alice), STAKE - 1);
        vm.assertEq(vault.balanceOf(requester), MAX_PRICE + 1);
    }

    function leading(JobRequest memory r) private returns (bytes32 jobId) {
        jobId = submit(r);
        bid(jobId, alice, PRICE);
    }
}
