// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "../../src/interfaces/IGroth16Verifier.sol";
import {IMarket} from "../../src/interfaces/IMarket.sol";
import {IWorkerRegistry} from "../../src/interfaces/IWorkerRegistry.sol";
import {GROUP_ORDER} from "../../src/libraries/Bn254.sol";
import {JobState} from "../../src/types/Job.sol";
import {MarketTest} from "../utils/MarketTest.sol";
import {ToyGroth16} from "../utils/ToyGroth16.sol";

contract MarketSettleTest is MarketTest {
    function test_submitProof_pays_worker_publisher_and_requester() public {
        bytes32 jobId = accepted();
        bytes memory p = proof(jobId, alice);
        vm.expectEmit(address(workers));
        emit IWorkerRegistry.StakeReleased(alice, COLLATERAL);
        market.submitProof(jobId, inputWords(), outputWords(), p);

        assertState(jobId, JobState.Settled);
        vm.assertEq(vault.balanceOf(alice), PRICE * 9 / 10);
        vm.assertEq(vault.balanceOf(publisher), PRICE / 10);
        vm.assertEq(vault.balanceOf(requester), MAX_PRICE - PRICE);
        vm.assertEq(reservedOf(alice), 0);
        vm.assertEq(workers.workerOf(alice).stake, STAKE);
        vm.assertEq(workers.workerOf(alice).completed, 1);
        assertSolvent(0);
    }

    function test_submitProof_emits_what_anyone_needs_to_verify_again() public {
        bytes32 jobId = accepted();
        bytes memory p = proof(jobId, alice);
        vm.expectEmit(address(market));
        emit IMarket.JobSettled(jobId, alice, modelId, PRICE, PRICE / 10, MAX_PRICE - PRICE, outputWords(), p);
        market.submitProof(jobId, inputWords(), outputWords(), p);
    }

    function test_submitProof_by_a_stranger_pays_the_worker() public {
        bytes32 jobId = accepted();
        bytes memory p = proof(jobId, alice);
        vm.prank(stranger);
        market.submitProof(jobId, inputWords(), outputWords(), p);
        vm.assertEq(vault.balanceOf(alice), PRICE * 9 / 10);
        vm.assertEq(vault.balanceOf(stranger), 0);
    }

    function test_submitProof_pays_royalties_to_the_payout_of_the_day() public {
        bytes32 jobId = accepted();
        vm.prank(publisher);
        models.setPayout(modelId, stranger);
        market.submitProof(jobId, inputWords(), outputWords(), proof(jobId, alice));
        vm.assertEq(vault.balanceOf(stranger), PRICE / 10);
        vm.assertEq(vault.balanceOf(publisher), 0);
    }

    function test_submitProof_settles_jobs_of_a_model_retired_meanwhile() public {
        bytes32 jobId = accepted();
        vm.prank(publisher);
        models.retire(modelId);
        market.submitProof(jobId, inputWords(), outputWords(), proof(jobId, alice));
        assertState(jobId, JobState.Settled);
    }

    function test_submitProof_at_the_deadline_is_in_time_and_a_second_later_is_not() public {
        bytes32 jobId = accepted();
        bytes memory p = proof(jobId, alice);
        uint64 deadline = deadlineOf(jobId);
        uint256 snapshot = vm.snapshotState();
        atDeadline(jobId);
        market.submitProof(jobId, inputWords(), outputWords(), p);
        vm.revertToState(snapshot);
        afterDeadline(jobId);
        vm.expectRevert(abi.encodeWithSelector(IMarket.TooLate.selector, jobId, deadline));
        market.submitProof(jobId, inputWords(), outputWords(), p);
    }

    function test_submitProof_reverts_in_every_state_but_awarded_and_accepted() public {
        for (uint8 s; s < 8; ++s) {
            JobState state = JobState(s);
            if (state == JobState.Awarded || state == JobState.Accepted) continue;
            bytes32 jobId = inState(state);
            bytes memory p = proof(jobId, alice);
            expectWrongState(jobId, state);
            market.submitProof(jobId, inputWords(), outputWords(), p);
        }
    }

    function test_submitProof_reverts_for_other_input_words() public {
        bytes32 jobId = accepted();
        bytes memory p = proof(jobId, alice);
        uint256[] memory words = inputWords();
        words[0] ^= 1;
        vm.expectRevert(abi.encodeWithSelector(IMarket.InputMismatch.selector, jobId));
        market.submitProof(jobId, words, outputWords(), p);
    }

    /// @dev Words shifted from the output to the input would leave the statement's bytes the same.
    function test_submitProof_reverts_for_another_split_of_the_same_words() public {
        bytes32 jobId = accepted();
        bytes memory p = proof(jobId, alice);
        uint256[] memory inputs = new uint256[](2);
        (inputs[0], inputs[1]) = (inputWords()[0], outputWords()[0]);
        uint256[] memory outputs = new uint256[](1);
        outputs[0] = outputWords()[1];
        vm.expectRevert(abi.encodeWithSelector(IMarket.InputMismatch.selector, jobId));
        market.submitProof(jobId, inputs, outputs, p);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongOutputCount.selector, 1, 2));
        market.submitProof(jobId, inputWords(), outputs, p);
    }

    /// @dev A false proof reverts and slashes nobody: the job still settles with the true one.
    function test_submitProof_reverts_for_other_outputs_and_leaves_the_job_as_it_was() public {
        bytes32 jobId = accepted();
        bytes memory p = proof(jobId, alice);
        uint256[] memory words = outputWords();
        words[0] ^= 1;
        vm.expectRevert(IGroth16Verifier.ProofInvalid.selector);
        market.submitProof(jobId, inputWords(), words, p);
        assertState(jobId, JobState.Accepted);
        vm.assertEq(reservedOf(alice), COLLATERAL);
        assertSolvent(MAX_PRICE);
        market.submitProof(jobId, inputWords(), outputWords(), p);
    }

    function test_submitProof_reverts_for_an_output_plus_r() public {
        bytes32 jobId = accepted();
        bytes memory p = proof(jobId, alice);
        uint256[] memory words = outputWords();
        words[0] += GROUP_ORDER;
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.InputTooLarge.selector, 2, words[0]));
        market.submitProof(jobId, inputWords(), words, p);
    }

    /// @dev Any other valid proof of the same statement is as good, and the job settles once.
    function test_submitProof_accepts_another_proof_of_the_same_statement_but_once() public {
        bytes32 jobId = accepted();
        bytes memory other = ToyGroth16.prove(toy, statement(market.bindingOf(jobId, alice)), 99);
        bytes memory p = proof(jobId, alice);
        market.submitProof(jobId, inputWords(), outputWords(), other);
        expectWrongState(jobId, JobState.Settled);
        market.submitProof(jobId, inputWords(), outputWords(), p);
        vm.assertEq(vault.balanceOf(alice), PRICE * 9 / 10);
    }

    function test_submitProof_of_a_free_job_moves_no_price() public {
        bytes32 jobId = open();
        bid(jobId, alice, 0);
        afterDeadline(jobId);
        market.award(jobId);
        accepted(jobId);
        market.submitProof(jobId, inputWords(), outputWords(), proof(jobId, alice));
        vm.assertEq(vault.balanceOf(requester), MAX_PRICE);
        vm.assertEq(vault.balanceOf(alice), 0);
        assertSolvent(0);
    }

    /// @dev Each call a transaction of its own, with 21,000 and calldata: what a user pays.
    /// forge-config: default.isolate = true
    function test_gas_of_a_jobs_life() public {
        bytes32 jobId = open();
        vm.snapshotGasLastCall("market", "submitJob");
        bid(jobId, alice, PRICE);
        vm.snapshotGasLastCall("market", "placeBid_first");
        bid(jobId, bob, PRICE / 2);
        vm.snapshotGasLastCall("market", "placeBid_better");
        afterDeadline(jobId);
        market.award(jobId);
        vm.snapshotGasLastCall("market", "award");
        vm.prank(bob);
        market.accept(jobId);
        vm.snapshotGasLastCall("market", "accept");
        bytes memory p = proof(jobId, bob);
        market.submitProof(jobId, inputWords(), outputWords(), p);
        vm.snapshotGasLastCall("market", "submitProof_committed_4_words");
        vm.prank(bob);
        vault.withdraw(1, bob);
        vm.snapshotGasLastCall("market", "withdraw");
    }

    /// @dev The other ways an award goes.
    /// forge-config: default.isolate = true
    function test_gas_of_an_award_without_acceptance() public {
        bytes32 jobId = open();
        bid(jobId, alice, PRICE);
        bid(jobId, bob, PRICE);
        vm.snapshotGasLastCall("market", "placeBid_beside");
        vm.prank(requester);
        market.awardTo(jobId, bob);
        vm.snapshotGasLastCall("market", "awardTo_beside");
        vm.prank(bob);
        market.decline(jobId);
        vm.snapshotGasLastCall("market", "decline");
        bid(jobId, alice, PRICE);
        afterDeadline(jobId);
        market.award(jobId);
        market.submitProof(jobId, inputWords(), outputWords(), proof(jobId, alice));
        vm.snapshotGasLastCall("market", "submitProof_without_acceptance");
    }
}
