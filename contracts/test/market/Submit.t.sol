// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IMarket} from "../../src/interfaces/IMarket.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {GROUP_ORDER} from "../../src/libraries/Bn254.sol";
import {Job, JobRequest, JobState} from "../../src/types/Job.sol";
import {MarketTest} from "../utils/MarketTest.sol";

contract MarketSubmitTest is MarketTest {
    function test_submitJob_stores_the_request_and_holds_the_ceiling() public {
        bytes32 jobId = open();
        Job memory job = market.jobOf(jobId);
        vm.assertEq(job.modelId, modelId);
        vm.assertEq(job.inputHash, keccak256(abi.encodePacked(inputWords())));
        vm.assertEq(job.requester, requester);
        vm.assertEq(uint256(job.state), uint256(JobState.Open));
        vm.assertEq(job.deadline, block.timestamp + BID_WINDOW);
        vm.assertEq(job.worker, address(0));
        vm.assertEq(job.maxPrice, MAX_PRICE);
        vm.assertEq(job.collateral, COLLATERAL);
        vm.assertEq(market.nonceOf(requester), 1);
        assertSolvent(MAX_PRICE);
    }

    function test_submitJob_emits_all_a_node_needs() public {
        JobRequest memory r = request();
        bytes32 jobId = market.jobIdOf(requester, 0, market.requestHash(r, inputWords()));
        vm.expectEmit(address(market));
        emit IMarket.JobSubmitted(jobId, modelId, requester, 0, uint64(block.timestamp) + BID_WINDOW, r, inputWords());
        vm.assertEq(submit(r), jobId);
    }

    function test_submitJob_takes_the_ceiling_from_balance_and_value_together() public {
        vm.startPrank(requester);
        vault.deposit{value: 0.7 ether}(requester);
        market.submitJob{value: 0.5 ether}(request(), inputWords());
        vm.stopPrank();
        vm.assertEq(vault.balanceOf(requester), 0.2 ether);
        assertSolvent(MAX_PRICE);
    }

    function test_submitJob_reverts_without_the_money() public {
        vm.expectRevert(
            abi.encodeWithSelector(IVault.InsufficientBalance.selector, requester, MAX_PRICE - 1, MAX_PRICE)
        );
        vm.prank(requester);
        market.submitJob{value: MAX_PRICE - 1}(request(), inputWords());
    }

    function test_submitJob_cannot_spend_another_accounts_balance() public {
        vault.deposit{value: 5 ether}(alice);
        vm.expectRevert(abi.encodeWithSelector(IVault.InsufficientBalance.selector, requester, 0, MAX_PRICE));
        vm.prank(requester);
        market.submitJob(request(), inputWords());
    }

    function test_submitJob_ids_differ_for_the_same_request_posted_twice() public {
        bytes32 first = open();
        bytes32 second = open();
        vm.assertNotEq(first, second);
        assertSolvent(2 * MAX_PRICE);
    }

    /// @dev After a re-org another request may come first, under the same nonce. It must not get the id a worker saw.
    function test_submitJob_ids_bind_requester_request_market_and_chain() public {
        JobRequest memory r = request();
        bytes32 hash = market.requestHash(r, inputWords());
        bytes32 id = market.jobIdOf(requester, 0, hash);
        vm.assertNotEq(id, market.jobIdOf(alice, 0, hash));
        vm.assertNotEq(id, market.jobIdOf(requester, 1, hash));
        r.collateral += 1;
        vm.assertNotEq(hash, market.requestHash(r, inputWords()));
        r.collateral -= 1;
        r.inputUri = "x";
        vm.assertNotEq(hash, market.requestHash(r, inputWords()));
        r.inputUri = "";
        r.requesterAwards = true;
        vm.assertNotEq(hash, market.requestHash(r, inputWords()));
        r.requesterAwards = false;
        r.rounds = 2;
        vm.assertNotEq(hash, market.requestHash(r, inputWords()));
        vm.assertNotEq(hash, market.requestHash(request(), outputWords()));
        vm.chainId(5);
        vm.assertNotEq(id, market.jobIdOf(requester, 0, hash));
        vm.chainId(31337);
        deploy();
        vm.assertNotEq(id, market.jobIdOf(requester, 0, hash));
    }

    function test_submitJob_accepts_a_price_of_nothing() public {
        JobRequest memory r = request();
        (r.maxPrice, r.collateral, r.minStake) = (0, 0, 0);
        submit(r);
        assertSolvent(0);
    }

    function test_submitJob_reverts_for_an_unknown_model() public {
        JobRequest memory r = request();
        r.modelId = keccak256("no model");
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelUnknown.selector, r.modelId));
        submit(r);
    }

    function test_submitJob_reverts_for_a_retired_model() public {
        vm.prank(publisher);
        models.retire(modelId);
        vm.expectRevert(abi.encodeWithSelector(IMarket.ModelIsRetired.selector, modelId));
        submit(request());
    }

    function test_submitJob_reverts_for_a_wrong_number_of_input_words() public {
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongInputCount.selector, 2, 1));
        vm.prank(requester);
        market.submitJob{value: MAX_PRICE}(request(), outputWords());
    }

    /// @dev No proof can contain such a word: a worker that accepted would lose its collateral for nothing.
    function test_submitJob_reverts_for_an_input_word_of_r_or_more() public {
        uint256[] memory words = new uint256[](1);
        words[0] = GROUP_ORDER;
        vm.expectRevert(abi.encodeWithSelector(IMarket.InputTooLarge.selector, 0, GROUP_ORDER));
        vm.prank(requester);
        market.submitJob{value: MAX_PRICE}(request(), words);
    }

    function test_submitJob_bounds_every_window() public {
        uint32[3] memory most = [uint32(1 days), 7 days, 30 days];
        for (uint256 which; which < 3; ++which) {
            for (uint256 i; i < 2; ++i) {
                uint32 bad = i == 0 ? 0 : most[which] + 1;
                JobRequest memory r = request();
                if (which == 0) r.bidWindow = bad;
                if (which == 1) r.acceptWindow = bad;
                if (which == 2) r.proveWindow = bad;
                vm.expectRevert(abi.encodeWithSelector(IMarket.WindowOutOfRange.selector, bad, 1, most[which]));
                submit(r);
            }
        }
        JobRequest memory longest = request();
        (longest.bidWindow, longest.acceptWindow, longest.proveWindow) = (1 days, 7 days, 30 days);
        submit(longest);
        (longest.bidWindow, longest.acceptWindow, longest.proveWindow) = (1, 1, 1);
        submit(longest);
    }

    function test_submitJob_takes_one_to_three_rounds() public {
        JobRequest memory r = request();
        for (uint8 rounds = 1; rounds < 4; ++rounds) {
            r.rounds = rounds;
            submit(r);
        }
        for (uint256 i; i < 2; ++i) {
            r.rounds = i == 0 ? 0 : 4;
            vm.expectRevert(abi.encodeWithSelector(IMarket.RoundsOutOfRange.selector, r.rounds, 3));
            submit(r);
        }
    }

    function test_submitJob_reverts_for_a_callback_without_gas_gas_without_callback_or_too_much() public {
        JobRequest memory r = request();
        r.callback = stranger;
        expectCallbackMismatch(r);
        (r.callback, r.callbackGas) = (address(0), 1);
        expectCallbackMismatch(r);
        (r.callback, r.callbackGas) = (stranger, 1_000_001);
        expectCallbackMismatch(r);
        r.callbackGas = 1_000_000;
        submit(r);
    }

    function expectCallbackMismatch(JobRequest memory r) private {
        vm.expectRevert(abi.encodeWithSelector(IMarket.CallbackMismatch.selector, r.callback, r.callbackGas, 1_000_000));
        submit(r);
    }
}
