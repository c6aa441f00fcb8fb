// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AnswerConsumer} from "examples/consumer/AnswerConsumer.sol";
import {JobState} from "../../src/types/Job.sol";
import {ModelSpec} from "../../src/types/Model.sol";
import {MarketTest} from "../utils/MarketTest.sol";

contract AnswerConsumerTest is MarketTest {
    AnswerConsumer private consumer;
    uint32 private constant CALLBACK_GAS = 200_000;

    function setUp() public override {
        super.setUp();
        ModelSpec memory open = spec();
        (open.inputPrivate, open.outputEncrypted) = (false, false);
        vm.prank(publisher);
        bytes32 id = models.register(open, toy.vk, toy.modelCommitment);
        vm.prank(requester);
        // Four values of 62 bits in the first word, one in the second.
        consumer = new AnswerConsumer(market, id, AnswerConsumer.Outputs({lo: -(1 << 61), bits: 62, count: 5}));
    }

    function ask() private returns (bytes32) {
        vm.prank(requester);
        return consumer.ask{value: MAX_PRICE}(inputWords(), CALLBACK_GAS);
    }

    function settle() private returns (bytes32 jobId) {
        jobId = ask();
        bid(jobId, alice, PRICE);
        afterDeadline(jobId);
        market.award(jobId);
        vm.prank(alice);
        market.accept(jobId);
        market.submitProof(jobId, inputWords(), outputWords(), proof(jobId, alice));
    }

    function test_the_answer_is_decoded_and_kept() public {
        bytes32 jobId = settle();
        assertState(jobId, JobState.Settled);
        vm.assertTrue(!consumer.pending(jobId));
        uint256[5] memory values;
        for (uint256 i; i < 4; ++i) {
            values[i] = (outputWords()[0] >> (62 * i)) & ((1 << 62) - 1);
        }
        values[4] = outputWords()[1] & ((1 << 62) - 1);
        uint256 best;
        for (uint256 i = 1; i < 5; ++i) {
            if (values[i] > values[best]) best = i;
        }
        vm.assertEq(consumer.classOf(jobId), best);
    }

    function test_small_values_are_told_apart() public view {
        uint256[] memory words = new uint256[](2);
        words[0] = 3 | (uint256(9) << 62) | (uint256(4) << 124);
        (uint256 class, int256 score) = consumer.greatest(words);
        vm.assertEq(class, 1);
        vm.assertEq(uint256(score + (1 << 61)), 9);
    }

    function test_what_a_job_does_not_cost_is_withdrawn() public {
        settle();
        uint256 before = stranger.balance;
        vm.prank(requester);
        vm.assertEq(consumer.withdraw(stranger), MAX_PRICE - PRICE);
        vm.assertEq(stranger.balance - before, MAX_PRICE - PRICE);
    }

    function test_a_refund_is_withdrawn() public {
        bytes32 jobId = ask();
        afterDeadline(jobId);
        market.expire(jobId);
        vm.prank(requester);
        vm.assertEq(consumer.withdraw(stranger), MAX_PRICE);
    }

    function test_nobody_else_asks_answers_or_withdraws() public {
        bytes32 jobId = ask();
        vm.expectRevert(abi.encodeWithSelector(AnswerConsumer.NotMarket.selector, address(this)));
        consumer.onJobSettled(jobId, outputWords());
        vm.expectRevert(abi.encodeWithSelector(AnswerConsumer.NotOwner.selector, address(this)));
        consumer.withdraw(stranger);
        vm.expectRevert(abi.encodeWithSelector(AnswerConsumer.NotOwner.selector, address(this)));
        consumer.ask(inputWords(), CALLBACK_GAS);
    }

    function test_a_job_of_somebody_else_is_no_answer() public {
        vm.prank(address(market));
        vm.expectRevert(abi.encodeWithSelector(AnswerConsumer.NotAsked.selector, bytes32("other")));
        consumer.onJobSettled("other", outputWords());
    }
}
