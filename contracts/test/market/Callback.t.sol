// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IJobConsumer} from "../../src/interfaces/IJobConsumer.sol";
import {IMarket} from "../../src/interfaces/IMarket.sol";
import {JobRequest, JobState} from "../../src/types/Job.sol";
import {MarketTest} from "../utils/MarketTest.sol";
import {Consumer, Mode} from "../utils/Consumer.sol";

contract MarketCallbackTest is MarketTest {
    Consumer private consumer;
    uint32 private constant CALLBACK_GAS = 200_000;

    function setUp() public override {
        super.setUp();
        consumer = new Consumer(market, vault);
    }

    function test_callback_gets_the_outputs_after_payment() public {
        bytes32 jobId = withCallback(Mode.Record);
        settle(jobId);
        vm.assertEq(consumer.jobId(), jobId);
        vm.assertEq(consumer.outputs(1), outputWords()[1]);
        vm.assertEq(uint256(consumer.stateSeen()), uint256(JobState.Settled));
        vm.assertEq(consumer.escrowSeen(), 0);
    }

    function test_callback_gets_all_the_gas_it_asked_for() public {
        bytes32 jobId = withCallback(Mode.Record);
        settle(jobId);
        // What is missing was spent between the call and the measurement: decoding and dispatch.
        vm.assertGe(consumer.gasSeen(), CALLBACK_GAS - 1000, "callback was starved");
        vm.assertLe(consumer.gasSeen(), CALLBACK_GAS, "callback had more than it asked for");
    }

    function test_callback_failures_are_an_event_and_the_job_is_paid() public {
        Mode[4] memory bad = [Mode.Revert, Mode.EatGas, Mode.ReturnBomb, Mode.RevertBomb];
        for (uint256 i; i < 4; ++i) {
            uint256 before = vault.balanceOf(alice);
            bytes32 jobId = withCallback(bad[i]);
            bytes memory p = proof(jobId, alice);
            if (bad[i] != Mode.ReturnBomb) {
                vm.expectEmit(address(market));
                emit IMarket.CallbackFailed(jobId, address(consumer));
            }
            uint256 gasBefore = gasleft();
            market.submitProof(jobId, inputWords(), outputWords(), p);
            // Bounded whatever the consumer does: verification, payment, and the gas it asked for.
            vm.assertLe(gasBefore - gasleft(), 450_000 + uint256(CALLBACK_GAS), "callback cost more than its gas");
            assertState(jobId, JobState.Settled);
            vm.assertEq(vault.balanceOf(alice) - before, PRICE * 9 / 10);
        }
        assertSolvent(0);
    }

    function test_callback_cannot_reenter_the_market() public {
        Mode[3] memory attempts = [Mode.ReenterSubmit, Mode.ReenterProof, Mode.ReenterExpire];
        for (uint256 i; i < 3; ++i) {
            bytes32 jobId = withCallback(attempts[i]);
            settle(jobId);
            vm.assertEq(consumer.jobId(), jobId); // it was called, and its inner call failed
            vm.assertTrue(!consumer.innerCallPassed());
            assertState(jobId, JobState.Settled);
        }
        assertSolvent(0);
    }

    function test_callback_to_an_account_without_code_is_nothing() public {
        JobRequest memory r = request();
        (r.callback, r.callbackGas) = (stranger, CALLBACK_GAS);
        bytes32 jobId = accepted(awarded(submit(r)));
        settle(jobId);
        assertState(jobId, JobState.Settled);
    }

    /// @dev Aimed at the market's own contracts, where the market is trusted: none knows the callback's selector.
    function test_callback_to_the_vault_or_the_registries_moves_nothing() public {
        address[4] memory targets = [address(vault), address(workers), address(models), address(market)];
        for (uint256 i; i < 4; ++i) {
            JobRequest memory r = request();
            (r.callback, r.callbackGas) = (targets[i], CALLBACK_GAS);
            bytes32 jobId = accepted(awarded(submit(r)));
            bytes memory p = proof(jobId, alice);
            vm.expectEmit(address(market));
            emit IMarket.CallbackFailed(jobId, targets[i]);
            market.submitProof(jobId, inputWords(), outputWords(), p);
        }
        assertSolvent(0);
    }

    /// @dev Whoever sends the proof chooses the gas. With any amount the whole call reverts, or the callback has had all
    /// it asked for: never a settled job with a starved callback.
    function test_callback_is_never_starved_by_the_sender_of_the_proof() public {
        bytes32 jobId = withCallback(Mode.Record);
        bytes memory data =
            abi.encodeCall(IMarket.submitProof, (jobId, inputWords(), outputWords(), proof(jobId, alice)));
        bool once;
        for (uint256 gasLimit = 380_000; gasLimit < 700_000; gasLimit += 997) {
            uint256 snapshot = vm.snapshotState();
            (bool ok,) = address(market).call{gas: gasLimit}(data);
            if (ok) {
                once = true;
                vm.assertGe(consumer.gasSeen(), CALLBACK_GAS - 1000, "settled with a starved callback");
            }
            vm.revertToState(snapshot);
        }
        vm.assertTrue(once);
    }

    function withCallback(Mode mode) private returns (bytes32 jobId) {
        JobRequest memory r = request();
        (r.callback, r.callbackGas) = (address(consumer), CALLBACK_GAS);
        jobId = accepted(awarded(submit(r)));
        consumer.set(mode, jobId, request(), inputWords());
    }

    function settle(bytes32 jobId) private {
        bytes memory p = proof(jobId, alice);
        market.submitProof(jobId, inputWords(), outputWords(), p);
    }
}
