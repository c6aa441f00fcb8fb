// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SSTORE2} from "solady/src/utils/SSTORE2.sol";
import {IGroth16Verifier} from "../src/interfaces/IGroth16Verifier.sol";
import {Bn254, FIELD_PRIME, GROUP_ORDER} from "../src/libraries/Bn254.sol";
import {COMMITTED} from "../src/libraries/VerifyingKeyLib.sol";
import {ToyGroth16} from "./utils/ToyGroth16.sol";
import {ToySlices, ToySliced} from "./utils/ToySlices.sol";
import {VectorTest} from "./utils/VectorTest.sol";

/// @notice Each test begins with a sliced proof that verifies and changes one thing.
contract Groth16VerifierSlicesTest is VectorTest {
    struct Sliced {
        ToySliced toy;
        address vk;
        uint256[] inputs;
        uint256[] cuts;
        bytes[] proofs;
    }

    uint256 private constant SLICED_GAS = 5_000_000;

    /// @dev Whether the slices' keys are of setups of their own.
    function apart() internal pure virtual returns (bool) {
        return false;
    }

    function test_verify_accepts_slices_of_every_mode() public {
        for (uint256 flags; flags < 4; ++flags) {
            verifySliced(sliced(2, flags, 1, 1));
            verifySliced(sliced(3, flags, 2, 3));
        }
        verifySliced(sliced(16, COMMITTED, 1, 1));
    }

    function test_verify_accepts_slices_of_mixed_modes() public {
        uint256[] memory flags = new uint256[](4);
        (flags[0], flags[1], flags[2], flags[3]) = (2, 1, 0, 3);
        Sliced memory s;
        s.toy = ToySlices.make(json, apart(), flags, 2, 2);
        fill(s);
        verifySliced(s);
    }

    function test_verify_rejects_swapped_slices() public {
        Sliced memory s = sliced(4, COMMITTED, 1, 1);
        for (uint256 i; i < 3; ++i) {
            (s.proofs[i], s.proofs[i + 1]) = (s.proofs[i + 1], s.proofs[i]);
            expectInvalid();
            verifySliced(s);
            (s.proofs[i], s.proofs[i + 1]) = (s.proofs[i + 1], s.proofs[i]);
        }
    }

    function test_verify_rejects_a_repeated_slice() public {
        Sliced memory s = sliced(3, COMMITTED, 1, 1);
        s.proofs[1] = s.proofs[0];
        expectInvalid();
        verifySliced(s);
        s.cuts[1] = s.cuts[0];
        expectInvalid();
        verifySliced(s);
    }

    function test_verify_rejects_a_missing_slice_and_extra_bytes() public {
        Sliced memory s = sliced(3, COMMITTED, 1, 1);
        bytes memory good = ToySlices.join(s.cuts, s.proofs);
        expectLength(s, slice(good, 0, good.length - 320), good.length);
        expectLength(s, slice(good, 32, good.length), good.length);
        expectLength(s, bytes.concat(good, hex"00"), good.length);
        expectLength(s, bytes.concat(good, s.proofs[2]), good.length);
        expectLength(s, "", good.length);
    }

    function test_verify_rejects_a_cut_changed_for_one_slice() public {
        Sliced memory s = sliced(3, COMMITTED, 1, 1);
        for (uint256 i; i < 3; ++i) {
            bytes memory good = s.proofs[i];
            uint256[] memory cuts = new uint256[](2);
            (cuts[0], cuts[1]) = (s.cuts[0], s.cuts[1]);
            cuts[i == 0 ? 0 : i - 1] ^= 1;
            s.proofs[i] = ToyGroth16.prove(s.toy.keys[i], ToySlices.words(s.toy, s.inputs, cuts, i), 77);
            expectInvalid();
            verifySliced(s); // the words say what the other slices prove
            (s.cuts, cuts) = (cuts, s.cuts);
            expectInvalid();
            verifySliced(s); // or what this one proves
            (s.cuts, cuts) = (cuts, s.cuts);
            s.proofs[i] = good;
        }
        verifySliced(s);
    }

    function test_verify_rejects_a_slice_proven_for_another_binding() public {
        Sliced memory s = sliced(3, COMMITTED, 1, 1);
        for (uint256 i; i < 3; ++i) {
            bytes memory good = s.proofs[i];
            uint256[] memory words = ToySlices.words(s.toy, s.inputs, s.cuts, i);
            words[0] = addmod(words[0], 1, GROUP_ORDER);
            s.proofs[i] = ToyGroth16.prove(s.toy.keys[i], words, 5);
            expectInvalid();
            verifySliced(s);
            s.proofs[i] = good;
        }
    }

    function test_verify_rejects_slices_of_two_runs() public {
        Sliced memory s = sliced(3, COMMITTED, 1, 1);
        uint256[] memory other = statement(2, 99);
        for (uint256 i; i < 3; ++i) {
            bytes memory good = s.proofs[i];
            s.proofs[i] = ToyGroth16.prove(s.toy.keys[i], ToySlices.words(s.toy, s.inputs, other, i), 3);
            expectInvalid();
            verifySliced(s);
            s.proofs[i] = good;
        }
        uint256[] memory first = s.cuts;
        s.cuts = other;
        expectInvalid();
        verifySliced(s);
        s.cuts = first;
        verifySliced(s);
    }

    function test_verify_rejects_each_word_of_the_statement_changed() public {
        Sliced memory s = sliced(3, COMMITTED, 2, 2);
        for (uint256 i; i < s.inputs.length; ++i) {
            uint256 good = s.inputs[i];
            s.inputs[i] = addmod(good, 1, GROUP_ORDER);
            expectInvalid();
            verifySliced(s);
            s.inputs[i] = good + GROUP_ORDER;
            vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.InputTooLarge.selector, i, good + GROUP_ORDER));
            verifySliced(s);
            s.inputs[i] = good;
        }
        uint256[] memory longer = new uint256[](6);
        s.inputs = longer;
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.WrongInputCount.selector, 6, 5));
        verifySliced(s);
    }

    function test_verify_rejects_a_cut_plus_r() public {
        Sliced memory s = sliced(3, COMMITTED, 1, 1);
        for (uint256 i; i < 2; ++i) {
            s.cuts[i] += GROUP_ORDER;
            vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.CutTooLarge.selector, i, s.cuts[i]));
            verifySliced(s);
            s.cuts[i] -= GROUP_ORDER;
        }
    }

    function test_verify_rejects_each_coordinate_of_a_slice_plus_p_or_off_the_curve() public {
        Sliced memory s = sliced(2, COMMITTED, 1, 1);
        for (uint256 k; k < 2; ++k) {
            bytes memory good = s.proofs[k];
            for (uint256 offset; offset < good.length; offset += 0x20) {
                uint256 above = load(good, offset) + FIELD_PRIME;
                s.proofs[k] = withWord(good, offset, above);
                uint256 place = 320 * k + offset;
                vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.CoordinateTooLarge.selector, place, above));
                verifySliced(s);
                s.proofs[k] = withWord(good, offset, load(good, offset) ^ 1);
                // The first slice's points go to the pairing as they are, the others are multiplied before.
                bool paired = k == 0 || (offset >= 0x40 && offset < 0xc0);
                uint256 precompile = paired ? 8 : 7;
                vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.PrecompileFailed.selector, precompile));
                verifySliced(s);
            }
            s.proofs[k] = good;
        }
    }

    function test_verify_rejects_each_point_of_a_slice_replaced() public {
        Sliced memory s = sliced(3, COMMITTED, 1, 1);
        bytes memory other = ToyGroth16.point(5);
        uint256[3] memory offsets = [uint256(0), 0xc0, 0x100];
        for (uint256 k; k < 3; ++k) {
            bytes memory good = s.proofs[k];
            for (uint256 i; i < 3; ++i) {
                s.proofs[k] = withWord(withWord(good, offsets[i], load(other, 0)), offsets[i] + 0x20, load(other, 0x20));
                expectInvalid();
                verifySliced(s);
            }
            s.proofs[k] = good;
        }
    }

    /// @dev C of one slice moved by t delta', of another by -t delta: in a plain product the errors cancel.
    function test_verify_rejects_errors_that_cancel_in_a_plain_product() public {
        Sliced memory s = sliced(3, 0, 1, 1);
        for (uint256 k; k < 3; ++k) {
            uint256 other = (k + 1) % 3;
            (bytes memory good, bytes memory goodOther) = (s.proofs[k], s.proofs[other]);
            s.proofs[k] = moved(good, delta(s, other));
            s.proofs[other] = moved(goodOther, GROUP_ORDER - delta(s, k));
            expectInvalid();
            verifySliced(s);
            (s.proofs[k], s.proofs[other]) = (good, goodOther);
        }
        verifySliced(s);
    }

    function test_verify_rejects_other_swapped_and_missing_model_commitments() public {
        Sliced memory s = sliced(3, 3, 1, 1);
        bytes memory good = s.toy.commitments;
        s.toy.commitments = bytes.concat(slice(good, 64, 128), slice(good, 0, 64), slice(good, 128, 192));
        expectInvalid();
        verifySliced(s);
        s.toy.commitments = slice(good, 0, 128);
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.WrongModelCommitmentLength.selector, 128, 192));
        verifySliced(s);
        s.toy.commitments = bytes.concat(good, hex"00");
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.WrongModelCommitmentLength.selector, 193, 192));
        verifySliced(s);
    }

    function test_verify_rejects_keys_that_are_not_sliced_keys() public {
        Sliced memory s = sliced(3, COMMITTED, 1, 1);
        bytes memory good = s.toy.vk;
        expectBadKey(s, bytes.concat(good, hex"00"));
        expectBadKey(s, slice(good, 0, good.length - 1));
        expectBadKey(s, slice(good, 0, 0x20));
        expectBadKey(s, withByte(good, 5, 2));
        expectBadKey(s, withByte(good, 5, 4));
        expectBadKey(s, withByte(good, 5, 0));
        expectBadKey(s, withByte(good, 5, 1));
        expectBadKey(s, withByte(good, 5, 17));
        expectBadKey(s, withByte(good, 4, 2));
        expectBadKey(s, withByte(good, 6, 1));
        expectBadKey(s, withByte(good, 31, 1));
        expectBadKey(s, withByte(good, 0x20 + 5, 4));
        ToySliced memory other = ToySlices.make(json, apart(), 3, COMMITTED, 1, 1);
        other.keys[1] = ToyGroth16.key(json, COMMITTED, 4, 0);
        ToySlices.join(other);
        expectBadKey(s, other.vk);
        other.keys[1] = s.toy.keys[1];
        other.keys[2] = ToyGroth16.key(json, COMMITTED, 2, 0);
        ToySlices.join(other);
        expectBadKey(s, other.vk);
    }

    function test_verifyBatch_takes_no_sliced_key() public {
        Sliced memory s = sliced(2, COMMITTED, 1, 1);
        uint256[][] memory inputs = new uint256[][](1);
        bytes[] memory proofs = new bytes[](1);
        (inputs[0], proofs[0]) = (s.inputs, ToySlices.join(s.cuts, s.proofs));
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.BadVerifyingKey.selector, s.vk));
        verifier.verifyBatch(s.vk, inputs, proofs, "");
    }

    /// @dev Whatever the gas, a false proof does not pass, and a true one passes or reverts.
    function test_verify_of_slices_short_of_gas_reverts() public {
        Sliced memory s = sliced(2, 3, 1, 1);
        s.proofs[1] = s.proofs[0];
        bytes memory data = abi.encodeCall(
            IGroth16Verifier.verify, (s.vk, s.inputs, ToySlices.join(s.cuts, s.proofs), s.toy.commitments)
        );
        for (uint256 gasLimit = 1000; gasLimit < 900_000; gasLimit += 7993) {
            (bool ok,) = address(verifier).staticcall{gas: gasLimit}(data);
            vm.assertTrue(!ok, "a false proof passed");
        }
    }

    function delta(Sliced memory s, uint256 k) private view returns (uint256) {
        return Math.invModPrime(s.toy.keys[k].deltaInverse, GROUP_ORDER);
    }

    /// @dev A proof with C + scalar G1.
    function moved(bytes memory proof, uint256 scalar) private view returns (bytes memory) {
        bytes memory by = ToyGroth16.point(scalar);
        (uint256 x, uint256 y) = Bn254.add(load(proof, 0xc0), load(proof, 0xe0), load(by, 0), load(by, 0x20));
        return withWord(withWord(proof, 0xc0, x), 0xe0, y);
    }

    function sliced(uint256 count, uint256 flags, uint256 nIn, uint256 nOut) private returns (Sliced memory s) {
        s.toy = ToySlices.make(json, apart(), count, flags, nIn, nOut);
        fill(s);
    }

    function fill(Sliced memory s) private {
        uint256 count = s.toy.keys.length;
        s.vk = SSTORE2.write(s.toy.vk);
        s.inputs = statement(s.toy.keys[0].n + s.toy.keys[count - 1].n - 3, 0);
        s.cuts = statement(count - 1, 1);
        s.proofs = new bytes[](count);
        for (uint256 i; i < count; ++i) {
            s.proofs[i] = ToyGroth16.prove(s.toy.keys[i], ToySlices.words(s.toy, s.inputs, s.cuts, i), i);
        }
    }

    function verifySliced(Sliced memory s) private view {
        bytes memory joined = ToySlices.join(s.cuts, s.proofs);
        verifier.verify{gas: SLICED_GAS}(s.vk, s.inputs, joined, s.toy.commitments);
    }

    function expectLength(Sliced memory s, bytes memory joined, uint256 expected) private {
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.WrongProofLength.selector, joined.length, expected));
        verifier.verify(s.vk, s.inputs, joined, s.toy.commitments);
    }

    function expectBadKey(Sliced memory s, bytes memory key) private {
        s.vk = SSTORE2.write(key);
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.BadVerifyingKey.selector, s.vk));
        verifySliced(s);
    }

    function withByte(bytes memory data, uint256 index, uint8 value) private pure returns (bytes memory changed) {
        changed = bytes.concat(data);
        changed[index] = bytes1(value);
    }
}

/// @notice The same, with keys that share nothing.
contract Groth16VerifierSlicesApartTest is Groth16VerifierSlicesTest {
    function apart() internal pure override returns (bool) {
        return true;
    }
}
