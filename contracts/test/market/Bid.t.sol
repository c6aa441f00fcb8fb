// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IMarket} from "../../src/interfaces/IMarket.sol";
import {IWorkerRegistry} from "../../src/interfaces/IWorkerRegistry.sol";
import {Bid, JobRequest, JobState} from "../../src/types/Job.sol";
import {MarketTest} from "../utils/MarketTest.sol";

contract MarketBidTest is MarketTest {
    function test_placeBid_leads_and_stands() public {
        bytes32 jobId = open();
        vm.expectEmit(address(market));
        emit IMarket.BidPlaced(jobId, alice, 0, PRICE, true);
        bid(jobId, alice, PRICE);
        assertBest(jobId, alice, PRICE);
        Bid memory standing = market.bidOf(jobId, alice);
        vm.assertTrue(standing.standing);
        vm.assertEq(standing.price, PRICE);
        vm.assertTrue(!market.bidOf(jobId, bob).standing);
    }

    function test_placeBid_at_the_ceiling_is_allowed_and_above_is_not() public {
        bytes32 jobId = open();
        vm.expectRevert(abi.encodeWithSelector(IMarket.PriceAboveCeiling.selector, jobId, MAX_PRICE + 1, MAX_PRICE));
        bid(jobId, alice, MAX_PRICE + 1);
        bid(jobId, alice, MAX_PRICE);
    }

    function test_placeBid_leads_by_one_percent_or_stands_beside() public {
        bytes32 jobId = open();
        bid(jobId, alice, 1000);
        vm.expectEmit(address(market));
        emit IMarket.BidPlaced(jobId, bob, 0, 991, false);
        bid(jobId, bob, 991);
        assertBest(jobId, alice, 1000);
        vm.expectEmit(address(market));
        emit IMarket.BidPlaced(jobId, bob, 0, 990, true);
        bid(jobId, bob, 990);
        assertBest(jobId, bob, 990);
        // 1 % of 990 is 9.9, rounded up.
        bid(jobId, alice, 981);
        assertBest(jobId, bob, 990);
        bid(jobId, alice, 980);
        assertBest(jobId, alice, 980);
    }

    function test_placeBid_steps_are_at_least_one_wei() public {
        bytes32 jobId = open();
        bid(jobId, alice, 2);
        bid(jobId, bob, 2);
        assertBest(jobId, alice, 2);
        bid(jobId, bob, 1);
        assertBest(jobId, bob, 1);
        bid(jobId, alice, 0);
        assertBest(jobId, alice, 0);
        bid(jobId, bob, 0); // equal to the leading one, and stands
        assertBest(jobId, alice, 0);
        vm.assertTrue(market.bidOf(jobId, bob).standing);
    }

    /// @dev Whoever `awardTo` names has the price the requester saw, or a lower one; and a leader its latest.
    function test_placeBid_of_ones_own_only_falls() public {
        bytes32 jobId = open();
        bid(jobId, alice, 1000);
        bid(jobId, alice, 999);
        assertBest(jobId, alice, 999);
        bid(jobId, bob, 2000);
        bid(jobId, bob, 1500);
        vm.assertEq(market.bidOf(jobId, bob).price, 1500);
        for (uint128 price = 1500; price < 1502; ++price) {
            vm.expectRevert(abi.encodeWithSelector(IMarket.BidNotLower.selector, jobId, price, 1500));
            bid(jobId, bob, price);
        }
        vm.expectRevert(abi.encodeWithSelector(IMarket.BidNotLower.selector, jobId, 999, 999));
        bid(jobId, alice, 999);
        assertBest(jobId, alice, 999);
    }

    /// @dev A new round is a new auction: what a worker asked in the one before does not bind it.
    function test_placeBid_of_a_new_round_may_be_higher() public {
        bytes32 jobId = open();
        bid(jobId, bob, 2000);
        bid(jobId, alice, 1000);
        afterDeadline(jobId);
        market.award(jobId);
        afterDeadline(jobId);
        market.lapse(jobId);
        bid(jobId, bob, 3000);
        assertBest(jobId, bob, 3000);
    }

    function testFuzz_placeBid_the_lead_is_taken_by_the_step_alone(uint128 first, uint128 second) public {
        first = uint128(bound(first, 0, MAX_PRICE));
        second = uint128(bound(second, 0, MAX_PRICE));
        bytes32 jobId = open();
        bid(jobId, alice, first);
        bid(jobId, bob, second);
        uint256 step = first % 100 == 0 ? first / 100 : first / 100 + 1;
        bool beaten = first != 0 && uint256(second) + step <= first;
        assertBest(jobId, beaten ? bob : alice, beaten ? second : first);
        vm.assertEq(market.bidOf(jobId, alice).price, first);
        vm.assertEq(market.bidOf(jobId, bob).price, second);
    }

    function test_placeBid_at_the_deadline_is_in_time_and_a_second_later_is_not() public {
        bytes32 jobId = open();
        atDeadline(jobId);
        bid(jobId, alice, PRICE);
        uint64 deadline = deadlineOf(jobId);
        afterDeadline(jobId);
        vm.expectRevert(abi.encodeWithSelector(IMarket.TooLate.selector, jobId, deadline));
        bid(jobId, bob, PRICE / 2);
    }

    function test_placeBid_reverts_in_every_state_but_open() public {
        for (uint8 s; s < 8; ++s) {
            JobState state = JobState(s);
            if (state == JobState.Open) continue;
            bytes32 jobId = inState(state);
            expectWrongState(jobId, state);
            bid(jobId, bob, 1);
        }
    }

    function test_placeBid_reverts_for_one_who_is_no_worker() public {
        bytes32 jobId = open();
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.WorkerUnknown.selector, stranger));
        bid(jobId, stranger, PRICE);
    }

    function test_placeBid_needs_free_stake_for_the_minimum_and_for_the_collateral() public {
        JobRequest memory r = request();
        r.minStake = STAKE + 1;
        bytes32 jobId = submit(r);
        vm.expectRevert(abi.encodeWithSelector(IMarket.InsufficientStake.selector, alice, STAKE, STAKE + 1));
        bid(jobId, alice, PRICE);
        (r.minStake, r.collateral) = (0, STAKE + 2);
        jobId = submit(r);
        vm.expectRevert(abi.encodeWithSelector(IMarket.InsufficientStake.selector, alice, STAKE, STAKE + 2));
        bid(jobId, alice, PRICE);
        (r.minStake, r.collateral) = (STAKE, STAKE);
        bid(submit(r), alice, PRICE);
    }

    function test_placeBid_counts_reserved_stake_as_gone() public {
        accepted();
        JobRequest memory r = request();
        r.minStake = STAKE;
        bytes32 jobId = submit(r);
        vm.expectRevert(abi.encodeWithSelector(IMarket.InsufficientStake.selector, alice, STAKE - COLLATERAL, STAKE));
        bid(jobId, alice, PRICE);
    }

    /// @dev One who let an award lapse could otherwise hold a job through all its rounds with a bid of nothing.
    function test_placeBid_reverts_for_a_worker_who_missed_this_job() public {
        bytes32 jobId = awarded();
        afterDeadline(jobId);
        market.lapse(jobId);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WorkerGaveUpJob.selector, jobId, alice));
        bid(jobId, alice, PRICE);
        bid(open(), alice, PRICE); // another job is another matter
        bid(jobId, bob, PRICE);
    }

    /// @dev Constant gas: the hundredth bid costs what the second did, whether it leads or not.
    function test_placeBid_gas_does_not_grow_with_bids() public {
        bytes32 jobId = open();
        uint128 price = MAX_PRICE;
        bid(jobId, alice, price);
        uint256 early;
        uint256 late;
        for (uint256 i; i < 100; ++i) {
            address worker = i % 2 == 0 ? bob : alice;
            price = price * 98 / 100;
            vm.prank(worker);
            uint256 before = gasleft();
            market.placeBid(jobId, price);
            late = before - gasleft();
            if (i == 3) early = late;
        }
        vm.assertLe(late, early, "bids grow dearer");
    }

    function test_bestBid_is_empty_but_while_open() public {
        assertBest(awarded(), address(0), 0);
        assertBest(keccak256("never posted"), address(0), 0);
    }

    function assertBest(bytes32 jobId, address worker, uint128 price) private view {
        (address best, uint128 bestPrice) = market.bestBid(jobId);
        vm.assertEq(best, worker);
        vm.assertEq(bestPrice, price);
    }
}
