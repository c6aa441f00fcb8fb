// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "../src/interfaces/IGroth16Verifier.sol";
import {EC_PAIRING, FIELD_PRIME, GROUP_ORDER} from "../src/libraries/Bn254.sol";
import {COMMITTED} from "../src/libraries/VerifyingKeyLib.sol";
import {SSTORE2} from "solady/src/utils/SSTORE2.sol";
import {ToyGroth16, ToyKey} from "./utils/ToyGroth16.sol";
import {VectorTest} from "./utils/VectorTest.sol";

/// @dev One valid baseline for each mode, from vectors made by another implementation; then one change at a time.
contract Groth16VerifierTest is VectorTest {
    // ----------------------------------------------------------------------------------------------- what is accepted

    function test_verify_accepts_every_vector_of_every_mode() public {
        for (uint256 mode; mode < 4; ++mode) {
            for (uint256 k; k < 3; ++k) {
                verify(vector(mode, k));
            }
        }
    }

    function test_verify_accepts_any_statement_size() public {
        uint256[5] memory sizes = [uint256(1), 2, 7, 16, 33];
        for (uint256 flags; flags < 4; ++flags) {
            for (uint256 i; i < sizes.length; ++i) {
                ToyKey memory toy = ToyGroth16.key(json, flags, sizes[i], 0);
                verifyToy(toy, SSTORE2.write(toy.vk), statement(sizes[i], i), i);
            }
        }
    }

    /// @dev Groth16 is malleable: (tA, B/t, C) proves the same. Harmless, as no proof is an identity; shown with t = -1.
    function test_verify_accepts_a_negated_pair_of_a_plain_proof() public {
        Case memory c = vector(0, 0);
        c.proof = withWord(c.proof, 0x20, FIELD_PRIME - load(c.proof, 0x20));
        c.proof = withWord(c.proof, 0x80, FIELD_PRIME - load(c.proof, 0x80));
        c.proof = withWord(c.proof, 0xa0, FIELD_PRIME - load(c.proof, 0xa0));
        verify(c);
    }

    // ---------------------------------------------------------------------------------------------- one tampered part

    function test_verify_rejects_each_tampered_public_input() public {
        for (uint256 mode; mode < 4; ++mode) {
            for (uint256 i; i < 3; ++i) {
                Case memory c = vector(mode, 0);
                c.inputs[i] = addmod(c.inputs[i], 1, GROUP_ORDER);
                vm.expectRevert(IGroth16Verifier.ProofInvalid.selector);
                verify(c);
            }
        }
    }

    function test_verify_rejects_swapped_public_inputs() public {
        Case memory c = vector(1, 0);
        (c.inputs[0], c.inputs[1]) = (c.inputs[1], c.inputs[0]);
        vm.expectRevert(IGroth16Verifier.ProofInvalid.selector);
        verify(c);
    }

    /// @dev A flipped low bit leaves the curve, so the precompile is what refuses; see the next test for points on it.
    function test_verify_rejects_each_tampered_word_of_a_proof() public {
        for (uint256 mode; mode < 4; ++mode) {
            Case memory c = vector(mode, 0);
            for (uint256 offset; offset < c.proof.length; offset += 0x20) {
                bytes memory good = c.proof;
                c.proof = withWord(good, offset, load(good, offset) ^ 1);
                vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.PrecompileFailed.selector, EC_PAIRING));
                verify(c);
                c.proof = good;
            }
        }
    }

    function test_verify_rejects_each_proof_point_replaced_by_another_on_the_curve() public {
        bytes memory other = ToyGroth16.point(7);
        for (uint256 mode; mode < 4; ++mode) {
            Case memory c = vector(mode, 0);
            bytes memory good = c.proof;
            uint256[3] memory offsets = [uint256(0), 0xc0, 0x100];
            for (uint256 i; i < (c.flags & COMMITTED != 0 ? 3 : 2); ++i) {
                c.proof = withWord(withWord(good, offsets[i], load(other, 0)), offsets[i] + 0x20, load(other, 0x20));
                expectInvalid();
                verify(c);
                // Negated: still on the curve.
                c.proof = withWord(good, offsets[i] + 0x20, FIELD_PRIME - load(good, offsets[i] + 0x20));
                expectInvalid();
                verify(c);
                // Infinity.
                c.proof = withWord(withWord(good, offsets[i], 0), offsets[i] + 0x20, 0);
                expectInvalid();
                verify(c);
            }
            bytes memory generator = vm.parseJsonBytes(json, ".g2Generator");
            c.proof = good;
            for (uint256 w; w < 4; ++w) {
                c.proof = withWord(c.proof, 0x40 + 0x20 * w, load(generator, 0x20 * w));
            }
            expectInvalid();
            verify(c);
        }
    }

    function test_verify_rejects_an_all_zero_proof() public {
        for (uint256 mode; mode < 4; ++mode) {
            Case memory c = vector(mode, 0);
            c.proof = new bytes(c.proof.length);
            expectInvalid();
            verify(c);
        }
    }

    function test_verify_rejects_b_outside_the_subgroup() public {
        Case memory c = vector(0, 0);
        bytes memory outside = vm.parseJsonBytes(json, ".g2OutsideSubgroup");
        c.proof = bytes.concat(slice(c.proof, 0, 0x40), outside, slice(c.proof, 0xc0, 0x100));
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.PrecompileFailed.selector, EC_PAIRING));
        verify(c);
    }

    function test_verify_rejects_each_tampered_point_of_the_key() public {
        bytes memory g1 = ToyGroth16.point(11);
        bytes memory g2 = vm.parseJsonBytes(json, ".g2Generator");
        for (uint256 mode; mode < 4; ++mode) {
            Case memory c = vector(mode, 0);
            uint256 ic = 0x1e0 + 0x80 * ((c.flags & 1) + (c.flags >> 1));
            for (uint256 offset = 0x20; offset < c.key.length;) {
                bool isG2 = offset >= 0x60 && offset < ic;
                bytes memory point = isG2 ? g2 : g1;
                bytes memory bad =
                    bytes.concat(slice(c.key, 0, offset), point, slice(c.key, offset + point.length, c.key.length));
                c.vk = SSTORE2.write(bad);
                expectInvalid();
                verify(c);
                offset += point.length;
            }
        }
    }

    /// @dev The model is M: the same proof under another M, as after retraining, is worth nothing.
    function test_verify_rejects_another_model_commitment() public {
        for (uint256 mode = 2; mode < 4; ++mode) {
            Case memory c = vector(mode, 0);
            c.m = ToyGroth16.point(13);
            expectInvalid();
            verify(c);
        }
    }

    // -------------------------------------------------------------------------------------------- second names refused

    function test_verify_rejects_a_public_input_plus_r() public {
        for (uint256 mode; mode < 4; ++mode) {
            Case memory c = vector(mode, 1); // statement 0, 1, r - 1
            for (uint256 i; i < 3; ++i) {
                uint256 good = c.inputs[i];
                c.inputs[i] = good + GROUP_ORDER;
                vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.InputTooLarge.selector, i, good + GROUP_ORDER));
                verify(c);
                c.inputs[i] = good;
            }
        }
    }

    function test_verify_rejects_each_proof_coordinate_plus_p() public {
        for (uint256 mode; mode < 4; ++mode) {
            Case memory c = vector(mode, 0);
            bytes memory good = c.proof;
            for (uint256 offset; offset < good.length; offset += 0x20) {
                uint256 above = load(good, offset) + FIELD_PRIME;
                c.proof = withWord(good, offset, above);
                vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.CoordinateTooLarge.selector, offset, above));
                verify(c);
            }
        }
    }

    /// @dev A.y is negated here, before the precompile sees it. p - y wraps around 2^256 for a y above p, and there is one
    /// such y for every true one that comes out right again.
    function test_verify_rejects_the_wrapped_name_of_a_y() public {
        Case memory c = vector(0, 0);
        uint256 wrap = addmod(type(uint256).max, 1, FIELD_PRIME); // 2^256 mod p
        uint256 y = addmod(load(c.proof, 0x20), wrap, FIELD_PRIME) + FIELD_PRIME;
        unchecked {
            vm.assertEq((FIELD_PRIME - y) % FIELD_PRIME, FIELD_PRIME - load(c.proof, 0x20));
        }
        c.proof = withWord(c.proof, 0x20, y);
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.CoordinateTooLarge.selector, 0x20, y));
        verify(c);
    }

    // -------------------------------------------------------------------------------------------------- wrong lengths

    function test_verify_rejects_a_wrong_number_of_inputs() public {
        Case memory c = vector(1, 0);
        c.inputs = new uint256[](2);
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.WrongInputCount.selector, 2, 3));
        verify(c);
        c.inputs = new uint256[](4);
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.WrongInputCount.selector, 4, 3));
        verify(c);
    }

    function test_verify_rejects_a_proof_of_the_other_mode() public {
        Case memory c = vector(0, 0);
        c.proof = bytes.concat(c.proof, ToyGroth16.point(1));
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.WrongProofLength.selector, 320, 256));
        verify(c);
        c = vector(1, 0);
        c.proof = slice(c.proof, 0, 256);
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.WrongProofLength.selector, 256, 320));
        verify(c);
    }

    function test_verify_rejects_a_proof_one_byte_short_or_long() public {
        Case memory c = vector(0, 0);
        bytes memory good = c.proof;
        c.proof = slice(good, 0, 255);
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.WrongProofLength.selector, 255, 256));
        verify(c);
        c.proof = bytes.concat(good, hex"00");
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.WrongProofLength.selector, 257, 256));
        verify(c);
    }

    function test_verify_rejects_a_model_commitment_the_key_does_not_expect() public {
        Case memory c = vector(1, 0);
        c.m = ToyGroth16.point(1);
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.WrongModelCommitmentLength.selector, 64, 0));
        verify(c);
        c = vector(2, 0);
        c.m = "";
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.WrongModelCommitmentLength.selector, 0, 64));
        verify(c);
    }

    /// @dev Calldata whose length prefix reaches beyond its end (CVE-2024-50354's family): the decoder refuses it.
    function test_verify_rejects_a_length_prefix_larger_than_the_data() public {
        Case memory c = vector(0, 0);
        bytes memory data = abi.encodeCall(IGroth16Verifier.verify, (c.vk, c.inputs, c.proof, c.m));
        // The inputs' length word is the first behind four head words.
        assembly ("memory-safe") {
            mstore(add(data, add(0x24, 0x80)), 0xffffffff)
        }
        (bool ok,) = address(verifier).staticcall(data);
        vm.assertTrue(!ok);
    }

    // ------------------------------------------------------------------------------------------------------- bad keys

    function test_verify_rejects_what_is_no_key() public {
        Case memory c = vector(0, 0);
        bytes memory key = c.key;
        expectBadKey(c, address(0xdead)); // no code
        expectBadKey(c, address(verifier)); // other code
        expectBadKey(c, SSTORE2.write("")); // nothing behind the STOP byte
        expectBadKey(c, SSTORE2.write(slice(key, 0, key.length - 1)));
        expectBadKey(c, SSTORE2.write(bytes.concat(key, hex"00")));
        uint256 header = load(key, 0);
        expectBadKey(c, SSTORE2.write(withWord(key, 0, header ^ 1))); // a bit that must be zero
        expectBadKey(c, SSTORE2.write(withWord(key, 0, header ^ (1 << 200)))); // bytes 6 and 7
        expectBadKey(c, SSTORE2.write(withWord(key, 0, header ^ (1 << 160)))); // n
        expectBadKey(c, SSTORE2.write(withWord(key, 0, header ^ (3 << 216)))); // version 2
        expectBadKey(c, SSTORE2.write(withWord(key, 0, header ^ (4 << 208)))); // an unknown flag
        expectBadKey(c, SSTORE2.write(withWord(key, 0, header ^ (1 << 208)))); // committed, but not its length
        address noStop = address(0xbeef);
        vm.etch(noStop, bytes.concat(hex"01", key));
        expectBadKey(c, noStop);
        vm.etch(noStop, bytes.concat(hex"00", key));
        c.vk = noStop;
        verify(c); // the baseline of the last one
    }

    // ------------------------------------------------------------------------------------------------- short of gas

    /// @dev However little gas a call gets, it reverts or it verifies: with a false proof it must never succeed, and
    /// with a true one it succeeds exactly from some amount on.
    function test_verify_short_of_gas_reverts() public {
        Case memory good = vector(3, 0);
        Case memory bad = vector(3, 0);
        bad.inputs[0] ^= 1;
        bytes memory goodCall = abi.encodeCall(IGroth16Verifier.verify, (good.vk, good.inputs, good.proof, good.m));
        bytes memory badCall = abi.encodeCall(IGroth16Verifier.verify, (bad.vk, bad.inputs, bad.proof, bad.m));
        bool passed;
        for (uint256 gasLimit = 1000; gasLimit < 600_000; gasLimit += 2999) {
            (bool ok,) = address(verifier).staticcall{gas: gasLimit}(badCall);
            vm.assertTrue(!ok, "a false proof passed");
            (ok,) = address(verifier).staticcall{gas: gasLimit}(goodCall);
            vm.assertTrue(ok || !passed, "more gas made a true proof fail");
            if (ok) vm.assertGe(gasLimit, 249_000, "passed without paying for the pairing");
            passed = ok;
        }
        vm.assertTrue(passed, "never enough gas");
    }
}
