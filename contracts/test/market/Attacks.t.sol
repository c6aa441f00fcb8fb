// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Market} from "../../src/Market.sol";
import {IGroth16Verifier} from "../../src/interfaces/IGroth16Verifier.sol";
import {IMarket} from "../../src/interfaces/IMarket.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {IVault} from "../../src/interfaces/IVault.sol";
import {IWorkerRegistry} from "../../src/interfaces/IWorkerRegistry.sol";
import {Job, JobRequest, JobState} from "../../src/types/Job.sol";
import {ModelSpec} from "../../src/types/Model.sol";
import {MarketTest} from "../utils/MarketTest.sol";
import {ToyGroth16, ToyKey} from "../utils/ToyGroth16.sol";

/// @dev One attack a test, named for it. Attacks on a single function are with that function's tests; here is what
/// takes a story.
contract MarketAttacksTest is MarketTest {
    /// @dev Seen in the mempool, sent first: it still pays alice, and is no proof for anyone else.
    function test_a_stolen_proof_pays_its_maker() public {
        bytes32 jobId = accepted();
        bytes memory p = proof(jobId, alice);
        vm.prank(bob);
        market.submitProof(jobId, inputWords(), outputWords(), p);
        vm.assertEq(vault.balanceOf(alice), PRICE * 9 / 10);
        vm.assertEq(vault.balanceOf(bob), 0);
    }

    function test_a_proof_bound_to_another_worker_is_invalid() public {
        bytes32 jobId = accepted();
        expectInvalid(jobId, proof(jobId, bob));
    }

    function test_a_proof_is_no_proof_on_another_job_with_the_same_input() public {
        bytes32 first = accepted();
        bytes memory p = proof(first, alice);
        market.submitProof(first, inputWords(), outputWords(), p);
        expectInvalid(accepted(), p);
    }

    function test_a_proof_is_no_proof_on_another_market() public {
        bytes32 jobId = accepted();
        bytes memory p = proof(jobId, alice);
        uint256 binding = market.bindingOf(jobId, alice);
        deploy();
        vm.assertTrue(market.bindingOf(jobId, alice) != binding);
        vm.prank(publisher);
        models.register(spec(), toy.vk, toy.modelCommitment);
        enlist(alice);
        expectInvalid(accepted(), p);
    }

    function test_a_proof_is_no_proof_on_another_chain() public {
        bytes32 jobId = accepted();
        bytes memory p = proof(jobId, alice);
        vm.chainId(1);
        expectInvalid(jobId, p);
    }

    /// @dev A proof made outside any market has binding 0, and no job has that.
    function test_a_proof_outside_the_market_is_invalid() public {
        bytes32 jobId = accepted();
        expectInvalid(jobId, ToyGroth16.prove(toy, statement(0), 0));
    }

    /// @dev Re-posted after a re-org, the same request from the same nonce has the same id, so a proof made before it
    /// still counts; any other request has another id, and the proof does not.
    function test_a_reorg_cannot_put_another_request_under_an_id() public {
        uint256 snapshot = vm.snapshotState();
        bytes32 jobId = accepted();
        bytes memory p = proof(jobId, alice);
        vm.revertToState(snapshot);

        JobRequest memory r = request();
        r.maxPrice = PRICE; // the requester thought better of it
        bytes32 other = accepted(awarded(submit(r)));
        vm.assertNotEq(jobId, other);
        assertState(jobId, JobState.None);
        expectInvalid(other, p);
        vm.revertToState(snapshot);

        vm.assertEq(accepted(), jobId);
        market.submitProof(jobId, inputWords(), outputWords(), p);
    }

    /// @dev Re-orged between award and accept, or accept and proof: each step finds the job in another state and
    /// reverts, and nobody is charged for it.
    function test_a_reorg_across_award_and_accept_costs_nothing() public {
        bytes32 jobId = open();
        bid(jobId, alice, PRICE);
        uint256 snapshot = vm.snapshotState();
        afterDeadline(jobId);
        market.award(jobId);
        accepted(jobId);
        bytes memory p = proof(jobId, alice);
        vm.revertToState(snapshot);
        expectWrongState(jobId, JobState.Open);
        vm.prank(alice);
        market.accept(jobId);
        expectWrongState(jobId, JobState.Open);
        market.submitProof(jobId, inputWords(), outputWords(), p);
        vm.assertEq(reservedOf(alice), COLLATERAL); // of the bid, which stands
        assertSolvent(MAX_PRICE);
    }

    /// @dev Settled, re-orged away, and settled again, by a proof re-sent as it was: paid once.
    function test_a_reorg_across_settlement_pays_once() public {
        bytes32 jobId = accepted();
        bytes memory p = proof(jobId, alice);
        uint256 snapshot = vm.snapshotState();
        market.submitProof(jobId, inputWords(), outputWords(), p);
        vm.revertToState(snapshot);
        market.submitProof(jobId, inputWords(), outputWords(), p);
        expectWrongState(jobId, JobState.Settled);
        market.submitProof(jobId, inputWords(), outputWords(), p);
        vm.assertEq(vault.balanceOf(alice), PRICE * 9 / 10);
        assertSolvent(0);
    }

    /// @dev Nobody but the owner of an id can register it, and its record never changes but for payout and retirement.
    function test_the_model_under_a_job_cannot_be_swapped() public {
        bytes32 jobId = accepted();
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelAlreadyRegistered.selector, modelId));
        vm.prank(publisher);
        models.register(spec(), toy.vk, toy.modelCommitment);
        vm.prank(stranger);
        vm.assertNotEq(models.register(spec(), toy.vk, toy.modelCommitment), modelId);
        ToyKey memory retrained = ToyGroth16.key(json, 1, 4, 1);
        vm.prank(publisher);
        vm.assertNotEq(models.register(spec(), retrained.vk, retrained.modelCommitment), modelId);
        expectInvalid(jobId, ToyGroth16.prove(retrained, statement(market.bindingOf(jobId, alice)), 0));
    }

    /// @dev With private weights the model is M, taken from the registry and from nowhere else.
    function test_a_proof_under_another_model_commitment_is_invalid() public {
        ToyKey memory published = ToyGroth16.key(json, 3, 4, 0);
        ModelSpec memory s = spec();
        vm.prank(publisher);
        modelId = models.register(s, published.vk, published.modelCommitment);
        ToyKey memory own = published;
        bytes32 jobId = accepted();
        bytes memory good = ToyGroth16.prove(published, statement(market.bindingOf(jobId, alice)), 0);
        own.model = addmod(own.model, 1, type(uint256).max);
        own.modelCommitment = ToyGroth16.point(own.model);
        expectInvalid(jobId, ToyGroth16.prove(own, statement(market.bindingOf(jobId, alice)), 0));
        market.submitProof(jobId, inputWords(), outputWords(), good);
    }

    /// @dev A requester who never hands over the input: the worker does not accept, and is out of nothing but gas.
    function test_a_withheld_input_costs_a_worker_nothing_but_the_award() public {
        bytes32 jobId = awarded();
        afterDeadline(jobId);
        market.lapse(jobId);
        vm.assertEq(workers.workerOf(alice).stake, STAKE);
        vm.assertEq(reservedOf(alice), 0);
        vm.assertEq(workers.workerOf(alice).failed, 0);
    }

    /// @dev The escrow of a job under way is out of its requester's reach, by every door there is.
    function test_a_requester_cannot_draw_on_escrow() public {
        bytes32 jobId = accepted();
        vm.startPrank(requester);
        vm.expectRevert();
        vault.withdraw(1, requester);
        expectWrongState(jobId, JobState.Accepted);
        market.cancel(jobId);
        vm.expectRevert();
        vault.release(requester, MAX_PRICE);
        vm.expectRevert();
        market.submitJob(request(), inputWords()); // paid from nothing
        vm.stopPrank();
        assertSolvent(MAX_PRICE);
    }

    /// @dev A sybil's bid of nothing can win rounds, but each of its identities only once, and a requester need not wait.
    function test_a_sybil_can_hold_a_job_for_one_round_each() public {
        bytes32 jobId = open();
        bid(jobId, bob, PRICE);
        bid(jobId, alice, 0);
        vm.prank(requester);
        market.awardTo(jobId, bob);
        vm.assertEq(market.jobOf(jobId).worker, bob);
        vm.assertEq(market.jobOf(jobId).price, PRICE);
    }

    /// @dev Bidding nothing before anyone else shuts nobody out: the requester may choose any bid of the round, at its
    /// own price, as long as the window lasts.
    function test_a_first_bid_of_nothing_shuts_nobody_out() public {
        bytes32 jobId = open();
        bid(jobId, bob, 0);
        bid(jobId, alice, PRICE);
        vm.prank(requester);
        market.awardTo(jobId, alice);
        accepted(jobId);
        market.submitProof(jobId, inputWords(), outputWords(), proof(jobId, alice));
        vm.assertEq(vault.balanceOf(alice), PRICE * 9 / 10);
        vm.assertEq(vault.balanceOf(requester), MAX_PRICE - PRICE);
    }

    /// @dev If a requester chooses nobody, as many identities as there are rounds can keep a job from being done by not
    /// accepting. It costs the requester time alone: it may cancel at any moment between rounds, and has the whole
    /// ceiling back in the end.
    function test_sybils_that_never_accept_cost_a_requester_time_and_no_money() public {
        address[3] memory sybils = [alice, bob, stranger];
        enlist(stranger);
        bytes32 jobId = open();
        for (uint256 i; i < 3; ++i) {
            bid(jobId, sybils[i], 0);
            afterDeadline(jobId);
            market.award(jobId);
            afterDeadline(jobId);
            uint256 snapshot = vm.snapshotState();
            market.lapse(jobId);
            if (i < 2) {
                vm.prank(requester);
                market.cancel(jobId);
                vm.assertEq(vault.balanceOf(requester), MAX_PRICE);
                vm.revertToState(snapshot);
                market.lapse(jobId);
            }
            vm.assertEq(workers.workerOf(sybils[i]).missed, 1);
        }
        assertState(jobId, JobState.Refunded);
        vm.assertEq(vault.balanceOf(requester), MAX_PRICE);
        vm.assertEq(vault.heldBy(address(market)), 0);
    }

    /// @dev Being paid hands control to a stranger, who calls everything there is: its balance is gone from the vault by
    /// then, and what it does is what it could have done before or after.
    function test_a_withdrawal_reentered_through_every_contract_takes_nothing_more() public {
        Reentrant thief = new Reentrant(market, vault, workers);
        bytes32 jobId = accepted();
        vault.deposit{value: 3 ether}(address(thief));
        thief.rob(jobId, request(), inputWords());
        vm.assertTrue(thief.entered());
        vm.assertEq(vault.balanceOf(address(thief)) + address(thief).balance, 3 ether);
        assertState(jobId, JobState.Accepted);
        assertSolvent(MAX_PRICE);
    }

    /// @dev A last-second bid wins only by being the lowest: whoever bid before it keeps a standing bid.
    function test_a_sniped_job_goes_to_the_lowest_bid() public {
        bytes32 jobId = open();
        bid(jobId, bob, PRICE);
        atDeadline(jobId);
        bid(jobId, alice, PRICE - PRICE / 100);
        afterDeadline(jobId);
        market.award(jobId);
        vm.assertEq(market.jobOf(jobId).worker, alice);
        vm.assertTrue(market.bidOf(jobId, bob).standing);
    }

    function test_gas_starved_settlement_never_settles_a_false_proof() public {
        bytes32 jobId = accepted();
        uint256[] memory words = outputWords();
        words[0] ^= 1;
        bytes memory data = abi.encodeCall(IMarket.submitProof, (jobId, inputWords(), words, proof(jobId, alice)));
        for (uint256 gasLimit = 30_000; gasLimit < 700_000; gasLimit += 9973) {
            (bool ok,) = address(market).call{gas: gasLimit}(data);
            vm.assertTrue(!ok, "a false proof settled");
        }
        assertState(jobId, JobState.Accepted);
    }

    function test_a_market_with_wrong_wiring_is_never_born() public {
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongWiring.selector, address(workers)));
        new Market(verifier, models, vault, workers); // these workers answer to the other market
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongWiring.selector, address(models)));
        new Market(IGroth16Verifier(stranger), models, vault, workers);
    }

    function expectInvalid(bytes32 jobId, bytes memory p) private {
        vm.expectRevert(IGroth16Verifier.ProofInvalid.selector);
        market.submitProof(jobId, inputWords(), outputWords(), p);
        assertState(jobId, JobState.Accepted);
    }
}

/// @title A recipient that uses the moment in which it is paid
contract Reentrant {
    IMarket private immutable market;
    IVault private immutable vault;
    IWorkerRegistry private immutable workers;
    bytes[] private calls;
    bool public entered;

    constructor(IMarket market_, IVault vault_, IWorkerRegistry workers_) {
        (market, vault, workers) = (market_, vault_, workers_);
    }

    function rob(bytes32 jobId, JobRequest calldata request, uint256[] calldata inputs) external {
        calls.push(abi.encodeCall(IVault.withdraw, (1 ether, address(this))));
        calls.push(abi.encodeCall(IVault.hold, (address(this), 3 ether)));
        calls.push(abi.encodeCall(IVault.release, (address(this), 1)));
        calls.push(abi.encodeCall(IMarket.submitJob, (request, inputs))); // the ceiling of 1 ether, already withdrawn
        calls.push(abi.encodeCall(IMarket.cancel, (jobId)));
        calls.push(abi.encodeCall(IMarket.expire, (jobId)));
        calls.push(abi.encodeCall(IMarket.accept, (jobId)));
        calls.push(abi.encodeCall(IMarket.submitProof, (jobId, inputs, inputs, "")));
        calls.push(abi.encodeCall(IWorkerRegistry.addStakeFromBalance, (3 ether)));
        calls.push(abi.encodeCall(IWorkerRegistry.requestUnstake, (1 ether)));
        calls.push(abi.encodeCall(IWorkerRegistry.withdrawStake, ()));
        calls.push(abi.encodeCall(IMarket.decline, (jobId)));
        vault.withdraw(3 ether, address(this));
    }

    receive() external payable {
        entered = true;
        address[3] memory targets = [address(vault), address(market), address(workers)];
        for (uint256 i; i < calls.length; ++i) {
            for (uint256 j; j < 3; ++j) {
                (bool ok,) = targets[j].call(calls[i]);
                require(!ok, "one more went through");
            }
        }
    }
}
