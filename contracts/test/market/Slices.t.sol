// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "../../src/interfaces/IGroth16Verifier.sol";
import {IMarket} from "../../src/interfaces/IMarket.sol";
import {GROUP_ORDER} from "../../src/libraries/Bn254.sol";
import {JobState} from "../../src/types/Job.sol";
import {MarketTest} from "../utils/MarketTest.sol";
import {ToyGroth16} from "../utils/ToyGroth16.sol";
import {ToySlices, ToySliced} from "../utils/ToySlices.sol";

/// @notice A sliced model on the market: to it a model like any other, with a longer proof.
contract SlicesTest is MarketTest {
    ToySliced internal sliced;

    function setUp() public override {
        super.setUp();
        ToySliced memory made = ToySlices.make(json, true, 3, 1, 1, 2);
        sliced.vk = made.vk;
        for (uint256 i; i < 3; ++i) {
            sliced.keys.push(made.keys[i]);
        }
        vm.prank(publisher);
        modelId = models.register(spec(), sliced.vk, "");
    }

    function test_submitProof_of_slices_pays_and_tells_all_that_verifies_them_again() public {
        bytes32 jobId = accepted();
        bytes memory p = slicedProof(jobId, alice);
        vm.assertEq(p.length, 2 * 32 + 3 * 320);
        vm.expectEmit(address(market));
        emit IMarket.JobSettled(jobId, alice, modelId, PRICE, PRICE / 10, MAX_PRICE - PRICE, outputWords(), p);
        market.submitProof(jobId, inputWords(), outputWords(), p);
        assertState(jobId, JobState.Settled);
        vm.assertEq(vault.balanceOf(alice), PRICE * 9 / 10);
        assertSolvent(0);
    }

    function test_submitProof_reverts_for_slices_of_another_job_or_worker() public {
        bytes32 jobId = accepted();
        bytes32 otherJob = accepted();
        bytes memory good = slicedProof(jobId, alice);
        expectFalse(jobId, slicedProof(otherJob, alice));
        expectFalse(jobId, slicedProof(jobId, bob));
        // One slice of the other job among those of this one.
        bytes memory other = slicedProof(otherJob, alice);
        for (uint256 i; i < 3; ++i) {
            uint256 begin = 64 + 320 * i;
            expectFalse(
                jobId,
                bytes.concat(
                    slice(good, 0, begin), slice(other, begin, begin + 320), slice(good, begin + 320, good.length)
                )
            );
        }
        market.submitProof(jobId, inputWords(), outputWords(), good);
    }

    function test_submitProof_reverts_for_other_outputs_and_cuts() public {
        bytes32 jobId = accepted();
        bytes memory good = slicedProof(jobId, alice);
        uint256[] memory words = outputWords();
        words[0] ^= 1;
        vm.expectRevert(IGroth16Verifier.ProofInvalid.selector);
        market.submitProof(jobId, inputWords(), words, good);
        expectFalse(jobId, withWord(good, 0, load(good, 0x20)));
        bytes memory above = withWord(good, 0x20, load(good, 0x20) + GROUP_ORDER);
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.CutTooLarge.selector, 1, load(above, 0x20)));
        market.submitProof(jobId, inputWords(), outputWords(), above);
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.WrongProofLength.selector, 1025, 1024));
        market.submitProof(jobId, inputWords(), outputWords(), bytes.concat(good, hex"00"));
        assertState(jobId, JobState.Accepted);
        assertSolvent(MAX_PRICE);
    }

    function test_submitProof_reverts_for_a_proof_under_an_unsliced_key() public {
        bytes32 jobId = accepted();
        bytes memory p = ToyGroth16.prove(toy, statement(market.bindingOf(jobId, alice)), 0);
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.WrongProofLength.selector, 320, 1024));
        market.submitProof(jobId, inputWords(), outputWords(), p);
    }

    function test_submitProof_of_slices_short_of_gas_changes_nothing() public {
        bytes32 jobId = accepted();
        bytes memory p = slicedProof(jobId, alice);
        bytes memory data = abi.encodeCall(IMarket.submitProof, (jobId, inputWords(), outputWords(), p));
        for (uint256 gasLimit = 50_000; gasLimit < 700_000; gasLimit += 49_999) {
            (bool ok,) = address(market).call{gas: gasLimit}(data);
            vm.assertTrue(!ok, "settled without the gas to verify");
            assertState(jobId, JobState.Accepted);
        }
        market.submitProof(jobId, inputWords(), outputWords(), p);
    }

    /// forge-config: default.isolate = true
    function test_gas_of_submitProof_of_slices() public {
        bytes32 jobId = accepted();
        bytes memory p = slicedProof(jobId, alice);
        market.submitProof(jobId, inputWords(), outputWords(), p);
        vm.snapshotGasLastCall("market", "submitProof_3_slices_4_words");
    }

    function slicedProof(bytes32 jobId, address worker) private view returns (bytes memory) {
        uint256[] memory cuts = new uint256[](2);
        cuts[0] = uint256(keccak256(abi.encode("cut", jobId))) % GROUP_ORDER;
        cuts[1] = uint256(keccak256(abi.encode("second cut", jobId))) % GROUP_ORDER;
        return ToySlices.prove(sliced, statement(market.bindingOf(jobId, worker)), cuts, 0);
    }

    function expectFalse(bytes32 jobId, bytes memory p) private {
        vm.expectRevert(IGroth16Verifier.ProofInvalid.selector);
        market.submitProof(jobId, inputWords(), outputWords(), p);
    }
}
