// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "../src/interfaces/IGroth16Verifier.sol";
import {FIELD_PRIME, GROUP_ORDER} from "../src/libraries/Bn254.sol";
import {COMMITTED} from "../src/libraries/VerifyingKeyLib.sol";
import {SSTORE2} from "solady/src/utils/SSTORE2.sol";
import {ToyGroth16, ToyKey} from "./utils/ToyGroth16.sol";
import {VectorTest} from "./utils/VectorTest.sol";

contract Groth16VerifierBatchTest is VectorTest {
    struct Batch {
        address vk;
        bytes m;
        uint256[][] inputs;
        bytes[] proofs;
    }

    function test_verifyBatch_accepts_the_vectors_of_every_mode() public {
        for (uint256 mode; mode < 4; ++mode) {
            verify(vectors(mode));
        }
    }

    function test_verifyBatch_accepts_one_and_ten_proofs() public {
        for (uint256 flags; flags < 4; ++flags) {
            verify(toys(flags, 2, 1));
            verify(toys(flags, 4, 10));
        }
    }

    function test_verifyBatch_accepts_the_same_proof_twice() public {
        Batch memory b = vectors(1);
        (b.inputs[2], b.proofs[2]) = (b.inputs[0], b.proofs[0]);
        verify(b);
    }

    function test_verifyBatch_rejects_one_tampered_input_anywhere() public {
        for (uint256 mode; mode < 4; ++mode) {
            Batch memory b = vectors(mode);
            for (uint256 k; k < 3; ++k) {
                b.inputs[k][k] = addmod(b.inputs[k][k], 1, GROUP_ORDER);
                expectInvalid();
                verify(b);
                b.inputs[k][k] = addmod(b.inputs[k][k], GROUP_ORDER - 1, GROUP_ORDER);
            }
        }
    }

    function test_verifyBatch_rejects_each_point_of_a_proof_replaced() public {
        bytes memory other = ToyGroth16.point(5);
        for (uint256 mode; mode < 4; ++mode) {
            Batch memory b = vectors(mode);
            uint256[3] memory offsets = [uint256(0), 0xc0, 0x100];
            for (uint256 i; i < (mode & COMMITTED != 0 ? 3 : 2); ++i) {
                bytes memory good = b.proofs[1];
                b.proofs[1] = withWord(withWord(good, offsets[i], load(other, 0)), offsets[i] + 0x20, load(other, 0x20));
                expectInvalid();
                verify(b);
                b.proofs[1] = good;
            }
        }
    }

    /// @dev One statement moved up by one, the other down. Random coefficients are what catches it.
    function test_verifyBatch_rejects_errors_that_cancel_in_a_plain_sum() public {
        Batch memory b = toys(0, 2, 2);
        uint256[] memory up = b.inputs[0];
        uint256[] memory down = b.inputs[1];
        up[0] = addmod(up[0], 1, GROUP_ORDER);
        down[0] = addmod(down[0], GROUP_ORDER - 1, GROUP_ORDER);
        // The sum of both statements is what it was, and so is every other sum.
        expectInvalid();
        verify(b);
    }

    function test_verifyBatch_rejects_swapped_statements() public {
        Batch memory b = vectors(1);
        (b.inputs[0], b.inputs[1]) = (b.inputs[1], b.inputs[0]);
        expectInvalid();
        verify(b);
    }

    function test_verifyBatch_rejects_another_model_commitment() public {
        for (uint256 mode = 2; mode < 4; ++mode) {
            Batch memory b = vectors(mode);
            b.m = ToyGroth16.point(17);
            expectInvalid();
            verify(b);
        }
    }

    function test_verifyBatch_rejects_an_input_plus_r() public {
        Batch memory b = vectors(0);
        uint256 above = b.inputs[1][0] + GROUP_ORDER;
        b.inputs[1][0] = above;
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.InputTooLarge.selector, 0, above));
        verify(b);
    }

    function test_verifyBatch_rejects_each_coordinate_plus_p() public {
        Batch memory b = vectors(1);
        bytes memory good = b.proofs[2];
        for (uint256 offset; offset < good.length; offset += 0x20) {
            uint256 above = load(good, offset) + FIELD_PRIME;
            b.proofs[2] = withWord(good, offset, above);
            vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.CoordinateTooLarge.selector, offset, above));
            verify(b);
        }
    }

    function test_verifyBatch_rejects_b_outside_the_subgroup() public {
        Batch memory b = vectors(0);
        bytes memory good = b.proofs[1];
        bytes memory outside = vm.parseJsonBytes(json, ".g2OutsideSubgroup");
        b.proofs[1] = bytes.concat(slice(good, 0, 0x40), outside, slice(good, 0xc0, 0x100));
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.PrecompileFailed.selector, 8));
        verify(b);
    }

    function test_verifyBatch_rejects_a_g1_point_off_the_curve() public {
        Batch memory b = vectors(1);
        bytes memory good = b.proofs[0];
        uint256[3] memory offsets = [uint256(0), 0xc0, 0x100];
        for (uint256 i; i < 3; ++i) {
            b.proofs[0] = withWord(good, offsets[i], load(good, offsets[i]) ^ 1);
            vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.PrecompileFailed.selector, 7));
            verify(b);
        }
    }

    function test_verifyBatch_rejects_lengths_that_do_not_match() public {
        Batch memory b = vectors(0);
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.WrongBatchLength.selector, 0, 0));
        verifier.verifyBatch(b.vk, new uint256[][](0), new bytes[](0), "");
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.WrongBatchLength.selector, 2, 3));
        verifier.verifyBatch(b.vk, new uint256[][](2), b.proofs, "");
        uint256[] memory good = b.inputs[1];
        b.inputs[1] = new uint256[](4);
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.WrongInputCount.selector, 4, 3));
        verify(b);
        b.inputs[1] = good;
        b.proofs[2] = bytes.concat(b.proofs[2], bytes32(0));
        vm.expectRevert(abi.encodeWithSelector(IGroth16Verifier.WrongProofLength.selector, 288, 256));
        verify(b);
    }

    function test_verifyBatch_short_of_gas_reverts() public {
        Batch memory b = toys(3, 2, 2);
        b.inputs[0][0] ^= 1;
        bytes memory data = abi.encodeCall(IGroth16Verifier.verifyBatch, (b.vk, b.inputs, b.proofs, b.m));
        for (uint256 gasLimit = 1000; gasLimit < 700_000; gasLimit += 7993) {
            (bool ok,) = address(verifier).staticcall{gas: gasLimit}(data);
            vm.assertTrue(!ok, "a false batch passed");
        }
    }

    function verify(Batch memory b) private view {
        verifier.verifyBatch{gas: GAS}(b.vk, b.inputs, b.proofs, b.m);
    }

    function vectors(uint256 mode) private returns (Batch memory b) {
        b.inputs = new uint256[][](3);
        b.proofs = new bytes[](3);
        for (uint256 k; k < 3; ++k) {
            Case memory c = vector(mode, k);
            (b.vk, b.m, b.inputs[k], b.proofs[k]) = (c.vk, c.m, c.inputs, c.proof);
        }
    }

    function toys(uint256 flags, uint256 n, uint256 count) private returns (Batch memory b) {
        ToyKey memory toy = ToyGroth16.key(json, flags, n, 0);
        b.vk = SSTORE2.write(toy.vk);
        b.m = toy.modelCommitment;
        b.inputs = new uint256[][](count);
        b.proofs = new bytes[](count);
        for (uint256 k; k < count; ++k) {
            b.inputs[k] = statement(n, k);
            b.proofs[k] = ToyGroth16.prove(toy, b.inputs[k], k);
        }
    }
}
