// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "../../src/interfaces/IGroth16Verifier.sol";
import {IMarket} from "../../src/interfaces/IMarket.sol";
import {IWorkerRegistry} from "../../src/interfaces/IWorkerRegistry.sol";
import {JobRequest, JobState} from "../../src/types/Job.sol";
import {Consumer} from "../utils/Consumer.sol";
import {MarketTest} from "../utils/MarketTest.sol";

/// @dev A proof between award and acceptance settles the job: no collateral was ever at risk.
contract MarketDirectSettlementTest is MarketTest {
    function test_a_proof_settles_an_award_like_an_accepted_job() public {
        bytes32 jobId = awarded();
        bytes memory p = proof(jobId, alice);
        vm.expectEmit(address(market));
        emit IMarket.JobSettled(jobId, alice, modelId, PRICE, PRICE / 10, MAX_PRICE - PRICE, outputWords(), p);
        vm.expectEmit(address(workers));
        emit IWorkerRegistry.StakeReleased(alice, COLLATERAL);
        vm.prank(stranger); // whoever sends it
        market.submitProof(jobId, inputWords(), outputWords(), p);

        assertState(jobId, JobState.Settled);
        vm.assertEq(vault.balanceOf(alice), PRICE * 9 / 10);
        vm.assertEq(vault.balanceOf(publisher), PRICE / 10);
        vm.assertEq(vault.balanceOf(requester), MAX_PRICE - PRICE);
        vm.assertEq(vault.balanceOf(stranger), 0);
        vm.assertEq(workers.workerOf(alice).completed, 1);
        vm.assertEq(reservedOf(alice), 0);
        assertSolvent(0);
    }

    function test_a_proof_at_the_accept_deadline_is_in_time_and_a_second_later_is_not() public {
        bytes32 jobId = awarded();
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

    /// @dev Whatever else of the award comes first or after, in the same block: it ends once.
    function test_an_award_ends_once_whichever_comes_first() public {
        bytes32 jobId = awarded();
        bytes memory p = proof(jobId, alice);
        uint256 snapshot = vm.snapshotState();

        market.submitProof(jobId, inputWords(), outputWords(), p);
        expectWrongState(jobId, JobState.Settled);
        market.submitProof(jobId, inputWords(), outputWords(), p);
        vm.startPrank(alice);
        expectWrongState(jobId, JobState.Settled);
        market.decline(jobId);
        expectWrongState(jobId, JobState.Settled);
        market.accept(jobId);
        vm.stopPrank();
        afterDeadline(jobId);
        expectWrongState(jobId, JobState.Settled);
        market.lapse(jobId);
        expectWrongState(jobId, JobState.Settled);
        market.expire(jobId);
        vm.revertToState(snapshot);

        vm.prank(alice);
        market.decline(jobId);
        expectWrongState(jobId, JobState.Open);
        market.submitProof(jobId, inputWords(), outputWords(), p);
        vm.revertToState(snapshot);

        afterDeadline(jobId);
        market.lapse(jobId);
        expectWrongState(jobId, JobState.Open);
        market.submitProof(jobId, inputWords(), outputWords(), p);
        assertSolvent(MAX_PRICE);
    }

    /// @dev After a lapse the job is another's: the first worker's proof is bound to the first worker.
    function test_a_proof_of_the_worker_before_does_not_settle_the_next_award() public {
        bytes32 jobId = awarded();
        bytes memory p = proof(jobId, alice);
        vm.prank(alice);
        market.decline(jobId);
        bid(jobId, bob, PRICE);
        afterDeadline(jobId);
        market.award(jobId);
        vm.expectRevert(IGroth16Verifier.ProofInvalid.selector);
        market.submitProof(jobId, inputWords(), outputWords(), p);
        market.submitProof(jobId, inputWords(), outputWords(), proof(jobId, bob));
        vm.assertEq(vault.balanceOf(bob), PRICE * 9 / 10);
    }

    function test_a_false_proof_leaves_the_award_as_it_was() public {
        bytes32 jobId = awarded();
        bytes memory p = proof(jobId, alice);
        uint256[] memory words = outputWords();
        words[0] ^= 1;
        vm.expectRevert(IGroth16Verifier.ProofInvalid.selector);
        market.submitProof(jobId, inputWords(), words, p);
        words = inputWords();
        words[0] ^= 1;
        vm.expectRevert(abi.encodeWithSelector(IMarket.InputMismatch.selector, jobId));
        market.submitProof(jobId, words, outputWords(), p);
        assertState(jobId, JobState.Awarded);
        vm.assertEq(reservedOf(alice), COLLATERAL);
        accepted(jobId);
    }

    function test_a_consumer_is_told_of_a_direct_settlement_too() public {
        Consumer consumer = new Consumer(market, vault);
        JobRequest memory r = request();
        (r.callback, r.callbackGas) = (address(consumer), 200_000);
        bytes32 jobId = awarded(submit(r));
        market.submitProof(jobId, inputWords(), outputWords(), proof(jobId, alice));
        vm.assertEq(consumer.jobId(), jobId);
    }

    /// @dev The binding names the worker, so an open job has none yet to be paid.
    function test_an_open_job_takes_no_proof_even_of_its_leader() public {
        bytes32 jobId = open();
        bid(jobId, alice, PRICE);
        bytes memory p = proof(jobId, alice);
        afterDeadline(jobId);
        expectWrongState(jobId, JobState.Open);
        market.submitProof(jobId, inputWords(), outputWords(), p);
        market.award(jobId);
        market.submitProof(jobId, inputWords(), outputWords(), p); // made before the award, and as good
    }
}
