// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {JobRequest, JobState} from "../../src/types/Job.sol";
import {ModelSpec} from "../../src/types/Model.sol";
import {MarketTest} from "../utils/MarketTest.sol";

/// @dev Every wei of a job goes somewhere, whatever the amounts.
contract MarketMoneyTest is MarketTest {
    function testFuzz_settlement_splits_the_ceiling_to_the_wei(uint128 ceiling, uint128 price, uint16 royaltyBps)
        public
    {
        ceiling = uint128(bound(ceiling, 0, 90 ether));
        price = uint128(bound(price, 0, ceiling));
        ModelSpec memory s = spec();
        s.royaltyBps = uint16(bound(royaltyBps, 0, 5000));
        vm.prank(publisher);
        // Another quantisation, another id, even where the royalty is the first model's.
        s.quantisationHash = keccak256("another");
        modelId = models.register(s, toy.vk, toy.modelCommitment);

        JobRequest memory r = request();
        r.maxPrice = ceiling;
        bytes32 jobId = submit(r);
        bid(jobId, alice, price);
        afterDeadline(jobId);
        market.award(jobId);
        accepted(jobId);
        market.submitProof(jobId, inputWords(), outputWords(), proof(jobId, alice));

        uint256 royalty = uint256(price) * s.royaltyBps / 10_000;
        vm.assertEq(vault.balanceOf(publisher), royalty);
        vm.assertEq(vault.balanceOf(alice), price - royalty);
        vm.assertEq(vault.balanceOf(requester), ceiling - price);
        assertSolvent(0);
    }

    function testFuzz_expiry_returns_the_ceiling_and_the_collateral(uint128 ceiling, uint128 collateral) public {
        JobRequest memory r = request();
        r.maxPrice = uint128(bound(ceiling, 0, 90 ether));
        r.collateral = uint128(bound(collateral, 0, STAKE));
        r.minStake = 0;
        bytes32 jobId = submit(r);
        bid(jobId, alice, r.maxPrice);
        afterDeadline(jobId);
        market.award(jobId);
        accepted(jobId);
        afterDeadline(jobId);
        market.expire(jobId);
        vm.assertEq(vault.balanceOf(requester), uint256(r.maxPrice) + r.collateral);
        vm.assertEq(workers.workerOf(alice).stake, STAKE - r.collateral);
        assertSolvent(0);
    }

    /// @dev Two jobs on one stake: each locks its own collateral, and one's end leaves the other's lock alone.
    function testFuzz_collateral_of_two_jobs_is_kept_apart(uint128 first, uint128 second, bool firstFails) public {
        JobRequest memory r = request();
        r.minStake = 0;
        r.collateral = uint128(bound(first, 0, STAKE / 2));
        first = r.collateral;
        bytes32 one = accepted(awarded(submit(r)));
        r.collateral = uint128(bound(second, 0, STAKE / 2));
        r.proveWindow = 2 * PROVE_WINDOW;
        bytes32 two = accepted(awarded(submit(r)));
        vm.assertEq(reservedOf(alice), uint256(first) + r.collateral);
        if (firstFails) {
            afterDeadline(one);
            market.expire(one);
        } else {
            market.submitProof(one, inputWords(), outputWords(), proof(one, alice));
        }
        vm.assertEq(reservedOf(alice), r.collateral);
        market.submitProof(two, inputWords(), outputWords(), proof(two, alice));
        vm.assertEq(reservedOf(alice), 0);
        assertState(two, JobState.Settled);
        assertSolvent(0);
    }

    function test_withdraw_after_a_job_empties_the_vault_but_for_the_stakes() public {
        settled();
        withdrawAll(alice);
        withdrawAll(publisher);
        withdrawAll(requester);
        vm.assertEq(address(vault).balance, 2 * uint256(STAKE));
        vm.assertEq(alice.balance, 100 ether - STAKE + PRICE * 9 / 10);
        vm.assertEq(publisher.balance, 100 ether + PRICE / 10);
        vm.assertEq(requester.balance, 100 ether - PRICE);
    }

    function withdrawAll(address account) private {
        uint256 amount = vault.balanceOf(account);
        vm.prank(account);
        vault.withdraw(amount, account);
    }
}
