// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ModelRegistry} from "../src/ModelRegistry.sol";
import {IGroth16Verifier} from "../src/interfaces/IGroth16Verifier.sol";
import {IModelRegistry} from "../src/interfaces/IModelRegistry.sol";
import {FIELD_PRIME} from "../src/libraries/Bn254.sol";
import {SlicedKeyLib} from "../src/libraries/SlicedKeyLib.sol";
import {VerifyingKeyLib} from "../src/libraries/VerifyingKeyLib.sol";
import {Model, ModelSettlement, ModelSpec, ModelTerms} from "../src/types/Model.sol";
import {MarketTest} from "./utils/MarketTest.sol";
import {ToyGroth16, ToyKey} from "./utils/ToyGroth16.sol";
import {ToySlices, ToySliced} from "./utils/ToySlices.sol";

contract ModelRegistryTest is MarketTest {
    function test_register_stores_the_model() public view {
        Model memory m = models.modelOf(modelId);
        vm.assertEq(m.owner, publisher);
        vm.assertEq(m.payout, publisher);
        vm.assertTrue(!m.retired);
        vm.assertEq(m.vkHash, keccak256(toy.vk));
        vm.assertEq(m.modelCommitment, bytes(""));
        vm.assertEq(abi.encode(m.spec), abi.encode(spec()));
        vm.assertEq(m.verifyingKey.code, bytes.concat(hex"00", toy.vk));
        vm.assertEq(models.verifyingKeyOf(modelId), toy.vk);
        ModelTerms memory terms = models.termsOf(modelId);
        vm.assertEq(terms.nIn, 1);
        vm.assertEq(terms.nOut, 2);
        ModelSettlement memory s = models.settlementOf(modelId);
        vm.assertEq(s.royaltyBps, ROYALTY_BPS);
        vm.assertEq(s.verifyingKey, m.verifyingKey);
    }

    function test_register_names_a_model_by_the_hash_of_what_its_proofs_mean() public view {
        ModelSpec memory s = spec();
        bytes32 expected = keccak256(
            bytes.concat(
                abi.encode(keccak256(toy.vk), keccak256(""), s.circuitHash, s.quantisationHash, s.metadataHash),
                abi.encode(s.ceremonyHash, publisher, s.royaltyBps, s.nIn, s.nOut, uint8(3))
            )
        );
        vm.assertEq(modelId, expected);
    }

    function test_register_gives_another_id_for_any_other_part() public {
        ModelSpec memory s = spec();
        s.circuitHash = keccak256("x");
        expectOther(s);
        s = spec();
        s.quantisationHash = keccak256("x");
        expectOther(s);
        s = spec();
        s.metadataHash = keccak256("x");
        expectOther(s);
        s = spec();
        s.ceremonyHash = keccak256("x");
        expectOther(s);
        s = spec();
        s.royaltyBps += 1;
        expectOther(s);
        s = spec();
        s.outputEncrypted = false;
        expectOther(s);
        s.inputPrivate = false;
        expectOther(s);
        (s.nIn, s.nOut) = (2, 1);
        expectOther(s);
        vm.prank(stranger);
        vm.assertNotEq(models.register(spec(), toy.vk, ""), modelId);
    }

    function test_register_emits_all_a_node_needs() public {
        ToyKey memory other = ToyGroth16.key(json, 3, 4, 5);
        address pointer = vm.computeCreateAddress(address(models), vm.getNonce(address(models)));
        ModelSpec memory s = spec();
        bytes32 id = keccak256(
            bytes.concat(
                abi.encode(keccak256(other.vk), keccak256(other.modelCommitment), s.circuitHash, s.quantisationHash),
                abi.encode(s.metadataHash, s.ceremonyHash, publisher, s.royaltyBps, s.nIn, s.nOut, uint8(3))
            )
        );
        vm.expectEmit(address(models));
        emit IModelRegistry.ModelRegistered(id, publisher, pointer, keccak256(other.vk), other.modelCommitment, s);
        vm.prank(publisher);
        vm.assertEq(models.register(s, other.vk, other.modelCommitment), id);
        vm.assertEq(models.settlementOf(id).modelCommitment, other.modelCommitment);
        vm.assertEq(models.modelOf(id).modelCommitment, other.modelCommitment);
    }

    function test_register_twice_reverts_even_with_another_uri() public {
        ModelSpec memory s = spec();
        s.uri = "elsewhere";
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelAlreadyRegistered.selector, modelId));
        vm.prank(publisher);
        models.register(s, toy.vk, "");
    }

    function test_register_bounds_the_royalty() public {
        ModelSpec memory s = spec();
        s.royaltyBps = 5001;
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.RoyaltyTooHigh.selector, 5001, 5000));
        models.register(s, toy.vk, "");
        s.royaltyBps = 5000;
        models.register(s, toy.vk, "");
    }

    function test_register_reverts_for_a_statement_that_is_not_the_keys() public {
        ModelSpec memory s = spec();
        s.nOut = 3;
        expectStatement(s);
        s.nOut = 1;
        expectStatement(s);
        (s.inputPrivate, s.outputEncrypted) = (false, false);
        (s.nIn, s.nOut) = (0, 3);
        expectStatement(s);
        (s.nIn, s.nOut) = (3, 0);
        expectStatement(s);
        // In 32 bits this sum would wrap around to the key's four.
        (s.nIn, s.nOut) = (type(uint32).max, 4);
        expectStatement(s);
        (s.nIn, s.nOut, s.inputPrivate) = (2, 1, true);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.PrivateInputNotOneWord.selector, 2));
        models.register(s, toy.vk, "");
    }

    function test_register_names_a_committed_output_in_the_id_and_the_model() public {
        ToyKey memory small = ToyGroth16.key(json, 1, 3, 0);
        ModelSpec memory s = spec();
        (s.nOut, s.outputEncrypted) = (1, false);
        bytes32 open = models.register(s, small.vk, "");
        s.outputCommitted = true;
        bytes32 committed = models.register(s, small.vk, "");
        vm.assertNotEq(committed, open);
        vm.assertEq(abi.encode(models.modelOf(committed).spec), abi.encode(s));
        bytes memory head = abi.encode(keccak256(small.vk), keccak256(""), s.circuitHash, s.quantisationHash);
        bytes memory tail = abi.encode(s.metadataHash, s.ceremonyHash, address(this), s.royaltyBps, s.nIn, s.nOut);
        vm.assertEq(committed, keccak256(bytes.concat(head, tail, abi.encode(uint8(5)))));
    }

    function test_register_reverts_for_a_committed_output_of_two_words_or_encrypted() public {
        ModelSpec memory s = spec();
        (s.outputEncrypted, s.outputCommitted) = (false, true);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.BadOutputVisibility.selector, 2, false));
        models.register(s, toy.vk, "");
        (s.nOut, s.outputEncrypted) = (1, true);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.BadOutputVisibility.selector, 1, true));
        models.register(s, toy.vk, "");
    }

    /// @dev Both hide the output under the salt of the input's commitment; of a public input the worker would choose it.
    function test_register_reverts_for_a_hidden_output_of_a_public_input() public {
        ModelSpec memory s = spec();
        s.inputPrivate = false;
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.BadOutputVisibility.selector, 2, true));
        models.register(s, toy.vk, "");
        s.outputEncrypted = false;
        models.register(s, toy.vk, "");
        ToyKey memory small = ToyGroth16.key(json, 1, 3, 2);
        (s.nOut, s.outputCommitted) = (1, true);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.BadOutputVisibility.selector, 1, false));
        models.register(s, small.vk, "");
        s.inputPrivate = true;
        models.register(s, small.vk, "");
    }

    function test_register_reverts_for_a_bad_key() public {
        bytes memory bad = bytes.concat(toy.vk, hex"00");
        vm.expectRevert(abi.encodeWithSelector(VerifyingKeyLib.WrongKeyLength.selector, bad.length, toy.vk.length));
        models.register(spec(), bad, "");
    }

    function test_register_reverts_for_a_model_commitment_the_key_does_not_expect() public {
        bytes memory point = ToyGroth16.point(1);
        expectBadCommitment(toy.vk, point);
        ToyKey memory private_ = ToyGroth16.key(json, 3, 4, 5);
        expectBadCommitment(private_.vk, "");
        expectBadCommitment(private_.vk, slice(point, 0, 63));
        expectBadCommitment(private_.vk, bytes.concat(point, hex"00"));
        expectBadCommitment(private_.vk, new bytes(64)); // infinity
        expectBadCommitment(private_.vk, withWord(point, 0, 5)); // off the curve
        expectBadCommitment(private_.vk, withWord(point, 0x20, 2 + FIELD_PRIME)); // not canonical
    }

    function test_register_takes_the_largest_key_a_contract_can_hold() public {
        // 1 STOP byte + 15 words + 2 for each of 1, x: 24,576 bytes hold 375 inputs.
        ToyKey memory large = ToyGroth16.key(json, 0, 375, 0);
        ModelSpec memory s = spec();
        (s.inputPrivate, s.outputEncrypted, s.nIn, s.nOut) = (false, false, 300, 74);
        bytes32 id = models.register(s, large.vk, "");
        vm.assertEq(models.verifyingKeyOf(id), large.vk);
        // forge lifts EIP-170's limit for tests, so it is checked by hand; with one more input it would not hold.
        uint256 size = models.modelOf(id).verifyingKey.code.length;
        vm.assertLe(size, 24_576, "larger than a contract may be");
        vm.assertGe(size + 0x40, 24_577, "not the largest");
    }

    function test_register_stores_a_larger_key_in_contracts_of_allowed_size() public {
        ModelSpec memory s = spec();
        (s.inputPrivate, s.outputEncrypted, s.nIn, s.nOut) = (false, false, 1000, 70);
        bytes memory vk = largeKey(1, 1071);
        bytes32 id = models.register(s, vk, "");
        vm.assertTrue(keccak256(models.verifyingKeyOf(id)) == keccak256(vk));
        vm.assertEq(models.modelOf(id).vkHash, keccak256(vk));
        bytes memory index = models.modelOf(id).verifyingKey.code;
        vm.assertEq(index.length, 1 + 0x20 * 4);
        for (uint256 i = 1; i < 4; ++i) {
            vm.assertLe(
                address(uint160(load(index, 1 + 0x20 * i))).code.length, 24_576, "larger than a contract may be"
            );
        }
    }

    function test_register_stores_a_sliced_model_under_one_key() public {
        ToySliced memory sliced = ToySlices.make(json, true, 3, 3, 1, 2);
        vm.prank(publisher);
        bytes32 id = models.register(spec(), sliced.vk, sliced.commitments);
        ModelSpec memory s = spec();
        bytes memory head = abi.encode(keccak256(sliced.vk), keccak256(sliced.commitments), s.circuitHash);
        bytes memory middle = abi.encode(s.quantisationHash, s.metadataHash, s.ceremonyHash, publisher, s.royaltyBps);
        vm.assertEq(id, keccak256(bytes.concat(head, middle, abi.encode(s.nIn, s.nOut, uint8(3)))));
        vm.assertEq(models.verifyingKeyOf(id), sliced.vk);
        vm.assertEq(models.modelOf(id).vkHash, keccak256(sliced.vk));
        vm.assertEq(models.modelOf(id).modelCommitment, sliced.commitments);
        vm.assertEq(models.settlementOf(id).modelCommitment, sliced.commitments);
        vm.assertEq(models.settlementOf(id).nOut, 2);
        vm.assertEq(models.termsOf(id).nIn, 1);
    }

    function test_register_keeps_the_commitment_of_the_one_slice_that_has_one() public {
        uint256[] memory flags = new uint256[](2);
        flags[1] = 2;
        ToySliced memory sliced = ToySlices.make(json, true, flags, 1, 2);
        bytes32 id = models.register(spec(), sliced.vk, sliced.commitments);
        vm.assertEq(sliced.commitments.length, 64);
        vm.assertEq(models.settlementOf(id).modelCommitment, sliced.commitments);
    }

    function test_register_reverts_for_a_bad_commitment_of_any_slice() public {
        ToySliced memory sliced = ToySlices.make(json, true, 3, 3, 1, 2);
        bytes memory good = sliced.commitments;
        expectBadCommitment(sliced.vk, "");
        expectBadCommitment(sliced.vk, slice(good, 0, 128));
        expectBadCommitment(sliced.vk, bytes.concat(good, ToyGroth16.point(1)));
        for (uint256 i; i < 3; ++i) {
            expectBadCommitment(sliced.vk, withWord(good, 64 * i, 5));
        }
    }

    function test_register_reverts_for_another_split_than_the_slices_have() public {
        ToySliced memory sliced = ToySlices.make(json, true, 2, 1, 1, 2);
        ModelSpec memory s = spec();
        (s.nIn, s.nOut, s.inputPrivate, s.outputEncrypted) = (2, 1, false, false);
        expectStatement(s, sliced.vk);
        (s.nIn, s.nOut) = (1, 3);
        expectStatement(s, sliced.vk);
        (s.nIn, s.nOut) = (1, 2);
        models.register(s, sliced.vk, "");
    }

    function test_register_reverts_for_a_malformed_sliced_key() public {
        ToySliced memory sliced = ToySlices.make(json, true, 3, 1, 1, 2);
        bytes memory good = sliced.vk;
        uint256 size = good.length;
        expectKey(bytes.concat(good, hex"00"), VerifyingKeyLib.WrongKeyLength.selector, size + 1, size);
        expectKey(slice(good, 0, 0x20), VerifyingKeyLib.WrongKeyLength.selector, 0, 0x20);
        uint256 last = sliced.keys[2].vk.length;
        expectKey(slice(good, 0, size - 1), VerifyingKeyLib.WrongKeyLength.selector, last - 1, last);
        sliced.keys[1] = ToyGroth16.key(json, 1, 4, 0);
        ToySlices.join(sliced);
        expectKey(sliced.vk, SlicedKeyLib.WrongSliceStatement.selector, 1, 4);
        sliced = ToySlices.make(json, true, 3, 1, 1, 2);
        sliced.keys[0] = ToyGroth16.key(json, 1, 2, 0);
        ToySlices.join(sliced);
        expectKey(sliced.vk, SlicedKeyLib.WrongSliceStatement.selector, 0, 2);
    }

    function test_register_checks_every_slices_points() public {
        ToySliced memory sliced = ToySlices.make(json, true, 3, 1, 1, 2);
        sliced.keys[1].vk = withWord(sliced.keys[1].vk, 0x20, 5);
        ToySlices.join(sliced);
        vm.expectRevert(abi.encodeWithSelector(VerifyingKeyLib.KeyPointNotOnCurve.selector, 0x20));
        models.register(spec(), sliced.vk, "");
    }

    /// @dev One delta in two slices: what is in one proving key would serve in the proofs of the other.
    function test_register_reverts_for_slices_that_share_a_delta() public {
        ToySliced memory sliced = ToySlices.make(json, true, 3, 1, 1, 2);
        bytes memory good = sliced.keys[2].vk;
        uint256 first = 0x20 + sliced.keys[0].vk.length;
        uint256 third = first + sliced.keys[1].vk.length;
        // delta and delta_1 of the second in the place of gamma, delta and delta_1 of the third
        for (uint256 from = 0x160; from <= 0x1e0; from += 0x80) {
            bytes memory point = slice(sliced.keys[1].vk, from, from + 0x80);
            for (uint256 to = 0xe0; to <= 0x1e0; to += 0x80) {
                sliced.keys[2].vk = bytes.concat(slice(good, 0, to), point, slice(good, to + 0x80, good.length));
                ToySlices.join(sliced);
                bytes4 selector = VerifyingKeyLib.KeyPointsNotDistinct.selector;
                expectKey(sliced.vk, selector, third + to, first + from);
            }
        }
    }

    function test_setPayout_is_the_owners_alone() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotModelOwner.selector, modelId, stranger));
        vm.prank(stranger);
        models.setPayout(modelId, stranger);
        vm.startPrank(publisher);
        vm.expectRevert(IModelRegistry.ZeroAddress.selector);
        models.setPayout(modelId, address(0));
        vm.expectEmit(address(models));
        emit IModelRegistry.PayoutChanged(modelId, bob);
        models.setPayout(modelId, bob);
        vm.assertEq(models.modelOf(modelId).payout, bob);
    }

    function test_retire_is_the_owners_alone_and_for_good() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotModelOwner.selector, modelId, stranger));
        vm.prank(stranger);
        models.retire(modelId);
        vm.startPrank(publisher);
        vm.expectEmit(address(models));
        emit IModelRegistry.ModelRetired(modelId);
        models.retire(modelId);
        vm.assertTrue(models.termsOf(modelId).retired);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelAlreadyRetired.selector, modelId));
        models.retire(modelId);
    }

    function test_views_revert_for_an_unknown_model() public {
        bytes32 id = keccak256("no model");
        bytes memory expected = abi.encodeWithSelector(IModelRegistry.ModelUnknown.selector, id);
        vm.expectRevert(expected);
        models.modelOf(id);
        vm.expectRevert(expected);
        models.termsOf(id);
        vm.expectRevert(expected);
        models.settlementOf(id);
        vm.expectRevert(expected);
        models.verifyingKeyOf(id);
        vm.expectRevert(expected);
        models.retire(id);
        vm.expectRevert(expected);
        models.setPayout(id, bob);
    }

    function test_constructor_reverts_without_a_verifier() public {
        vm.expectRevert(IModelRegistry.ZeroAddress.selector);
        new ModelRegistry(IGroth16Verifier(address(0)));
    }

    /// @dev A transaction of its own, with 21,000 and calldata: what a publisher pays.
    /// forge-config: default.isolate = true
    function test_gas_of_register() public {
        vm.prank(stranger);
        models.register(spec(), toy.vk, "");
        vm.snapshotGasLastCall("registry", "register_committed_4_words");
        ToySliced memory sliced = ToySlices.make(json, true, 3, 1, 1, 2);
        models.register(spec(), sliced.vk, "");
        vm.snapshotGasLastCall("registry", "register_committed_3_slices");
    }

    /// @dev What a transaction may cost (EIP-7825) is what bounds a key; the client computes it from these figures.
    /// forge-config: default.isolate = true
    function test_gas_of_register_large_keys() public {
        uint256[5] memory sizes = [uint256(100), 370, 380, 700, 1000];
        for (uint256 i; i < 5; ++i) {
            ModelSpec memory s = spec();
            (s.inputPrivate, s.outputEncrypted) = (false, false);
            (s.nIn, s.nOut) = (uint32(sizes[i] - 2), 1);
            bytes memory vk = largeKey(3, sizes[i]);
            models.register(s, vk, ToyGroth16.point(5));
            vm.snapshotGasLastCall("registry", string.concat("register_", vm.toString(sizes[i]), "_words"));
        }
    }

    /// @notice A key of the given shape whose IC is one point over and over: nobody can prove under it, and none need.
    function largeKey(uint256 flags, uint256 n) private view returns (bytes memory vk) {
        bytes memory small = ToyGroth16.key(json, flags, 1, 0).vk;
        uint256 ic = VerifyingKeyLib.icOffset(flags);
        vk = new bytes(VerifyingKeyLib.length(flags, n));
        for (uint256 offset; offset < vk.length; offset += 0x20) {
            uint256 word = load(small, offset < ic ? offset : ic + (offset - ic) % 0x40);
            assembly ("memory-safe") {
                mstore(add(add(vk, 0x20), offset), word)
            }
        }
        uint256 header = (0x4153564b01 << 216) | (flags << 208) | (n << 160);
        assembly ("memory-safe") {
            mstore(add(vk, 0x20), header)
        }
    }

    function expectOther(ModelSpec memory s) private {
        vm.prank(publisher);
        vm.assertNotEq(models.register(s, toy.vk, ""), modelId);
    }

    function expectStatement(ModelSpec memory s) private {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.WrongStatementSize.selector, s.nIn, s.nOut, 4));
        models.register(s, toy.vk, "");
    }

    function expectStatement(ModelSpec memory s, bytes memory vk) private {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.WrongStatementSize.selector, s.nIn, s.nOut, 4));
        models.register(s, vk, "");
    }

    function expectKey(bytes memory vk, bytes4 selector, uint256 a, uint256 b) private {
        vm.expectRevert(abi.encodeWithSelector(selector, a, b));
        models.register(spec(), vk, "");
    }

    function expectBadCommitment(bytes memory vk, bytes memory commitment) private {
        vm.expectRevert(IModelRegistry.BadModelCommitment.selector);
        models.register(spec(), vk, commitment);
    }
}
